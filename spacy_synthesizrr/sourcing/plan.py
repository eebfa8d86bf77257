"""Content sourcing: seeds and a store become a plan.

The plan of 100,000 rows is a handful of arrays; candidates are made one by one when they are written.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.candidates import Candidate, Seed, digest
from spacy_synthesizrr.curation.leaks import Gold
from spacy_synthesizrr.embedders.base import embed_queries, unit_rows
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.sourcing.context import Count, count_tokens
from spacy_synthesizrr.sourcing.gate import Gate
from spacy_synthesizrr.sourcing.hits import Hits, find_hits
from spacy_synthesizrr.sourcing.margins import Closeness
from spacy_synthesizrr.sourcing.passages import Facts, gather_facts
from spacy_synthesizrr.sourcing.quotas import draw_numbers
from spacy_synthesizrr.sourcing.seeds import SeedSet, group_seeds
from spacy_synthesizrr.sourcing.selection import Selection, select
from spacy_synthesizrr.sourcing.settings import RETRICL, PlanSettings
from spacy_synthesizrr.sourcing.shots import Shots
from spacy_synthesizrr.sourcing.windows import Edges, edges, fit_to_embedder
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store


@dataclass(frozen=True)
class Plan:
    """A plan that is ready to be written.

    task (TaskSpec): The task.
    settings (PlanSettings): As they hold for this embedder.
    remark (str): What the user must know of them; empty when they are what the config says.
    window (Edges), pair_window (Edges): Similarities between which inputs and pairs were taken.
    per_label (int), seed (int): Rows wanted per label set; seed of the draws.
    """

    task: TaskSpec
    seed_set: SeedSet
    settings: PlanSettings
    remark: str
    hits: Hits
    facts: Facts
    gate: Gate
    window: Edges
    pair_window: Edges
    selection: Selection
    shots: Shots
    per_label: int
    seed: int

    @property
    def group(self) -> np.ndarray:
        """RETURNS (np.ndarray): For each hit the index of its label set."""
        return self.seed_set.group[self.hits.seed]

    def __len__(self) -> int:
        return len(self.selection.order)

    def candidates(self) -> Iterator[Candidate]:
        """Make the planned candidates one by one, in plan order.

        Where a label may use a passage again, other seeds can give the same prompt: the draw tells such rows apart.
        """
        hits, chosen = self.hits, self.selection
        draws = draw_numbers(self.facts.text[hits.passage[chosen.order]], self.group[chosen.order])
        for row, reserve, draw in zip(chosen.order, chosen.reserve, draws, strict=True):
            index, passage_id = int(hits.seed[row]), hits.passage_id(hits.passage[row])
            seed, margin = self.seed_set.seeds[index], float(chosen.margin[row])
            rng = random.Random(digest("shots", str(self.seed), self.task.name, seed.id, passage_id))
            yield Candidate.plan(
                task=self.task.name,
                strategy=self.settings.mode,
                seed=seed,
                passage_id=passage_id,
                shots=self.shots.draw(rng, int(self.seed_set.group[index]), but=index, passage_id=passage_id),
                draw=int(draw),
                rank=int(hits.rank[row]),
                similarity=round(float(hits.similarity[row]), 6),
                margin=None if np.isnan(margin) else round(margin, 6),
                reserve=bool(reserve),
            )


def plan(
    seeds: Iterable[Seed],
    store: Store,
    *,
    task: TaskSpec,
    settings: PlanSettings,
    per_label: int,
    seed: int,
    gold: Gold = Gold(),  # noqa: B008  (frozen and empty)
    count: Count = count_tokens,
    every_label: bool = True,
) -> Plan:
    """Retrieve passages for every seed and decide which become inputs of prompts.

    seeds (Iterable[Seed]): Ask for more like them; their generated field is the query.
    per_label (int): Rows wanted per label set.
    seed (int): Seed of everything that is drawn.
    gold (Gold): Texts that no row may come from.
    count (Callable): Counts teacher tokens; by default an estimate from words.
    every_label (bool): Whether each label of the task must have a seed.
    RETURNS (Plan): Rows may be missing for a label; `summary` says which and why.
    RAISES (PlanError): When a label that must have a seed has none.
    """
    seed_set = group_seeds(seeds, task=task, settings=settings, seed=seed, every_label=every_label)
    settings, remark = fit_to_embedder(settings, store.embedder.id)
    vectors, hits = retrieve(seed_set, store, task=task, settings=settings)
    window = edges(settings.window, hits.similarity[hits.between(settings.input_ranks)])
    pair_window = edges(settings.pair_window, hits.similarity[hits.between(settings.pair_ranks)])
    too_close = settings.leaks.threshold(settings.window, window.high, settings.search)
    gate = Gate.make(gold, ngram=settings.leaks.ngram, similarity=too_close, embedder=store.embedder)
    compared = vectors if settings.margin.on else None
    closeness = None if compared is None else Closeness.make(compared, seed_set, nearest=settings.margin.nearest)
    wanted = hits.between(settings.input_ranks)
    if settings.mode == RETRICL:
        wanted |= hits.between(settings.pair_ranks)
    facts = gather_facts(hits.ids, np.unique(hits.passage[wanted]), store, count=count, closeness=closeness, gate=gate)
    chosen = select(hits, facts, seed_set, settings=settings, window=window, pair_window=pair_window, per_label=per_label)
    shots = Shots(seed_set, settings.shots_wanted, _pairs(hits, chosen) if settings.mode == RETRICL else None)
    return Plan(task, seed_set, settings, remark, hits, facts, gate, window, pair_window, chosen, shots, per_label, seed)


def retrieve(seed_set: SeedSet, store: Store, *, task: TaskSpec, settings: PlanSettings) -> tuple[np.ndarray | None, Hits]:
    """Embed the seeds, where their vectors are asked for, and search for each; the query is the seed's text alone, as in SynthesizRR (§3).

    RETURNS (Tuple[np.ndarray | None, Hits]): Vectors of the seeds, shape (seeds, dimensions), and their hits.
    """
    texts = [item.fields[task.generated.name] for item in seed_set.seeds]
    needed = settings.search != "keyword" or settings.margin.on
    vectors = unit_rows(embed_queries(store.embedder, texts)) if needed else None
    for name in ("window", "pair_window") if settings.mode == RETRICL else ("window",):
        if settings.search != "vector" and getattr(settings, name).kind == "absolute":
            raise ConfigError(f'[plan] search = "{settings.search}" has scores without a fixed scale; set [plan.{name}] kind = "quantile".')
    return vectors, find_hits(texts, store, k=settings.hits, vectors=vectors, how=settings.how, filter=settings.filter)


def _pairs(hits: Hits, chosen: Selection) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in np.flatnonzero(chosen.pairs):
        found.setdefault(int(hits.seed[row]), []).append(hits.passage_id(hits.passage[row]))
    return found
