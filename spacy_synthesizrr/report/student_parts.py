"""The parts of the page about the student and its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spacy_synthesizrr.report import calibration, figures, student_tables
from spacy_synthesizrr.report.browse import Cell
from spacy_synthesizrr.report.collect import matrix
from spacy_synthesizrr.report.findings import Standing
from spacy_synthesizrr.report.items import Item
from spacy_synthesizrr.report.parts import Group, Heat, Numbers, Part, not_run
from spacy_synthesizrr.report.view import commanded

MATRIX_LABELS = 30  # beyond them a matrix cannot be read, and only the most frequent confusions are shown
ANSWERS = "answers.jsonl"


def students(numbers: Numbers) -> Part:
    """The student against its controls."""
    head: dict[str, Any] = {"anchor": "students", "title": "Student against controls", "short": "Student"}
    if not numbers["arms"]:
        return Part(**head, missing=not_run("Students", "evaluate"))
    plots = []
    arms = [Standing(arm["name"], dev=arm["dev"]["scores"], test=arm["test"]["scores"], why=arm["why"]) for arm in numbers["arms"]]
    if any(arm.split for arm in arms):
        plots.append((figures.students(arms, metric=numbers["metric"]), f"{numbers['metric'].capitalize()} of each student"))
    sizes = {arm["name"]: arm["rows"] for arm in numbers["arms"] if arm["rows"] is not None}
    if sizes:
        plots.append((figures.sizes(sizes), "Rows that each student learned from"))
    tables = (student_tables.standings_table(numbers),)
    files = ("evaluation.json", "card.md") if numbers["evaluation"] else ()
    return Part(**head, plots=tuple(plots), tables=tables, sentences=tuple(student_tables.arm_notes(numbers)), files=files)


def confusion(numbers: Numbers, rows: Mapping[Cell, Sequence[Item]]) -> Part:
    """What the student confuses, with the test rows behind each cell.

    rows (Mapping[Cell, Sequence[Item]]): Some of the rows of each cell.
    """
    head: dict[str, Any] = {"anchor": "confusion", "title": "What the student confuses", "short": "Confusion"}
    evaluation = numbers["evaluation"] or {}
    if evaluation.get("why"):
        return Part(**head, missing=f"Not available: {evaluation['why']}.")
    found = evaluation.get("confusion")
    if evaluation.get("spans"):
        head |= {"title": "How right the answers are", "short": "Answers"}
        return Part(**head, tables=(student_tables.spans_table(numbers),), files=(ANSWERS,))
    if not found:
        return Part(**head, missing=not_run("Confusion matrix", "evaluate"))
    anchors = {cell: f"cell-{number}" for number, cell in enumerate((cell for cell, items in rows.items() if items), 1)}
    tables = (student_tables.labels_table(numbers), student_tables.confusions_table(found, anchors))
    known = ANSWERS in numbers.get("written", ())
    groups = tuple(_group(numbers, found, cell, items, anchors[cell]) for cell, items in rows.items() if items)
    return Part(
        **head,
        tables=tuple(table for table in tables if table),
        heat=_heat(numbers, found, anchors) if len(found["labels"]) <= MATRIX_LABELS else None,
        groups=groups,
        files=(ANSWERS,) if known else ("evaluation.json",),
        commands=(commanded("rows", numbers["run"], status="wrong"),) if known else (),
    )


def _heat(numbers: Numbers, found: Mapping[str, Any], anchors: Mapping[Cell, str]) -> Heat:
    rows = numbers["evaluation"]["rows"]
    caption = f"{rows:,} test rows, by the student that is taken home ({student_tables.which_student(numbers)})"
    return Heat(caption, "gold ↓ student →", tuple(found["labels"]), tuple(map(tuple, matrix(found))), anchors)


def _group(numbers: Numbers, found: Mapping[str, Any], cell: Cell, items: Sequence[Item], anchor: str) -> Group:
    gold, student = cell
    total = sum(one["count"] for one in found["cells"] if (one["gold"], one["predicted"]) == cell)
    title = f"{gold}, read right" if gold == student else f"{gold}, taken for {student}"
    command = commanded("rows", numbers["run"], gold=gold, student=student) if ANSWERS in numbers.get("written", ()) else ""
    return Group(anchor, title, total, tuple(items), command)


def calibrated(numbers: Numbers) -> Part:
    """How far the scores of the student can be trusted."""
    head: dict[str, Any] = {"anchor": "calibration", "title": "How far its scores can be trusted", "short": "Calibration"}
    evaluation = numbers["evaluation"] or {}
    if found := evaluation.get("calibration"):
        plot = calibration.reliability(found["reliability"], exclusive=numbers["asked"]["exclusive"])
        tables, sentences = tuple(calibration.tables(evaluation)), tuple(calibration.sentences(evaluation))
        return Part(**head, plots=((plot, "Scores and what is right, on test"),), tables=tables, sentences=sentences)
    if evaluation.get("why"):
        return Part(**head, missing=f"Not available: {evaluation['why']}.")
    if evaluation.get("spans"):
        return Part(**head, missing="Not available: the scores of answers that are spans are not calibrated.")
    return Part(**head, missing=not_run("Calibration", "evaluate"))
