"""What a ledger says, for people: a table of the rounds, and a sentence for every difference that does not claim more than is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spacy_synthesizrr.ablations.table import clear
from spacy_synthesizrr.candidates import FAILED
from spacy_synthesizrr.loop.folder import START
from spacy_synthesizrr.loop.settings import GOLDGEN, LOOP, MORE_SEED, RANDOM
from spacy_synthesizrr.loop.split import ERROR, SELECTION
from spacy_synthesizrr.prompts import RETRYABLE
from spacy_synthesizrr.report.money import money
from spacy_synthesizrr.report.view import signed
from spacy_synthesizrr.students.scores import NOTHING, said
from spacy_synthesizrr.students.table import FEW, FEW_ROWS, between

Entry = Mapping[str, Any]
Ledger = Mapping[str, Any]
MARK = "*"
HEAD = ("arm", "round", "rows", "calls", "errors", "fixed", "broken", "selection", "error part", "test", "95 % interval")
WORTH: Mapping[str, str] = {
    START: "adding the rows",
    GOLDGEN: "writing after errors rather than after all labelled rows in turn",
    RANDOM: "writing after errors rather than after labelled rows drawn at random",
    MORE_SEED: "writing after errors rather than more rows like the first ones",
}
ONE_DRAW = (
    "A teacher that is asked again writes other rows, and no interval here knows of that: it takes several loops, each from a run of its "
    "own seed, to know what a loop is worth."
)


def table(ledger: Ledger) -> Iterator[str]:
    """YIELDS (str): A table of the rounds, what its marks mean, and what the loop gained over every control."""
    from wasabi.tables import table as lay_out

    rows = [[name, *_cells(entry, chosen=chosen, alone=not entry["round"])] for name, entry, chosen in entries(ledger)]
    aligned = lay_out(rows, header=HEAD, divider=True, aligns=("l", *"r" * (len(HEAD) - 1)), max_col=60).strip("\n")
    yield from (line.rstrip() for line in aligned.splitlines())
    yield from notes(ledger)
    yield from (told for one in ledger["differences"] for told in (gain(one, ledger),))
    yield from cautions(ledger)


def entries(ledger: Ledger) -> Iterator[tuple[str, Entry, bool]]:
    """YIELDS (Tuple[str, Mapping, bool]): Arm and round, the start first; whether its student is the result of the loop."""
    result = ledger["arms"][0]["chosen"]
    yield START, ledger["start"], result == 0
    for arm in ledger["arms"]:
        for entry in arm["rounds"] if not arm["why"] else ():
            yield arm["name"], entry, arm["name"] == LOOP and entry["round"] == result


def named(ledger: Ledger) -> Iterator[tuple[str, Entry]]:
    """YIELDS (Tuple[str, Mapping]): Every round with its name, such as "loop 1", the start first."""
    for arm, entry, _ in entries(ledger):
        yield (f"{arm} {entry['round']}" if entry["round"] else START), entry


def _cells(entry: Entry, *, chosen: bool, alone: bool) -> list[str]:
    errors, mark = entry[ERROR]["moved"], MARK if entry[ERROR]["optimistic"] else ""
    test = entry["test"]
    return [
        f"{entry['round']}{' (result)' if chosen else ''}",
        f"{entry['rows']:,}" + (f" ({entry['added']:+,})" if entry["added"] else ""),
        NOTHING if alone else f"{entry['calls']:,}",
        f"{entry['errors']:,} of {errors['rows']:,}",
        count(errors["fixed"]),
        count(errors["broken"]),
        said(mean_sd(entry[SELECTION])),
        said(mean_sd(entry[ERROR])) + mark,
        said(mean_sd(test)) if test else NOTHING,
        between(test),
    ]


def mean_sd(score: Mapping[str, Any] | None) -> Mapping[str, float | None] | None:
    """RETURNS (Mapping | None): mean and sd alone; None where there is no score."""
    return {name: score[name] for name in ("mean", "sd")} if score and score.get("mean") is not None else None


def count(number: int | None) -> str:
    """RETURNS (str): A number, or a dash."""
    return NOTHING if number is None else f"{number:,}"


def notes(ledger: Ledger) -> Iterator[str]:
    """YIELDS (str): What the numbers are."""
    parts, seeds = ledger["parts"], len(ledger["seeds"])
    spread = "mean ± standard deviation over training seeds" if seeds > 1 else "one training seed"
    yield (
        f"Scores: {ledger['metric']} in percent, {spread}. Errors, fixed and broken: in the {parts[ERROR]:,} rows of the error part, "
        "against the round before."
    )
    if parts["split"]:
        yield (
            f"{MARK} too good: rows were written after these very rows. The {parts[SELECTION]:,} rows of the selection part chose models "
            "and rounds, so their scores are somewhat too good as well; only test says what an arm is worth."
        )
    else:
        yield f"{MARK} too good: the rows whose errors are extrapolated also chose models and rounds. Only test says what an arm is worth."


def gain(one: Mapping[str, Any], ledger: Ledger) -> str:
    """RETURNS (str): What the loop gained over another arm, with its interval and what that means, in a sentence or two."""
    name = one["against"]
    head = f"Against {name}{_rounds(one)}"
    if one["rounds"] is None:
        return f"{head}: {one['why']}, so nothing can be said."
    if one["test"] is None:
        found = one["selection"]
        shown = f" On the selection part, which chose both rounds: {points(found)}; that proves nothing." if found else ""
        return f"{head}: {one['why']}, so nothing can be said.{shown}"
    return f"{head}: {points(one['test'])} on test. {meaning(one['test'], name)}{_unequal(one)}"


def _rounds(one: Mapping[str, Any]) -> str:
    if one["rounds"] is None or one["against"] == START:
        return ""
    mine, other = (f"round {number}" if number else "the start" for number in one["rounds"])
    return f" ({mine} of both)" if mine == other else f" ({LOOP}: {mine}; {one['against']}: {other})"


def points(found: Mapping[str, Any]) -> str:
    """RETURNS (str): A difference in points with its interval, such as "+1.2 points [−0.4, +2.8]"."""
    return f"{signed(100 * found['value'], 1)} points [{signed(100 * found['low'], 1)}, {signed(100 * found['high'], 1)}]"


def meaning(found: Mapping[str, Any], name: str) -> str:
    """RETURNS (str): What an interval says, and what it does not."""
    worth, over = WORTH[name], found["over_seeds"]
    if not clear(found):
        return f"Unclear: other test rows may turn it round, so it is not known whether {worth} helps."
    helped = f"{worth[:1].upper()}{worth[1:]} {'helped' if found['value'] > 0 else 'did worse'} on these test rows"
    if over is None:
        return f"{helped}; with one training seed, others may turn it round."
    bounds = f"[{signed(100 * over['low'], 1)}, {signed(100 * over['high'], 1)}]"
    if not clear(over):
        return f"{helped}; over training seeds {bounds}, so other trainings may turn it round."
    return f"{helped}, and over training seeds {bounds}."


def _unequal(one: Mapping[str, Any]) -> str:
    told = shortness(one["short"])
    return f" It is not a comparison of equals: {one['against']} has {told} than the loop." if told else ""


def shortness(short: Mapping[str, int]) -> str:
    """RETURNS (str): Such as "12 rows fewer and 3 calls more"; empty where both have the same."""
    found = [f"{abs(number):,} {_unit(name, number)} {'fewer' if number > 0 else 'more'}" for name, number in short.items() if number]
    return " and ".join(found)


def _unit(name: str, number: int) -> str:
    return name.removesuffix("s") if abs(number) == 1 else name


def cautions(ledger: Ledger) -> Iterator[str]:
    """YIELDS (str): What makes differences look larger or surer than they are."""
    differences = [one for one in ledger["differences"] if one["test"]]
    for arm in ledger["arms"]:
        if arm["why"]:
            yield f"{arm['name']}: {arm['why']}."
        for entry in arm["rounds"]:
            if told := shortness(entry["short"]):
                yield f"{arm['name']}, round {entry['round']}: {told} than the loop."
            if lost := unanswered(entry):
                yield f"{arm['name']}, round {entry['round']}: {lost:,} request{'s' * (lost > 1)} failed, and their rows are missing."
    yield from _steps(ledger)
    tested = [entry["test"]["rows"] for _, entry, _ in entries(ledger) if entry["test"]]
    if tested and min(tested) < FEW:
        yield FEW_ROWS
    if len(differences) > 1:
        yield f"Of {len(differences)} comparisons, one looks clear by luck more often than one in twenty."
    if differences:
        yield ONE_DRAW
    if spent := told_money(ledger):
        yield spent


def unanswered(entry: Mapping[str, Any]) -> int:
    """RETURNS (int): Requests of a round that failed for a reason that may pass."""
    return sum(entry["turned_away"].get(f"{FAILED}: {kind}", 0) for kind in RETRYABLE)


def _steps(ledger: Ledger) -> Iterator[str]:
    """Arms take as many training steps in a round; more rows take more, so later rounds have more than the start."""
    by_round: dict[int, set[int]] = {}
    for _, entry, _ in entries(ledger):
        by_round.setdefault(entry["round"], set()).add(entry["steps"])
    for number, steps in by_round.items():
        if len(steps) > 1:
            yield f"Students of round {number} were not all trained for as many steps ({min(steps):,} to {max(steps):,})."
    last = max(max(steps) for steps in by_round.values())
    if last > (first := ledger["start"]["steps"]):
        yield (
            f"Students of the start were trained for {first:,} steps, those of the last round for {last:,}: a gain over the start is of "
            "rows and of steps."
        )


def told_money(ledger: Ledger) -> str:
    """RETURNS (str): What the rounds of all arms took; empty where no teacher counted tokens."""
    rounds = [entry for arm in ledger["arms"] for entry in arm["rounds"]]
    counted = [entry for entry in rounds if entry["tokens"]]
    if not counted:
        return ""
    tokens = sum(sum(entry["tokens"].values()) for entry in counted)
    costs: Sequence[float | None] = [entry["cost"] for entry in counted]
    cost = money(None if None in costs else sum(cost for cost in costs if cost is not None))
    return f"The rounds of all arms took {sum(entry['calls'] for entry in rounds):,} calls, {tokens:,} tokens, money: {cost}."
