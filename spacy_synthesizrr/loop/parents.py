"""The rows from which a round starts: errors, or rows of the error part that a control takes in their place."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import ERROR, Candidate, Seed, digest
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.loop.clusters import Clustered
from spacy_synthesizrr.loop.predictions import Prediction

ERRORS = "errors.jsonl"
Said = Mapping[int, Sequence[str]]


@dataclass(frozen=True)
class Parent:
    """A labelled row that new rows are made from.

    seed (Seed): Its labels and all its fields; origin "error", whichever arm took it.
    line (int): Of the user's file.
    cluster (int | None), loss (float | None): Of an error.
    """

    seed: Seed
    line: int
    cluster: int | None = None
    loss: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): The seed's row with "line", "cluster" and "loss"; readers of seeds pass over these."""
        about = {"cluster": self.cluster, "loss": None if self.loss is None else round(self.loss, 6)}
        return {**self.seed.to_dict(), "line": self.line, **{name: value for name, value in about.items() if value is not None}}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Parent:
        """row (Mapping): What `to_dict` made."""
        return cls(Seed.from_dict(row), int(row["line"]), row.get("cluster"), row.get("loss"))


@dataclass(frozen=True)
class Uses:
    """What earlier rounds of an arm have used.

    draws (Mapping[str, int]): By id of a parent the next draw number.
    passages (FrozenSet[str]): Ids of the passages that were refined.
    """

    draws: Mapping[str, int] = field(default_factory=dict)
    passages: frozenset[str] = frozenset()

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> Uses:
        """candidates (Iterable[Candidate]): All that were asked for in earlier rounds of the arm; those of the starting run may be among
        them, whose passages are then left out, too.
        """
        draws: Counter[str] = Counter()
        passages = set()
        for one in candidates:
            draws[one.seed_id] = max(draws[one.seed_id], one.draw + 1)
            if one.passage_id:
                passages.add(one.passage_id)
        return cls(dict(draws), frozenset(passages))


def error_parents(errors: Iterable[Clustered], *, include_prediction: bool = False) -> list[Parent]:
    """The parents of the arm "loop", in the order of the errors; of equal rows the first.

    include_prediction (bool): Whether prompts tell which wrong labels the student gave.
    """
    made = (_error_parent(one.error, one.cluster, include_prediction) for one in errors)
    return list(_first(made))


def _error_parent(error: Prediction, cluster: int, include_prediction: bool) -> Parent:
    seed = Seed.make(error.labels, error.fields, ERROR, predicted=error.wrong if include_prediction else ())
    return Parent(seed, error.line, cluster, error.loss)


def row_parents(rows: Iterable[LabelledRow], said: Said | None = None) -> list[Parent]:
    """Every row that has a label as a parent, for the controls; of equal rows the first.

    said (Mapping[int, Sequence[str]] | None): By line what the arm's student says, where prompts tell its mistakes as in the loop.
    """
    made = []
    for row in rows:
        if row.labels:
            wrong = [label for label in (said or {}).get(row.line, ()) if label not in row.labels]
            made.append(Parent(Seed.make(row.labels, row.fields, ERROR, predicted=wrong), row.line))
    return list(_first(made))


def _first(parents: Iterable[Parent]) -> Iterator[Parent]:
    seen: set[str] = set()
    for parent in parents:
        if parent.seed.id not in seen:
            seen.add(parent.seed.id)
            yield parent


def goldgen_parents(rows: Iterable[LabelledRow], count: int, *, seed: int, start: int = 0, said: Said | None = None) -> list[Parent]:
    """The parents of the arm "goldgen": all rows of the error part in a seeded order, going round (GoldGen: S3, §3.1, extrapolates gold).

    count (int): Parents wanted; where there are fewer rows, a row comes more than once.
    seed (int): Of the order, which the order of the rows does not change.
    start (int): Parents that earlier rounds of the arm took: the order goes on there.
    """
    order = _shuffled(row_parents(rows, said), "goldgen", str(seed))
    return [order[(start + place) % len(order)] for place in range(count)] if order else []


def random_parents(rows: Iterable[LabelledRow], count: int, *, seed: int, round_number: int, said: Said | None = None) -> list[Parent]:
    """The parents of the arm "random": rows of the error part drawn anew for each round, none twice before all were there once.

    count (int): Parents wanted.
    """
    pool, lap = row_parents(rows, said), 0
    found: list[Parent] = []
    while pool and len(found) < count:
        found += _shuffled(pool, "random", str(seed), str(round_number), str(lap))
        lap += 1
    return found[:count]


def _shuffled(parents: Iterable[Parent], *words: str) -> list[Parent]:
    order = sorted(parents, key=lambda parent: parent.seed.id)
    random.Random(digest(*words)).shuffle(order)
    return order


def write_parents(path: Path, parents: Iterable[Parent]) -> int:
    """Write parents as seeds: the file "parents" of a round, or its errors.

    RETURNS (int): Number of rows; a parent that comes more than once stands there once.
    """
    return write_jsonl(path, (parent.to_dict() for parent in _first(parents)))


def read_parents(path: Path) -> list[Parent]:
    """RETURNS (List[Parent]): What `write_parents` wrote."""
    return list(read_jsonl(path, Parent.from_dict))
