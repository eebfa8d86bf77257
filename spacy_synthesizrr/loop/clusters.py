"""Kinds of error: the errors of each label in clusters, and an order in which every beginning is spread over them.

S3 extrapolates every error (Wang et al. 2023, Alg. 2). Where the budget is smaller, the first rows of this order are worth more than
a random draw: no label and no kind of error is left out for copies of another.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spacy_synthesizrr.candidates import label_key
from spacy_synthesizrr.embedders.none import embeds
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.loop.errors import AUTO, ErrorSettings
from spacy_synthesizrr.loop.predictions import Prediction
from spacy_synthesizrr.measuring.features import Features
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from spacy_synthesizrr.embedders.base import Embedder

STARTS = 10  # of k-means; the best one is taken
Clusters = Literal["auto"] | int


@dataclass(frozen=True)
class Clustered:
    """An error and the number of its cluster among the errors of its label set, from 0."""

    error: Prediction
    cluster: int = 0


def order_errors(
    errors: Iterable[Prediction], task: TaskSpec, settings: ErrorSettings, *, embedder: Embedder | None, seed: int
) -> list[Clustered]:
    """Cluster the errors and put them in order; `settings.max` cuts the order off.

    embedder (Embedder | None): That of the index. None, or one that makes no vectors: TF-IDF and SVD are fitted on the errors.
    seed (int): Of k-means and of the fit.
    """
    errors = sorted(errors, key=lambda one: one.line)
    sizes = Counter(one.labels for one in errors)
    if all(number_of_clusters(size, settings.clusters) == 1 for size in sizes.values()):
        numbers = [0] * len(errors)
    else:
        texts = [task.student_text(one.fields) for one in errors]
        numbers = cluster_errors(errors, vectors_of(texts, embedder, seed=seed), settings.clusters, seed=seed)
    clustered = [Clustered(one, number) for one, number in zip(errors, numbers, strict=True)]
    return spread(clustered, task)[: settings.max]


def vectors_of(texts: Sequence[str], embedder: Embedder | None, *, seed: int) -> np.ndarray:
    """RETURNS (np.ndarray): Unit vectors, shape (texts, dimensions); one column of zeros where no text holds a word."""
    known = embedder if embedder is not None and embeds(embedder) else None
    try:
        return Features(known, texts, seed=seed)(texts)
    except InputError:  # nothing but signs: an embedder cannot be fitted on that
        return np.zeros((len(texts), 1), dtype=np.float32)


def number_of_clusters(errors: int, clusters: Clusters) -> int:
    """How many clusters the errors of one label set get: "auto" is √(n / 2), a rule of thumb (Mardia, Kent & Bibby 1979)."""
    wanted = round(math.sqrt(errors / 2)) if clusters == AUTO else int(clusters)
    return max(1, min(wanted, errors))


def cluster_errors(errors: Sequence[Prediction], vectors: np.ndarray, clusters: Clusters, *, seed: int) -> list[int]:
    """k-means within each label set.

    vectors (np.ndarray): Unit vectors of the errors, shape (errors, dimensions).
    RETURNS (List[int]): The cluster of each error, from 0 in its label set, in order of first appearance.
    """
    found = [0] * len(errors)
    for key in sorted({one.labels for one in errors}):
        members = [place for place, one in enumerate(errors) if one.labels == key]
        numbers = _k_means(vectors[members], number_of_clusters(len(members), clusters), seed=seed)
        names: dict[int, int] = {}
        for place, number in zip(members, numbers, strict=True):
            found[place] = names.setdefault(number, len(names))
    return found


def _k_means(vectors: np.ndarray, clusters: int, *, seed: int) -> list[int]:
    clusters = min(clusters, len(np.unique(vectors, axis=0)))
    if clusters == 1:
        return [0] * len(vectors)
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # one thread: sums in another order could put a row on a border elsewhere
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # rows that are all but equal
        made: Any = KMeans(clusters, n_init=STARTS, random_state=seed % 2**32).fit_predict(vectors.astype(np.float64))
    return [int(number) for number in made]


def spread(clustered: Iterable[Clustered], task: TaskSpec) -> list[Clustered]:
    """Label sets take turns, and so do the clusters of a label set; within a cluster the largest loss comes first.

    RETURNS (List[Clustered]): Of any beginning of it, two label sets that are not used up differ by at most one row, and so do two
        clusters of a label set.
    """
    place = {label: number for number, label in enumerate(task.labels)}
    groups: dict[tuple[str, ...], dict[int, deque[Clustered]]] = {}
    for one in sorted(clustered, key=lambda one: (-one.error.loss, one.error.line)):
        groups.setdefault(one.error.labels, {}).setdefault(one.cluster, deque()).append(one)
    order = sorted(groups, key=lambda labels: ([place[label] for label in labels], label_key(labels)))
    return list(_in_turn([deque(_in_turn(list(groups[labels].values()))) for labels in order]))


def _in_turn(queues: Sequence[deque[Clustered]]) -> Iterator[Clustered]:
    waiting = deque(queue for queue in queues if queue)
    while waiting:
        queue = waiting.popleft()
        yield queue.popleft()
        if queue:
            waiting.append(queue)
