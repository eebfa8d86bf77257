"""How long people take for a row, from when they answered."""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Mapping
from typing import Any

from argilla_bridge.rounds.moments import NEVER, moment

PAUSE = 600.0  # seconds; a longer gap is no work on a row
COPIED = 0.1  # seconds; whose answers all follow one another faster did not give them then: a program wrote them


class Pace:
    """The times of all answers of each person: eight bytes an answer."""

    def __init__(self) -> None:
        self._times: dict[str, array[float]] = {}

    def add(self, user: str, said: str) -> None:
        """An answer; one without a time tells nothing."""
        if (when := moment(said)) != NEVER:
            self._times.setdefault(user, array("d")).append(when)

    def of(self, user: str) -> dict[str, Any]:
        """RETURNS (dict): "median" seconds from one answer to the next (None without any), the number of "gaps", and those "left_out"
        because they are longer than ten minutes, because both answers came in the same moment (many at once, or moved there by `relabel`),
        or because all of the person's are shorter than a tenth of a second.
        """
        return _told(*self._gaps(user))

    def all(self) -> Mapping[str, Any]:
        """RETURNS (Mapping): The same over all people."""
        kept: list[float] = []
        left = 0
        for user in self._times:
            gaps, out = self._gaps(user)
            kept += gaps
            left += out
        return _told(kept, left)

    def _gaps(self, user: str) -> tuple[list[float], int]:
        times = sorted(self._times.get(user, ()))
        gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        kept = [gap for gap in gaps if 0 < gap <= PAUSE]
        if all(gap < COPIED for gap in kept):
            kept = []
        return kept, len(gaps) - len(kept)


def _told(gaps: list[float], left_out: int) -> dict[str, Any]:
    return {"median": round(statistics.median(gaps), 2) if gaps else None, "gaps": len(gaps), "left_out": left_out}
