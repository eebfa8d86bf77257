"""Label preservation: how often a classifier that never saw a row gives it the label that it was asked to have.

Divekar and Durrett 2024 (SynthesizRR, arXiv 2405.10040, appendix): a classifier trained on gold rows predicts each synthetic text, and the
share of predictions that are the assigned label is the measure. The classifier makes mistakes on gold too, and some agreement comes by
chance; so two numbers belong beside it: its own accuracy on gold rows that it was not trained on, and the agreement with shuffled labels.
A value above the accuracy on gold does not mean better labels than gold's; it means rows that are easier than gold.

Rows are often written with a gold row in sight: a seed that asked for them, a premise that they carry on. So there are several judges,
each trained without one fold of gold, and what shares a seed or a text with a gold row is judged by the one that did not learn from it.
All judges learn from equally much gold, whether they judge gold or rows.

The paper's classifier is a fine-tuned DeBERTa-v3-large. Here it is a linear one on words and pairs of words, which costs seconds.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.words import comparable

LabelSet = tuple[str, ...]
Rows = Sequence[tuple[LabelSet, str]]

FOLDS, SHUFFLES = 5, 20
REGULARIZATION = 10.0  # C of the logistic regression
FEATURES = 20_000  # words and pairs of words, the most frequent ones: memory and time grow with labels × these
COMMON = 0.5  # of the gold rows: what more than these share, such as the name of a language, gives none of them away


class Judged(NamedTuple):
    """A row as a judge sees it.

    labels (Tuple[str, ...]): That it has, or was asked to have. text (str): What a student reads.
    sources (Tuple[str, ...]): What it shares with others word for word: the seed that it came from or is, the fields that it carries.
    """

    labels: LabelSet
    text: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judge:
    """A classifier trained on rows with labels.

    vectors (TfidfVectorizer): From texts to what the models see.
    models (Sequence): One for all labels where they exclude each other, else one per label; a plain bool where all rows agree.
    labels (Sequence[str]): All labels of the task. exclusive (bool): Whether a row has exactly one.
    """

    vectors: Any
    models: Sequence[Any]
    labels: Sequence[str]
    exclusive: bool

    def predict(self, texts: Sequence[str]) -> list[LabelSet]:
        """RETURNS (List[LabelSet]): The labels of each text, in the order of the task."""
        if not texts:
            return []
        seen = self.vectors.transform(texts)
        if self.exclusive:
            return [(str(label),) for label in self.models[0].predict(seen)]
        columns = [[model] * len(texts) if isinstance(model, bool) else model.predict(seen) for model in self.models]
        return [tuple(label for label, given in zip(self.labels, row, strict=True) if given) for row in zip(*columns, strict=True)]


def train_judge(rows: Rows, labels: Sequence[str], *, exclusive: bool, seed: int = 0) -> Judge:
    """Train on rows: TF-IDF of words and pairs of words, logistic regression (one per label where a row may have several).

    rows (Sequence[Tuple[LabelSet, str]]): Labels and text, of at least two labels where they exclude each other.
    RETURNS (Judge): Knows nothing but these rows.
    RAISES (InputError): When there is not a word in them.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(text.strip() for _, text in rows):
        raise InputError("There is not a word in the gold rows that a judge of labels would learn from.")
    words = {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b|[^\w\s]"}
    vectors = TfidfVectorizer(sublinear_tf=True, max_features=FEATURES, **words)
    seen = vectors.fit_transform([text for _, text in rows])
    if exclusive:
        return Judge(vectors, [_model(seen, [own[0] for own, _ in rows], seed=seed)], labels, exclusive)
    return Judge(vectors, [_model(seen, [label in own for own, _ in rows], seed=seed) for label in labels], labels, exclusive)


def _model(seen: Any, targets: Sequence[str | bool], *, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    if isinstance(targets[0], bool) and len(set(targets)) == 1:
        return targets[0]
    return LogisticRegression(C=REGULARIZATION, max_iter=1000, random_state=seed % 2**32).fit(seen, targets)


@dataclass(frozen=True)
class Judges:
    """Judges of one set of gold rows, each trained without one fold of it.

    known (Sequence[Judged]): The gold rows. folds (Sequence[int]): Of each.
    judges (Sequence[Judge]): By fold, which it was not trained on.
    """

    known: Sequence[Judged]
    folds: Sequence[int]
    judges: Sequence[Judge]

    def of_gold(self) -> list[LabelSet]:
        """RETURNS (List[LabelSet]): What is said of the gold rows themselves, each by the judge that did not learn from it."""
        return self._said([row.text for row in self.known], self.folds)

    def of(self, rows: Sequence[Judged]) -> tuple[list[Judged], list[LabelSet]]:
        """RETURNS (Tuple[List[Judged], List[LabelSet]]): The rows of which some judge has seen nothing, and what it says of each. Gold
        rows themselves, and rows that share something with gold rows of several folds, have none.
        """
        texts = {comparable(row.text) for row in self.known}
        shared = _shared(self.known)
        places = {source: fold for row, fold in zip(self.known, self.folds, strict=True) for source in row.sources if source in shared}
        kept, turns = list[Judged](), list[int]()
        for number, row in enumerate(rows):
            near = {places[source] for source in row.sources if source in places}
            if len(near) < 2 and comparable(row.text) not in texts:
                kept.append(row)
                turns.append(near.pop() if near else number % len(self.judges))
        return kept, self._said([row.text for row in kept], turns)

    def _said(self, texts: Sequence[str], turns: Sequence[int]) -> list[LabelSet]:
        found: list[LabelSet] = [()] * len(texts)
        for fold, judge in enumerate(self.judges):
            mine = [place for place, turn in enumerate(turns) if turn == fold]
            for place, given in zip(mine, judge.predict([texts[place] for place in mine]), strict=True):
                found[place] = given
        return found


def train_judges(known: Sequence[Judged], labels: Sequence[str], *, exclusive: bool, seed: int = 0) -> Judges:
    """Train a judge per fold.

    known (Sequence[Judged]): Gold rows; of each label at least two that share nothing.
    seed (int): Of the folds.
    RAISES (InputError): When rows share so much that some judge would not know a label, or when there is not a word in them.
    """
    folds, judges = _folds(known, seed=seed), list[Judge]()
    for fold in range(max(folds, default=-1) + 1):
        rows = [(row.labels, row.text) for row, other in zip(known, folds, strict=True) if other != fold]
        lost = {label for row in known for label in row.labels} - {label for own, _ in rows for label in own}
        if exclusive and lost:
            named = ", ".join(f"'{label}'" for label in sorted(lost)[:5])
            raise InputError(f"Gold rows that share a text are judged together, and then no others are left to learn {named} from.")
        judges.append(train_judge(rows, labels, exclusive=exclusive, seed=seed))
    return Judges(known, folds, judges)


def _folds(rows: Sequence[Judged], *, seed: int) -> list[int]:
    """RETURNS (List[int]): The fold of each row: label sets are dealt out evenly, rows that share something into the same fold."""
    chance, kinds, groups = random.Random(seed), dict[LabelSet, list[int]](), kin(rows)
    for place, row in enumerate(rows):
        kinds.setdefault(row.labels, []).append(place)
    fold_of, sizes = dict[int, int](), Counter[int](groups)
    of_kind, all_rows = Counter[tuple[LabelSet, int]](), Counter[int]()
    kinds_in: dict[int, Counter[LabelSet]] = {}
    for place, row in enumerate(rows):
        kinds_in.setdefault(groups[place], Counter())[row.labels] += 1
    for own, places in kinds.items():
        chance.shuffle(places)
        for group in dict.fromkeys(groups[place] for place in places):
            if group not in fold_of:
                fold = fold_of[group] = min(range(FOLDS), key=lambda one: (of_kind[own, one], all_rows[one]))
                all_rows[fold] += sizes[group]
                for kind, count in kinds_in[group].items():
                    of_kind[kind, fold] += count
    order = {fold: number for number, fold in enumerate(sorted(set(fold_of.values())))}  # few rows do not fill all folds
    return [order[fold_of[group]] for group in groups]


def kin(rows: Sequence[Judged]) -> list[int]:
    """RETURNS (List[int]): The group of each row: rows that share a text or a source, with each other or through others, are one group."""
    parents, first = list(range(len(rows))), dict[str, int]()
    shared = _shared(rows)

    def top(place: int) -> int:
        while parents[place] != place:
            parents[place] = place = parents[parents[place]]
        return place

    for place, row in enumerate(rows):
        for name in (f"text {comparable(row.text)}", *(source for source in row.sources if source in shared)):
            parents[top(place)] = top(first.setdefault(name, place))
    return [top(place) for place in range(len(rows))]


def _shared(rows: Sequence[Judged]) -> frozenset[str]:
    """RETURNS (FrozenSet[str]): The sources that tell a few of the rows from the others."""
    counts = Counter(source for row in rows for source in set(row.sources))
    return frozenset(source for source, count in counts.items() if count <= max(1, COMMON * len(rows)))


def shuffled(assigned: Sequence[LabelSet], *, seed: int, times: int = SHUFFLES) -> list[list[LabelSet]]:
    """RETURNS (List[List[LabelSet]]): The labels in several random orders: what agreement with labels that say nothing is like."""
    chance, found = random.Random(seed), []
    for _ in range(times):
        order = list(assigned)
        chance.shuffle(order)
        found.append(order)
    return found


def agreement(asked: Sequence[str], found: Sequence[str], *, seed: int = 0) -> dict[str, float | None]:
    """How often a judge found the label that was asked for, where a row has exactly one.

    RETURNS (Dict[str, float | None]): `agreement`, a share, and `shuffled`, the mean share for shuffled labels; None where there is no row.
    """
    if not asked:
        return {"agreement": None, "shuffled": None}
    orders = [[own for (own,) in order] for order in shuffled([(own,) for own in asked], seed=seed)]
    shares = [sum(own == one for own, one in zip(order, found, strict=True)) / len(asked) for order in (asked, *orders)]
    return {"agreement": shares[0], "shuffled": sum(shares[1:]) / len(orders)}
