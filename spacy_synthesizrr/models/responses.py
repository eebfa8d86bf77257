"""Answers that were paid for are never lost and never paid for twice.

A `ResponseStore` is one SQLite file, in WAL mode with `synchronous = FULL`: when `put` returns, the answer is on disk
and stays there after a kill, a crash of the process or a power cut. (`NORMAL` is enough for a kill and writes ten times
faster; it serves teachers that work by rule, whose answers cost nothing. Others cost seconds and money, a flush to disk
costs milliseconds.) Many processes may use one file. `Remembering` puts such a store
in front of any model: only what the store does not know reaches the model, and every answer is written before it is
handed on, so it survives whatever happens to it afterwards.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Deque, Dict, Iterable, List, Tuple

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.models.streaming import streams
from spacy_synthesizrr.prompts import Answer, Failure, Prompt

WAIT = 60.0  # seconds to wait for another process that writes
COLUMNS = "request, text, model, prompt_tokens, answer_tokens, finish"
SCHEMA = """CREATE TABLE IF NOT EXISTS answers (
    request TEXT PRIMARY KEY, text TEXT NOT NULL, model TEXT NOT NULL, prompt_tokens INTEGER, answer_tokens INTEGER, finish TEXT NOT NULL
) WITHOUT ROWID"""


def request_hash(prompt: str, *, identity: str, by_rule: bool = False) -> str:
    """Hash everything that an answer depends on: whether two requests may share an answer.

    prompt (str): A Prompt, or a plain string, which counts as one user message.
    identity (str): The model: name, endpoint, parameters, system prompt.
    by_rule (bool): Whether the model reads passage, label and fields of the Prompt beside its messages.
    RETURNS (str): 32 hexadecimal digits. Messages, their order and the draw all count.
    """
    if not isinstance(prompt, Prompt):
        prompt = Prompt(str(prompt))
    messages = [part for message in prompt.messages for part in (message["role"], message["content"])]
    read = (prompt.label, prompt.passage, json.dumps(dict(prompt.fields), sort_keys=True, ensure_ascii=False)) if by_rule else ()
    return digest("request", identity, str(prompt.draw), *messages, "read", *read)


class ResponseStore:
    """Answers by request hash, in one SQLite file.

    path (Path): The file; it is made when missing. Threads and processes may share it, also after a fork.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0

    def __getstate__(self) -> Dict[str, Any]:
        """RETURNS (dict): The path; a connection cannot travel between processes."""
        return {"path": self.path}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    def __enter__(self) -> ResponseStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        """RETURNS (int): Number of answers."""
        with self._lock:
            return int(self._open().execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def get(self, request: str) -> Answer | None:
        """RETURNS (Answer | None): The answer to a request, if it was ever given."""
        with self._lock:
            return self._read(request)

    def put(self, request: str, answer: str, *, flush: bool = True) -> Answer:
        """Keep an answer. It survives a kill when this returns.

        request (str): Its request hash.
        answer (str): An Answer, or a plain string from another model.
        flush (bool): Wait for the disk, so that the answer survives a power cut too.
        RETURNS (Answer): What the store holds for the request: the first answer that came, also from another process.
        """
        values = (getattr(answer, "prompt_tokens", None), getattr(answer, "answer_tokens", None), getattr(answer, "finish", ""))
        row = (request, str(answer), getattr(answer, "model", ""), *values)
        with self._lock:
            connection = self._open()
            connection.execute(f"PRAGMA synchronous = {'FULL' if flush else 'NORMAL'}")
            with connection:
                connection.execute(f"INSERT OR IGNORE INTO answers ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)
            kept = self._read(request)
        if kept is None:
            raise RunFolderError(f"{self.path} lost the answer that was just written. Does another program change the file?")
        return kept

    def close(self) -> None:
        """Close the file; it opens again when needed."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    def _read(self, request: str) -> Answer | None:
        row = self._open().execute(f"SELECT {COLUMNS} FROM answers WHERE request = ?", (request,)).fetchone()
        if row is None:
            return None
        request, text, model, prompt_tokens, answer_tokens, finish = row
        return Answer(text, model=model, request=request, prompt_tokens=prompt_tokens, answer_tokens=answer_tokens, finish=finish)

    def _open(self) -> sqlite3.Connection:
        """The connection of this process: SQLite forbids to carry one across a fork."""
        if self._connection is not None and self._pid == os.getpid():
            return self._connection
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = sqlite3.connect(self.path, timeout=WAIT, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            with connection:
                connection.execute(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise RunFolderError(
                f"{self.path} cannot be opened as a store of answers ({error}). "
                "Move the file away; the answers in it will be asked for again."
            ) from error
        self._connection, self._pid = connection, os.getpid()
        return connection


class Remembering:
    """A model whose answers are kept: it asks the inner model only what the store does not know.

    model (Callable): Any spacy-llm model.
    store (ResponseStore): Where answers are kept. Failures are not: they are asked again next time.
    identity (str): What tells this model from others; its own `identity` by default, else its class.
    """

    def __init__(self, model: Any, store: ResponseStore, identity: str = "") -> None:
        self.model, self.store = model, store
        kind = type(model)
        self.identity = identity or str(getattr(model, "identity", f"{kind.__module__}.{kind.__qualname__}"))
        self.by_rule = bool(getattr(model, "by_rule", False))
        self.lazy = streams(model)
        self.copies = bool(getattr(model, "copies", False))
        self.writes_without_passage = bool(getattr(model, "writes_without_passage", True))

    @property
    def context_length(self) -> int | None:
        """RETURNS (int | None): The inner model's, in tokens."""
        return getattr(self.model, "context_length", None)

    def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        """Answer the prompts of each Doc, lazily and in order.

        prompts (Iterable[Iterable[str]]): Prompts per Doc.
        YIELDS (List[Answer | Failure]): One per prompt: remembered, or new and already written to the store.
        """
        waiting: Deque[List[Tuple[str, Answer | None]]] = deque()
        # A Doc whose answers are all known asks for nothing: an empty list keeps the two streams in step.
        for answers in _padded(self.model(self._misses(prompts, waiting)), waiting):
            yield self._merge(waiting.popleft(), iter(answers))
        while waiting:  # the inner model gave fewer lists than it was asked for
            yield self._merge(waiting.popleft(), iter(()))

    def _misses(self, prompts: Iterable[Iterable[Any]], waiting: Deque[List[Tuple[str, Answer | None]]]) -> Iterator[List[Any]]:
        for group in prompts:
            asked = list(group)
            requests = [request_hash(prompt, identity=self.identity, by_rule=self.by_rule) for prompt in asked]
            known = [(request, self.store.get(request)) for request in requests]
            waiting.append(known)
            yield [prompt for prompt, (_, answer) in zip(asked, known, strict=True) if answer is None]

    def _merge(self, known: List[Tuple[str, Answer | None]], new: Iterator[Any]) -> List[Any]:
        return [answer if answer is not None else self._keep(request, next(new, None)) for request, answer in known]

    def _keep(self, request: str, answer: Any) -> Answer | Failure:
        if answer is None:
            return Failure("missing", "the model gave fewer answers than it was asked for", request=request)
        if isinstance(answer, Failure):
            return Failure(answer.kind, answer.detail, request=request)
        if not isinstance(answer, str):
            return Failure("malformed", f"the model returned {type(answer).__name__}, not a string", request=request)
        if not answer.strip():
            return Failure("empty", "the model wrote nothing", request=request)
        return self.store.put(request, answer, flush=not self.by_rule)


def _padded(groups: Iterable[Any], waiting: Deque[Any]) -> Iterator[Iterable[Any]]:
    """Answers per Doc; a flat string counts as one answer, and lists that nobody asked for are dropped."""
    for group in groups:
        if waiting:
            yield [group] if isinstance(group, str) else group
