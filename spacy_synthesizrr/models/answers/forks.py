"""What a fork must not carry over.

SQLite keeps its view of the locks on a file in memory. A child that inherits an open connection, even one that it never
uses, takes its parent's locks for its own: its answers go into a log that the parent deletes, or it finds the file locked
for ever. So stores are closed before a fork; each side opens them again when it needs them. And a lock that another thread
holds at that moment would stay locked in the child, where that thread is not.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, List

PATIENCE = 60.0  # seconds; a thread that forks while it uses a store itself would wait for ever

_CLOSED: weakref.WeakSet[Any] = weakref.WeakSet()
_RENEWED: weakref.WeakSet[Any] = weakref.WeakSet()
_held: List[Any] = []
_foreign: List[Any] = []  # connections that could not be closed in time: a child must not even close them
_forking = threading.Lock()


def close_before_fork(holder: Any) -> None:
    """Keep a connection out of forks.

    holder (object): Has `_lock`, a threading.Lock that is held during a fork; `_connection`, None when closed; and `_disconnect()`.
    """
    _CLOSED.add(holder)


def renew_after_fork(holder: Any) -> None:
    """Give forked processes a lock that is open.

    holder (object): Has `_lock`, a threading.Lock.
    """
    _RENEWED.add(holder)


def _before() -> None:
    _forking.acquire()
    for holder in list(_CLOSED):
        if holder._lock.acquire(timeout=PATIENCE):
            _held.append(holder)
            holder._disconnect()


def _in_parent() -> None:
    while _held:
        _held.pop()._lock.release()
    _forking.release()


def _in_child() -> None:
    global _forking
    _forking = threading.Lock()
    _held.clear()
    for holder in (*_CLOSED, *_RENEWED):
        holder._lock = threading.Lock()
    for holder in list(_CLOSED):
        _foreign.append(holder._connection)
        holder._connection = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
