"""Which hits become rows of the plan, in which order, and why the others do not."""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spacy_synthesizrr.sourcing.hits import Hits
from spacy_synthesizrr.sourcing.margins import best_share, margins
from spacy_synthesizrr.sourcing.passages import Facts
from spacy_synthesizrr.sourcing.quotas import over_quota, uses_before
from spacy_synthesizrr.sourcing.seeds import SeedSet
from spacy_synthesizrr.sourcing.settings import RETRICL, PlanSettings, Quotas
from spacy_synthesizrr.sourcing.windows import Edges

# A hit that is turned away counts for the first reason that holds, in this order.
REASONS = (
    "kept",
    "rank",
    "leak",
    "below_window",
    "above_window",
    "too_short",
    "pair",
    "margin",
    "passage_quota",
    "document_quota",
    "surplus",
)
CODE = {reason: code for code, reason in enumerate(REASONS)}


@dataclass(frozen=True)
class Selection:
    """What became of each hit.

    code (np.ndarray): Index into REASONS for each hit, int8.
    margin (np.ndarray): For each hit, NaN where it is not defined.
    order (np.ndarray): Indexes of the kept hits in plan order: labels take turns, and so do the seeds of a label.
    reserve (np.ndarray): Which rows of `order` lie beyond the wanted number, bool.
    pairs (np.ndarray): In RetrICL which hits are kept back as in-context pairs, bool.
    """

    code: np.ndarray
    margin: np.ndarray
    order: np.ndarray
    reserve: np.ndarray
    pairs: np.ndarray

    def turned_away(self, group: np.ndarray, groups: int) -> np.ndarray:
        """RETURNS (np.ndarray): Hits per label set (rows) and reason (columns, as REASONS)."""
        flat = np.bincount(group * len(REASONS) + self.code, minlength=groups * len(REASONS))
        return flat.reshape(groups, len(REASONS))


def select(
    hits: Hits, facts: Facts, seed_set: SeedSet, *, settings: PlanSettings, window: Edges, pair_window: Edges, per_label: int
) -> Selection:
    """Turn hits away for their reasons, then put the rest in order.

    window (Edges), pair_window (Edges): Similarities of inputs and of in-context pairs.
    per_label (int): Rows wanted per label set; `settings.overgenerate` times as many are planned.
    """
    group = seed_set.group[hits.seed]
    margin = np.full(len(hits), np.nan, dtype=np.float32)
    if settings.margin.on:
        margin = margins(facts.closeness, hits.passage, group, seed_set)
    leak, short = facts.leak[hits.passage], facts.tokens[hits.passage] < settings.context.min_tokens
    pairs = np.zeros(len(hits), dtype=bool)
    if settings.mode == RETRICL:
        pairs = hits.between(settings.pair_ranks) & pair_window.holds(hits.similarity) & ~leak & ~short
    code = np.zeros(len(hits), dtype=np.int8)
    _mark(code, ~hits.between(settings.input_ranks), "rank")
    _mark(code, leak, "leak")
    _mark(code, window.below(hits.similarity), "below_window")
    _mark(code, window.above(hits.similarity), "above_window")
    _mark(code, short, "too_short")
    text = facts.text[hits.passage]
    _mark(code, np.isin(text, text[pairs]), "pair")
    _judge_margins(code, margin, hits, group, settings)
    rows = np.flatnonzero(code == 0)
    score = facts.closeness[hits.passage, group] if settings.margin.on else hits.similarity
    first = _first_served(rows, score, hits, text, group, quota=settings.quotas.per_passage)
    spending = Spending(settings.quotas, text, facts.document[hits.passage])
    turns = [_in_turn(some, margin, hits) for some in (rows[first], rows[~first])]
    order, place = _serve(code, turns, group, spending, limit=math.ceil(per_label * settings.overgenerate))
    return Selection(code, margin, order, place >= per_label, pairs)


def _mark(code: np.ndarray, away: np.ndarray, reason: str) -> None:
    code[(code == 0) & away] = CODE[reason]


