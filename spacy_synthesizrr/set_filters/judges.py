"""Judges that cost nothing: a small student that never saw the row, and the nearest labelled rows.

Both give evidence of shape (rows, labels), see `pooling`. The student is a linear classifier of word n-grams (TF-IDF, logistic
regression); in memory it takes the n-grams of all rows and their weights, with four labels 15 to 30 kB for a row of 40 words. The
neighbours need the labelled rows' vectors only; rows go by in blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.set_filters.folds import Folds
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.students.quality.calibration import Array
from spacy_synthesizrr.words import words

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from spacy_synthesizrr.embedders.base import Embedder

LEAST = 1e-6  # probability: evidence is a logarithm
STRENGTH = 10.0  # inverse of the L2 penalty of the logistic regression
NEAREST = 3  # labelled rows of each label whose similarity counts
SHARPNESS = 10.0  # of cosines, before anything is fitted
BLOCK = 512


def log_probabilities(scores: Array, *, exclusive: bool) -> Array:
    """RETURNS (Array): Evidence: the logarithm of probabilities, or log odds where labels do not exclude each other."""
    safe = np.clip(scores, LEAST, 1 - LEAST)
    return np.asarray(np.log(safe) if exclusive else np.log(safe) - np.log1p(-safe))


def student_evidence(
    texts: Iterable[str], assigned: Array, labelled: Sequence[str], gold: Array, teach: Sequence[bool], *, folds: Folds, exclusive: bool
) -> tuple[Array, Array]:
    """What a cross-validated student says: each row is judged by the one of K students that saw nothing of its fold.

    texts (Iterable[str]): Synthetic rows as a student reads them. assigned (Array): Their labels, 1 or 0.
    labelled (Sequence[str]), gold (Array): Labelled rows and their labels.
    teach (Sequence[bool]): Which labelled rows are seeds that students may learn from, outside of their own fold.
    RETURNS (Tuple[Array, Array]): Evidence of the synthetic and of the labelled rows: none (zeros) on a label that the student of the fold
        never met, and, where labels exclude each other, on no row that has such a label; none at all of texts without a word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer=_ngrams, sublinear_tf=True, dtype=np.float32)
    try:
        features = vectorizer.fit_transform([*texts, *labelled])  # words are counted over all rows; labels play no part in it
    except ValueError:  # there is not a word in any of them
        return np.zeros_like(assigned, dtype=np.float64), np.zeros((len(labelled), assigned.shape[1]))
    fold = np.array([*folds.rows, *folds.labelled], dtype=np.int64)
    learn = np.array([*[True] * len(assigned), *teach], dtype=bool)
    targets = np.concatenate([assigned, gold]) if len(gold) else np.asarray(assigned)
    evidence = np.zeros((len(fold), assigned.shape[1]))
    for number in range(folds.count):
        here = fold == number
        trained = learn & ~here
        met = targets[trained].any(axis=0)
        if not here.any() or met.sum() < (2 if exclusive else 1):
            continue
        judged = log_probabilities(_predict(features[trained], targets[trained], features[here], exclusive=exclusive), exclusive=exclusive)
        evidence[here] = np.where(targets[here][:, ~met].any(axis=1, keepdims=True), 0.0, judged) if exclusive else judged
    return evidence[: len(assigned)], evidence[len(assigned) :]


def _ngrams(text: str) -> list[str]:
    found = words(text)
    return [*found, *(f"{first} {second}" for first, second in zip(found, found[1:], strict=False))]


def _predict(features: csr_matrix, targets: Array, wanted: csr_matrix, *, exclusive: bool) -> Array:
    """RETURNS (Array): Probabilities of each label. One that the training has not gets its even share, as nothing is known of it."""
    columns = targets.shape[1]
    if exclusive:
        chosen = np.argmax(targets, axis=1)
        model = _logistic().fit(features, chosen)
        found = np.full((wanted.shape[0], columns), 1 / columns)
        found[:, model.classes_] = model.predict_proba(wanted) * len(model.classes_) / columns
        return found
    parts = []
    for column in range(columns):
        own = targets[:, column] > 0.5
        even = np.full(wanted.shape[0], 0.5)
        parts.append(even if own.all() or not own.any() else _logistic().fit(features, own).predict_proba(wanted)[:, 1])
    return np.stack(parts, axis=1)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)


class Neighbours:
    """The nearest labelled rows as a judge: for each label the mean cosine of the `NEAREST` rows that have it.

    embedder (Embedder): Whose vectors are compared.
    ids (Sequence[str]), texts (Sequence[str]), gold (Array): The labelled rows.
    """

    def __init__(self, embedder: Embedder, ids: Sequence[str], texts: Sequence[str], gold: Array, *, exclusive: bool) -> None:
        self._embedder, self._exclusive, self._gold = embedder, exclusive, np.asarray(gold) > 0.5
        self._place = {id: number for number, id in enumerate(ids)}
        self._vectors = np.concatenate([np.asarray(embedder.embed(part)) for part in batched(texts, BLOCK)])

    def evidence(self, rows: Iterable[tuple[str, str]]) -> Iterator[Array]:
        """Judge rows in blocks.

        rows (Iterable[Tuple[str, str]]): Id of the labelled row that does not count (a row's own seed, or the row itself), and text.
        YIELDS (Array): Evidence, block by block.
        """
        for block in batched(rows, BLOCK):
            similar = np.asarray(self._embedder.embed([text for _, text in block]) @ self._vectors.T, dtype=np.float64)
            for number, (own, _) in enumerate(block):
                if own in self._place:
                    similar[number, self._place[own]] = -np.inf
            yield self._judged(similar)

    def _judged(self, similar: Array) -> Array:
        having = [self._nearest(similar[:, self._gold[:, label]]) for label in range(self._gold.shape[1])]
        if self._exclusive:
            logits = SHARPNESS * np.stack(having, axis=1)
            return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        lacking = [self._nearest(similar[:, ~self._gold[:, label]]) for label in range(self._gold.shape[1])]
        return SHARPNESS * (np.stack(having, axis=1) - np.stack(lacking, axis=1))

    @staticmethod
    def _nearest(similar: Array) -> Array:
        """The mean of the greatest similarities of each row; 0 where there is none."""
        top = -np.sort(-similar, axis=1)[:, :NEAREST]
        there = np.isfinite(top)
        return np.asarray(np.where(there, top, 0.0).sum(axis=1) / np.maximum(1, there.sum(axis=1)))


def vote_evidence(votes: Array, valid: Array, *, exclusive: bool) -> Array:
    """What the votes of a blind judge are worth as evidence: (votes + 1/L) / (valid votes + 1), L the number of labels (2 for yes and no).

    votes (Array): Rows × labels. valid (Array): Votes of each row; rows without any give no evidence.
    """
    spread = 1 / votes.shape[1] if exclusive else 0.5
    found = log_probabilities((votes + spread) / (valid[:, None] + 1.0), exclusive=exclusive)
    return np.asarray(np.where(valid[:, None] > 0, found, 0.0))
