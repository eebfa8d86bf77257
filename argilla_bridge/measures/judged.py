"""Rows with what was suggested and what people said of them: what agreement is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from argilla_bridge.rounds.pulling import ASKED, VOTES
from argilla_bridge.rows import Vote
from spacy_synthesizrr.jsonl import read_jsonl


@dataclass(frozen=True)
class Judged:
    """One row that was put before people.

    votes (Tuple[Vote, ...]): All answers to it, of whatever status and dataset.
    labels (Tuple[str, ...]): What the project suggests.
    score (float | None): How sure it is.
    shown (bool): Whether people saw the suggestion.
    """

    votes: tuple[Vote, ...]
    labels: tuple[str, ...] = ()
    score: float | None = None
    shown: bool = True


def read_judged(folder: Path) -> Iterator[Judged]:
    """Stream the rows of a pull; both files are sorted by row.

    folder (Path): The run's folder `review`.
    YIELDS (Judged): The rows that were asked about, with or without answers.
    RAISES (InputError): When `pull` has not written its files.
    """
    by_row = groupby(read_jsonl(folder / VOTES, Vote.from_dict), key=lambda vote: vote.row_id)
    row, votes = next(by_row, (None, iter(())))
    for about in read_jsonl(folder / ASKED, _about):
        while row is not None and row < about["row"]:  # answers to rows that are no more in the run, or of adjudication
            row, votes = next(by_row, (None, iter(())))
        given = tuple(votes) if row == about["row"] else ()
        yield Judged(given, tuple(about["labels"]), about["score"], about["shown"])


def _about(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("row", "labels", "score", "shown")}
