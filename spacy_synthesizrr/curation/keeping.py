"""Which rows to keep by one number each: a share from the top or the bottom, or a range; overall or per label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spacy_synthesizrr.errors import ConfigError, choices

ENDS = ("top", "bottom")


@dataclass(frozen=True)
class Keep:
    """A rule.

    share (float | None): Keep this share of rows, from above 0 to 1.
    end (str): "top" or "bottom": which rows the share is taken from.
    low (float | None), high (float | None): Keep rows from low to high, both included; beside a share, rows must fit both.
    per_label (bool): Whether the share is one of each label, and not of all rows together.
    """

    share: float | None = None
    end: str = "top"
    low: float | None = None
    high: float | None = None
    per_label: bool = True

    def check(self, where: str) -> None:
        """Refuse a rule that is none.

        RAISES (ConfigError): For a share, end or range out of bounds.
        """
        if self.share is not None and not 0 < self.share <= 1:
            raise ConfigError(f"{where}: share must lie above 0 and at most at 1 (was: {self.share}).")
        if self.end not in ENDS:
            raise ConfigError(f"{where}: end is '{self.end}'. {choices(self.end, ENDS)}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ConfigError(f"{where}: low = {self.low} is above high = {self.high}: no row would stay.")

    def kept(self, values: NDArray[np.float64], keys: Sequence[str]) -> NDArray[np.bool_]:
        """Decide for every row.

        values (NDArray[float]): One number per row.
        keys (Sequence[str]): The label of each row.
        RETURNS (NDArray[bool]): Whether it stays. Rows that tie with the last that stays stay too.
        """
        found = np.ones(len(values), dtype=bool)
        if self.share is not None and len(values):
            groups = np.array(keys if self.per_label else [""] * len(values))
            for key in sorted(set(groups.tolist())):
                own = groups == key
                found[own] = self._within(values[own], self.share)
        if self.low is not None:
            found &= values >= self.low
        if self.high is not None:
            found &= values <= self.high
        return found

    def _within(self, values: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
        """Top: from the k-th largest up, bottom: from the k-th smallest down, where k of n is nearest to the share, and at least 1."""
        count = max(1, int(np.floor(share * len(values) + 0.5)))
        ordered = np.sort(values)
        return np.asarray(values >= ordered[-count] if self.end == "top" else values <= ordered[count - 1])
