"""The model card."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spacy_synthesizrr.students.table import WORSE
from spacy_synthesizrr.students.takehome.card import Facts, card, load_line
from spacy_synthesizrr.taskfile import TaskSpec

HOSTILE = "a | b </td><script>alert(1)</script> [x](http://example.com) `code`"
FINISH = {"v": 1, "temperature": 0.5, "rows": 60, "why": "", "dev": {}, "thresholds": {}, "notes": []}
INTERVAL = {"value": 0.8, "low": 0.72, "high": 0.88, "level": 0.95, "resamples": 1000}


def task(*, exclusive=True, definition="Matches."):
    labels = {"sport": {"verbalization": "about sport", "definition": definition}, "business": {"verbalization": "about business"}}
    prompt = {"instruction": "Write {verbalization}."}
    return TaskSpec.model_validate({"path": Path("task.yml"), "name": "news", "exclusive": exclusive, "labels": labels, "prompt": prompt})


def facts(
    *, exclusive=True, definition="Matches.", test=True, finish=FINISH, labelling=None, measured=None, note="", threads=None, dev=0.8
):
    arm = {"name": "main", "run": True, "why": "", "rows": 90, "steps": 201, "labels": {"sport": 40, "business": 50}}
    spread = {"mean": 0.8, "sd": 0.01}
    by_dev = None if dev is None else spread
    away = {"name": "fewgen", "run": False, "why": "not run: this teacher only copies"}
    score = {"p": 0.8, "r": 0.7, "f": 0.75, "rows": 10}
    chosen = {
        "seed": 1, "intervals": {"score": INTERVAL}, "per_label": {"sport": score, "business": score}, "finish": finish,
        "calibration": {"temperature": finish["temperature"], "ece": {"before": 0.3, "after": 0.1}},
    }  # fmt: skip
    speed = {
        "p50_ms": 0.5, "p95_ms": 0.9, "docs_per_second": 12_345.6, "batch_size": 1000, "alone": 20, "streamed": 20, "words": 30.2,
        "repeats": 3, "parameters": 131_074, "bytes": 1_200_000, "texts": "test",
        "machine": {"cpu": "Some CPU", "cores": 2, "threads": threads or {}, "device": "cpu", "system": "Linux x86_64"},
    }  # fmt: skip
    return Facts(
        task(exclusive=exclusive, definition=definition),
        {"run": "r", "strategy": "synthesizrr", "store": "memory", "embedder": "lsa", "teacher": "openai",
         "teacher_model": "some-model", "student": "bow"},
        {"lang": "en", "arms": [arm], "label_sources": {"human": 30, "unreviewed": 60}},
        {"arms": [{**arm, "seeds": [{}, {}]}], "chosen": {"seed": 1, "dev": dev}},
        {
            "metric": "accuracy", "rows": 20 if test else 0, "why": "" if test else "no test rows", "dev_in_test": 0,
            "arms": [{**arm, "dev": by_dev, "test": spread, "interval": INTERVAL, "ece": spread} if test
                     else {**arm, "dev": by_dev, "test": None, "interval": None, "ece": None}, away],
            "chosen": chosen if test else None, "baselines": {"majority": {"label": "sport", "score": 0.5}} if test else {},
        },
        {"speed": speed, "teacher": {"measured": measured, "labelling": labelling, "note": note}},
        {"spacy": "3.8.18"},
        {"name": "news", "synthesizrr": {"finish": finish}},
    )  # fmt: skip


def test_the_card_tells_what_was_measured():
    made = card(facts())
    for words in (
        "| sport | Matches. | 40 |",
        "| business | about business | 50 |",
        load_line("student"),
        "| asked of the teacher, looked at by nobody | 60 |",
        "| teacher's model | some-model |",
        "| main \\(this student\\) | 90 | 201 | 80.0 ± 1.0 | 80.0 ± 1.0 | 72.0 to 88.0 | 80.0 ± 1.0 |",
        "* fewgen: not run: this teacher only copies",
        "This very student has 80.0 % on test, 95 % interval 72.0 to 88.0",
        "Expected calibration error on test: 10.0 %. With its scores as training left them it would be 30.0 %.",
        "| on disk | 1.2 MB |",
        "12,346 texts a second",
        "On Some CPU (2 cores, threads: not limited)",
        "Nobody looked at 60 of the rows",
        "| spacy | 3.8.18 |",
    ):
        assert words in made


def test_every_heading_and_table_has_a_blank_line_before_it():
    lines = card(facts()).splitlines()
    for number, line in enumerate(lines):
        starts = line.startswith("#") or (line.startswith("|") and not lines[number - 1].startswith("|"))
        assert not starts or number == 0 or lines[number - 1] == "", line


def test_words_of_the_user_cannot_break_out():
    made = card(facts(definition=HOSTILE))
    assert "<script" not in made.replace("\\<", "")
    (line,) = [line for line in made.splitlines() if line.startswith("| sport | a")]
    assert len(re.findall(r"(?<!\\)\|", line)) == 4


def test_with_several_labels_the_thresholds_are_shown_and_used():
    made = card(facts(exclusive=False, finish={**FINISH, "thresholds": {"sport": 0.25, "business": 0.5}}))
    assert "score >= thresholds[label]" in made and "max(doc.cats" not in made
    assert "| sport | 0.250 |" in made


def test_without_test_rows_nothing_is_claimed():
    made = card(facts(test=False))
    assert "Not tested: no test rows. Dev scores are too high" in made
    assert "Not measured: there are no test rows." in made
    assert "interval 72" not in made


def test_without_dev_rows_nothing_is_said_to_be_chosen_by_them():
    unfinished = {**FINISH, "temperature": 1.0, "rows": 0, "why": "0 dev rows are too few.", "thresholds": {"sport": 0.5, "business": 0.5}}
    for made in (card(facts(dev=None, finish=unfinished)), card(facts(dev=None, finish=unfinished, exclusive=False, test=False))):
        assert "There were no dev rows to choose by." in made
        assert "Dev chose" not in made and "dev chose" not in made and "Dev scores" not in made
    assert "There were no dev rows either." in made


@pytest.mark.parametrize(("temperature", "thresholds", "chosen"), [
    (1.0, {}, "the model;"), (1.0, {"sport": 0.5}, "the model;"), (0.5, {}, "the model and its temperature;"),
    (1.0, {"sport": 0.3}, "the model and its thresholds;"), (0.5, {"sport": 0.3}, "the model, its temperature and its thresholds;"),
])  # fmt: skip
def test_the_card_tells_what_dev_chose_and_no_more(temperature, thresholds, chosen):
    made = card(facts(exclusive=not thresholds, finish={**FINISH, "temperature": temperature, "thresholds": thresholds}))
    assert f"* Dev chose {chosen} only test scores are fair" in made


def test_what_the_student_takes_stands_beside_what_the_teacher_costs():
    row = "| this student: labelling 1,000 documents in 0.081 s on the machine above | none | none | none |"
    about = {"prompt_tokens": 90_000, "answer_tokens": 2_000, "cost": 1.5}
    assert row in card(facts()) and row in card(facts(labelling=about))


def test_thresholds_that_spacy_does_not_know_are_told():
    said = "`spacy evaluate` gives other scores than these"
    assert said in card(facts(exclusive=False, finish={**FINISH, "thresholds": {"sport": 0.3, "business": 0.5}}))
    assert said not in card(facts(exclusive=False, finish={**FINISH, "thresholds": {"sport": 0.5, "business": 0.5}}))


def test_a_temperature_that_did_harm_on_test_is_said_so():
    harmed = facts()
    assert WORSE not in card(harmed)
    harmed.evaluation["chosen"]["calibration"]["ece"] |= {"before": 0.1, "after": 0.3}
    assert WORSE in card(harmed)


def test_a_student_that_was_not_calibrated_says_why():
    made = card(facts(finish={**FINISH, "temperature": 1.0, "why": "12 dev rows are too few."}))
    assert "Its scores are as training left them. 12 dev rows are too few." in made


@pytest.mark.parametrize(("cost", "shown"), [(1.5, "1.5000"), (None, "–"), (0.0, "0.0000")])
def test_the_teachers_cost_is_called_an_estimate_where_it_is_one(cost, shown):
    about = {"prompt_tokens": 90_000, "answer_tokens": 2_000, "cost": cost}
    made = card(facts(labelling=about, measured=about, note="A note."))
    assert f"| estimate: labelling 1,000 documents with the teacher | 90,000 | 2,000 | {shown} |" in made
    assert f"| measured in this run, 1,000 requests | 90,000 | 2,000 | {shown} |" in made
    assert "A note." in made
