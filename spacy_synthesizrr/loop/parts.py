"""The parts of a loop's page, each from its ledger alone; `report.page` says how a part is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacy_synthesizrr.loop import figures
from spacy_synthesizrr.loop.folder import START
from spacy_synthesizrr.loop.parts_additions import additions
from spacy_synthesizrr.loop.settings import LOOP
from spacy_synthesizrr.loop.split import ERROR, SELECTION
from spacy_synthesizrr.loop.told import MARK, ONE_DRAW, WORTH, entries, gain, mean_sd, named, notes, shortness
from spacy_synthesizrr.report.money import money
from spacy_synthesizrr.report.parts import Part
from spacy_synthesizrr.report.view import Cell, Table, percent, plain, signed
from spacy_synthesizrr.students.scores import NOTHING, said
from spacy_synthesizrr.students.table import between

Ledger = Mapping[str, Any]
LEDGER = "ledger.json"
CONFUSIONS = 12  # kinds of error in the table
Rows = tuple[tuple[Cell, ...], ...]


def make_parts(ledger: Ledger) -> list[Part]:
    """RETURNS (List[Part]): In the order of the page, those with nothing to say left out."""
    made = (rounds(ledger), gains(ledger), errors(ledger), labels(ledger), additions(ledger), funnel(ledger), cost(ledger))
    return [part for part in made if part]


def rounds(ledger: Ledger) -> Part:
    """Scores by round."""
    found = list(entries(ledger))
    unequal = any(entry.get("short") for _, entry, _ in found)
    metric = ledger["metric"]
    head = ("round", "train rows", "added", "calls", f"selection {metric}, %", "95 % interval", "error part, %", f"test {metric}, %",
            "95 % interval", *(["beside the loop"] if unequal else []))  # fmt: skip
    rows = tuple((*_scores(arm, entry, result=result), *_beside(entry, unequal)) for arm, entry, result in found)
    plots = ((curve, f"{metric.capitalize()} by round"),) if (curve := figures.learning_curve(ledger)) else ()
    table = Table("Rounds", head, rows, words=(9,) if unequal else ())
    return Part("rounds", "Round by round", plots=plots, tables=(table,), sentences=tuple(notes(ledger)), short="Rounds")


def _scores(arm: str, entry: Mapping[str, Any], *, result: bool) -> tuple[Cell, ...]:
    number, error, test = entry["round"], entry[ERROR], entry["test"]
    name = f"{arm} {number}" if number else arm
    return (
        f"{name}{' (result)' if result else ''}",
        entry["rows"],
        f"{entry['added']:+,}" if number else NOTHING,
        entry["calls"] if number else None,
        said(mean_sd(entry[SELECTION])),
        between(entry[SELECTION]),
        said(mean_sd(error)) + (MARK if error["optimistic"] else ""),
        said(mean_sd(test)) if test else NOTHING,
        between(test),
    )


def _beside(entry: Mapping[str, Any], unequal: bool) -> tuple[Cell, ...]:
    return (shortness(entry.get("short", {})),) if unequal else ()


def gains(ledger: Ledger) -> Part:
    """The loop against its controls."""
    head: dict[str, Any] = {"anchor": "gains", "title": "What the loop gained over its controls", "short": "Gains"}
    found = ledger["differences"]
    if not found:
        return Part(**head, missing="No round of the loop is finished, so there is nothing to compare.")
    rows: Rows = tuple(
        (one["against"], *_bounds(one["test"]), _over(one["test"]), *_bounds(one["selection"]), WORTH[one["against"]]) for one in found
    )
    columns = (
        "against",
        "test, points",
        "95 % interval",
        "over training seeds",
        "selection, points",
        "95 % interval",
        "what it tells the worth of",
    )
    plots = ((plot, "Gain on test, in points"),) if (plot := figures.gains(ledger)) else ()
    sentences = (
        "Both sides are scored on the same drawn rows. An interval that holds 0 shows no difference. The selection part chose the rounds "
        "of both sides and proves nothing.",
        ONE_DRAW,
    )
    return Part(**head, plots=plots, tables=(Table("Loop minus control", columns, rows, words=(6,)),), sentences=sentences)


def _bounds(found: Mapping[str, Any] | None) -> tuple[str, str]:
    if not found:
        return NOTHING, NOTHING
    return signed(100 * found["value"], 1), f"{signed(100 * found['low'], 1)} to {signed(100 * found['high'], 1)}"


def _over(found: Mapping[str, Any] | None) -> str:
    over = found and found["over_seeds"]
    return f"{signed(100 * over['low'], 1)} to {signed(100 * over['high'], 1)}" if over else NOTHING


def errors(ledger: Ledger) -> Part:
    """Rows that each round mended and broke, and kinds of errors."""
    rows: Rows = tuple(
        (name, entry["errors"], *(cell for part in (ERROR, SELECTION) for cell in _moved(entry[part]["moved"])))
        for name, entry in named(ledger)
    )
    each = ("wrong", "fixed", "broken")
    head = ("round", "errors", *(f"{word}, error part" for word in each), *(f"{word}, selection" for word in each))
    tables = [Table("Rows read rightly and wrongly", head, rows)]
    if kinds := _confusions(ledger):
        tables.append(kinds)
    plots = tuple(
        (plot, f"Fixed and broken, {what}")
        for part, what in ((ERROR, "error part"), (SELECTION, "selection part"))
        if (plot := figures.moved_rows(ledger, part))
    )
    settings = ledger["settings"]["errors"]
    by = "the chosen student" if settings["by"] == "chosen" else "the majority of students"
    sentences = (
        f"Errors are counted by the criterion '{settings['criterion']}', from the answers of {by}. Fixed and broken: against the round "
        "before, the start for the first.",
        "In the error part, rounds mend what they were written after. What they mend and break in the selection part is nearer to what "
        "they do to new texts.",
    )
    return Part("errors", "Errors", plots=plots, tables=tuple(tables), sentences=sentences)


def _moved(moved: Mapping[str, int | None]) -> tuple[Cell, ...]:
    return moved["wrong"], moved["fixed"], moved["broken"]


def _confusions(ledger: Ledger) -> Table | None:
    """Kinds of error in the error part, by round of the loop."""
    shown = [(name, entry) for name, entry in named(ledger) if name == START or name.startswith(f"{LOOP} ")]
    counts = [{(one["gold"], one["predicted"]): int(one["count"]) for one in entry["confusions"]} for _, entry in shown]
    kinds = sorted({kind for one in counts for kind in one}, key=lambda kind: (-sum(one.get(kind, 0) for one in counts), kind))
    targets = {tuple(pair) for pair in ledger["settings"]["errors"]["confusions"]}
    rows: Rows = tuple(
        (
            gold,
            predicted,
            "yes" if (gold, predicted) in targets else "all" if not targets else "",
            *(one.get((gold, predicted), 0) for one in counts),
        )
        for gold, predicted in kinds[:CONFUSIONS]
    )
    head = ("gold label", "student's label", "targeted", *(name for name, _ in shown))
    return Table("Kinds of error in the error part", head, rows, words=(1, 2)) if rows else None


def labels(ledger: Ledger) -> Part | None:
    """Scores per label on the selection part, and what was added of each label."""
    found = list(named(ledger))
    if not any(entry[SELECTION].get("labels") for _, entry in found):
        return None
    scores: Rows = tuple(
        (label, *(percent(entry[SELECTION]["labels"].get(label, {}).get("f")) for _, entry in found)) for label in ledger["labels"]
    )
    added = [(name, entry) for name, entry in found if entry["accepted"]]
    rows: Rows = tuple((label, *(entry["accepted"]["labels"].get(label, 0) for _, entry in added)) for label in ledger["labels"])
    tables = [Table("F on the selection part, in percent, mean over training seeds", ("label", *(name for name, _ in found)), scores)]
    if added:
        foot: tuple[Cell, ...] = ("rows", *(entry["accepted"]["rows"] for _, entry in added))
        tables.append(Table("Accepted rows of each label", ("label", *(name for name, _ in added)), rows, foot=foot))
    few = min((one["rows"] for one in ledger["start"][SELECTION].get("labels", {}).values()), default=0)
    sentences = (f"The rarest label has {few:,} rows in the selection part: its F moves by chance.",) if few < 30 else ()
    return Part("labels", "Labels", tables=tuple(tables), sentences=sentences)


def funnel(ledger: Ledger) -> Part | None:
    """What was turned away, and why."""
    found = [(name, entry) for name, entry in named(ledger) if entry["accepted"]]
    if not found:
        return None
    totals: dict[str, int] = {}
    for _, entry in found:
        for reason, number in entry["turned_away"].items():
            totals[reason] = totals.get(reason, 0) + number
    rows: list[tuple[Cell, ...]] = [("calls", *(entry["calls"] for _, entry in found))]
    rows += [
        (plain(reason), *(entry["turned_away"].get(reason, 0) for _, entry in found))
        for reason in sorted(totals, key=lambda name: (-totals[name], name))
    ]
    rows.append(("accepted", *(entry["accepted"]["rows"] for _, entry in found)))
    rows.append(("added since the start", *(entry["added"] for _, entry in found)))
    sentences = (
        "A control takes no more of its accepted rows than the loop has, and what gives a dev or test row away is left out of all.",
    )
    table = Table("Rows of each round", ("", *(name for name, _ in found)), tuple(rows))
    return Part("funnel", "From calls to rows", tables=(table,), sentences=sentences, short="Funnel")


def cost(ledger: Ledger) -> Part:
    """What each arm took."""
    head: dict[str, Any] = {"anchor": "money", "title": "What it took", "short": "Money"}
    found = [(name, entry) for name, entry in named(ledger) if entry["round"]]
    if not any(entry["tokens"] for _, entry in found):
        calls = sum(entry["calls"] for _, entry in found)
        return Part(**head, sentences=(f"{calls:,} calls in all. This teacher counts no tokens, so nothing is known of money.",))
    rows: Rows = tuple(
        (name, entry["calls"], *_tokens(entry), money(entry["cost"]) if entry["tokens"] else NOTHING) for name, entry in found
    )
    table = Table("By the answers of each round", ("round", "calls", "prompt tokens", "answer tokens", "money"), rows)
    sentences = (
        "Counted from the answers of each round, as if it had asked alone: what two arms asked alike was paid for once. What judges of "
        "labels took stands in the ledger of answers.",
    )
    return Part(**head, tables=(table,), sentences=sentences)


def _tokens(entry: Mapping[str, Any]) -> tuple[Cell, Cell]:
    return (entry["tokens"]["prompt"], entry["tokens"]["answer"]) if entry["tokens"] else (None, None)


def findings(ledger: Ledger) -> list[dict[str, str]]:
    """RETURNS (List[dict]): What the loop gained over each control, with a tone: "good" or "bad" only where the test rows are clear."""
    found = []
    for one in ledger["differences"]:
        test = one["test"]
        over = test["over_seeds"] if test else None
        tone = "plain"
        if test and test["low"] > 0 and over and over["low"] > 0 and not one["short"]:
            tone = "good"
        elif test and test["high"] < 0:
            tone = "bad"
        found.append({"tone": tone, "text": gain(one, ledger)})
    return found


def tiles(ledger: Ledger) -> list[tuple[str, str]]:
    """RETURNS (List[Tuple[str, str]]): The few numbers that come first, with what they are."""
    loop = ledger["arms"][0]
    result = [ledger["start"], *loop["rounds"]][loop["chosen"]]
    found = [(said(mean_sd(result["test"])), f"test {ledger['metric']} (%) of the loop's result")] if result["test"] else []
    for one in ledger["differences"]:
        if one["test"]:
            value, interval = _bounds(one["test"])
            found.append((value, f"points on test against {one['against']}; 95 %: {interval}"))
    found.append(
        (f"{result['added']:,}", f"rows added to {ledger['start']['rows']:,} in {result['round']} of {len(loop['rounds'])} rounds")
    )
    return found
