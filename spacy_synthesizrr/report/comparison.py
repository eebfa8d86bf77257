"""Runs side by side: what was asked differently, and what came of it, with how far each is from the first one.

Differences of scores have intervals where both runs were tested on the same rows: both students are then scored on the same
drawn rows, see `students.quality.bootstrap.difference`. Everything else comes from numbers.json of each run; measures have a module of
their own, `compared_measures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.report import compared_measures, figures
from spacy_synthesizrr.report.findings import Standing
from spacy_synthesizrr.report.money import money
from spacy_synthesizrr.report.parts import Part
from spacy_synthesizrr.report.view import Cell, Table, percent, plain, signed
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import NOTHING, LabelSet, said
from spacy_synthesizrr.students.table import between

FUNNEL = ("asked", "planned", "sent", "answered", "accepted", "short")
ONLY_ASKED = ("labels",)  # too long for a cell


@dataclass(frozen=True)
class Answered:
    """What the students of a run say of its test rows.

    file (str): Fingerprint of the test file.
    gold (Sequence[LabelSet]): One label set per row. answers (Sequence[Sequence[LabelSet]]): Per student of the main arm.
    """

    file: str
    gold: Sequence[LabelSet]
    answers: Sequence[Sequence[LabelSet]]


@dataclass(frozen=True)
class Compared:
    """One run.

    name (str): Of the run. numbers (Mapping): Its numbers.json.
    tested (Answered | None): None where the answers are not known.
    """

    name: str
    numbers: Mapping[str, Any]
    tested: Answered | None = None


def compare(runs: Sequence[Compared], *, seed: int = 0) -> dict[str, Any]:
    """Compare runs with the first one.

    RETURNS (dict): Plain JSON: asked (what differs), scores, funnel, reasons, money, each a list in the order of the runs, or such a list
        per name; and measures, see `compared_measures.side_by_side`.
    """
    first = runs[0]
    asked = {name: [_word(run.numbers["asked"].get(name)) for run in runs] for name in first.numbers["asked"] if name not in ONLY_ASKED}
    return {
        "v": 1,
        "runs": [run.name for run in runs],
        "metrics": sorted({run.numbers["metric"] for run in runs}),
        "asked": {name: values for name, values in asked.items() if len(set(values)) > 1},
        "scores": [_score(run, first, seed=seed) for run in runs],
        "funnel": {stage: [_funnel(run).get(stage) for run in runs] for stage in FUNNEL},
        "reasons": _reasons(runs),
        "measures": compared_measures.side_by_side([run.numbers for run in runs]),
        "money": [_money(run) for run in runs],
    }


def _word(value: Any) -> str:
    return NOTHING if value is None else str(value)


def _main(run: Compared) -> Mapping[str, Any]:
    return next((arm for arm in run.numbers["arms"] if arm["name"] == MAIN), {})


def _score(run: Compared, first: Compared, *, seed: int) -> dict[str, Any]:
    """The student of a run, and how far it is ahead of the first run's."""
    arm = _main(run)
    found = {name: arm.get(name) for name in ("rows", "steps", "interval")} | {split: arm.get(split) for split in ("dev", "test")}
    if run is first:
        return {"run": run.name, **found, "ahead": None, "why": ""}
    ours, theirs = run.tested, first.tested
    if ours is None or theirs is None:
        return {"run": run.name, **found, "ahead": None, "why": "not every run has answers.jsonl"}
    if ours.file != theirs.file or list(ours.gold) != list(theirs.gold):
        return {"run": run.name, **found, "ahead": None, "why": "tested on other rows"}
    return {"run": run.name, **found, "ahead": _ahead(ours, theirs, seed=seed), "why": ""}


def _ahead(ours: Answered, theirs: Answered, *, seed: int) -> dict[str, Any]:
    from spacy_synthesizrr.students.quality.bootstrap import Paired, difference

    labels = sorted({label for side in (ours.gold, *ours.answers, *theirs.answers) for row in side for label in row})
    return difference([Paired(ours.gold, ours.answers, theirs.answers)], labels, seed=seed).to_dict()


def _funnel(run: Compared) -> Mapping[str, Any]:
    total = (run.numbers["funnel"] or {}).get("total", {})
    return {**total, "answered": total["sent"] - sum(total["failed"].values())} if total else {}


def _reasons(runs: Sequence[Compared]) -> dict[str, list[int]]:
    """Rows turned away per reason, the most frequent first."""
    counts = [_away(_funnel(run)) for run in runs]
    names = sorted({name for one in counts for name in one}, key=lambda name: (-sum(one.get(name, 0) for one in counts), name))
    return {name: [one.get(name, 0) for one in counts] for name in names}


def _away(total: Mapping[str, Any]) -> dict[str, int]:
    found = {f"failed: {reason}": count for reason, count in total.get("failed", {}).items()}
    for reasons in total.get("rejected", {}).values():
        for reason, count in reasons.items():
            found[reason] = found.get(reason, 0) + count
    return found


def _money(run: Compared) -> dict[str, Any]:
    spent = (run.numbers.get("money") or {}).get("spent")
    shared = bool((run.numbers.get("money") or {}).get("shared"))
    return {**(spent or {}), "shared": shared, "accepted": _funnel(run).get("accepted", 0)}


