"""What the response store knows of batch files: which request waits in which file, and how each attempt ended.

The files are the truth, these tables an index of them. A requests file that was removed sets free what waited in it; one that
the tables do not know (the store was lost) is read in again. A request is entered before its file appears, so a process that
is killed in between leaves entries of a file that never was: they are removed.

batch_files(id, name …)                     requests files; name is relative to the folder of the store
batch_requests(request, attempt, file …)    outcome: "" waits · "answer" · a kind of `Failure`, "bad_request",
                                            "suspect" · "withdrawn": free to be written again
batch_read(name, stamp)                     files of answers that hold nothing new
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, List, Sequence, Tuple

from spacy_synthesizrr.models.answers.budget import Price, Spent
from spacy_synthesizrr.models.answers.ledger import Purpose
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.batch.files import number_of
from spacy_synthesizrr.models.chat.verdicts import PATIENCE, RETRIED
from spacy_synthesizrr.prompts import Failure

WAITS, ANSWERED, WITHDRAWN = "", "answer", "withdrawn"
BAD_REQUEST, SUSPECT = "bad_request", "suspect"  # refused as it stands; refused for what may concern all others too
ABOUT_BATCHES = (
    "CREATE TABLE IF NOT EXISTS batch_files (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, published INTEGER NOT NULL,"
    " identity TEXT NOT NULL, scope TEXT NOT NULL, account TEXT NOT NULL, model TEXT NOT NULL, answer_limit INTEGER,"
    " input_price REAL, output_price REAL)",
    "CREATE TABLE IF NOT EXISTS batch_requests (request TEXT NOT NULL, attempt INTEGER NOT NULL, file INTEGER NOT NULL,"
    " stage TEXT NOT NULL, round INTEGER NOT NULL, label TEXT NOT NULL, size INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,"
    " answer_tokens INTEGER NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (request, attempt)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS batch_waiting ON batch_requests (file) WHERE outcome = ''",
    "CREATE TABLE IF NOT EXISTS batch_read (name TEXT PRIMARY KEY, stamp TEXT NOT NULL) WITHOUT ROWID",
)
KNOWN = (
    "SELECT r.file, r.stage, r.round, r.label, r.size, r.prompt_tokens, r.answer_tokens, r.outcome, f.identity, f.scope, f.account,"
    " f.model, f.answer_limit, f.input_price, f.output_price FROM batch_requests r JOIN batch_files f ON f.id = r.file"
    " WHERE r.request = ? AND r.attempt = ?"
)
ENTER = (
    "INSERT INTO batch_requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '') ON CONFLICT DO UPDATE SET file = excluded.file, outcome = ''"
    " WHERE outcome = 'withdrawn'"
)


@dataclass(frozen=True)
class Sender:
    """Who writes requests files, and what their answers will be measured by.

    identity (str): Of the model, see `shape.Shape`. purpose (Purpose): On whose account. model (str): The server's name for it.
    limit (int | None): Most tokens of one answer. price (Price): Per million tokens.
    """

    identity: str
    purpose: Purpose
    model: str
    limit: int | None
    price: Price


@dataclass(frozen=True)
class Known:
    """An attempt to ask a request, as it was written.

    file (int): Number in the tables. label (str): For the ledger. size (int): Bytes of the body. reserved (Spent): What it can
    cost at most. outcome (str): How it ended, "" when it waits. sender (Sender): Who wrote it.
    """

    file: int
    label: str
    size: int
    reserved: Spent
    outcome: str
    sender: Sender


@dataclass(frozen=True)
class State:
    """What became of a request until now.

    attempts (int): How often it was written. waits (str): Name of the requests file in which it waits, else empty.
    failures (int): Attempts that failed. kind (str), detail (str): How the last of them failed.
    """

    attempts: int = 0
    waits: str = ""
    failures: int = 0
    kind: str = ""
    detail: str = ""

    def over(self, max_retries: int) -> bool:
        """RETURNS (bool): Whether it failed for good: such errors do not pass, or it failed too often."""
        return self.failures > 0 and (self.kind not in RETRIED or self.failures > min(max_retries, PATIENCE.get(self.kind, max_retries)))

    def failure(self, request: str) -> Failure:
        """RETURNS (Failure): For a request that failed for good."""
        often = f" (asked {self.failures} times)" if self.failures > 1 else ""
        kind = "refused" if self.kind in (BAD_REQUEST, SUSPECT) else self.kind
        return Failure(kind, self.detail + often, request=request)


class Index:
    """The tables of one response store.

    store (ResponseStore): Holds them beside its answers.
    """

    def __init__(self, store: ResponseStore) -> None:
        self.store = store
        self.root = store.path.parent
        with store.transaction(flush=False) as connection:
            for table in ABOUT_BATCHES:
                connection.execute(table)

    def name_of(self, path: Path) -> str:
        """RETURNS (str): How the tables name a file: by its way from the store, so that both can move together."""
        return Path(os.path.relpath(path.resolve(), self.root.resolve())).as_posix()

    def path_of(self, name: str) -> Path:
        """RETURNS (Path): Where a file lies that the tables name."""
        return (self.root.resolve() / name).resolve() if name.startswith("..") else self.root / name

    def _all(self, query: str, values: Sequence[Any] = ()) -> List[Any]:
        with self.store.transaction(flush=False) as connection:
            return connection.execute(query, values).fetchall()

    # ── requests files ───────────────────────────────────────────────────────────────────────────────────────────────

    def files(self, *, published: bool) -> List[str]:
        """RETURNS (List[str]): Names of the requests files that have appeared, or that have not yet."""
        return [name for (name,) in self._all("SELECT name FROM batch_files WHERE published = ? ORDER BY id", (published,))]

    def awaited(self) -> List[str]:
        """RETURNS (List[str]): Names of the requests files that have appeared and in which something waits."""
        waiting = "SELECT DISTINCT file FROM batch_requests WHERE outcome = ''"
        return [name for (name,) in self._all(f"SELECT name FROM batch_files WHERE published = 1 AND id IN ({waiting})")]

    def highest(self, folder: Path) -> int:
        """RETURNS (int): The highest number that a requests file of a folder ever had; 0 for none."""
        own = self.name_of(folder)
        names = [Path(name) for name in self.files(published=True)]
        return max((number_of(name.name) for name in names if name.parent.as_posix() == own), default=0)

    def add_file(self, path: Path, sender: Sender) -> int:
        """Enter a requests file that is being written. RETURNS (int): Its number in the tables."""
        with self.store.transaction(flush=False) as connection:
            return self._add_file(connection, path, sender, published=False)

    def add_known(self, path: Path, sender: Sender, requests: Iterable[Tuple[str, int, int, Spent]]) -> None:
        """Enter a requests file that has appeared, with all that waits in it, or not at all.

        requests (Iterable[Tuple]): Request hash, attempt, bytes of the body, and what it can cost at most.
        """
        about = ("", 0, "")  # stage, round and label stand in no file
        with self.store.transaction() as connection:
            file = self._add_file(connection, path, sender, published=True)
            rows = ((name, attempt, file, *about, size, most.prompt_tokens, most.answer_tokens) for name, attempt, size, most in requests)
            connection.executemany(ENTER, rows)

    def _add_file(self, connection: sqlite3.Connection, path: Path, sender: Sender, *, published: bool) -> int:
        about = (sender.identity, sender.purpose.scope, sender.purpose.account, sender.model, sender.limit)
        values = (self.name_of(path), published, *about, sender.price.input_per_million, sender.price.output_per_million)
        marks = ", ".join("?" * len(values))
        return int(connection.execute(f"INSERT INTO batch_files VALUES (NULL, {marks})", values).lastrowid or 0)

    def publish(self, name: str) -> None:
        """Note that a requests file has appeared."""
        with self.store.transaction() as connection:
            connection.execute("UPDATE batch_files SET published = 1 WHERE name = ?", (name,))

    def forget_file(self, name: str) -> None:
        """Remove a requests file that never appeared, with its requests."""
        with self.store.transaction() as connection:
            connection.execute("DELETE FROM batch_requests WHERE file = (SELECT id FROM batch_files WHERE name = ?)", (name,))
            connection.execute("DELETE FROM batch_files WHERE name = ?", (name,))

    def withdraw_file(self, name: str) -> int:
        """Set free what waits in a requests file. RETURNS (int): How many requests."""
        query = "UPDATE batch_requests SET outcome = 'withdrawn' WHERE outcome = '' AND file = (SELECT id FROM batch_files WHERE name = ?)"
        with self.store.transaction() as connection:
            return int(connection.execute(query, (name,)).rowcount)

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def enter(self, file: int, request: str, attempt: int, *, purpose: Purpose, label: str, size: int, most: Spent) -> None:
        """Enter a request that waits. most (Spent): What it can cost at most."""
        tokens = (most.prompt_tokens, most.answer_tokens)
        with self.store.transaction(flush=False) as connection:
            connection.execute(ENTER, (request, attempt, file, purpose.stage, purpose.round, label, size, *tokens))

    def state(self, request: str) -> State:
        """RETURNS (State): What became of a request until now."""
        query = "SELECT r.attempt, r.outcome, r.detail, f.name FROM batch_requests r JOIN batch_files f ON f.id = r.file WHERE request = ?"
        rows = self._all(f"{query} ORDER BY r.attempt", (request,))
        waits = [name for _, outcome, _, name in rows if outcome == WAITS]
        failed = [(outcome, detail) for _, outcome, detail, _ in rows if outcome not in (WAITS, ANSWERED, WITHDRAWN)]
        kind, detail = failed[-1] if failed else ("", "")
        return State(rows[-1][0] if rows else 0, waits[0] if waits else "", len(failed), kind, detail)

    def reserved(self, scope: str) -> Spent:
        """RETURNS (Spent): What the waiting requests of a run can cost at most."""
        query = (
            "SELECT COUNT(*), SUM(r.prompt_tokens), SUM(r.answer_tokens) FROM batch_files f JOIN batch_requests r ON r.file = f.id"
            " WHERE r.outcome = '' AND f.scope = ?"
        )
        return Spent(*(int(value or 0) for value in self._all(query, (scope,))[0]))

    def tokens_per_byte(self) -> float | None:
        """RETURNS (float | None): Prompt tokens per byte of body, as servers counted them; None before they did."""
        query = (
            "SELECT SUM(a.prompt_tokens), SUM(r.size) FROM batch_requests r JOIN answers a ON a.request = r.request"
            " WHERE r.outcome = 'answer' AND a.prompt_tokens > 0"
        )
        tokens, size = self._all(query)[0]
        return tokens / size if size else None

    # ── answers; these work inside a transaction of the caller ───────────────────────────────────────────────────────

    @staticmethod
    def known(connection: sqlite3.Connection, request: str, attempt: int) -> Known | None:
        """RETURNS (Known | None): An attempt that was written here; None for one that was not."""
        row = connection.execute(KNOWN, (request, attempt)).fetchone()
        if row is None:
            return None
        file, stage, turn, label, size, prompt_tokens, answer_tokens, outcome, identity, scope, account, model, limit, given, told = row
        sender = Sender(identity, Purpose(scope, account, stage, turn), model, limit, Price(given, told))
        return Known(file, label, size, Spent(1, prompt_tokens, answer_tokens), outcome, sender)

    @staticmethod
    def settle(connection: sqlite3.Connection, request: str, attempt: int, outcome: str, detail: str = "") -> bool:
        """Note how an attempt ended. An answer counts whenever it comes, anything else only while the attempt waits.

        RETURNS (bool): False when it had ended before: then nothing changes, also not in another process.
        """
        open_to = f"outcome != '{ANSWERED}'" if outcome == ANSWERED else f"outcome = '{WAITS}'"
        query = f"UPDATE batch_requests SET outcome = ?, detail = ? WHERE request = ? AND attempt = ? AND {open_to}"
        return connection.execute(query, (outcome, detail, request, attempt)).rowcount > 0

    def answered(self, files: Sequence[int]) -> bool:
        """RETURNS (bool): Whether any request of some files was ever answered."""
        marks = ", ".join("?" * len(files))
        return bool(self._all(f"SELECT 1 FROM batch_requests WHERE outcome = 'answer' AND file IN ({marks}) LIMIT 1", files))

    def withdraw(self, outcome: str, files: Sequence[int]) -> None:
        """Set free the requests of some files that ended in a certain way."""
        marks = ", ".join("?" * len(files))
        query = f"UPDATE batch_requests SET outcome = 'withdrawn' WHERE outcome = ? AND file IN ({marks})"
        with self.store.transaction() as connection:
            connection.execute(query, (outcome, *files))

    def read_before(self, name: str, stamp: str) -> bool:
        """RETURNS (bool): Whether a file of answers was read to its end as it is now."""
        return bool(self._all("SELECT 1 FROM batch_read WHERE name = ? AND stamp = ?", (name, stamp)))

    def note_read(self, name: str, stamp: str) -> None:
        """Note that a file of answers was read to its end."""
        with self.store.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO batch_read VALUES (?, ?)", (name, stamp))
