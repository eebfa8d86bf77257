"""All sections of metrics.json for one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.measuring import closeness, entities, judging, sources, variety
from spacy_synthesizrr.measuring.features import Features
from spacy_synthesizrr.measuring.sets import MAIN, SEEDS, Gold, Row, RowSet, beside, missing, sampled, split_gold, take
from spacy_synthesizrr.measuring.settings import MeasureSettings
from spacy_synthesizrr.metrics.preservation import Judged
from spacy_synthesizrr.metrics.samples import draw
from spacy_synthesizrr.progress import progress
from spacy_synthesizrr.stores.base import Store

LEFT_OUT = "Left out by configs/measure.cfg."


@dataclass(frozen=True)
class Measured:
    """What is measured.

    arms (Sequence[RowSet]): Accepted rows of main and of each synthesized control. gold (Sequence[RowSet]): Of seeds, dev and train
        those that there are.
    judged (Mapping[str, Callable]): Reads the rows of the same sets as judges of labels see them: with the text that a student reads.
    candidates (Mapping): Per arm its accepted candidates, which can be read again and again.
    labels (Sequence[str]): Of the task. exclusive (bool): Whether a row has exactly one. lang (str): Of the run.
    store (Store | None): The index. embedder (Embedder | None): A pretrained one; None: one is fitted on the rows themselves.
    """

    arms: Sequence[RowSet]
    gold: Sequence[RowSet]
    judged: Mapping[str, Callable[[], Iterator[Judged]]]
    candidates: Mapping[str, Iterable[Candidate]]
    labels: Sequence[str]
    exclusive: bool
    lang: str
    store: Store | None = None
    embedder: Embedder | None = None

    @property
    def sets(self) -> list[RowSet]:
        """RETURNS (List[RowSet]): Arms, then gold."""
        return [*self.arms, *self.gold]


def variety_of(sets: Sequence[RowSet], *, seed: int, lang: str | None, sample: int) -> dict[str, Any]:
    """Measure what needs nothing but texts and labels.

    lang (str | None): Of the tokenizer of Self-BLEU; None leaves it out.
    RETURNS (dict): `sets`: each set with all its rows; `groups`: sets side by side, once per size; `equal`: the first of them, in which all
        sets are; `labels`: Self-BLEU per label.
    """
    shown = progress(sets, "Measuring", total=len(sets), unit="sets")
    found = {rows.name: variety.all_rows(rows, seed=seed, sample=sample) for rows in shown}
    counts = {name: values["labels"]["n"] for name, values in found.items()}
    groups = variety.groups(sets, counts, seed=seed, lang=lang, sample=sample)
    equal = {"n": 0, "sets": {}} | (groups[0] if groups else {}) | {"seed": seed}
    labels = variety.labels(sets, seed=seed, lang=lang, sample=sample) if lang else missing(LEFT_OUT)
    return {"sets": found, "equal": equal, "groups": groups, "labels": labels}


def measure_all(what: Measured, settings: MeasureSettings, *, seed: int) -> dict[str, Any]:
    """RETURNS (dict): All sections; one that cannot be measured is {"missing": why}."""
    lang = None if "self_bleu" in settings.leave_out else what.lang
    found = variety_of(what.sets, seed=seed, lang=lang, sample=settings.sample)
    counts = {name: values["labels"]["n"] for name, values in found["sets"].items()}
    arms = {rows.name: sampled(rows, settings.sample, seed=seed) for rows in what.arms if counts[rows.name]}
    gold = _gold(what, settings, counts, seed=seed)
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "entities": lambda: entities.measure_entities(what.sets, counts, settings.entities, seed=seed),
        "preservation": lambda: _preservation(what, settings, seed=seed),
        "gaps": lambda: closeness.measure_gaps(arms, gold, seed=seed),
        **_by_vector(what, arms, gold, settings, seed=seed),
        "novelty": lambda: _novelty(what, arms, gold, settings),
        "sources": lambda: sources.measure_sources({name: what.candidates[name] for name in arms}, what.store),
    }
    for name, section in progress(sections.items(), "Measuring", total=len(sections), unit="measures"):
        found[name] = missing(LEFT_OUT) if name in settings.leave_out else section()
    return found


def _gold(what: Measured, settings: MeasureSettings, counts: Mapping[str, int], *, seed: int) -> Gold | None:
    """The larger of train and dev rows, of which no row was made."""
    kinds = [rows for rows in what.gold if rows.name != SEEDS and counts[rows.name]]
    chosen = max(kinds, key=lambda rows: counts[rows.name], default=None)
    return split_gold(chosen.name, sampled(chosen, settings.sample, seed=seed), seed=seed) if chosen else None


def _preservation(what: Measured, settings: MeasureSettings, *, seed: int) -> dict[str, Any]:
    """By judges that learnt from dev and train rows; where those cannot teach all labels, from the seeds too."""
    rows = {name: draw(read(), settings.judged, seed=seed) for name, read in what.judged.items()}
    kinds = [own.name for own in what.gold]
    arms = {own.name: rows[own.name] for own in what.arms}
    found = missing("The task names no seeds, dev or train rows, so there is no gold to learn from.")
    for chosen in ([kind for kind in kinds if kind != SEEDS], kinds):
        if chosen:
            gold = {kind: rows[kind] for kind in chosen}
            found = judging.measure_preservation(arms, gold, what.labels, exclusive=what.exclusive, seed=seed)
        if "missing" not in found:
            break
    return found


def _novelty(what: Measured, arms: Mapping[str, Sequence[Row]], gold: Gold | None, settings: MeasureSettings) -> dict[str, Any]:
    sets = {**arms, **({gold.kind: gold.rows} if gold else {})}
    return sources.measure_novelty(sets, {name: what.candidates[name] for name in arms}, what.store, most=settings.corpus)


def _by_vector(
    what: Measured, arms: Mapping[str, Sequence[Row]], gold: Gold | None, settings: MeasureSettings, *, seed: int
) -> dict[str, Callable[[], dict[str, Any]]]:
    most, there, small = settings.vectors, tuple(arms), dict[str, int]()
    if what.embedder is None:  # one is fitted, on as many rows of each set, and looks at no others
        counts = {arm: len(rows) for arm, rows in arms.items()} | ({closeness.GOLD: len(gold.rows)} if gold else {})
        about = beside(counts, needed=(MAIN, closeness.GOLD))
        most, there, small = min(most, about.n), about.names, dict(about.left_out)
    few = {arm: take(rows, most, seed=seed) for arm, rows in arms.items() if arm in there}
    half = most // 2
    some = gold and Gold(gold.kind, take(gold.first, half, seed=seed), take(gold.second, most - half, seed=seed))
    embed = Features(what.embedder, [text for rows in [*few.values(), some.rows if some else []] for _, text in rows], seed=seed)
    return {
        "vectors": lambda: _tried(lambda: closeness.measure_vectors(few, some, embed, seed=seed), small),
        "mauve": lambda: _tried(lambda: closeness.measure_mauve(few, some, embed, settings.mauve, seed=seed), small),
    }


def _tried(section: Callable[[], dict[str, Any]], small: Mapping[str, int]) -> dict[str, Any]:
    """Rows without a word have no vectors, and that is no reason to measure nothing else.

    small (Mapping[str, int]): Arms that no vectors were fitted for, with their rows.
    """
    try:
        return {**section(), "left_out": small}
    except InputError as error:
        return missing(str(error))
