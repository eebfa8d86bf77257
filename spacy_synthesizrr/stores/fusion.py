"""One ranking of two: relative score fusion, as vector databases do it in hybrid search.

The scores of each ranking are brought to 0..1, its smallest to 0 and its largest to 1, and added up by weight; where a
ranking lacks a passage, its share is 0. A ranking whose scores are all equal counts 1 for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.stores.exact import DECIMALS
from spacy_synthesizrr.stores.ranking import Ranking

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fuse(vector: Ranking, keyword: Ranking, alpha: float) -> Ranking:
    """Fuse the rankings of one query by two searches.

    alpha (float): Weight of `vector`; `keyword` has the rest. A ranking without weight brings no passages either.
    RETURNS (Ranking): The passages of both, with scores between 0 and 1.
    """
    parts = [(ranking, weight) for ranking, weight in ((vector, alpha), (keyword, 1 - alpha)) if weight and len(ranking)]
    if not parts:
        return vector.take(slice(0))
    keys = np.unique(np.concatenate([ranking.keys for ranking, _ in parts]))
    scores = np.zeros(len(keys))
    for ranking, weight in parts:
        scores[np.searchsorted(keys, ranking.keys)] += weight * _scaled(ranking.scores)
    scores = np.round(scores, DECIMALS)
    order = np.argsort(-scores, kind="stable")
    return Ranking(keys[order], scores[order])


def _scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.ones(len(scores))
