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
    texts = [found for folder in folders if (found := set(_texts(folder)))]
    shares = [len(one & other) / min(len(one), len(other)) for one, other in itertools.combinations(texts, 2)]
    return statistics.fmean(shares) if shares else None


def _texts(folder: RunFolder) -> Iterator[str]:
    path = folder.file("accepted.jsonl")
    if path.is_file():
        for row in read_jsonl(path, Candidate.from_dict):
            yield digest("row", *(comparable(text) for _, text in sorted(row.fields.items())))
