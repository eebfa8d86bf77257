"""Counting uses in an order: what quotas and round-robin are made of."""

from __future__ import annotations

import numpy as np


def uses_before(values: np.ndarray) -> np.ndarray:
    """How often each value came earlier in the array.

    RETURNS (np.ndarray): int64, same shape: 0 for the first use, 1 for the second …
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    fresh = np.ones(len(values), dtype=bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(fresh)
    lengths = np.diff(np.append(starts, len(values)))
    found = np.empty(len(values), dtype=np.int64)
    found[order] = np.arange(len(values)) - np.repeat(starts, lengths)
    return found


def draw_numbers(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Number the rows in which one label set asks for one thing again, so that each is a request of its own.

    values (np.ndarray): For each row what it shows, such as its passage.
    group (np.ndarray): For each row the index of its label set.
    RETURNS (np.ndarray): int64, shape (rows,): 0 for the first row, 1 for the second …
    """
    codes = np.unique(values, return_inverse=True)[1]
    return uses_before(codes * (int(group.max(initial=0)) + 1) + group)


def over_quota(values: np.ndarray, order: np.ndarray, quota: int) -> np.ndarray:
    """Which rows use a value more often than allowed, when rows are served in an order.

    values (np.ndarray): For each row what it uses, such as its passage.
    order (np.ndarray): Indexes of the rows, first served first.
    RETURNS (np.ndarray): bool, shape (rows,).
    """
    found = np.empty(len(values), dtype=bool)
    found[order] = uses_before(values[order]) >= quota
    return found
