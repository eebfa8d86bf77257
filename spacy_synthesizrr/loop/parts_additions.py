"""The part of a loop's page about what was added: beside the labelled rows that it was written after, and beside gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spacy_synthesizrr.loop.told import named
from spacy_synthesizrr.report.parts import Part
from spacy_synthesizrr.report.view import Cell, Table, decimals, percent, signed
from spacy_synthesizrr.students.scores import NOTHING
from spacy_synthesizrr.students.table import between

Ledger = Mapping[str, Any]


def additions(ledger: Ledger) -> Part | None:
    """How close additions are to their parents, and how much of gold the train sets cover."""
    found = list(named(ledger))
    close = [(name, entry["closeness"]) for name, entry in found if entry["closeness"]]
    cover = [(name, entry["coverage"]) for name, entry in found if entry["coverage"]]
    if not close and not cover:
        return None
    tables = [table for table in (_closeness(close), _coverage(cover, ledger["gold"])) if table]
    sentences = [
        "Own: an addition and the labelled row that it was written after. Random: the addition and other parents of its label. What the "
        "label alone makes alike is in both, so only the difference tells of the parent; its interval is over parents. Edits are words to "
        "insert, remove or replace; case and punctuation do not count.",
        "Coverage: the share of the selection part that has a train row nearer than half of these rows have another one of them. It rises "
        "with the number of rows: with all of them, only sets of one size can be compared.",
        f"Vectors: {ledger['embedder']}.",
    ]
    return Part(
        "additions", "Additions beside their parents, and gold", tables=tuple(tables), sentences=tuple(sentences), short="Additions"
    )


def _closeness(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Table | None:
    head = ("round", "rows", "parents", "words, parent", "words, row", "edits, own", "edits, random", "% edited, own", "% edited, random",
            "cosine, own", "cosine, random", "own nearer by [95 %]")  # fmt: skip
    return Table("New rows and their parents", head, tuple(_compared(name, one) for name, one in found)) if found else None


def _compared(name: str, one: Mapping[str, Any]) -> tuple[Cell, ...]:
    lengths = (decimals(one["words"][side], 1) for side in ("parent", "addition"))
    sides = (one["own"], one["random"])
    means = {key: [side[key]["mean"] if side else None for side in sides] for key in ("edits", "share", "cosine")}
    edits, cosines = ([decimals(mean, digits) for mean in means[key]] for key, digits in (("edits", 1), ("cosine", 2)))
    shares = [percent(mean, 0) for mean in means["share"]]
    return (name, one["n"], one["parents"], *lengths, *edits, *shares, *cosines, _nearer(one["nearer"]))


def _nearer(found: Mapping[str, Any] | None) -> str:
    if not found:
        return NOTHING
    bounds = "" if found["low"] is None else f" [{signed(found['low'], 2)}, {signed(found['high'], 2)}]"
    return f"{signed(found['value'], 2)}{bounds}"


def _coverage(found: Sequence[tuple[str, Mapping[str, Any]]], gold: Mapping[str, Any] | None) -> Table | None:
    sets = [*found, *([("error part (gold itself)", gold)] if gold else [])]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, percent(one["equal"]["value"]), one["all"]["n"], percent(one["all"]["value"]), between(one["all"])) for name, one in sets
    )
    size = sets[0][1]["equal"]["n"] if sets else 0
    head = ("train set of", f"with {size:,} rows, %", "all rows", "with all rows, %", "95 % interval")
    return Table("Coverage of the selection part", head, rows) if rows else None
