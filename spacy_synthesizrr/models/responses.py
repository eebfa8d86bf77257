"""Answers that were paid for are never lost and never paid for twice.

A `ResponseStore` is one SQLite file in WAL mode that many processes may use. What `put` has returned survives a kill of
the process. With `flush` (`synchronous = FULL`) it survives a power cut too, for a few milliseconds each; teachers that
work by rule, whose answers cost nothing, do without (`NORMAL`).

`Remembering` puts such a store in front of any model: only what the store does not know reaches the model, equal
requests share one answer, and every answer is written before it is handed on. Blank and truncated answers are kept too:
they were paid for, and the same request would be answered alike. Failures are not kept and are asked again next time.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Deque, Dict, Iterable, List, NamedTuple

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.models.streaming import streams
from spacy_synthesizrr.models.wal import make_private, use_wal
from spacy_synthesizrr.prompts import NO_ANSWER, Answer, Failure, Prompt

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
    RETURNS (str): 32 hexadecimal digits. Messages, their order, the draw and the schema all count.
    """
    if not isinstance(prompt, Prompt):
        prompt = Prompt(str(prompt))
    messages = [part for message in prompt.messages for part in (message["role"], message["content"])]
    read = (prompt.label, prompt.passage, json.dumps(dict(prompt.fields), sort_keys=True, ensure_ascii=False)) if by_rule else ()
    schema = () if prompt.schema is None else ("schema", json.dumps(prompt.schema, sort_keys=True, ensure_ascii=False))
    return digest("request", identity, str(prompt.draw), *messages, "read", *read, *schema)


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

    @contextlib.contextmanager
    def transaction(self, *, flush: bool = True) -> Iterator[sqlite3.Connection]:
        """Write several things at once: all or none. See `put` for `flush`."""
        with self._lock:
            connection = self._open()
            connection.execute(f"PRAGMA synchronous = {'FULL' if flush else 'NORMAL'}")
            with connection:
                yield connection

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
        make_private(self.path)
        connection = sqlite3.connect(self.path, timeout=WAIT, check_same_thread=False)
        try:
            use_wal(connection, wait=WAIT)
            with connection:
                connection.execute(SCHEMA)
        except sqlite3.OperationalError as error:
            connection.close()
            raise RunFolderError(
                f"{self.path} cannot be used now ({error}). Make room on the disk or mend the permissions, and run again; "
                "no answer is lost."
            ) from error
        except sqlite3.DatabaseError as error:
            connection.close()
            raise RunFolderError(
                f"{self.path} cannot be opened as a store of answers ({error}). "
                "Move the file away; the answers in it will be asked for again."
            ) from error
        self._connection, self._pid = connection, os.getpid()
        return connection


class _Wanted(NamedTuple):
    """One prompt on its way: its request, the answer where the store has it, and whether an equal one was asked before."""

    request: str
    answer: Answer | None
    shared: bool


class _InFlight:
    """Requests that were asked and not answered yet, with how many later prompts wait for the same answer."""

    def __init__(self) -> None:
        self.sharers: Dict[str, int] = {}
        self.results: Dict[str, Answer | Failure] = {}

    def join(self, request: str) -> bool:
        """RETURNS (bool): Whether the request is on its way already; then one more prompt waits for it."""
        if request not in self.sharers:
            return False
        self.sharers[request] += 1
        return True

    def land(self, request: str, result: Answer | Failure) -> None:
        """Keep a result as long as a prompt waits for it."""
        if self.sharers[request]:
            self.results[request] = result
        else:
            del self.sharers[request]

    def share(self, request: str) -> Answer | Failure:
        """RETURNS (Answer | Failure): What an equal prompt before got; answers come in the order of the prompts."""
        result = self.results[request]
        self.sharers[request] -= 1
        if not self.sharers[request]:
            del self.sharers[request], self.results[request]
        return result


class Remembering:
    """A model whose answers are kept: it asks the inner model only what the store does not know.

    A model that streams is called once and takes prompts as it likes. Another one gives its answers when it has all of
    them, so it is called once per Doc, and what it answered is on disk before the next call.

    model (Callable): Any spacy-llm model.
    store (ResponseStore): Where answers are kept.
    identity (str): What tells this model from others; its own `identity` by default, else its class.
    """

    lazy = True

    def __init__(self, model: Any, store: ResponseStore, identity: str = "") -> None:
        self.model, self.store = model, store
        kind = type(model)
        self.identity = identity or str(getattr(model, "identity", f"{kind.__module__}.{kind.__qualname__}"))
        self.by_rule = bool(getattr(model, "by_rule", False))
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
        waiting: Deque[List[_Wanted]] = deque()
        flight = _InFlight()
        # A Doc whose answers are all known asks for nothing: an empty list keeps the two streams in step.
        missing = self._misses(prompts, waiting, flight)
        groups = self.model(missing) if streams(self.model) else self._doc_by_doc(missing)
        for answers in groups:
            if waiting:  # lists that nobody asked for are dropped
                yield self._merge(waiting.popleft(), _as_iterator(answers), flight)
        while waiting:  # the inner model gave fewer lists than it was asked for
            yield self._merge(waiting.popleft(), iter(()), flight)

    def _doc_by_doc(self, groups: Iterable[List[Any]]) -> Iterator[Any]:
        for group in groups:
            yield next(iter(self.model([group])), ()) if group else ()

    def _misses(self, prompts: Iterable[Iterable[Any]], waiting: Deque[List[_Wanted]], flight: _InFlight) -> Iterator[List[Any]]:
        for group in prompts:
            asked, missing = [], []
            for prompt in group:
                request = request_hash(prompt, identity=self.identity, by_rule=self.by_rule)
                shared = flight.join(request)
                answer = None if shared else self.store.get(request)
                asked.append(_Wanted(request, answer, shared))
                if answer is None and not shared:
                    flight.sharers[request] = 0
                    missing.append(prompt)
            waiting.append(asked)
            yield missing

    def _merge(self, asked: List[_Wanted], new: Iterator[Any], flight: _InFlight) -> List[Any]:
        found: List[Answer | Failure] = []
        for wanted in asked:
            if wanted.answer is not None:
                found.append(wanted.answer)
            elif wanted.shared:
                found.append(flight.share(wanted.request))
            else:
                found.append(self._keep(wanted.request, next(new, None)))
                flight.land(wanted.request, found[-1])
        return found

    def _keep(self, request: str, answer: Any) -> Answer | Failure:
        if answer is None:
            return Failure("missing", NO_ANSWER, request=request)
        if isinstance(answer, Failure):
            return Failure(answer.kind, answer.detail, request=request)
        if not isinstance(answer, str):
            return Failure("malformed", f"the model returned {type(answer).__name__}, not a string", request=request)
        if (error := _error_in(answer)) is not None:
            return Failure("server_error", error, request=request)
        return self.store.put(request, answer, flush=not self.by_rule)


def _as_iterator(answers: Any) -> Iterator[Any]:
    """The answers for one Doc; a flat string counts as one answer."""
    return iter([answers] if isinstance(answers, str) else answers)


def _error_in(answer: str) -> str | None:
    """What a server complained of: spacy-llm's REST models with `strict = false` hand its JSON on as if it were an answer."""
    if isinstance(answer, Answer) or not answer.lstrip().startswith('{"error"'):
        return None
    try:
        return json.dumps(json.loads(answer)["error"], ensure_ascii=False)
    except (ValueError, KeyError, TypeError):
        return None
