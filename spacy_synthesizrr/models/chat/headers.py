"""What the headers of a reply say about when to come back."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import List, Tuple

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float | None:
    """Seconds in "1s", "6m0s", "20ms" or "1.5".

    RETURNS (float | None): None for anything else.
    """
    text = text.strip()
    parts: List[Tuple[str, str]] = _DURATION.findall(text)
    if parts and "".join(amount + unit for amount, unit in parts) == text:
        return sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    try:
        return max(0.0, float(text)) if text.lower() not in ("nan", "inf", "infinity") else None
    except ValueError:
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How long a server asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).

    RETURNS (float | None): Seconds; None when it does not say.
    """
    in_ms = duration(headers.get("retry-after-ms", ""))
    if in_ms is not None:
        return in_ms / 1000.0
    said = headers.get("retry-after", "")
    seconds = duration(said)
    if seconds is not None or not said:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
