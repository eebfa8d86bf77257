"""When something was said, as a number that can be sorted."""

from __future__ import annotations

import math
from datetime import datetime, timezone

NEVER = -math.inf


def moment(said: str) -> float:
    """The seconds of an ISO 8601 time since 1970; one without a zone is in UTC.

    RETURNS (float): `NEVER` for an empty string or what is no time, so that anything dated is newer.
    """
    try:
        found = datetime.fromisoformat(said.replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError, OSError):
        return NEVER
