"""Answers on their way to the disk: one writer for all requests in flight, one commit for all that wait.

A commit is written at once and survives a kill; it is forced to the disk within 50 ms and then survives a power cut.
Forcing every single commit would take 7 ms each (ext4 on a cloud disk), which is dear beside a server that answers in 30.

Whoever waits is told in any case: that it is written, or why it is not. Once the log cannot be forced, or the store's file is
not where it was, nothing more is taken: the requests that would be paid next could not be kept.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Deque, List, Tuple

from spacy_synthesizrr.errors import RunFolderError, SynthesizrrError
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.budget import Total
from spacy_synthesizrr.models.answers.ledger import Entry, Purpose
from spacy_synthesizrr.models.answers.log import Log
from spacy_synthesizrr.models.answers.responses import ResponseStore

FLUSH = 0.05  # seconds
Done = Callable[[BaseException | None], None]
# What SQLite and its driver say of values that they cannot take: a number over 2^63, half of a surrogate pair, a list.
OF_A_ROW = (
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    ValueError,
    TypeError,
    OverflowError,
)
logger = logging.getLogger("spacy_synthesizrr")


class NotKept(ValueError):
    """One answer is no text that a store can hold. Others are not concerned."""


class Commits:
    """Writes entries in the order in which they come.

    store (ResponseStore): Where to.
    identity (str): All that shapes an answer beside messages and draw.
    purpose (Purpose): On whose account.
    elsewhere (Callable | None): Told after every commit, on the writer's thread, what the run has spent elsewhere by then: in
        earlier processes, in others that run now, on other models.
    """

    def __init__(self, store: ResponseStore, *, identity: str, purpose: Purpose, elsewhere: Callable[[Total], None] | None = None) -> None:
        self.store = store
        self._identity, self._purpose, self._elsewhere = identity, purpose, elsewhere
        self._own = Total()
        self._log = Log(store.path)
        self._waiting: Deque[Tuple[Entry, Done]] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._flushed = time.monotonic()
        self._dirty = False
        self._broken: SynthesizrrError | None = None
        self._told_so = False

    def put(self, entry: Entry, done: Done) -> None:
        """Write an entry soon.

        done (Callable): Called when it is written, or with the error when it is not: on the writer's thread, or at once when it
            is known that nothing can be written any more. `NotKept` concerns this entry alone; what it cost is in the ledger.
        """
        with self._news:
            broken = self._broken
            if broken is None:
                if self._thread is None:
                    self._closing = False
                    self._thread = threading.Thread(target=self._run, name="synthesizrr-answers", daemon=True)
                    self._thread.start()
                self._waiting.append((entry, done))
                self._news.notify()
        if broken is not None:
            self._tell(done, broken)

    def close(self) -> None:
        """Write what waits, force it to the disk, and end the thread."""
        with self._news:
            thread, self._thread, self._closing = self._thread, None, True
            self._news.notify()
        if thread is not None:
            thread.join()
        self._log.close()
        if self._broken is not None and not self._told_so:
            logger.warning("%s", self._broken)

    def _run(self) -> None:
        batch: Deque[Tuple[Entry, Done]] = deque()
        try:
            while self._turn(batch):
                pass
        except BaseException as error:  # a thread that dies in silence would let everyone wait for ever
            self._break(error)
            while batch:
                self._tell(batch.popleft()[1], self._broken)

    def _turn(self, batch: Deque[Tuple[Entry, Done]]) -> bool:
        """Write what waits. RETURNS (bool): False when that was the end."""
        with self._news:
            if not self._waiting and not self._closing:
                self._news.wait(FLUSH if self._dirty else None)
            batch.extend(self._waiting)
            self._waiting.clear()
            closing, last = self._closing, not batch
        if batch:
            self._write(batch)
        if self._dirty and (closing or time.monotonic() - self._flushed >= FLUSH):
            self._flush()
        return not (closing and last)

    def _write(self, batch: Deque[Tuple[Entry, Done]]) -> None:
        failed = self._commit([entry for entry, _ in batch])
        alone = _is_of_a_row(failed)
        while batch:
            entry, done = batch[0]
            error = self._write_alone(entry) if alone else failed
            batch.popleft()
            self._tell(done, error)

    def _write_alone(self, entry: Entry) -> BaseException | None:
        """Write one entry of a batch that holds something which cannot be written. What that one cost is counted all the same."""
        error = self._commit([entry])
        if not _is_of_a_row(error):
            return error
        self._commit([replace(entry, answer=None)])
        return NotKept(f"the answer cannot be kept ({type(error).__name__}: {error})")

    def _commit(self, entries: List[Entry]) -> BaseException | None:
        """RETURNS (BaseException | None): Why it is not written; for whoever waits: an answer that is not kept is not handed on."""
        elsewhere: Total | None = None
        try:
            with self.store.transaction(flush=False) as connection:
                ledger.write(connection, entries, identity=self._identity, purpose=self._purpose)
                if self._elsewhere is not None:
                    elsewhere = ledger.spent_by(connection, self._purpose.scope)
            self.store.check_place()
        except Exception as error:  # told to everyone who waits
            return error
        self._dirty = True
        self._own.add(ledger.total_of(entries))
        if elsewhere is not None and self._elsewhere is not None:
            elsewhere.add(self._own, -1)
            self._elsewhere(elsewhere)
        return None

    def _flush(self) -> None:
        """Force the write-ahead log to the disk."""
        try:
            self.store.check_place()
            self._log.force()
        except (OSError, RunFolderError) as error:
            self._break(error)
        self._dirty, self._flushed = False, time.monotonic()

    def _break(self, error: BaseException) -> None:
        """Take nothing more, and tell all who wait."""
        with self._news:
            self._broken = self._broken or _in_words(self.store, error)
            waiting = list(self._waiting)
            self._waiting.clear()
        for _, done in waiting:
            self._tell(done, self._broken)

    def _tell(self, done: Done, error: BaseException | None) -> None:
        self._told_so = self._told_so or error is not None
        done(error)


def _is_of_a_row(error: BaseException | None) -> bool:
    return isinstance(error, OF_A_ROW) or (error is not None and isinstance(error.__cause__, OF_A_ROW))


def _in_words(store: ResponseStore, error: BaseException) -> SynthesizrrError:
    if isinstance(error, SynthesizrrError):
        return error
    cure = "Make room or repair the disk"
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        cure = "Lower max_in_flight, or allow more open files (ulimit -n)"
    return RunFolderError(
        f"Answers cannot be forced to the disk ({store.path}: {type(error).__name__}: {error}). {cure}, and run again: what is "
        "written stays, and no answer is handed on that is not kept."
    )
