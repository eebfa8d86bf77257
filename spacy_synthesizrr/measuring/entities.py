"""Entities of sets of rows at equal size, found by a pipeline that the config names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spacy_synthesizrr.measuring.sets import MAIN, RowSet, beside, mean_words, missing
from spacy_synthesizrr.measuring.settings import EntitySettings
from spacy_synthesizrr.metrics.entity_entropy import entities, load_recognizer
from spacy_synthesizrr.metrics.samples import draw
from spacy_synthesizrr.progress import progress

GOLD = ("dev", "train")
NO_PIPELINE = (
    "No pipeline for entities is configured, so entity entropy is not measured. Install one, such as with "
    '`python -m spacy download en_core_web_sm`, and name it in configs/measure.cfg: pipeline = "en_core_web_sm" in [measure.entities].'
)


def measure_entities(sets: Sequence[RowSet], counts: dict[str, int], settings: EntitySettings, *, seed: int) -> dict[str, Any]:
    """Count entities in as many rows of each set, see `measuring.sets.beside`: of main, and of the larger of dev and train.

    RETURNS (dict): `pipeline`, `n`, `left_out` (sets that are too small, with their rows) and `sets`: what
        `metrics.entity_entropy.entities` gives, with `words`, the mean length of the rows.
    """
    if settings.pipeline is None:
        return missing(NO_PIPELINE)
    recognizer = load_recognizer(settings.pipeline)
    sizes = {rows.name: min(counts[rows.name], settings.sample) for rows in sets}
    gold = max((name for name in sizes if name in GOLD), key=lambda name: sizes[name], default=MAIN)
    about = beside(sizes, needed=(MAIN, gold))
    if not about.n:
        return missing("There are no rows to find entities in.")
    there = [rows for rows in sets if rows.name in about.names]
    found = {}
    for rows in progress(there, "Finding entities", total=len(there), unit="sets"):
        texts = draw(rows.texts(), about.n, seed=seed)
        found[rows.name] = {"words": mean_words(texts), **entities(recognizer.mentions(texts), top=settings.top)}
    return {"pipeline": recognizer.name, "n": about.n, "left_out": about.left_out, "sets": found}
