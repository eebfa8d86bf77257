"""The part of `evaluate` for question answering: every student's answers to the test questions, their exact match and F1.

evaluation.json has the keys that it has for classifiers, empty where a span has no such thing (labels, calibration, thresholds), and
    metric            "F1": test, interval and chosen.score are means over rows
    arms[].em         mean and sd over training seeds of exact match
    chosen.em, chosen.intervals.em    of the student that is taken home
    chosen.shares     rows by F1: wrong (0), partly right, right (1), as shares
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import write_json, write_jsonl
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import spread
from spacy_synthesizrr.students.span.rows import SpanRow, read_span_rows, span_file
from spacy_synthesizrr.students.table import spans_table

if TYPE_CHECKING:
    from spacy_synthesizrr.students.span.predicting import Answered

REPORT = "evaluation.json"
ANSWERS = "answers.jsonl"  # what every student says of every test row
NO_TEST = "no test rows"
Key = tuple[str, int]  # arm and training seed


def evaluate_spans(ctx: Context, exported: Mapping[str, Any], trained: Mapping[str, Any]) -> dict[str, Any]:
    """Write evaluation.json and answers.jsonl and print the table of student and controls.

    exported (Mapping), trained (Mapping): What those steps wrote.
    RETURNS (dict): Counts for the receipt.
    """
    keys = [(arm["name"], int(seed["seed"])) for arm in trained["arms"] for seed in arm["seeds"]]
    chosen = (MAIN, int(trained["chosen"]["seed"]))
    rows = list(read_span_rows(ctx.folder.file(span_file("test.spacy"))))
    answers = {key: _answers(ctx, key, rows) for key in progress(keys, "Evaluating", unit="students")} if rows else {}
    found: dict[str, Any] = {
        "v": 1,
        "metric": trained["metric"],
        "rows": len(rows),
        "why": "" if rows else NO_TEST,
        "arms": [
            _arm(arm, [answers[key] for key in keys if key[0] == arm["name"] and key in answers], ctx.seed) for arm in trained["arms"]
        ],
        "chosen": _chosen(chosen, answers[chosen], ctx.seed) if rows else None,
        "baselines": {},
        "copies": exported["copies"],
        "dev_in_test": exported["dev"]["in_test"],
    }
    write_json(ctx.folder.file(REPORT), found)
    write_jsonl(ctx.folder.file(ANSWERS), _told(rows, answers, chosen))
    for line in spans_table(found).splitlines():
        say(line)
    return {"rows": len(rows), "students": len(answers)}


def _answers(ctx: Context, key: Key, rows: Sequence[SpanRow]) -> list[Answered]:
    from spacy_synthesizrr.steps.train import TRAINING
    from spacy_synthesizrr.students.span.predicting import predict

    arm, seed = key
    return list(predict(ctx.folder.file(TRAINING) / arm / str(seed), rows, gpu_id=int(ctx.settings["gpu_id"])))


def _told(rows: Sequence[SpanRow], answers: Mapping[Key, Sequence[Answered]], chosen: Key) -> Iterator[dict[str, Any]]:
    """YIELDS (dict): Of every test row its line in the user's file, its answers, what the chosen student says, and what all say, by arm."""
    arms = list(dict.fromkeys(arm for arm, _ in answers))
    for place, row in enumerate(rows):
        own = answers[chosen][place]
        said = {arm: [[found[place].text] for (name, _), found in answers.items() if name == arm] for arm in arms}
        about = {"em": own.em, "f1": own.f1, "score": round(own.score, 6)}
        scores = {arm: [found[place].f1 for (name, _), found in answers.items() if name == arm] for arm in arms}
        yield {"v": 1, "line": row.line, "gold": list(row.answers), "student": [own.text], **about, "arms": said, "scores": scores}


def _means(students: Sequence[Sequence[Answered]], name: str) -> list[float]:
    return [sum(getattr(one, name) for one in answers) / len(answers) for answers in students]


def _arm(arm: Mapping[str, Any], students: Sequence[Sequence[Answered]], seed: int) -> dict[str, Any]:
    scores = _means(students, "f1")
    test = spread(scores)
    return {
        **{name: arm[name] for name in ("name", "run", "why", "rows", "steps", "dev")},
        "test": test and {**test, "seeds": scores},
        "interval": _interval(students, "f1", seed) if students else None,
        "em": spread(_means(students, "em")),
        "macro_f": None,
        "ece": None,
        "per_label": {},
    }


def _interval(students: Sequence[Sequence[Answered]], name: str, seed: int) -> dict[str, Any]:
    from spacy_synthesizrr.students.quality.bootstrap import mean_interval

    return mean_interval([[getattr(one, name) for one in answers] for answers in students], seed=seed).to_dict()


def _chosen(key: Key, answers: Sequence[Answered], seed: int) -> dict[str, Any]:
    return {
        "arm": key[0],
        "seed": key[1],
        "score": _means([answers], "f1")[0],
        "em": _means([answers], "em")[0],
        "intervals": {"score": _interval([answers], "f1", seed), "em": _interval([answers], "em", seed)},
        "shares": {
            "wrong": sum(one.f1 == 0 for one in answers) / len(answers),
            "partly right": sum(0 < one.f1 < 1 for one in answers) / len(answers),
            "right": sum(one.f1 == 1 for one in answers) / len(answers),
        },
        "calibration": None,
        "thresholds": {},
        "finish": {},
        "per_label": {},
        "confusion": [],
    }
