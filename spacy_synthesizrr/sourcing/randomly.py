"""The control with random passages: the same plan, but every passage drawn uniformly from the whole corpus.

Windows, ranks and margins do not apply to it; filters, leaks, length, quotas and the passages kept back for pairs do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.candidates import Candidate, digest
from spacy_synthesizrr.sourcing.context import Count, count_tokens
from spacy_synthesizrr.sourcing.gate import Gate
from spacy_synthesizrr.sourcing.passages import gather_facts
from spacy_synthesizrr.sourcing.plan import Plan
from spacy_synthesizrr.sourcing.quotas import draw_numbers, uses_before
from spacy_synthesizrr.sourcing.settings import RANDOM, PlanSettings, Quotas
from spacy_synthesizrr.stores.asking import Filter

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

CHUNK = 4096
SPARE = 1.1  # draws per missing passage; what leaks or is too short is drawn again


def draw_passages(plan: Plan, store: Store, *, count: Count = count_tokens) -> np.ndarray:
    """Draw as many passages as the plan has rows.

    RETURNS (np.ndarray): Ids as bytes; fewer than rows where the corpus has no more that may be used.
    """
    kept_back = plan.facts.text[plan.hits.passage[plan.selection.pairs]]
    return draw_any(store, len(plan), settings=plan.settings, gate=plan.gate, seed=plan.seed, but=kept_back, count=count)


def draw_any(
    store: Store,
    rows: int,
    *,
    settings: PlanSettings,
    gate: Gate,
    seed: int,
    but: np.ndarray | None = None,
    count: Count = count_tokens,
) -> np.ndarray:
    """Draw passages uniformly, without leaks and what is too short, within the quotas.

    but (np.ndarray): Hashes of texts that must not be drawn, uint64.
    RETURNS (np.ndarray): Ids as bytes; fewer than rows where the corpus has no more that may be used.
    """
    ids = store_ids(store, settings.filter)
    np.random.default_rng(int(digest(RANDOM, str(seed))[:16], 16)).shuffle(ids)
    found = Drawn(ids[:0], np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint64))
    usable = _Usable(store, gate, settings.context.min_tokens, np.zeros(0, dtype=np.uint64) if but is None else but, count)
    start = 0
    while len(found.ids) < rows and start < len(ids):
        stop = start + int(SPARE * (rows - len(found.ids))) + 1
        found, start = found.joined(usable.among(ids[start:stop]), settings.quotas.per_document), stop
    return _use_again(found, rows, settings.quotas)


@dataclass(frozen=True)
class Drawn:
    """Passages in the order of the draw, as columns: ids as bytes, hashes of documents and of texts."""

    ids: np.ndarray
    document: np.ndarray
    text: np.ndarray

    def joined(self, more: Drawn, per_document: int) -> Drawn:
        """RETURNS (Drawn): Both, without equal texts and without what a document may not give."""
        both = Drawn(*(np.concatenate(pair) for pair in ((self.ids, more.ids), (self.document, more.document), (self.text, more.text))))
        both = both.where(uses_before(both.text) == 0)
        return both.where(uses_before(both.document) < per_document)

    def where(self, stays: np.ndarray) -> Drawn:
        """RETURNS (Drawn): Some of them."""
        return Drawn(self.ids[stays], self.document[stays], self.text[stays])


@dataclass(frozen=True)
class _Usable:
    """What may be drawn: no leaks, nothing too short, nothing that is kept back for pairs."""

    store: Store
    gate: Gate
    min_tokens: int
    but: np.ndarray
    count: Count

    def among(self, drawn: np.ndarray) -> Drawn:
        """RETURNS (Drawn): Those that may be used, in the order of the draw."""
        order = np.argsort(drawn)
        facts = gather_facts(drawn[order], np.arange(len(drawn)), self.store, count=self.count, closeness=None, gate=self.gate)
        good = ~facts.leak & (facts.tokens >= self.min_tokens) & ~np.isin(facts.text, self.but)
        back = np.argsort(order)
        return Drawn(drawn, facts.document[back], facts.text[back]).where(good[back])


def _use_again(found: Drawn, wanted: int, quotas: Quotas) -> np.ndarray:
    """Where passages may be used more than once and there are too few, go round again within the quotas."""
    lap = np.arange(len(found.ids), dtype=np.int32)
    rows = lap
    for _ in range(1, quotas.per_passage):
        before = len(rows)
        if before >= wanted:
            break
        rows = np.concatenate([rows, lap])
        rows = rows[uses_before(found.document[rows]) < quotas.per_document]
        if len(rows) == before:
            break
    return found.ids[rows[:wanted]]


def store_ids(store: Store, filter: Filter) -> np.ndarray:
    """RETURNS (np.ndarray): The ids of all passages that may be found, as bytes, sorted: 36 bytes each with our own ids."""
    chunks: list[np.ndarray] = []
    chunk: list[bytes] = []
    for passage, _ in store.iterate(filter=filter):
        chunk.append(passage.id.encode())
        if len(chunk) == CHUNK:
            chunks.append(np.array(chunk))
            chunk = []
    if chunk:
        chunks.append(np.array(chunk))
    return np.sort(np.concatenate(chunks)) if chunks else np.array([], dtype="S1")


@dataclass(frozen=True)
class RandomPlan:
    """The main plan with other passages.

    plan (Plan): Seeds, counts and shots come from it.
    passages (np.ndarray): Ids as bytes, one per row.
    """

    plan: Plan
    passages: np.ndarray = field(repr=False)

    def candidates(self) -> Iterator[Candidate]:
        """Make the candidates one by one; the draw tells rows apart in which a label uses a passage again."""
        draws = draw_numbers(self.passages, self.plan.group[self.plan.selection.order[: len(self.passages)]])
        seeds = {seed.id: seed for seed in self.plan.seed_set.seeds}
        for candidate, passage, draw in zip(self.plan.candidates(), self.passages, draws, strict=False):
            yield Candidate.plan(
                task=self.plan.task.name,
                strategy=RANDOM,
                seed=seeds[candidate.seed_id],
                passage_id=passage.decode(),
                shots=candidate.shots,
                draw=int(draw),
                reserve=candidate.reserve,
            )
