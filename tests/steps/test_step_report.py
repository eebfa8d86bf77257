import html
import json
import re

import pytest
from walked_run import HOSTILE

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import RunFolderError, StoreError
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.steps import report


def page(context):
    return context.folder.file("report/index.html").read_text(encoding="utf-8")


def numbers(context):
    return json.loads(context.folder.file("report/numbers.json").read_text(encoding="utf-8"))


def words(text):
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)).split()))


def vouch(context):
    """Leave a new receipt of `curate` for its files as they are now."""
    context.folder.receipt_path("curate").unlink()
    outputs = ("accepted.jsonl", "rejected.jsonl", "funnel.json")
    run_step(context.folder, "curate", after=("plan", "synthesize"), settings={}, outputs=outputs, body=dict)


def add_students(context, *, main=(0.6, 0.7), seeds_only=(0.8, 0.8)):
    """Write what `export`, `train` and `evaluate` would have written."""

    def arm(name, scores=(), why=""):
        about = {"name": name, "run": not why, "why": why, "rows": 0 if why else 8, "steps": 0 if why else 50, "labels": {}}
        return about | {
            "seeds": [{"seed": number, "dev": score} for number, score in enumerate(scores)],
            "dev": {"mean": sum(scores) / 2, "sd": 0.1} if scores else None,
            "test": {"mean": sum(scores) / 2, "sd": 0.1, "seeds": list(scores)} if scores else None,
            "interval": {"value": sum(scores) / 2, "low": 0.4, "high": 0.9} if scores else None,
            "ece": {"mean": 0.2, "sd": 0.1} if scores else None,
            "per_label": {label: {"p": 0.5, "r": 0.5, "f": 0.5, "rows": 4} for label in ("sport", "cooking")} if scores else {},
        }

    arms = [arm("main", main), arm("seed-only", seeds_only), arm("fewgen", why="not run: this teacher only copies")]
    cells = [
        {"gold": "sport", "predicted": "sport", "count": 4, "rows": [1]},
        {"gold": "cooking", "predicted": "sport", "count": 4, "rows": [5]},
    ]
    documents = {
        "export.json": {
            "v": 1, "arms": arms, "dev": {"rows": 8, "in_test": 0}, "test": {"rows": 8}, "gold_left_out": {"dev": 0, "test": 0},
        },
        "student.json": {"v": 1, "arms": arms, "metric": "accuracy"},
        "evaluation.json": {
            "v": 1, "metric": "accuracy", "rows": 8, "why": "", "arms": arms, "copies": {"rows": 8, "equal": 2},
            "chosen": {
                "arm": "main", "seed": 1, "score": 0.7, "confusion": cells, "thresholds": {}, "finish": {},
                "intervals": {name: {"value": 0.7, "low": 0.4, "high": 0.9} for name in ("score", "macro_f")}, "calibration": None,
            },
            "baselines": {"majority": {"label": "sport", "score": 0.5}},
        },
    }  # fmt: skip
    before = "curate"
    for step, (name, document) in zip(("export", "train", "evaluate"), documents.items(), strict=True):
        write_json(context.folder.file(name), document)
        run_step(context.folder, step, after=(before,), settings={}, outputs=(name,), body=dict)
        before = step


def test_a_run_without_students_is_reported(walked):
    assert report.run(walked)
    text = words(page(walked))
    assert "Students: not available" in text
    assert "8 rows accepted of 8 asked for" in text


def test_the_second_time_nothing_is_done(walked):
    report.run(walked)
    assert not report.run(walked)


def test_the_same_run_gives_the_same_bytes(walked):
    report.run(walked)
    first = page(walked), numbers(walked)
    walked.folder.receipt_path("report").unlink()
    report.run(walked)
    assert (page(walked), numbers(walked)) == first


def test_new_students_make_a_new_report(walked):
    report.run(walked)
    add_students(walked)
    assert report.run(walked)
    assert "Students: not available" not in words(page(walked))


def test_students_of_rows_that_are_no_more_are_left_out(walked):
    add_students(walked)
    report.run(walked)
    assert numbers(walked)["arms"]
    accepted = walked.folder.file("accepted.jsonl")
    lines = accepted.read_text(encoding="utf-8").splitlines(keepends=True)
    accepted.write_text("".join(lines[:-1]), encoding="utf-8")
    vouch(walked)
    assert report.run(walked)
    found = numbers(walked)
    assert (found["arms"], found["evaluation"], found["measures"]) == ([], None, None)
    assert {"export", "train", "evaluate", "measure"}.isdisjoint(found["keys"])
    assert "Students: not available" in words(page(walked))


def test_a_file_of_another_release_names_the_step_to_run_again(walked):
    add_students(walked)
    path = walked.folder.file("export.json")
    walked.folder.receipt_path("export").unlink()
    write_json(path, {"v": 1, "arms": [], "dev": {"rows": 8}, "test": {"rows": 8}})
    run_step(walked.folder, "export", after=("curate",), settings={}, outputs=("export.json",), body=dict)
    with pytest.raises(RunFolderError, match=r"export.json has no 'in_test'.*Run the step 'export' again"):
        report.run(walked)


def test_the_store_is_closed_when_the_page_cannot_be_made(walked, monkeypatch):
    closed = []

    class Broken:
        def get(self, ids):
            raise StoreError("gone")

        def close(self):
            closed.append(True)

    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: Broken())
    with pytest.raises(StoreError):
        report.run(walked)
    assert closed == [True]


