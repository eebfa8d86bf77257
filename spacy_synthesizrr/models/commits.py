"""Answers on their way to the disk: one writer for all requests in flight, one commit for all that wait.

A commit is written at once and survives a kill; it is forced to the disk within 50 ms and then survives a power cut.
Forcing every single commit would take 7 ms each (ext4 on a cloud disk), which is dear beside a server that answers in 30.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Deque, List, Tuple

from spacy_synthesizrr.models import ledger
from spacy_synthesizrr.models.ledger import Entry, Purpose
from spacy_synthesizrr.models.responses import ResponseStore

FLUSH = 0.05  # seconds
Done = Callable[[BaseException | None], None]


class Commits:
    """Writes entries in the order in which they come.

    store (ResponseStore): Where to.
    identity (str): All that shapes an answer beside messages and draw.
    purpose (Purpose): On whose account.
    """

    def __init__(self, store: ResponseStore, *, identity: str, purpose: Purpose) -> None:
        self.store = store
        self._identity, self._purpose = identity, purpose
        self._waiting: Deque[Tuple[Entry, Done]] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._flushed = time.monotonic()
        self._dirty = False

    def put(self, entry: Entry, done: Done) -> None:
        """Write an entry soon.

        done (Callable): Called on the writer's thread when it is written, with the error when it could not be.
        """
        with self._news:
            if self._thread is None:
                self._closing = False
                self._thread = threading.Thread(target=self._run, name="synthesizrr-answers", daemon=True)
                self._thread.start()
            self._waiting.append((entry, done))
            self._news.notify()

    def close(self) -> None:
        """Write what waits, force it to the disk, and end the thread."""
        with self._news:
            thread, self._thread, self._closing = self._thread, None, True
            self._news.notify()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._news:
                if not self._waiting and not self._closing:
                    self._news.wait(FLUSH if self._dirty else None)
                batch, closing = list(self._waiting), self._closing
                self._waiting.clear()
            if batch:
                self._write(batch)
            if self._dirty and (closing or time.monotonic() - self._flushed >= FLUSH):
                self._flush()
            if closing and not batch:
                return

    def _write(self, batch: List[Tuple[Entry, Done]]) -> None:
        failed: BaseException | None = None
        try:
            with self.store.transaction(flush=False) as connection:
                ledger.write(connection, [entry for entry, _ in batch], identity=self._identity, purpose=self._purpose)
            self._dirty = True
        except Exception as error:  # told to everyone who waits: an answer that is not kept must not be handed on
            failed = error
        for _, done in batch:
            done(failed)

    def _flush(self) -> None:
        """Force the write-ahead log to the disk. A checkpoint forces itself, so a log that is gone needs nothing."""
        with contextlib.suppress(FileNotFoundError):
            log = os.open(f"{self.store.path}-wal", os.O_RDWR)
            try:
                os.fsync(log)
            finally:
                os.close(log)
        self._dirty, self._flushed = False, time.monotonic()
