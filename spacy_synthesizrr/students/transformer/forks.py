"""What a forked process must know: `nlp.pipe(…, n_process=2)` forks on Linux, and torch's threads do not come along.

GNU's OpenMP, which torch uses, waits forever in a child for the threads that its parent computed with. So a forked child computes
with one thread, which is what several processes want anyway. No other process is touched.
"""

from __future__ import annotations

import os
from typing import Any


class _Process:
    forked = False  # since this module was imported, and not yet told to torch


def _in_child() -> None:
    _Process.forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def heed_fork(torch: Any) -> None:
    """Call before torch computes: in a forked process it keeps torch to one thread, once.

    torch (ModuleType): The library.
    """
    if _Process.forked:
        torch.set_num_threads(1)
        _Process.forked = False
