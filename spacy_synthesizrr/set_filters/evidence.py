"""What each judge says of the rows of a run, and of labelled rows that it saw without their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_synthesizrr.candidates import digest, label_key
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.prompts import RETRYABLE
from spacy_synthesizrr.set_filters.blind import Judge
from spacy_synthesizrr.set_filters.folds import Folds, make_folds
from spacy_synthesizrr.set_filters.gold_rows import GoldRows
from spacy_synthesizrr.set_filters.judges import Neighbours, student_evidence, vote_evidence
from spacy_synthesizrr.set_filters.pooling import Pool, equal_weights, make_pool, too_few
from spacy_synthesizrr.set_filters.running import Rows, SetInputs
from spacy_synthesizrr.students.quality.calibration import Array, Booleans

STUDENT, GOLD, TEACHER = "student", "gold", "teacher"
JUDGES = (STUDENT, GOLD, TEACHER)
LEAST = 2  # rows of each label, for a student to learn from and for neighbours to be found among


@dataclass
class Heard:
    """What was said.

    rows (Dict[str, Array]): Evidence of each judge about the rows of the run, see `pooling`.
    gold (Dict[str, Array]): The same about labelled rows.
    places (Dict[str, NDArray[int]]): Which labelled rows those are.
    off (Dict[str, str]): Judges that say nothing, and why.
    folds (Folds | None): Of the student.
    failed (Dict[str, int]): Questions to the teacher without a valid answer, by kind.
    lost (bool): Whether some of these may be answered when they are asked again.
    """

    rows: dict[str, Array] = field(default_factory=dict)
    gold: dict[str, Array] = field(default_factory=dict)
    places: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    off: dict[str, str] = field(default_factory=dict)
    folds: Folds | None = None
    failed: dict[str, int] = field(default_factory=dict)
    lost: bool = False

    @property
    def unjudged(self) -> Booleans:
        """RETURNS (Booleans): Rows of the run of which no judge said anything."""
        return np.asarray(~np.any([said.any(axis=1) for said in self.rows.values()], axis=0))

    def pool(self, known: GoldRows, *, exclusive: bool, seed: int) -> Pool:
        """RETURNS (Pool): Judges weighed against each other on the labelled rows of which each of them said something."""
        shared = set.intersection(*(set(places.tolist()) for places in self.places.values()))
        here = np.array(sorted(shared), dtype=np.int64)
        if why := self._seen(known) or too_few(known.gold[here]):
            return Pool(equal_weights(list(self.rows)), why)
        some = {name: said[np.isin(self.places[name], here)] for name, said in self.gold.items()}
        return make_pool(some, known.gold[here], exclusive=exclusive, seed=seed)

    def _seen(self, known: GoldRows) -> str:
        """Why the student's answers to labelled rows say nothing of its answers to others."""
        by_row = self.folds is not None and self.folds.by == "row" and known.seeds
        return "every label has one seed only, so the student that judges a row has seen others of the same seed" if by_row else ""


