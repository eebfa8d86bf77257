"""Texts as the tokens that an encoder takes: cut, or in overlapping windows; and batches of pieces of about one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.students.transformer.settings import WINDOWS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_WINDOWS = 32  # of one text; while it is trained, the memory holds all of them at once
OVERLAP = 4  # neighbouring windows share one token in so many


@dataclass(frozen=True)
class Pieces:
    """Tokens of texts; each text has one piece, or several windows.

    ids (List[List[int]]), types (List[List[int]]): Numbers of the tokens and their segments, of each piece.
    texts (NDArray[int64]): Which text each piece is of, ascending.
    """

    ids: list[list[int]]
    types: list[list[int]]
    texts: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """RETURNS (NDArray[int64]): Tokens of each piece."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)


def cut_texts(tokenizer: Any, texts: Sequence[str], *, max_length: int, long_texts: str) -> Pieces:
    """Tokenize texts.

    tokenizer (tokenizers.Tokenizer): Its truncation is set here.
    max_length (int): Most tokens of a piece, special ones included.
    long_texts (str): "cut", or "windows": the first `MOST_WINDOWS` windows, which overlap by a quarter.
    """
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length, stride=max_length // OVERLAP if long_texts == WINDOWS else 0)
    ids: list[list[int]] = []
    types: list[list[int]] = []
    owners: list[int] = []
    for number, encoding in enumerate(tokenizer.encode_batch(list(texts))):
        windows = [encoding, *encoding.overflowing][:MOST_WINDOWS] if long_texts == WINDOWS else [encoding]
        for window in windows:
            ids.append(window.ids)
            types.append(window.type_ids)
            owners.append(number)
    return Pieces(ids, types, np.array(owners, dtype=np.int64))


def cut_batches(lengths: NDArray[np.int64], budget: int) -> Iterator[NDArray[np.int64]]:
    """Batches of pieces, short ones first, so that little is padded.

    lengths (NDArray[int64]): Tokens of each piece; pieces without a token are left out.
    budget (int): Most tokens of a batch, with padding.
    YIELDS (NDArray[int64]): Places of the pieces of a batch.
    """
    order = [place for place in np.argsort(lengths, kind="stable") if lengths[place]]
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end - start + 1) * lengths[order[end]] > budget:
            yield np.array(order[start:end], dtype=np.int64)
            start = end


def padded(rows: Sequence[Sequence[int]], fill: int) -> NDArray[np.int64]:
    """RETURNS (NDArray[int64]): Rows as one array of shape (rows, longest), filled up at their ends."""
    values = np.full((len(rows), max(map(len, rows))), fill, dtype=np.int64)
    for line, row in zip(values, rows, strict=True):
        line[: len(row)] = row
    return values
