"""From parents to planned candidates: another text like the parent, or passages like the parent that are refined to its label.

The first is S3 (Wang et al. 2023, Alg. 2), one new row per error. The second is in neither paper: the error is the
query of SynthesizRR (Divekar & Durrett 2024), so that one error gives several rows, each grounded in a passage of its own.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from spacy_synthesizrr.candidates import DESCRIPTION, ERROR, PLANNED, Candidate, Event, Seed, digest
from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.curation.leaks import Gold, Leak, Row
from spacy_synthesizrr.embedders.none import embeds
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.labelled import Kind, LabelledRow, read_rows
from spacy_synthesizrr.loop.neighbours import NEIGHBOURS, Neighbours
from spacy_synthesizrr.loop.parents import Parent, Uses
from spacy_synthesizrr.sourcing.plan import Plan, plan
from spacy_synthesizrr.sourcing.selection import CODE, REASONS, Spending
from spacy_synthesizrr.sourcing.settings import MarginRule, PlanSettings
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

TEXT, RETRIEVAL = "text", "retrieval"
EXTRAPOLATE = "extrapolate"  # the mode of prompts that show the parent
WITH_PASSAGES = ("zero-shot", "retricl", "non-retricl")  # modes
KINDS: tuple[Kind, ...] = ("dev", "test")
ALL_SEEDS = {"seeds_per_label": None, "seeds_per_label_binary": None}
SHARED_OUT = ("kept", "passage_quota", "document_quota", "surplus")  # what became of hits that are good in themselves


class ExtrapolateSettings(Settings):
    """The section [extrapolate].

    how (str), in the config "with": "text" shows the teacher the error and asks for another text of its label. "retrieval" takes the
        passages nearest to the error and has them refined towards its label, in the mode of the strategy.
    per_error (int): New rows asked for per error and round; the paper takes 1.
    neighbours (int | None): With retrieval, labelled rows nearest to a passage of which most must have the error's label; see `Neighbours`.
    include_prediction (bool): Whether prompts say which label the text must not have: the one that the student gave.
    """

    how: Literal["text", "retrieval"] = Field("retrieval", alias="with")
    per_error: int = Field(1, ge=1)
    neighbours: int | None = Field(NEIGHBOURS, ge=1)
    include_prediction: bool = False


@dataclass(frozen=True)
class Extrapolated:
    """What a round asks for.

    candidates (List[Candidate]): In an order of which every beginning is spread over the parents: all of them once, then again.
    without (int): Parents for which there is nothing to ask.
    turned_away (Mapping[str, int]): With retrieval, what became of the hits: reasons as in a plan, and "used_before".
    leaks (Tuple[Leak, ...]): Passages that give a labelled row away.
    """

    candidates: list[Candidate]
    without: int = 0
    turned_away: Mapping[str, int] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()


def from_text(parents: Sequence[Parent], *, task: TaskSpec, per_error: int, uses: Uses, round_number: int) -> Extrapolated:
    """Ask for other texts like the parents; the fields that are not generated stay theirs.

    uses (Uses): Of the rounds before. A parent's draw goes on from there, so that an old prompt is asked anew and not answered from the
        store.
    """
    draws = Counter(uses.draws)
    made = []
    for parent in [*parents] * per_error:
        seed, events = parent.seed, (_planned(round_number, parent),)
        made.append(Candidate.plan(task=task.name, strategy=EXTRAPOLATE, seed=seed, passage_id=None, draw=draws[seed.id], events=events))
        draws[seed.id] += 1
    return Extrapolated(made)


def _planned(round_number: int, parent: Parent) -> Event:
    return Event("plan", PLANNED, detail={"round": round_number, "parent": parent.line})


def check_strategy(how: str, settings: PlanSettings) -> None:
    """RAISES (ConfigError): When passages are asked for and the strategy has none."""
    if how == RETRIEVAL and settings.mode not in WITH_PASSAGES:
        raise ConfigError(
            f'[extrapolate] with = "{RETRIEVAL}" refines passages, and the strategy\'s mode "{settings.mode}" has none. '
            f'Set with = "{TEXT}", or '
            f"choose a strategy with passages ({', '.join(WITH_PASSAGES)}), such as --vars.strategy synthesizrr."
        )


def unseen(task: TaskSpec, errors: Iterable[LabelledRow] = ()) -> Gold:
    """RETURNS (Gold): What no passage may give away: dev and test rows of the task, and the rows of the error part, on which students are
    not trained either.
    """
    rows = [Row(f"{ERROR}:{row.line}", tuple(row.fields.values())) for row in errors]
    for kind in KINDS:
        if getattr(task, kind) is not None:
            rows += [Row(f"{kind}:{row.line}", tuple(row.fields.values())) for row in read_rows(task, kind)]
    return Gold.of(rows)


def from_passages(
    parents: Sequence[Parent],
    store: Store,
    *,
    task: TaskSpec,
    settings: PlanSettings,
    per_error: int,
    uses: Uses,
    round_number: int,
    seed: int,
    seeds: Iterable[Seed] = (),
    gold: Gold = Gold(),  # noqa: B008  (frozen and empty)
    neighbours: Neighbours | None = None,
) -> Extrapolated:
    """Refine the passages nearest to the parents.

    The plan of the strategy finds them: hits, ranks, windows, leak gate, lengths, quotas. Its margins do not count, because an error
    lies between labels by nature, and a margin would turn away just what is near it.
    per_error (int): Most passages per parent.
    uses (Uses): Passages of earlier rounds are not used again.
    seed (int): Of the shots.
    seeds (Iterable[Seed]): The seeds of the run, which serve as shots; where they are descriptions alone, other parents do.
    gold (Gold): See `unseen`.
    neighbours (Neighbours | None): Labelled rows that are asked whether a passage has the label of a parent; not without vectors.
    RAISES (ConfigError): When the strategy has no passages.
    """
    check_strategy(RETRIEVAL, settings)
    if not parents:
        return Extrapolated([])
    own = {parent.seed.id: parent.seed for parent in parents}
    shown = [one for one in seeds if one.origin not in (DESCRIPTION, ERROR)] if settings.shots_wanted else []
    asked = settings.model_copy(update={**ALL_SEEDS, "margin": MarginRule(on=False)})
    made = plan([*shown, *own.values()], store, task=task, settings=asked, per_label=1, seed=seed, gold=gold, every_label=False)
    if shown:
        made = replace(made, shots=replace(made.shots, hidden=frozenset({DESCRIPTION, ERROR})))
    serving = _Serving(made, parents, uses)
    if neighbours is not None and embeds(store.embedder):
        serving.ask(neighbours, store)
    return serving.serve(per_error, round_number)


class _Serving:
    """Gives passages to parents, who take turns.

    plan (Plan): Whose hits are judged, though not yet shared out.
    """

    def __init__(self, plan: Plan, parents: Sequence[Parent], uses: Uses) -> None:
        self.plan, self.parents = plan, parents
        hits, self.code = plan.hits, plan.selection.code.copy()
        self.text = plan.facts.text[hits.passage]
        fit = np.isin(self.code, [CODE[reason] for reason in SHARED_OUT])
        known = np.isin(hits.ids[hits.passage], np.array(sorted(name.encode() for name in uses.passages), dtype=np.bytes_))
        before = fit & np.isin(self.text, self.text[fit & known])
        self.index = {one.id: place for place, one in enumerate(plan.seed_set.seeds)}
        asking = np.isin(hits.seed, [self.index[parent.seed.id] for parent in parents])
        self.away = Counter(REASONS[code] for code in self.code[asking & ~fit])
        self.away["used_before"] += int((asking & before).sum())
        self.free = asking & fit & ~before
        self.spending = Spending(plan.settings.quotas, self.text, plan.facts.document[hits.passage])
        self.prompts: Counter[tuple[int, int]] = Counter()

    def ask(self, neighbours: Neighbours, store: Store) -> None:
        """Turn away the passages that do not lie among labelled rows of the label that they would get."""
        hits, seeds, places = self.plan.hits, self.plan.seed_set.seeds, np.flatnonzero(self.free)
        passages, generated = hits.ids[hits.passage[places]], self.plan.task.generated.name
        agreed = neighbours.agree(passages, hits.seed[places], seeds, store, generated=generated)
        self.away["neighbours"] += int((~agreed).sum())
        self.free[places[~agreed]] = False

    def serve(self, per_error: int, round_number: int) -> Extrapolated:
        """RETURNS (Extrapolated): In each turn every parent takes the nearest passage that is left for it."""
        places = np.flatnonzero(self.free)
        places = places[np.lexsort((self.plan.hits.rank[places], self.plan.hits.seed[places]))]
        ends = np.searchsorted(self.plan.hits.seed[places], np.arange(1, len(self.index)))
        queues = dict(zip(self.index, (iter(some.tolist()) for some in np.split(places, ends)), strict=True))
        made, served = [], set()
        for parent in [*self.parents] * per_error:
            row = next(filter(self.spending.take, queues[parent.seed.id]), None)
            if row is not None:
                served.add(parent.seed.id)
                made.append(self._candidate(parent, row, round_number))
        taken = len(made)
        self.away["not_taken"] += int(self.free.sum()) - taken
        without = len({parent.seed.id for parent in self.parents} - served)
        return Extrapolated(made, without, {reason: n for reason, n in self.away.items() if n}, self.plan.facts.leaks)

    def _candidate(self, parent: Parent, row: int, round_number: int) -> Candidate:
        """A passage that two parents of a label may use makes two rows of one prompt: the draw tells them apart."""
        made, hits, index = self.plan, self.plan.hits, self.index[parent.seed.id]
        passage_id, group = hits.passage_id(hits.passage[row]), int(made.seed_set.group[index])
        draw = self.prompts[int(self.text[row]), group]
        self.prompts[int(self.text[row]), group] += 1
        rng = random.Random(digest("shots", str(made.seed), made.task.name, parent.seed.id, passage_id))
        return Candidate.plan(
            task=made.task.name,
            strategy=made.settings.mode,
            seed=parent.seed,
            passage_id=passage_id,
            shots=made.shots.draw(rng, group, but=index, passage_id=passage_id),
            draw=draw,
            rank=int(hits.rank[row]),
            similarity=round(float(hits.similarity[row]), 6),
            events=(_planned(round_number, parent),),
        )
