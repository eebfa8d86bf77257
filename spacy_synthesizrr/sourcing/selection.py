"""Which hits become rows of the plan, in which order, and why the others do not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spacy_synthesizrr.sourcing.hits import Hits
from spacy_synthesizrr.sourcing.margins import best_share, margins
from spacy_synthesizrr.sourcing.passages import Facts
from spacy_synthesizrr.sourcing.quotas import over_quota, uses_before
from spacy_synthesizrr.sourcing.seeds import SeedSet
from spacy_synthesizrr.sourcing.settings import RETRICL, PlanSettings
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
    score = facts.closeness[hits.passage, group] if settings.margin.on else hits.similarity
    _serve_passages(code, score, hits, text, group, quota=settings.quotas.per_passage)
    order, reserve = _serve_labels(code, margin, hits, facts, group, settings=settings, per_label=per_label)
    return Selection(code, margin, order, reserve, pairs)


def _mark(code: np.ndarray, away: np.ndarray, reason: str) -> None:
    code[(code == 0) & away] = CODE[reason]


def _judge_margins(code: np.ndarray, margin: np.ndarray, hits: Hits, group: np.ndarray, settings: PlanSettings) -> None:
    if not settings.margin.on:
        return
    if settings.margin.minimum is not None:
        _mark(code, margin < settings.margin.minimum, "margin")  # NaN is never smaller
    _mark(code, ~best_share(margin, hits.passage, group, code == 0, keep=settings.margin.keep), "margin")


def _serve_passages(code: np.ndarray, score: np.ndarray, hits: Hits, text: np.ndarray, group: np.ndarray, *, quota: int) -> None:
    """Where several seeds hit one text, the label that it is closest to gets it, and of its seeds the closest.

    score (np.ndarray): How close the passage is to the hit's label set. The closest of several labels is also the one with
        the largest margin, and closeness is defined where a margin is not.
    """
    rows = np.flatnonzero(code == 0)
    order = np.lexsort((hits.seed[rows], -hits.similarity[rows], group[rows], -score[rows]))
    away = np.zeros(len(code), dtype=bool)
    away[rows] = over_quota(text[rows], order, quota)
    _mark(code, away, "passage_quota")


def _serve_labels(
    code: np.ndarray, margin: np.ndarray, hits: Hits, facts: Facts, group: np.ndarray, *, settings: PlanSettings, per_label: int
) -> tuple[np.ndarray, np.ndarray]:
    """Labels take turns, and within a label its seeds, each with its best passage first; documents give what they may."""
    rows = _take_turns(np.flatnonzero(code == 0), margin, hits, group)
    away = np.zeros(len(code), dtype=bool)
    away[rows] = over_quota(facts.document[hits.passage[rows]], np.arange(len(rows)), settings.quotas.per_document)
    _mark(code, away, "document_quota")
    rows = rows[code[rows] == 0]
    place = uses_before(group[rows])
    limit = math.ceil(per_label * settings.overgenerate)
    away[:] = False
    away[rows[place >= limit]] = True
    _mark(code, away, "surplus")
    rows, place = rows[place < limit], place[place < limit]
    order = np.lexsort((group[rows], place))
    return rows[order], place[order] >= per_label


def _take_turns(rows: np.ndarray, margin: np.ndarray, hits: Hits, group: np.ndarray) -> np.ndarray:
    """Order rows by (turn of the label, label): the turns of a label go round its seeds."""
    missing = np.isnan(margin[rows])
    rows = rows[np.lexsort((hits.passage[rows], hits.rank[rows], -np.where(missing, 0, margin[rows])))]
    within_seed = uses_before(hits.seed[rows])
    rows = rows[np.lexsort((hits.seed[rows], within_seed, group[rows]))]
    return rows[np.lexsort((group[rows], uses_before(group[rows])))]
