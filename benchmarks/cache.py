"""Where benchmarks keep what took long."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """RETURNS (Path): A folder beside the caches of the tests, outside the checkout."""
    return Path(os.environ.get("SYNTHESIZRR_CACHE") or "~/.cache/spacy-synthesizrr-tests").expanduser() / name
