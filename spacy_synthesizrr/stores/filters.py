"""Which rows of an index a filter keeps from being found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.progress import progress
from spacy_synthesizrr.stores.asking import Condition, Filter
from spacy_synthesizrr.stores.passages import PassageFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

REMEMBERED = 8  # sets of conditions, at 8 bytes per row that they keep out


class Barred:
    """Finds rows by filter; the passages are read once for each set of conditions, in a stream.

    passages (PassageFile): The rows.
    always (ndarray): Sorted rows that are never found.
    """

    def __init__(self, passages: PassageFile, always: NDArray[np.int64]) -> None:
        self._passages, self._always = passages, always
        self._known: dict[str, NDArray[np.int64]] = {}

    def rows(self, filter: Filter | None) -> NDArray[np.int64]:
        """RETURNS (ndarray): Numbers of the rows that may not be found, sorted."""
        banned = self._always
        if filter is not None and filter.where:
            banned = np.union1d(banned, self._failing(filter.where))
        if filter is not None and filter.exclude:
            excluded = [row for row in map(self._passages.row, filter.exclude) if row is not None]
            banned = np.union1d(banned, np.array(excluded, dtype=np.int64))
        return banned

    def _failing(self, where: tuple[Condition, ...]) -> NDArray[np.int64]:
        key = repr(where)  # 1, 1.0 and True are equal, but not as conditions
        if key not in self._known:
            fits = Filter(where=where).passes
            passages = progress(self._passages.get(range(len(self._passages))), "Filtering", total=len(self._passages), unit="passages")
            failing = np.fromiter((row for row, passage in enumerate(passages) if not fits(passage)), dtype=np.int64)
            while len(self._known) >= REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = failing
        return self._known[key]