def _judge_margins(code: np.ndarray, margin: np.ndarray, hits: Hits, group: np.ndarray, settings: PlanSettings) -> None:
    if not settings.margin.on:
        return
    if settings.margin.minimum is not None:
        _mark(code, margin < settings.margin.minimum, "margin")  # NaN is never smaller
    _mark(code, ~best_share(margin, hits.passage, group, code == 0, keep=settings.margin.keep), "margin")


def _first_served(rows: np.ndarray, score: np.ndarray, hits: Hits, text: np.ndarray, group: np.ndarray, *, quota: int) -> np.ndarray:
    """Where several seeds hit one text, the label that it is closest to comes first, and of its seeds the closest.

    score (np.ndarray): How close the passage is to the hit's label set. The closest of several labels is also the one with
        the largest margin, and closeness is defined where a margin is not.
    RETURNS (np.ndarray): Which of the rows may have their text before others, bool, shape (rows,).
    """
    order = np.lexsort((hits.seed[rows], -hits.similarity[rows], group[rows], -score[rows]))
    return ~over_quota(text[rows], order, quota)


def _in_turn(rows: np.ndarray, margin: np.ndarray, hits: Hits) -> np.ndarray:
    """Order rows so that the seeds take turns, each with its best passage first."""
    missing = np.isnan(margin[rows])
    rows = rows[np.lexsort((hits.passage[rows], hits.rank[rows], -np.where(missing, 0, margin[rows])))]
    return rows[np.lexsort((hits.seed[rows], uses_before(hits.seed[rows])))]


class Spending:
    """What kept rows have used of the quotas; others use up nothing.

    text (np.ndarray), document (np.ndarray): For each hit what it uses.
    """

    def __init__(self, quotas: Quotas, text: np.ndarray, document: np.ndarray) -> None:
        self.quotas = quotas
        self.text, self.document = (np.unique(values, return_inverse=True)[1] for values in (text, document))
        self.text_uses, self.document_uses = (np.zeros(len(text), dtype=np.int32) for _ in range(2))

    def take(self, row: int) -> bool:
        """RETURNS (bool): Whether the quotas allow the row; then it is kept."""
        text, document = self.text[row], self.document[row]
        if self.text_uses[text] >= self.quotas.per_passage or self.document_uses[document] >= self.quotas.per_document:
            return False
        self.text_uses[text] += 1
        self.document_uses[document] += 1
        return True

    def text_spent(self) -> np.ndarray:
        """RETURNS (np.ndarray): For each hit whether its text may not be used again, bool."""
        return self.text_uses[self.text] >= self.quotas.per_passage


def _serve(
    code: np.ndarray, turns: Iterable[np.ndarray], group: np.ndarray, spending: Spending, *, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels take turns until each has its rows or there is none left for it.

    turns (Iterable[np.ndarray]): Indexes of rows in the order of their seeds' turns: first those of the labels that they are
        closest to, then all others, from which a label takes what the closest one did not need.
    limit (int): Most rows per label set. With a larger one a label keeps the rows that it was closest to.
    RETURNS (Tuple[np.ndarray, np.ndarray]): Indexes of the kept rows in plan order, and for each its number in its label set.
    """
    kept = {int(own): array("q") for own in np.unique(group)}
    for rows in turns:
        queues = {own: iter(rows[group[rows] == own]) for own, mine in kept.items() if len(mine) < limit}
        while queues:
            for own, queue in list(queues.items()):
                row = next(filter(spending.take, queue), None)
                if row is not None:
                    kept[own].append(int(row))
                if row is None or len(kept[own]) == limit:
                    del queues[own]
    order = np.array([*itertools.chain.from_iterable(kept.values())], dtype=np.int64)
    away = np.ones(len(code), dtype=bool)
    away[order] = False
    _mark(code, away & np.isin(group, [own for own, mine in kept.items() if len(mine) == limit]), "surplus")
    _mark(code, away & spending.text_spent(), "passage_quota")
    _mark(code, away, "document_quota")
    place = uses_before(group[order])
    plan_order = np.lexsort((group[order], place))
    return order[plan_order], place[plan_order]
