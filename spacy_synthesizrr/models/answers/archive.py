"""Looking into a response store, and throwing away what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Dict

from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.responses import ResponseStore

BLOCK = 500  # answers that are held at once
KEPT = (
    "SELECT a.request, a.text, a.model, a.prompt_tokens, a.answer_tokens, a.finish, k.at, k.seconds, k.label, o.identity FROM answers a"
    " LEFT JOIN asked k ON k.request = a.request LEFT JOIN origins o ON o.id = k.origin"
)
CHOSEN = (
    f"SELECT request FROM ({KEPT}) WHERE (:before IS NULL OR at < :before)"
    " AND (:name IS NULL OR instr(lower(coalesce(identity, '') || ' ' || model), lower(:name)))"
)


def kept(store: ResponseStore, *, begins: str = "") -> Iterator[Dict[str, Any]]:
    """Stream what the store holds, by request hash.

    begins (str): Only requests whose hash begins so.
    YIELDS (Dict): request, text, model, tokens, finish, and where known: at (seconds since 1970), seconds, label, identity.
    """
    ledger.prepare(store)
    last = ""
    where = "WHERE a.request > ? AND substr(a.request, 1, ?) = ? ORDER BY a.request LIMIT ?"
    while rows := _rows(store, f"{KEPT} {where}", (last, len(begins), begins, BLOCK)):
        yield from rows
        last = rows[-1]["request"]


def newest(store: ResponseStore, n: int) -> list[Dict[str, Any]]:
    """RETURNS (List[Dict]): The answers that came last, the newest first; those whose time nobody noted come after them."""
    ledger.prepare(store)
    return _rows(store, f"{KEPT} ORDER BY k.at DESC, a.request LIMIT ?", (n,))


def _rows(store: ResponseStore, query: str, values: tuple[Any, ...]) -> list[Dict[str, Any]]:
    with store.reading() as connection:
        cursor = connection.execute(query, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def prune(store: ResponseStore, *, before: float | None = None, name: str | None = None, remove: bool = True) -> int:
    """Remove answers, so that nothing of them is left in the file: those asked for before a time (seconds since 1970), those whose
    model or endpoint has a text in its name, or both. Answers whose time nobody noted are not chosen by time.

    remove (bool): False only counts them.
    RETURNS (int): How many. What was spent stays in the ledger.
    """
    ledger.prepare(store)
    values = {"before": before, "name": name}
    with store.transaction() as connection:
        if not remove:
            return int(connection.execute(f"SELECT COUNT(*) FROM ({CHOSEN})", values).fetchone()[0])
        connection.execute("PRAGMA secure_delete = ON")
        removed = connection.execute(f"DELETE FROM answers WHERE request IN ({CHOSEN})", values).rowcount
        connection.execute("DELETE FROM asked WHERE request NOT IN (SELECT request FROM answers)")
    if removed:
        store.shrink()
    return int(removed)
