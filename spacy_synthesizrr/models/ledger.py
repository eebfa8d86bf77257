"""What the response store knows beside the answers: when each was asked for and of whom, and what every run has spent.

asked(request, origin, at, seconds, label)   one row per answer; origin → origins(id, identity)
ledger(scope, account, stage, round, label,  sums; scope is the run, account the model at its endpoint. Requests whose price was
       requests, tokens, cost, unpriced)     not known when they were paid are counted in `unpriced`, never as cost 0.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Dict

from spacy_synthesizrr.models.budget import Spent
from spacy_synthesizrr.models.responses import COLUMNS, ResponseStore
from spacy_synthesizrr.prompts import Answer

TABLES = (
    "CREATE TABLE IF NOT EXISTS origins (id INTEGER PRIMARY KEY, identity TEXT UNIQUE NOT NULL)",
    "CREATE TABLE IF NOT EXISTS asked (request TEXT PRIMARY KEY, origin INTEGER NOT NULL, at INTEGER NOT NULL, seconds REAL NOT NULL,"
    " label TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ledger (scope TEXT, account TEXT, stage TEXT, round INTEGER, label TEXT, requests INTEGER NOT NULL,"
    " prompt_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL, cost REAL NOT NULL, unpriced INTEGER NOT NULL,"
    " PRIMARY KEY (scope, account, stage, round, label)) WITHOUT ROWID",
)
SUMS = ("requests", "prompt_tokens", "answer_tokens", "cost", "unpriced")
ADD = "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET " + ", ".join(
    f"{name} = {name} + excluded.{name}" for name in SUMS
)
KEPT = (
    "SELECT a.request, a.text, a.model, a.prompt_tokens, a.answer_tokens, a.finish, k.at, k.seconds, k.label, o.identity FROM answers a"
    " LEFT JOIN asked k ON k.request = a.request LEFT JOIN origins o ON o.id = k.origin"
)


@dataclass(frozen=True)
class Purpose:
    """On whose account requests go.

    scope (str): The run.
    account (str): The model at its endpoint.
    stage (str): The step that asks, and for which arm.
    round (int): Turn of the loop, from 0.
    """

    scope: str = ""
    account: str = ""
    stage: str = ""
    round: int = 0


@dataclass(frozen=True)
class Entry:
    """One finished request.

    used (Spent): What it did or may have cost.
    label (str): For whom.
    answer (Answer | None): None when it was paid and gave no answer.
    seconds (float): How long it took.
    cost (float | None): Money; None where the price is not known.
    """

    used: Spent
    label: str = ""
    answer: Answer | None = None
    seconds: float = 0.0
    cost: float | None = None


def prepare(store: ResponseStore) -> None:
    """Make the tables."""
    with store.transaction(flush=False) as connection:
        for table in TABLES:
            connection.execute(table)


def write(connection: sqlite3.Connection, entries: list[Entry], *, identity: str, purpose: Purpose) -> None:
    """Write finished requests: the first answer to a request stays, as in `ResponseStore.put`.

    connection (sqlite3.Connection): Inside a transaction.
    """
    connection.execute("INSERT OR IGNORE INTO origins (identity) VALUES (?)", (identity,))
    origin = connection.execute("SELECT id FROM origins WHERE identity = ?", (identity,)).fetchone()[0]
    answers = [(entry, entry.answer) for entry in entries if entry.answer is not None]
    rows = [(a.request, str(a), a.model, a.prompt_tokens, a.answer_tokens, a.finish) for _, a in answers]
    connection.executemany(f"INSERT OR IGNORE INTO answers ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", rows)
    asked = [(a.request, origin, int(time.time()), round(entry.seconds, 3), entry.label) for entry, a in answers]
    connection.executemany("INSERT OR IGNORE INTO asked VALUES (?, ?, ?, ?, ?)", asked)
    connection.executemany(ADD, [_sums(entry, purpose) for entry in entries if entry.used.requests])


def _sums(entry: Entry, purpose: Purpose) -> tuple[Any, ...]:
    used, unpriced = entry.used, entry.used.requests if entry.cost is None else 0
    where = (purpose.scope, purpose.account, purpose.stage, purpose.round, entry.label)
    return (*where, used.requests, used.prompt_tokens, used.answer_tokens, entry.cost or 0.0, unpriced)


def spent(store: ResponseStore, scope: str, account: str) -> Spent:
    """RETURNS (Spent): What a run has spent on a model, in this and all earlier processes."""
    query = "SELECT SUM(requests), SUM(prompt_tokens), SUM(answer_tokens) FROM ledger WHERE scope = ? AND account = ?"
    with store.transaction(flush=False) as connection:
        row = connection.execute(query, (scope, account)).fetchone()
    return Spent(*(int(value or 0) for value in row))


def accounts(store: ResponseStore) -> list[Dict[str, Any]]:
    """RETURNS (List[Dict]): The ledger: scope, account, stage, round, label and the sums, see the module's docstring."""
    prepare(store)
    with store.transaction(flush=False) as connection:
        cursor = connection.execute("SELECT * FROM ledger ORDER BY scope, account, stage, round, label")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def kept(store: ResponseStore, *, begins: str = "", limit: int = -1) -> Iterator[Dict[str, Any]]:
    """Stream what the store holds.

    begins (str): Only requests whose hash begins so.
    limit (int): At most so many; -1 is all.
    YIELDS (Dict): request, text, model, tokens, finish, and where known: at (seconds since 1970), seconds, label, identity.
    """
    prepare(store)
    last, left = "", limit
    while left:
        with store.transaction(flush=False) as connection:
            where = "WHERE a.request > ? AND substr(a.request, 1, ?) = ? ORDER BY a.request LIMIT ?"
            cursor = connection.execute(f"{KEPT} {where}", (last, len(begins), begins, min(left, 1000) if left > 0 else 1000))
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
        if not rows:
            return
        yield from rows
        last, left = rows[-1]["request"], left - len(rows) if left > 0 else left


def prune(store: ResponseStore, *, before: float | None = None, identity: str | None = None, remove: bool = True) -> int:
    """Remove answers: those asked for before a time (seconds since 1970), of origins whose identity holds a text, or both.

    remove (bool): False only counts them.
    RETURNS (int): How many. What was spent stays in the ledger.
    """
    prepare(store)
    where = "(? IS NULL OR k.at < ?) AND (? IS NULL OR instr(o.identity, ?))"
    chosen = f"SELECT k.request FROM asked k JOIN origins o ON o.id = k.origin WHERE {where}"
    values = (before, before, identity, identity)
    with store.transaction() as connection:
        if not remove:
            return int(connection.execute(f"SELECT COUNT(*) FROM ({chosen})", values).fetchone()[0])
        removed = connection.execute(f"DELETE FROM answers WHERE request IN ({chosen})", values).rowcount
        connection.execute("DELETE FROM asked WHERE request NOT IN (SELECT request FROM answers)")
    return int(removed)
