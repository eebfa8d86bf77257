"""From candidates to the rows that people review: texts looked up and made harmless, what to filter by, which come first.

Which rows are blind and which go to the overlap dataset follows from a row's id and the seed alone, so that it stays as it is
however often and in whatever order the rows are made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argilla_bridge.backends import MAIN, OVERLAP
from argilla_bridge.rows import ReviewRow, Suggestion, content_id
from argilla_bridge.schema import PASSAGE, PASSAGE_VECTOR, PLANNED_LABEL, SEED, TEXT_VECTOR, field_names
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.marking import compared, escaped, highlighted
from spacy_synthesizrr.candidates import Candidate, Seed, digest
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.students.reviewed import label_score
from spacy_synthesizrr.taskfile import TaskSpec

BATCH = 128
MIDDLE = 0.5  # the priority of a row of which nothing is known
DIGITS = 4  # of numbers that people filter by
FIRST_ROUND = 0  # of rows that no round of errors asked for
_SHARE_DIGITS = 13  # hexadecimal: 52 bits, which a float holds exactly

Vectors = Mapping[str, Sequence[float]]
Shown = Callable[[str], "bool | None"]


@dataclass(frozen=True)
class _Maker:
    task: TaskSpec
    settings: ReviewSettings
    lookup: Lookup
    embedder: Embedder | None
    agent: str
    names: Mapping[str, str]
    shown: Shown

    def blind(self, row_id: str) -> bool:
        """RETURNS (bool): As it was when people saw the row first, else by the share."""
        before = self.shown(row_id)
        return is_blind(row_id, self.settings) if before is None else not before


def review_rows(
    candidates: Iterable[Candidate],
    *,
    task: TaskSpec,
    settings: ReviewSettings,
    lookup: Lookup,
    embedder: Embedder | None,
    agent: str,
    shown: Shown = lambda row_id: None,
) -> Iterator[ReviewRow]:
    """Make the rows for review.

    candidates (Iterable[Candidate]): Accepted ones, read as a stream.
    lookup (Lookup): Knows their passages and seeds.
    embedder (Embedder | None): Of the index; None for rows without vectors.
    agent (str): Who suggests the labels: the teacher.
    shown (Callable): Whether a row shows its suggestion where people have it already, None where they do not: see `Ledger.shown`.
        What people answered there was answered so, and a changed share changes nothing of it.
    YIELDS (ReviewRow): One for each candidate, in their order. The texts are Markdown (see `marking.unescaped`).
    RAISES (RunFolderError): For a candidate whose seed is gone.
    RAISES (StoreError): For one whose passage is gone.
    """
    maker = _Maker(task, settings, lookup, embedder, agent, field_names(task), shown)
    for batch in batched(candidates, BATCH):
        yield from _made(batch, maker)


def share(id: str, salt: str, seed: int) -> float:
    """Where an id falls in [0, 1): even over ids, the same in every process, and another for another salt or seed."""
    return int(digest("share", salt, str(seed), id)[:_SHARE_DIGITS], 16) / 16**_SHARE_DIGITS


def is_blind(row_id: str, settings: ReviewSettings) -> bool:
    """RETURNS (bool): Whether a row shows no suggestion, nor what would give it away."""
    return share(row_id, "blind", settings.seed) < settings.blind


def dataset_of(row: ReviewRow, settings: ReviewSettings) -> str:
    """RETURNS (str): `OVERLAP` for the share of rows that several people answer, `MAIN` for the others."""
    return OVERLAP if share(row.id, "overlap", settings.seed) < settings.overlap else MAIN


def priority(candidate: Candidate) -> float:
    """How much a look at a candidate may tell, in [0, 1]: its doubt by its score; without one by the margin of its passage to those of
    other labels, a difference of cosines; without either the middle.
    """
    score, margin = label_score(candidate), _number(candidate.margin)
    if score is not None:
        return 1 - score
    return MIDDLE if margin is None else min(max((1 - margin) / 2, 0.0), 1.0)


def _made(batch: list[Candidate], maker: _Maker) -> Iterator[ReviewRow]:
    passages = _passages(batch, maker.lookup)
    vectors = _vectors(batch, maker)
    for candidate, own in zip(batch, vectors, strict=True):
        yield _row(candidate, passages.get(candidate.passage_id or "", ""), own, maker)


def _passage_ids(batch: Iterable[Candidate]) -> list[str]:
    return sorted({candidate.passage_id for candidate in batch if candidate.passage_id})


def _passages(batch: list[Candidate], lookup: Lookup) -> dict[str, str]:
    ids = _passage_ids(batch)
    return {passage.id: passage.text for passage in lookup.store.get(ids)} if ids else {}


def _vectors(batch: list[Candidate], maker: _Maker) -> list[Vectors]:
    """The vectors of each candidate's text and passage; one without a known word is zero, similar to nothing, and left out."""
    if maker.embedder is None or not maker.settings.vectors:
        return [{} for _ in batch]
    texts = maker.embedder.embed([candidate.fields[maker.task.generated.name] for candidate in batch])
    ids = _passage_ids(batch)
    passages = dict(zip(ids, maker.lookup.store.vectors(ids), strict=True)) if ids else {}
    found: list[Vectors] = []
    for candidate, text in zip(batch, texts, strict=True):
        both = {TEXT_VECTOR: text, PASSAGE_VECTOR: passages.get(candidate.passage_id or "")}
        found.append({name: vector.tolist() for name, vector in both.items() if vector is not None and vector.any()})
    return found


