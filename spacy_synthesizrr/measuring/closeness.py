"""How close the rows lie to gold: by vectors (MAUVE, coverage, spread), by words and by lengths; gold itself beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from spacy_synthesizrr.measuring.features import Features
from spacy_synthesizrr.measuring.sets import MAIN, Beside, Gold, Row, beside, by_label, mean_words, missing, split_gold, take
from spacy_synthesizrr.measuring.settings import MauveSettings
from spacy_synthesizrr.metrics.gaps import length_gap, vocabulary_gap
from spacy_synthesizrr.metrics.mauve import floor, mauve
from spacy_synthesizrr.metrics.similarity import coverage, mean_cosines, neighbours, spread

Arms = Mapping[str, Sequence[Row]]

NO_GOLD = "The task names no dev or train rows, so there is no gold to compare with."
FEW_GOLD = "There are too few gold rows to halve them."
GOLD = "gold"  # the second half, in the place of an arm
ALL = "all labels"
PER_CLUSTER = 10  # rows of a side for each cluster; the authors' package takes as many by itself


def measure_gaps(arms: Arms, gold: Gold | None, *, seed: int) -> dict[str, Any]:
    """Words and lengths against one half of gold, of equally many rows of each arm and of gold's other half.

    RETURNS (dict): `gold` (kind), `n`, `left_out` (arms that are too small, with their rows), and `sets`: by arm, and "gold" for the other
        half, `vocabulary` and `lengths`.
    """
    if gold is None:
        return missing(NO_GOLD)
    if len(gold.rows) < 2:
        return missing(FEW_GOLD)
    sides, about = _sides(arms, gold)
    first = take([text for _, text in gold.first], about.n, seed=seed)
    found = {}
    for name in about.names:
        own = take([text for _, text in sides[name]], about.n, seed=seed)
        found[name] = {"vocabulary": vocabulary_gap(first, own), "lengths": length_gap(first, own)}
    return {"gold": gold.kind, "n": about.n, "left_out": about.left_out, "sets": found}


def _sides(arms: Arms, gold: Gold) -> tuple[dict[str, Sequence[Row]], Beside]:
    """Arms, and a half of gold in the place of one; how many rows of each are compared with the other half."""
    sides = {**arms, GOLD: gold.second}
    halves = min(len(gold.first), len(gold.second))
    return sides, beside({name: min(len(rows), halves) if name == GOLD else len(rows) for name, rows in sides.items()}, needed=(MAIN, GOLD))


def measure_vectors(arms: Arms, gold: Gold | None, embed: Features, *, seed: int) -> dict[str, Any]:
    """What vectors say: spread and nearest neighbours of each set at equal size, labels against each other, coverage of gold.

    RETURNS (dict): `embedder`, `fitted` (whether to these rows); `variety`: `n`, `left_out` and `sets` with `words`, `spread` and
        `nearest`; `labels`: by set (main and gold) `labels`, `n` (rows of each) and `cosines` (mean cosine of label × label, no row with
        itself); `coverage`: `gold`, `n`, `left_out` and `sets` as `metrics.similarity.coverage` gives them, "gold" being the other half
        of gold.
    """
    sets = {name: rows for name, rows in {**arms, **({GOLD: gold.rows} if gold else {})}.items() if rows}
    if not sets:
        return missing("There are no rows to embed.")
    about = beside({name: len(rows) for name, rows in sets.items()}, needed=(MAIN, GOLD))
    variety = {}
    for name in about.names:
        texts = take([text for _, text in sets[name]], about.n, seed=seed)
        vectors = embed(texts)
        variety[name] = {"words": mean_words(texts), "spread": spread(vectors), "nearest": neighbours(vectors)}
    labels = {name: _between_labels(sets[name], embed) for name in (MAIN, GOLD) if name in sets}
    covered = _coverage(arms, gold, embed, seed=seed) if gold else missing(NO_GOLD)
    sized = {"n": about.n, "left_out": about.left_out, "sets": variety}
    return {"embedder": embed.name, "fitted": embed.fitted, "variety": sized, "labels": labels, "coverage": covered}


def _between_labels(rows: Sequence[Row], embed: Features) -> dict[str, Any]:
    own = {key: embed(texts) for key, texts in by_label(rows).items()}
    return {"labels": [*own], "n": [*map(len, own.values())], "cosines": mean_cosines(own)}


def _coverage(arms: Arms, gold: Gold, embed: Features, *, seed: int) -> dict[str, Any]:
    sides, about = _sides(arms, gold)
    if about.n < 2:
        return missing(FEW_GOLD if len(gold.rows) < 4 else f"There are too few rows: {about.n} of each set, and 2 are needed.")
    first = embed([text for _, text in take(gold.first, about.n, seed=seed)])
    found = {name: coverage(first, embed([text for _, text in take(sides[name], about.n, seed=seed)])) for name in about.names}
    return {"gold": gold.kind, "n": about.n, "left_out": about.left_out, "sets": found}


def measure_mauve(arms: Arms, gold: Gold | None, embed: Features, settings: MauveSettings, *, seed: int) -> dict[str, Any]:
    """MAUVE of each label and of all, arms against gold and gold against gold, at equal size, over several samples.

    RETURNS (dict): `embedder`, `fitted`, `gold`, `scaling`, `floor`, and `labels`: by label key and "all labels" either `missing` or `n`,
        `clusters`, `left_out` and `sets`, where "gold" is the ceiling: `mean` and `sd` over the samples.
    """
    if gold is None:
        return missing(NO_GOLD)
    keys = {key for own in arms.values() for key in by_label(own)} & set(by_label(gold.rows))
    found: dict[str, dict[str, Any]] = {}
    for key in (ALL, *sorted(keys)):
        own = {name: _texts(rows, key) for name, rows in arms.items() if rows}
        theirs = _texts(gold.rows, key)
        counts = {name: len(texts) for name, texts in own.items()} | {GOLD: len(theirs) // 2}
        about = beside(counts, needed=(MAIN, GOLD), least=settings.smallest)
        if any(counts.get(name, 1) < settings.smallest for name in (MAIN, GOLD)) or about.n < settings.smallest:
            rows = ", ".join(f"{name} {count}" for name, count in counts.items())
            found[key] = missing(f"too few rows ({rows}; gold is halved); {settings.smallest} on each side are needed.")
            continue
        own = {name: texts for name, texts in own.items() if name in about.names}
        found[key] = _of_label(own, theirs, about.n, embed, settings, seed=seed) | {"left_out": about.left_out}
    head = {
        "embedder": embed.name,
        "fitted": embed.fitted,
        "gold": gold.kind,
        "scaling": settings.scaling,
        "floor": floor(settings.scaling),
    }
    return {**head, "labels": found}


def _texts(rows: Sequence[Row], key: str) -> list[str]:
    return [text for _, text in rows] if key == ALL else by_label(rows).get(key, [])


def _of_label(
    arms: Mapping[str, Sequence[str]], gold: Sequence[str], n: int, embed: Features, settings: MauveSettings, *, seed: int
) -> dict[str, Any]:
    clusters = max(2, min(settings.clusters, n // PER_CLUSTER))
    vectors = {name: embed(texts) for name, texts in arms.items()}
    golden = embed(gold)
    values: dict[str, list[float]] = {name: [] for name in (*arms, GOLD)}
    for number in range(settings.repeats):
        halves = split_gold("", [((), str(place)) for place in range(len(gold))], seed=seed + number)
        first, second = (golden[[int(place) for _, place in half[:n]]] for half in (halves.first, halves.second))
        for name in values:
            own = second if name == GOLD else vectors[name][take(range(len(arms[name])), n, seed=seed + number)]
            values[name].append(mauve(first, own, clusters=clusters, scaling=settings.scaling, seed=seed + number))
    sets = {name: {"mean": fmean(found), "sd": stdev(found) if len(found) > 1 else None} for name, found in values.items()}
    return {"n": n, "clusters": clusters, "sets": sets}
