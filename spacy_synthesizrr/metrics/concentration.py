"""How many rows were made from one passage or one document: a set may be large and come from few places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any


def concentration(sources: Iterable[Hashable]) -> dict[str, Any]:
    """How evenly rows are spread over what they were made from.

    sources (Iterable[Hashable]): The passage, document or seed of each row.
    RETURNS (dict): `n` (rows), `different` (sources), `mean` and `most` (rows of one source), `most_share` (of the rows), and
        `effective`, the number of sources that would give the same chance that two rows share one if all had equally many
        (inverse of Simpson's index, Nature 163, 1949; Hill's number of order 2). None where there is no row.
    """
    counts = Counter(sources)
    n = counts.total()
    if not n:
        return {"n": 0, "different": 0, "mean": None, "most": None, "most_share": None, "effective": None}
    most = max(counts.values())
    effective = n * n / sum(count * count for count in counts.values())
    return {"n": n, "different": len(counts), "mean": n / len(counts), "most": most, "most_share": most / n, "effective": effective}