@dataclass(frozen=True)
class Panel:
    """The judges of one arm.

    judges (Tuple[str, ...]): Of `JUDGES`.
    folds (int): Students. teacher (Judge): The blind teacher. teacher_rows (int): Labelled rows that it is asked about.
    """

    inputs: SetInputs
    judges: tuple[str, ...]
    folds: int
    teacher: Judge
    teacher_rows: int

    def hear(self, rows: Rows, ids: Sequence[tuple[str, str]], assigned: Array, known: GoldRows) -> Heard:
        """Let every judge speak.

        ids (Sequence[Tuple[str, str]]): Id and seed's id of each row.
        assigned (Array): Their labels, 1 or 0.
        known (GoldRows): Labelled rows.
        """
        heard = Heard()
        every = np.arange(len(known.ids), dtype=np.int64)
        for name, why in ((STUDENT, _too_few(assigned, "rows")), (GOLD, self._no_neighbours(known)), (TEACHER, self._no_teacher())):
            if name in self.judges and (why or not ids):
                heard.off[name] = why if ids else "there are no rows"
            elif name in self.judges:
                heard.places[name] = self._asked_of_teacher(known) if name == TEACHER else every
        if STUDENT in heard.places:
            heard.folds = self._folds(ids, known)
            heard.rows[STUDENT], said = self._student(rows, assigned, known, heard.folds)
            heard.places[STUDENT] = np.flatnonzero(said.any(axis=1))
            heard.gold[STUDENT] = said[heard.places[STUDENT]]
        if GOLD in heard.places:
            heard.rows[GOLD], heard.gold[GOLD] = self._neighbours(rows, known)
        if TEACHER in heard.places:
            self._teacher(rows, len(ids), known, heard)
        return heard

    def _folds(self, ids: Sequence[tuple[str, str]], known: GoldRows) -> Folds:
        seeds = self.inputs.lookup.seeds_and_descriptions()
        about: dict[str, Any] = {
            "keys": {seed.id: label_key(seed.labels) for seed in seeds},
            "described": {seed.id for seed in seeds if seed.origin == "description"},
            "exclusive": self.inputs.task.exclusive,
        }
        pairs = list(zip(known.ids, known.keys, strict=True))
        return make_folds(ids, pairs, count=self.folds, seed=self.inputs.ctx.seed, **about)

    def _student(self, rows: Rows, assigned: Array, known: GoldRows, folds: Folds) -> tuple[Array, Array]:
        task = self.inputs.task
        teach = [number < known.seeds for number in range(len(known.ids))]
        texts = (task.student_text(row.fields) for row in rows)
        return student_evidence(texts, assigned, known.texts, known.gold, teach, folds=folds, exclusive=task.exclusive)

    def _no_neighbours(self, known: GoldRows) -> str:
        if GOLD not in self.judges:
            return ""
        if not known.ids:
            return "there are no labelled rows"
        if why := _too_few(known.gold, "labelled rows"):
            return why
        try:
            self.inputs.lookup.store.embedder.embed(["text"])
        except StoreError as error:
            return f"texts cannot be embedded here ({' '.join(str(error).split())[:120]})"
        return ""

    def _neighbours(self, rows: Rows, known: GoldRows) -> tuple[Array, Array]:
        task = self.inputs.task
        judge = Neighbours(self.inputs.lookup.store.embedder, known.ids, known.texts, known.gold, exclusive=task.exclusive)
        said = list(judge.evidence((row.seed_id, task.student_text(row.fields)) for row in rows))
        own = list(judge.evidence(zip(known.ids, known.texts, strict=True)))
        return np.concatenate(said), np.concatenate(own)

    def _no_teacher(self) -> str:
        return self.teacher.why_not if TEACHER in self.judges else ""

    def _asked_of_teacher(self, known: GoldRows) -> NDArray[np.int64]:
        """RETURNS (NDArray[int]): Which labelled rows the teacher judges: a fixed sample."""
        order = sorted(range(len(known.ids)), key=lambda number: digest("judged", str(self.inputs.ctx.seed), known.ids[number]))
        return np.array(sorted(order[: self.teacher_rows]), dtype=np.int64)

    def _teacher(self, rows: Rows, count: int, known: GoldRows, heard: Heard) -> None:
        places = heard.places[TEACHER].tolist()
        own, gold = self.teacher.ask(((row.fields for row in rows), count), ([known.fields[number] for number in places], len(places)))
        exclusive = self.inputs.task.exclusive
        heard.rows[TEACHER] = vote_evidence(own.counts, own.valid, exclusive=exclusive)
        heard.gold[TEACHER] = vote_evidence(gold.counts, gold.valid, exclusive=exclusive)
        heard.failed = dict(sorted((own.failed + gold.failed).items()))
        heard.lost = not set(heard.failed).isdisjoint(RETRYABLE)


def _too_few(gold: Array, what: str) -> str:
    least = int(gold.sum(axis=0).min()) if len(gold) else 0
    return f"some label has fewer than {LEAST} {what}" if least < LEAST else ""
