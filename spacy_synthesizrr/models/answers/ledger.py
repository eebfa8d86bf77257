"""What the response store knows beside the answers: when each was asked for and of whom, and what every run has spent.

asked(request, origin, at, seconds, label)   one row per answer; origin → origins(id, identity)
ledger(scope, account, stage, round, label,  sums; scope is the run, account the model at its endpoint. Requests whose price was
       requests, tokens, cost, unpriced)     not known when they were paid are counted in `unpriced`, never as cost 0.

A run's scope is its name and an id that its folder got when it was made, NAME/ID: who throws a run away and makes it anew begins
with nothing spent. What was spent counts per scope, whatever the model. Runs of a grid have one scope, so that one cap holds for them
all; each run's stages begin with its name, and an answer that several use is counted for the run that asked first.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict

from spacy_synthesizrr.models.answers.budget import Spent, Total
from spacy_synthesizrr.models.answers.responses import COLUMNS, ResponseStore
from spacy_synthesizrr.prompts import Answer

TABLES = (
    "CREATE TABLE IF NOT EXISTS origins (id INTEGER PRIMARY KEY, identity TEXT UNIQUE NOT NULL)",
    "CREATE TABLE IF NOT EXISTS asked (request TEXT PRIMARY KEY, origin INTEGER NOT NULL, at INTEGER NOT NULL, seconds REAL NOT NULL,"
    " label TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS ledger (scope TEXT, account TEXT, stage TEXT, round INTEGER, label TEXT, requests INTEGER NOT NULL,"
    " prompt_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL, cost REAL NOT NULL, unpriced INTEGER NOT NULL,"
    " PRIMARY KEY (scope, account, stage, round, label)) WITHOUT ROWID",
)
SUMS = ("requests", "prompt_tokens", "answer_tokens", "cost", "unpriced")
ADD = "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET " + ", ".join(
    f"{name} = {name} + excluded.{name}" for name in SUMS
)
_SPENT = (
    "SELECT SUM(requests), SUM(prompt_tokens), SUM(answer_tokens), SUM(cost), SUM(unpriced), SUM(1.0 * prompt_tokens * unpriced /"
    " requests), SUM(1.0 * answer_tokens * unpriced / requests) FROM ledger WHERE requests > 0 AND scope = ?"
)
_BEGINS = " AND substr(stage, 1, ?) = ?"
_RUN = re.compile(r"(.+)/([0-9a-f]{4,})")


@dataclass(frozen=True)
class Purpose:
    """On whose account requests go.

    scope (str): The run.
    account (str): The model at its endpoint.
    stage (str): The step that asks, and for which arm; before it the run's name where several spend on one account.
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
    # "OR IGNORE" would drop a row that lacks something without a word
    connection.executemany(f"INSERT INTO answers ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (request) DO NOTHING", rows)
    asked = [(a.request, origin, int(time.time()), round(entry.seconds, 3), entry.label) for entry, a in answers]
    connection.executemany("INSERT OR IGNORE INTO asked VALUES (?, ?, ?, ?, ?)", asked)
    connection.executemany(ADD, [_sums(entry, purpose) for entry in entries if entry.used.requests])


def _sums(entry: Entry, purpose: Purpose) -> tuple[Any, ...]:
    used, unpriced = entry.used, entry.used.requests if entry.cost is None else 0
    where = (purpose.scope, purpose.account, purpose.stage, purpose.round, entry.label)
    return (*where, used.requests, used.prompt_tokens, used.answer_tokens, entry.cost or 0.0, unpriced)


def spent(store: ResponseStore, scope: str, account: str | None = None, *, begin: str = "") -> Total:
    """What a run has spent, in this and all other processes: on every model, or on one.

    begin (str): What the stages begin with, where several runs spend on one account and what one of them asked is wanted.
    """
    with store.transaction(flush=False) as connection:
        return spent_by(connection, scope, account, begin=begin)


def spent_by(connection: sqlite3.Connection, scope: str, account: str | None = None, *, begin: str = "") -> Total:
    """See `spent`.

    connection (sqlite3.Connection): May be inside a transaction.
    """
    query, values = (_SPENT, [scope]) if account is None else (f"{_SPENT} AND account = ?", [scope, account])
    row = connection.execute(query + _BEGINS, [*values, len(begin), begin]).fetchone()
    requests, asked, told, cost, unpriced, asked_unpriced, told_unpriced = (value or 0 for value in row)
    return Total(requests, asked, told, float(cost), Spent(unpriced, round(asked_unpriced), round(told_unpriced)))


def stages(store: ResponseStore, scope: str, *, begin: str = "") -> list[Dict[str, Any]]:
    """What a run has spent.

    begin (str): See `spent`; it is cut off.
    RETURNS (List[Dict]): A row for each stage: stage and the sums.
    """
    sums = ", ".join(f"SUM({name}) AS {name}" for name in SUMS)
    with store.transaction(flush=False) as connection:
        query = f"SELECT substr(stage, ?) AS stage, {sums} FROM ledger WHERE requests > 0 AND scope = ?{_BEGINS} GROUP BY ledger.stage"
        cursor = connection.execute(query, (len(begin) + 1, scope, len(begin), begin))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def total_of(entries: list[Entry]) -> Total:
    """RETURNS (Total): What finished requests add to the ledger."""
    total = Total()
    for entry in entries:
        used = entry.used
        if used.requests and entry.cost is None:
            total.add(used)
        elif used.requests:
            total.add(Total(used.requests, used.prompt_tokens, used.answer_tokens, entry.cost or 0.0))
    return total


def accounts(store: ResponseStore) -> list[Dict[str, Any]]:
    """RETURNS (List[Dict]): The ledger: scope, account, stage, round, label and the sums, see the module's docstring. A scope is
    told by the name of its run; where several had that name, with the id.
    """
    prepare(store)
    with store.transaction(flush=False) as connection:
        cursor = connection.execute("SELECT * FROM ledger ORDER BY scope, account, stage, round, label")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    told = _names({str(row["scope"]) for row in rows})
    return [{**row, "scope": told[row["scope"]]} for row in rows]


def _names(scopes: set[str]) -> Dict[str, str]:
    runs = {scope: match.group(1) if (match := _RUN.fullmatch(scope)) else scope for scope in scopes}
    often = Counter(runs.values())
    return {scope: run if often[run] == 1 or run == scope else f"{run} ({scope.rpartition('/')[2]})" for scope, run in runs.items()}


def has_answers(store: ResponseStore, identity: str) -> bool:
    """RETURNS (bool): Whether a model of this identity has ever answered."""
    query = "SELECT 1 FROM asked k JOIN origins o ON o.id = k.origin WHERE o.identity = ? LIMIT 1"
    with store.transaction(flush=False) as connection:
        return connection.execute(query, (identity,)).fetchone() is not None
