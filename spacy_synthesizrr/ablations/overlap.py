"""How many rows the draws of an arm share: draws that are mostly the same rows tell little of what other draws would give."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence

from spacy_synthesizrr.candidates import Candidate, digest
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.words import comparable

MUCH = 0.2  # of the rows: above it, an interval over draws is not to be believed


def shared_rows(folders: Sequence[RunFolder]) -> float | None:
    """How many accepted texts of a draw stand in another draw as well.

    folders (Sequence[RunFolder]): The runs of one arm, one per draw.
    RETURNS (float | None): Mean over all pairs of draws of the common share of the smaller one; None for fewer than two draws with rows.
    """
    return _shared([set(_texts(folder)) for folder in folders])


def shared_plans(folders: Sequence[RunFolder]) -> float | None:
    """The same of the rows that are planned, known before anybody is asked: of equal seed, passage and shots."""
    return _shared([set(_planned(folder)) for folder in folders])


def _shared(draws: Sequence[set[str]]) -> float | None:
    pairs = itertools.combinations([draw for draw in draws if draw], 2)
    shares = [len(one & other) / min(len(one), len(other)) for one, other in pairs]
    return statistics.fmean(shares) if shares else None


def _planned(folder: RunFolder) -> Iterator[str]:
    path = folder.file("planned.jsonl")
    if path.is_file():
        yield from (row["id"] for row in read_jsonl(path, dict) if not row.get("reserve"))


def _texts(folder: RunFolder) -> Iterator[str]:
    path = folder.file("accepted.jsonl")
    if path.is_file():
        for row in read_jsonl(path, Candidate.from_dict):
            yield digest("row", *(comparable(text) for _, text in sorted(row.fields.items())))
