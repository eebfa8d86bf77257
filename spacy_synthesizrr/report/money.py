"""The part of the page about money and tokens: what the run took by its ledger, and what the student saves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spacy_synthesizrr.report.parts import Numbers, Part
from spacy_synthesizrr.report.view import Cell, Table, commanded
from spacy_synthesizrr.students.scores import NOTHING

UNPRICED = "not known"
SHARED = (
    "This is a run of a grid, whose runs share their answers: what several of them ask is paid by the one that asks first. Only what this "
    "run itself asked is counted here, so there is no price for its rows; caps hold for the grid as a whole."
)


def part(numbers: Numbers) -> Part:
    """What it cost."""
    found = numbers.get("money") or {}
    head: dict[str, Any] = {"anchor": "money", "title": "What it cost", "short": "Money"}
    spent, home = found.get("spent"), found.get("home")
    sentences = tuple(_sentences(numbers, spent))
    tables = (*((_stages(found["stages"], spent),) if spent else ()), *((_labelling(home),) if home else ()))
    commands = (commanded("responses ledger", numbers["run"]),) if spent else ()
    return Part(**head, tables=tables, sentences=sentences, commands=commands, files=("takehome.json",) if home else ())


def tiles(numbers: Numbers) -> Iterator[tuple[str, str]]:
    """YIELDS (Tuple[str, str]): What was spent, for the head of the page; nothing where nothing was."""
    if spent := (numbers.get("money") or {}).get("spent"):
        if spent["unpriced"] or not spent["cost"]:
            yield f"{spent['prompt_tokens'] + spent['answer_tokens']:,}", f"tokens in {spent['requests']:,} requests"
        else:
            yield money(spent["cost"]), f"money for {spent['requests']:,} requests"


def money(cost: float | None, unpriced: int = 0) -> str:
    """RETURNS (str): An amount as people read it; that some requests had no known price is said."""
    if cost is None or (unpriced and not cost):
        return UNPRICED
    shown = "0" if not cost else f"{cost:,.2f}" if cost >= 1 else f"{cost:.4f}"
    return f"{shown} and more" if unpriced else shown


def per_row(numbers: Numbers) -> float | None:
    """RETURNS (float | None): Money for one accepted row of the main arm; None where it is not known. Controls count too.

    A run of a grid takes answers that another run of it paid for, so there is no such price.
    """
    found = numbers.get("money") or {}
    spent = None if found.get("shared") else found.get("spent")
    accepted = (numbers["funnel"] or {"total": {"accepted": 0}})["total"]["accepted"]
    return spent["cost"] / accepted if spent and accepted and not spent["unpriced"] else None


def _sentences(numbers: Numbers, spent: Mapping[str, Any] | None) -> Iterator[str]:
    shared = bool((numbers.get("money") or {}).get("shared"))
    if shared:
        yield SHARED
    if not spent:
        yield (
            "Nothing was paid: the ledger of this run has no request. A teacher that works by rule, or one on a machine of yours whose "
            "answers were all there, leaves none."
        )
        return
    tokens = spent["prompt_tokens"] + spent["answer_tokens"]
    yield f"{spent['requests']:,} requests, {tokens:,} tokens, money: {money(spent['cost'], spent['unpriced'])}."
    accepted = numbers["funnel"]["total"]["accepted"] if numbers["funnel"] else 0
    if accepted and not shared:
        cost = per_row(numbers)
        yield (
            f"That is {spent['requests'] / accepted:.2f} requests and {tokens / accepted:,.0f} tokens for each accepted row, controls and "
            f"judges included" + ("." if cost is None else f", and {money(1000 * cost)} for 1,000 of them.")
        )
    if spent["unpriced"]:
        yield f"The price of {spent['unpriced']:,} requests was not known when they were made; they count as tokens, never as money."


def _stages(stages: list[Mapping[str, Any]], spent: Mapping[str, Any]) -> Table:
    def row(name: str, one: Mapping[str, Any]) -> tuple[Cell, ...]:
        return (name, one["requests"], one["prompt_tokens"], one["answer_tokens"], money(one["cost"], one["unpriced"]))

    head = ("asked by", "requests", "prompt tokens", "answer tokens", "money")
    return Table("Where it went", head, tuple(row(one["stage"] or NOTHING, one) for one in stages), foot=row("all", spent))


def _labelling(home: Mapping[str, Any]) -> Table:
    """A thousand documents: by the teacher, and by the student."""
    speed, estimate = home["speed"], home["teacher"]["labelling"]
    rows: list[tuple[Cell, ...]] = [("this student", 0, "0", f"{1000 / speed['docs_per_second']:.2g} s here")]
    if estimate:
        tokens = estimate["prompt_tokens"] + estimate["answer_tokens"]
        rows.append(("the teacher, estimated", tokens, money(estimate["cost"]), NOTHING))
    return Table("Labelling 1,000 documents afterwards", ("by", "tokens", "money", "time"), tuple(rows), words=(3,))