def comparison_parts(found: Mapping[str, Any]) -> list[Part]:
    """RETURNS (List[Part]): What the page shows."""
    return [_score_part(found), _asked_part(found), _funnel_part(found), _measures_part(found), _money_part(found)]


def _score_part(found: Mapping[str, Any]) -> Part:
    metric = found["metrics"][0] if len(found["metrics"]) == 1 else "score"
    head: dict[str, Any] = {"anchor": "scores", "title": "The students", "short": "Students"}
    standings = [
        Standing(one["run"], dev=(one["dev"] or {}).get("scores", ()), test=(one["test"] or {}).get("scores", ()), why="no scores")
        for one in found["scores"]
    ]
    plot = figures.students(standings, metric=metric) if any(one.split for one in standings) else None
    rows = tuple(
        (one["run"], one["rows"], said(one["dev"]), said(one["test"]), between(one["interval"]), *_told_ahead(one))
        for one in found["scores"]
    )
    head_row = (
        "run",
        "rows",
        f"dev {metric}, %",
        f"test {metric}, %",
        "95 % interval",
        "ahead, points",
        "95 % interval of that",
    )
    sentences = (
        f"How far a run is ahead counts against {found['runs'][0]}. Scores are means ± standard deviations over training seeds. "
        "The interval of a difference is of the mean over the same test rows for both (paired bootstrap): one that holds 0 shows no "
        "difference. It says nothing about other training seeds or other synthetic rows.",
        *sorted({f"{one['run']}: {one['why']}, so that there is no interval." for one in found["scores"] if one["why"]}),
    )
    plots = ((plot, f"{metric.capitalize()} of the student of each run"),) if plot else ()
    return Part(**head, plots=plots, tables=(Table("Students", head_row, rows),), sentences=sentences)


def _told_ahead(one: Mapping[str, Any]) -> tuple[str, str]:
    ahead = one["ahead"]
    if not ahead:
        return NOTHING, NOTHING
    return signed(100 * ahead["value"], 1), f"{signed(100 * ahead['low'], 1)} to {signed(100 * ahead['high'], 1)}"


def _asked_part(found: Mapping[str, Any]) -> Part:
    rows = tuple((plain(name), *values) for name, values in found["asked"].items())
    sentences = () if rows else ("All runs were asked for the same, by the names of their settings; config files may differ.",)
    table = Table("Asked differently", ("setting", *found["runs"]), rows, words=tuple(range(1, len(found["runs"]) + 1)))
    return Part("asked", "What was asked differently", tables=(table,) if rows else (), sentences=sentences, short="Asked")


def _funnel_part(found: Mapping[str, Any]) -> Part:
    stages: tuple[tuple[Cell, ...], ...] = tuple((stage, *counts) for stage, counts in found["funnel"].items())
    reasons: tuple[tuple[Cell, ...], ...] = tuple((plain(reason), *counts) for reason, counts in found["reasons"].items())
    tables = [Table("Rows", ("stage", *found["runs"]), stages)]
    tables += [Table("Turned away", ("reason", *found["runs"]), reasons)] if reasons else []
    return Part("funnel", "From the plan to accepted rows", tables=tuple(tables), short="Funnel")


def _measures_part(found: Mapping[str, Any]) -> Part:
    head: dict[str, Any] = {"anchor": "measures", "title": "The rows", "short": "Measures"}
    measures = found["measures"]
    if not measures["values"]:
        return Part(**head, missing="No run was measured.")
    tables, sentences = compared_measures.tables(measures, found["runs"]), compared_measures.sentences(measures)
    return Part(**head, tables=tuple(tables), sentences=tuple(sentences))


def _money_part(found: Mapping[str, Any]) -> Part:
    rows = tuple(_spent(run, one) for run, one in zip(found["runs"], found["money"], strict=True))
    head = ("run", "requests", "tokens", "money", "money for 1,000 accepted rows")
    grids = [run for run, one in zip(found["runs"], found["money"], strict=True) if one["shared"]]
    sentences = (f"Runs of a grid share their answers, and the one that asked first paid for them: {', '.join(grids)}.",) if grids else ()
    return Part("money", "What they cost", tables=(Table("By the ledger", head, rows),), sentences=sentences, short="Money")


def _spent(run: str, one: Mapping[str, Any]) -> tuple[Cell, ...]:
    if "requests" not in one:
        return (run, 0, 0, "0", money(None) if one["shared"] else "0")
    each = None if one["unpriced"] or one["shared"] or not one["accepted"] else 1000 * one["cost"] / one["accepted"]
    return (run, one["requests"], one["prompt_tokens"] + one["answer_tokens"], money(one["cost"], one["unpriced"]), money(each))


def told(found: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): The students in short, for a terminal."""
    for one in found["scores"]:
        ahead, interval = _told_ahead(one)
        gap = f", {ahead} points ({interval}) against {found['runs'][0]}" if one["ahead"] else ""
        score = one["test"] if one["test"] and one["test"]["mean"] is not None else one["dev"]
        split = "test" if score is one["test"] else "dev"
        accepted = percent(None) if score is None else said(score)
        yield f"  {one['run']}: {split} {accepted} %{gap}"