def _row(candidate: Candidate, passage: str, vectors: Vectors, maker: _Maker) -> ReviewRow:
    task = maker.task
    own = {maker.names[spec.name]: candidate.fields[spec.name] for spec in task.fields}
    judged = {**own, PASSAGE: passage} if passage and passage not in own.values() else own
    id = content_id(judged)
    blind = maker.blind(id)
    text = candidate.fields[task.generated.name]
    marked, rate = compared(passage, text)
    fields = {name: marked if said == passage else escaped(said) for name, said in judged.items()}
    cut = [maker.names[spec.name] for spec in task.carried if spec.origin == "passage" and candidate.fields[spec.name] != passage]
    fields |= {name: highlighted(own[name], text) for name in cut}  # the teacher saw the start of a long passage
    if not blind and (seed := _seed_text(maker.lookup.seed(candidate.seed_id), task)):
        fields[SEED] = escaped(seed)
    metadata = _metadata(candidate, blind=blind, agent=maker.agent)
    if passage:
        metadata["copy_rate"] = round(rate, DIGITS)
    suggestion = None if blind else Suggestion(candidate.labels, label_score(candidate), maker.agent)
    return ReviewRow(id, candidate.id, fields, metadata, vectors, suggestion, metadata["priority"])


def _seed_text(seed: Seed, task: TaskSpec) -> str:
    return "\n".join(seed.fields[spec.name] for spec in task.fields if seed.fields.get(spec.name))


def _metadata(candidate: Candidate, *, blind: bool, agent: str) -> dict[str, Any]:
    """What people filter by; what is not known has no key, and a blind row does not tell its label here either."""
    floats = {
        "similarity": candidate.similarity,
        "margin": candidate.margin,
        "label_score": label_score(candidate),
        "confidence": _newest(candidate, "confidence"),
        "priority": priority(candidate),
    }
    integers = {"rank": candidate.rank, "round": _newest(candidate, "round", FIRST_ROUND)}
    terms = {
        PLANNED_LABEL: None if blind else candidate.key,
        "strategy": candidate.strategy,
        "teacher": _newest(candidate, "model") or agent,
        "neighbour": _newest(candidate, "neighbour"),
        "blind": "yes" if blind else "no",
        "candidate": candidate.id,
    }
    found: dict[str, Any] = {name: str(value) for name, value in terms.items() if value}
    found |= {name: round(number, DIGITS) for name, value in floats.items() if (number := _number(value)) is not None}
    return found | {name: int(number) for name, value in integers.items() if (number := _number(value)) is not None}


def _newest(candidate: Candidate, key: str, default: Any = None) -> Any:
    return next((event.detail[key] for event in reversed(candidate.events) if key in event.detail), default)


def _number(value: Any) -> float | None:
    """A finite number as a float; a server takes no others."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