def test_a_student_that_does_not_beat_its_seeds_says_so_first(walked):
    add_students(walked)
    report.run(walked)
    text = words(page(walked))
    assert "The student does not beat seed-only" in text
    assert text.index("does not beat") < text.index("Student and controls")
    assert numbers(walked)["findings"][0]["tone"] == "bad"


def test_every_number_of_the_students_is_in_the_json(walked):
    add_students(walked)
    report.run(walked)
    found = numbers(walked)
    assert [(arm["name"], arm["test"]["scores"]) for arm in found["arms"]] == [
        ("main", [0.6, 0.7]),
        ("seed-only", [0.8, 0.8]),
        ("fewgen", []),
    ]
    assert found["arms"][2]["why"] == "not run: this teacher only copies"
    assert found["evaluation"]["confusion"]["labels"] == ["sport", "cooking"]


def test_the_extractive_teacher_is_called_what_it_is(walked):
    report.run(walked)
    assert numbers(walked)["asked"]["copies"] is True
    assert "'extractive' is not an LLM: it only copies sentences" in words(page(walked))


def test_texts_of_the_run_cannot_break_out(walked):
    report.run(walked)
    made = page(walked)
    assert made.count("<script") == 2 and "<img" not in made and "<b>" not in made
    assert HOSTILE in html.unescape(re.sub(r"</?mark>", "", made))


def test_no_text_gets_into_the_numbers(walked):
    add_students(walked)
    report.run(walked)
    made = walked.folder.file("report/numbers.json").read_text(encoding="utf-8")
    assert "script" not in made and "oven" not in made and "keeper" not in made


def test_accepted_rows_stand_on_the_page_with_their_passages(walked):
    report.run(walked)
    made = page(walked)
    ids = [json.loads(line)["id"] for line in walked.folder.file("accepted.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(f"synthesizrr trace {found[:12]} --run tiny" in made for found in ids)
    assert "<mark>" in made and "Gazette" in made


def test_similarities_of_all_accepted_rows_are_counted(walked):
    report.run(walked)
    found = numbers(walked)
    assert sum(found["accepted_similarity"]) == found["funnel"]["total"]["accepted"] == 8
    assert len(found["accepted_similarity"]) == len(found["plan"]["histogram"]["edges"]) - 1


def test_rejected_rows_are_shown_by_reason(walked):
    path = walked.folder.file("rejected.jsonl")
    row = json.loads(walked.folder.file("accepted.jsonl").read_text(encoding="utf-8").splitlines()[0])
    rows = [row | {"id": f"{number:032x}", "status": "rejected", "events": [{"step": "curate", "status": "rejected", "reason": reason}]}
            for number, reason in enumerate(["near_copy"] * 9 + ["too_short"])]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    vouch(walked)
    report.run(walked)
    text = words(page(walked))
    assert "near copy 9 rows, 5 shown" in text and "too short 1 row" in text
    assert "10 rejected" in text


def test_the_command_to_do_it_again_quotes_what_the_shell_would_split(walked):
    inputs = json.loads(walked.folder.file("inputs.json").read_text(encoding="utf-8"))
    moved = Context(walked.folder, inputs | {"identity": {**inputs["identity"], "task": "my tasks/task.yml"}})
    from spacy_synthesizrr.report.collect import reproduce

    assert reproduce(moved).startswith(
        "python -m spacy project run all . --vars.task 'my tasks/task.yml' --vars.run tiny --vars.strategy synthesizrr"
    )
    assert "--vars.per_label 4 --vars.seed 0 --vars.lang en" in reproduce(moved)


def test_a_report_needs_curated_rows(walked):
    walked.folder.receipt_path("curate").unlink()
    with pytest.raises(RunFolderError, match="'curate'"):
        report.run(walked)


def test_the_demo_has_every_plot_and_no_missing_part(demo):
    made = demo.file("news_demo", "report/index.html").read_text(encoding="utf-8")
    assert made.count('role="img"') >= 5
    assert "not available" not in words(made)
    assert len(made.encode()) < 1_000_000
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', made)


def test_the_demo_compares_with_its_baselines(demo):
    found = demo.json("news_demo", "report/numbers.json")
    told = " ".join(finding["text"] for finding in found["findings"])
    assert "seed-only" in told and "random" in told
    test = {arm["name"]: arm["test"]["mean"] for arm in found["arms"]}
    evaluated = {arm["name"]: arm["test"] and arm["test"]["mean"] for arm in demo.json("news_demo", "evaluation.json")["arms"]}
    assert test == evaluated


def test_loops_that_started_from_the_run_are_linked(walked):
    report.run(walked)
    assert "loop tiny-text" not in words(page(walked))
    for name, run in (("tiny-text", "tiny"), ("other-text", "other"), ("tiny-unfinished", "tiny")):
        write_json(walked.folder.path.parent / name / "grid.json", {"v": 1, "loop_of": run})
        if name != "tiny-unfinished":
            (walked.folder.path.parent / name / "index.html").write_text("")
    assert report.run(walked)
    assert 'href="../../tiny-text/index.html"' in page(walked) and "loop tiny-text" in words(page(walked))
    assert "other-text" not in page(walked) and "tiny-unfinished" not in page(walked)
    assert not report.run(walked)
