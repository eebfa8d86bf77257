"""A server of the tests for people: `python -m services.NAME` runs it until Ctrl-C or a signal to end."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from services.processes import ServiceError

Running = TypeVar("Running")


def serve_by_hand(
    name: str, about: str, start: Callable[[Path, int | None], AbstractContextManager[Running]], told: Callable[[Running], str]
) -> None:
    """Serve, on the port of --port.

    about (str): What it is, for --help. start (Callable): Takes a folder for its state and a port, None for a free one.
    told (Callable): What to say of it once it runs.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--port", type=int, help="on loopback; a free one by default")
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _tell(f"Starting {name}; the first time installs it, which takes some minutes …")
    try:
        with tempfile.TemporaryDirectory(prefix=f"{name.lower()}-") as state, start(Path(state), port) as running:
            _tell(told(running))
            signal.pause()
    except KeyboardInterrupt:
        _tell("Stopped.")
    except ServiceError as error:
        sys.exit(f"✘ {error}")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
