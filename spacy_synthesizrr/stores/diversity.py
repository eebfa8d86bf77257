"""Hits that differ from each other: maximal marginal relevance (Carbonell & Goldstein 1998, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.stores.exact import DECIMALS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINE = 9  # decimals beyond which two balances of such numbers are the same number


def choose(relevance: NDArray[np.float64], vectors: NDArray[np.float32], k: int, *, balance: float) -> NDArray[np.int64]:
    """Choose candidates one by one: each time the one with the largest

        balance · relevance − (1 − balance) · (largest cosine to one that is chosen; 0 before the first)

    and of equals the one that stands first.

    relevance (ndarray): How well each candidate fits the query, best first, shape (candidates,); 0 to 1, or a cosine.
    vectors (ndarray): Their vectors, rows of length 1 or 0, shape (candidates, dimensions).
    k (int): How many to choose.
    balance (float): 1 keeps the order of relevance; the smaller, the more a candidate must differ.
    RETURNS (ndarray): Places of the chosen ones in the order of choice, k or fewer.
    """
    exact = vectors.astype(np.float64)
    fit = balance * relevance
    likeness = np.full(len(fit), -np.inf)  # largest cosine to one that is chosen
    chosen = np.empty(min(k, len(fit)), dtype=np.int64)
    for number in range(len(chosen)):
        value = np.round(fit - (1 - balance) * likeness if number else fit, FINE)
        value[chosen[:number]] = -np.inf
        chosen[number] = value.argmax()
        np.maximum(likeness, np.round(exact @ exact[chosen[number]], DECIMALS), out=likeness)
    return chosen
