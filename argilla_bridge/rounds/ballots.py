"""All votes that were ever read, in the ledger of a run: a pull adds what it finds, and what it finds no more stays.

Of each person there is one vote on a row of a dataset: the one that was seen last. So an answer outlives the account of whoever gave
it, a row that was removed, a deleted dataset, a file that is not read this time. It goes only when its person takes it back: empties
the cell in a file that is read, or makes a draft of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.people import People
from argilla_bridge.rows import DRAFT, Vote
from argilla_bridge.settings import ReviewSettings
from spacy_synthesizrr.jsonl import dumps
from spacy_synthesizrr.stores.passages import batched

BATCH = 100  # votes that are written at once
# a draft from elsewhere takes the place of no answer
KEEP = f"""INSERT INTO votes (row, dataset, person, about, identity, status, content, pull) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET about = excluded.about, identity = excluded.identity, status = excluded.status, content = excluded.content,
pull = excluded.pull, loose = 0 WHERE excluded.status <> '{DRAFT}' OR votes.identity = excluded.identity OR votes.status = '{DRAFT}'"""
ASKED = "CREATE TEMP TABLE asked (row TEXT PRIMARY KEY, content TEXT, pushed INTEGER) WITHOUT ROWID"


class Ballots:
    """The votes of a ledger, and what was asked as far as this pull knows; memory does not grow with either.

    settings (ReviewSettings): What people are called.
    """

    def __init__(self, ledger: Ledger, settings: ReviewSettings) -> None:
        self._ledger, self._people = ledger, People(ledger, settings)
        self._pull = int(ledger.read("SELECT coalesce(max(pull), 0) + 1 FROM votes").fetchone()[0])
        with ledger.writing() as connection:
            connection.execute("DROP TABLE IF EXISTS temp.asked")
            connection.execute(ASKED)

    def keep(self, votes: Iterable[Vote]) -> None:
        """Keep votes as they are now."""
        for batch in batched(votes, BATCH):
            values = [self._values(vote) for vote in batch]
            with self._ledger.writing() as connection:
                connection.executemany(KEEP, values)

    def _values(self, vote: Vote) -> tuple[object, ...]:
        about, content = vote.about or vote.row_id, dumps(vote.to_dict())
        return vote.row_id, vote.dataset, self._people.number(vote), about, vote.identity, vote.status, content, self._pull

    def take_back(self, dataset: str, held: Iterable[tuple[str, str]]) -> None:
        """Let go what was not kept anew in this pull, and is a draft or an answer that its person took back.

        held (Iterable[Tuple[str, str]]): See `Backend.held`; looked at only when something is missing.
        """
        missing = "dataset = ? AND pull < ?"
        if self._ledger.read(f"SELECT 1 FROM votes WHERE {missing} LIMIT 1", (dataset, self._pull)).fetchone() is None:
            return
        for places in batched(held, BATCH):
            values = [(row, identity, dataset, self._pull) for identity, row in places]
            with self._ledger.writing() as connection:
                connection.executemany(f"DELETE FROM votes WHERE row = ? AND identity = ? AND {missing} AND NOT loose", values)
        with self._ledger.writing() as connection:
            connection.execute(f"DELETE FROM votes WHERE {missing} AND status = '{DRAFT}'", (dataset, self._pull))

    def of(self, row: str | None) -> list[Vote]:
        """RETURNS (List[Vote]): The votes on a row, and those of judges about it, in a fixed order."""
        query = "SELECT content, identity, person FROM votes WHERE about = ? ORDER BY dataset, row, person"
        return [] if row is None else [self._vote(*found) for found in self._ledger.read(query, (row,))]

    def judged(self, row: str) -> bool:
        """RETURNS (bool): Whether a row of adjudication has an answer that counts."""
        query = "SELECT content, identity, person FROM votes WHERE row = ?"
        return any(self._vote(*found).counts for found in self._ledger.read(query, (row,)))

    def votes(self) -> Iterator[Vote]:
        """YIELDS (Vote): All votes by row, dataset and person."""
        query = "SELECT content, identity, person FROM votes ORDER BY row, dataset, person"
        return (self._vote(*found) for found in self._ledger.read(query))

    def _vote(self, content: str, identity: str, person: int) -> Vote:
        return replace(Vote.from_dict(json.loads(content)), user=self._people.name(person), identity=identity)

    def missing(self) -> int:
        """RETURNS (int): How many votes this pull did not find, and which stay."""
        return int(self._ledger.read("SELECT count(*) FROM votes WHERE pull < ?", (self._pull,)).fetchone()[0])

    def on(self, dataset: str, rows: Sequence[str]) -> int:
        """RETURNS (int): How many votes there are on some rows of a dataset."""
        query = "SELECT count(*) FROM votes WHERE row = ? AND dataset = ?"
        return sum(int(self._ledger.read(query, (row, dataset)).fetchone()[0]) for row in rows)

    def ask(self, row: str, about: Mapping[str, Any], *, pushed: bool) -> dict[str, Any]:
        """Keep what a candidate asks with a row. pushed (bool): Whether people were asked.

        RETURNS (dict): The same, or what the first candidate said that shares the row: people saw its suggestion.
        """
        with self._ledger.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO temp.asked VALUES (?, ?, ?)", (row, dumps(dict(about)), pushed))
        return dict(json.loads(self._ledger.read("SELECT content FROM temp.asked WHERE row = ?", (row,)).fetchone()[0]))

    def asked(self) -> Iterator[dict[str, Any]]:
        """YIELDS (Dict): What people were asked, by row."""
        found = self._ledger.read("SELECT content FROM temp.asked WHERE pushed ORDER BY row")
        return (json.loads(content) for (content,) in found)

    def strays(self) -> int:
        """RETURNS (int): How many votes are on rows that no candidate asked about."""
        query = "SELECT count(*) FROM votes WHERE about NOT IN (SELECT row FROM temp.asked)"
        return int(self._ledger.read(query).fetchone()[0])
