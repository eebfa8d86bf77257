"""The tables about the student and its controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spacy_synthesizrr.report.view import Cell, Link, Table, percent
from spacy_synthesizrr.students.table import DEV_THRESHOLD, FEW, FEW_ROWS, between

SPAN_SCORES = (("F1 over words", "score"), ("exact match", "em"))
CONFUSIONS = 12  # most frequent ones listed
LINES = 8  # line numbers listed with each


def standings_table(numbers: Mapping[str, Any]) -> Table:
    """The student and its controls."""
    metric = numbers["metric"]
    rows: list[tuple[Cell, ...]] = []
    for arm in numbers["arms"]:
        scores = [percent(arm[split][key]) for split in ("dev", "test") for key in ("mean", "sd")]
        measured = (between(arm["interval"]), percent((arm["ece"] or {}).get("mean")))
        rows.append((arm["name"], arm["rows"], arm["steps"], *scores, *measured, arm["why"] or arm["about"]))
    scores_head = (f"dev {metric}, %", "± sd", f"test {metric}, %", "± sd", "95 % interval", "ECE, %")
    head = ("arm", "rows", "steps", *scores_head, "learned from")
    return Table("Student and controls", head, tuple(rows), words=(9,))


def arm_notes(numbers: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): What the table of arms needs to be read right."""
    seeds = max((len(arm["dev"]["scores"]) or len(arm["test"]["scores"]) for arm in numbers["arms"]), default=0)
    yield (
        f"Mean and standard deviation over {seeds} training seeds; every arm is trained for the same number of steps. In the sentences "
        "at the top, the student beats a control when the means differ by more than both standard deviations and than the standard error "
        "of the difference of two shares of so many test rows; never with a single training seed, and never on dev. That is no test of "
        "significance."
    )
    for split, count in numbers["gold_left_out"].items():
        if count:
            yield f"{count:,} gold train rows equal a {split} row and were left out."
    evaluation = numbers["evaluation"]
    if not evaluation:
        return
    if any(arm["interval"] for arm in numbers["arms"]):
        yield (
            "95 % interval: where the mean test score would lie with other test rows of the same kind (percentile bootstrap over rows). "
            "It says nothing about other training seeds, other synthetic rows, or texts of another kind. ECE: the mean distance between "
            "scores and the share of right answers, on test."
        )
    if evaluation["intervals"]:
        score = evaluation["intervals"]["score"]
        yield (
            f"The student that is taken home ({which_student(numbers)}) has {percent(score['value'])} % on "
            f"test, 95 % interval {between(score)}." + (f" {FEW_ROWS}" if evaluation["rows"] < FEW else "")
        )
    if evaluation["thresholds"] and had_dev(numbers):
        yield DEV_THRESHOLD
    if evaluation["why"]:
        yield f"Test: {evaluation['why']}."
    elif evaluation["majority"]:
        answer = evaluation["majority"]
        yield f"{evaluation['rows']:,} test rows. Always answering '{answer['label']}' would give {percent(answer['score'])} %."
    if evaluation["copies"]["rows"]:
        yield (
            f"{evaluation['copies']['equal']:,} of {evaluation['copies']['rows']:,} accepted rows equal their whole passage, "
            "which is their row in retrieve-only."
        )


def had_dev(numbers: Mapping[str, Any]) -> bool:
    """RETURNS (bool): Whether there are dev scores, by which models were chosen."""
    return any(arm["dev"]["scores"] for arm in numbers["arms"])


def which_student(numbers: Mapping[str, Any]) -> str:
    """RETURNS (str): Which of the trained students is taken home, such as "training seed 1, the best on dev"."""
    why = "the best on dev" if had_dev(numbers) else "the first; there were no dev rows to choose by"
    return f"training seed {numbers['evaluation']['seed']}, {why}"


def spans_table(numbers: Mapping[str, Any]) -> Table:
    """What the student that is taken home answers to the test questions."""
    found, rows = numbers["evaluation"]["spans"], numbers["evaluation"]["rows"]
    scores = [(name, percent(found["intervals"][key]["value"]), between(found["intervals"][key])) for name, key in SPAN_SCORES]
    shares = [(f"answers {name}", percent(share), "") for name, share in found["shares"].items()]
    caption = f"{rows:,} test questions, by the student that is taken home ({which_student(numbers)})"
    return Table(caption, ("measure", "%", "95 % interval"), (*scores, *shares), words=(2,))


def labels_table(numbers: Mapping[str, Any]) -> Table | None:
    """Precision, recall and F of the student per label."""
    scores = (numbers["evaluation"] or {}).get("per_label")
    if not scores:
        return None
    rows = tuple((label, *(percent(one[key]) for key in ("p", "r", "f")), one["rows"]) for label, one in scores.items())
    return Table(
        "Student per label on test, in percent, mean over training seeds", ("label", "precision", "recall", "F", "gold rows"), rows
    )


def confusions_table(confusion: Mapping[str, Any], anchors: Mapping[tuple[str, str], str] | None = None) -> Table | None:
    """The most frequent mistakes, with the lines of the test file behind them.

    anchors (Mapping): Where the rows of a cell stand, by gold label and the student's.
    """
    wrong = [cell for cell in confusion["cells"] if cell["gold"] != cell["predicted"]]
    wrong.sort(key=lambda cell: -cell["count"])
    rows = tuple((cell["gold"], cell["predicted"], _counted(cell, anchors or {}), _lines(cell)) for cell in wrong[:CONFUSIONS])
    head = ("gold label", "student's label", "rows", "lines of the test file")
    return Table("Most frequent confusions", head, rows, words=(1, 3)) if rows else None


def _counted(cell: Mapping[str, Any], anchors: Mapping[tuple[str, str], str]) -> Cell:
    anchor = anchors.get((cell["gold"], cell["predicted"]))
    return Link(cell["count"], anchor) if anchor else int(cell["count"])


def _lines(cell: Mapping[str, Any]) -> str:
    return ", ".join(map(str, cell["rows"][:LINES])) + (" …" if cell["count"] > LINES else "")
