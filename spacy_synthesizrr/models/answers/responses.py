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
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Deque, Dict, Iterable, List

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.models.answers.forks import close_before_fork
from spacy_synthesizrr.models.answers.reader import Reader
from spacy_synthesizrr.models.answers.sharing import InFlight, Wanted
from spacy_synthesizrr.models.answers.streaming import streams
from spacy_synthesizrr.models.answers.wal import Place, make_private, moved, place_of, unusable, use_wal
from spacy_synthesizrr.prompts import NO_ANSWER, Answer, Failure, Prompt

WAIT = 60.0  # seconds to wait for another process that writes
CHECKPOINT = 8000  # pages of the log before it is merged into the file: each time, all that is in flight waits for the disk
COLUMNS = "request, text, model, prompt_tokens, answer_tokens, finish"
SCHEMA = """CREATE TABLE IF NOT EXISTS answers (
    request TEXT PRIMARY KEY, text TEXT NOT NULL, model TEXT NOT NULL, prompt_tokens INTEGER, answer_tokens INTEGER, finish TEXT NOT NULL
)"""


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
        self._place: Place | None = None
        self._reader = Reader(self.path, wait=WAIT)
        close_before_fork(self)

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
        with self.reading() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def get(self, request: str) -> Answer | None:
        """RETURNS (Answer | None): The answer to a request, if it was ever given. Never waits for who writes."""
        with self.reading() as connection:
            return _read(connection, request)

    def put(self, request: str, answer: str, *, flush: bool = True) -> Answer:
        """Keep an answer. It survives a kill when this returns.

        request (str): Its request hash.
        answer (str): An Answer, or a plain string from another model.
        flush (bool): Wait for the disk, so that the answer survives a power cut too.
        RETURNS (Answer): What the store holds for the request: the first answer that came, also from another process.
        """
        values = (getattr(answer, "prompt_tokens", None), getattr(answer, "answer_tokens", None), getattr(answer, "finish", ""))
        row = (request, str(answer), getattr(answer, "model", ""), *values)
        with self.transaction(flush=flush) as connection:
            connection.execute(f"INSERT OR IGNORE INTO answers ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)
        kept = self.get(request)
        if kept is None:
            raise RunFolderError(f"{self.path} lost the answer that was just written. Does another program change the file?")
        return kept

    @contextlib.contextmanager
    def transaction(self, *, flush: bool = True) -> Iterator[sqlite3.Connection]:
        """Write several things at once: all or none. See `put` for `flush`."""
        with self._used() as connection:
            connection.execute(f"PRAGMA synchronous = {'FULL' if flush else 'NORMAL'}")
            with connection:
                yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that only reads and sees what is committed, for one thread at a time."""
        if self._connection is None:
            with self._used():  # makes the file and its table where they are missing
                pass
        with self._reader.used() as connection:
            yield connection

    def check_place(self) -> None:
        """Make sure that what is written lands where it will be looked for.

        RAISES (RunFolderError): When the file was removed or replaced while it was open.
        """
        if self._place is not None and self._place != place_of(self.path):
            raise moved(self.path)

    def shrink(self) -> None:
        """Write the file anew without what was removed."""
        with self._used() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file; it opens again when needed."""
        self._reader.close()
        with self._lock:
            self._disconnect()
            self._place = None

    @contextlib.contextmanager
    def _used(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time.

        RAISES (RunFolderError): When the file cannot be read or written.
        """
        with self._lock:
            try:
                yield self._open()
            except sqlite3.DatabaseError as error:
                raise unusable(self.path, error) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.check_place()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            make_private(self.path)
            connection = sqlite3.connect(self.path, timeout=WAIT, check_same_thread=False)
            try:
                use_wal(connection, wait=WAIT)
                connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
                with connection:
                    connection.execute(SCHEMA)
            except sqlite3.DatabaseError:
                connection.close()
                raise
            self._connection, self._place = connection, place_of(self.path)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _read(connection: sqlite3.Connection, request: str) -> Answer | None:
    row = connection.execute(f"SELECT {COLUMNS} FROM answers WHERE request = ?", (request,)).fetchone()
    if row is None:
        return None
    request, text, model, prompt_tokens, answer_tokens, finish = row
    return Answer(text, model=model, request=request, prompt_tokens=prompt_tokens, answer_tokens=answer_tokens, finish=finish)


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
        waiting: Deque[List[Wanted]] = deque()
        flight = InFlight()
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

    def _misses(self, prompts: Iterable[Iterable[Any]], waiting: Deque[List[Wanted]], flight: InFlight) -> Iterator[List[Any]]:
        for group in prompts:
            asked, missing = [], []
            for prompt in group:
                request = request_hash(prompt, identity=self.identity, by_rule=self.by_rule)
                shared = flight.join(request)
                answer = None if shared else self.store.get(request)
                asked.append(Wanted(request, answer, shared))
                if answer is None and not shared:
                    flight.sharers[request] = 0
                    missing.append(prompt)
            waiting.append(asked)
            yield missing

    def _merge(self, asked: List[Wanted], new: Iterator[Any], flight: InFlight) -> List[Any]:
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
