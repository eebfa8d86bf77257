"""The rows that flow through the project, and how they get their ids.

A Candidate is one synthetic example on its way: planned → generated or failed → accepted or rejected → reviewed. It is
frozen and carries its own history: each step returns a new candidate with one more Event. It holds the *ids* of its
passage, seed and shots, never their text.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

ROW_VERSION = 1
NAMESPACE = uuid.UUID("5d9f6a52-1c3e-5b0e-9a3f-3c1f64b1f0a7")

PLANNED, GENERATED, FAILED, ACCEPTED, REJECTED = "planned", "generated", "failed", "accepted", "rejected"
GOLD, DESCRIPTION, ERROR = "gold", "description", "error"  # where a seed comes from


def digest(*parts: str) -> str:
    """Hash strings so that no two different lists of parts collide by concatenation.

    RETURNS (str): 32 hexadecimal digits (the first half of a SHA-256).
    """
    canonical = "".join(f"{len(part.encode())}:{part}" for part in parts)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def passage_id(source: str, document: str, number: int, text: str) -> str:
    """The id of a passage: uuid5 of where it stands and what it says, so that indexing twice changes nothing."""
    return str(uuid.uuid5(NAMESPACE, digest(source, document, str(number), text)))


def label_key(labels: Iterable[str]) -> str:
    """One string for a label set; quotas, funnels and tables count by it."""
    return " + ".join(labels)


@dataclass(frozen=True)
class Passage:
    """A piece of the user's corpus."""

    id: str
    text: str
    source: str = ""
    document: str = ""
    number: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): A JSON row."""
        row: dict[str, Any] = {spec.name: getattr(self, spec.name) for spec in fields(self)}  # asdict copies deeply: 10 times slower
        return {"v": ROW_VERSION, **row, "meta": dict(self.meta)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Passage:
        """row (Mapping): What `to_dict` made."""
        return cls(**_known(cls, row))


@dataclass(frozen=True)
class Seed:
    """A text with a label that asks for more like it.

    id (str): Hash of labels and fields.
    labels (Tuple[str, ...]): One label, or more in a multi-label task.
    fields (Mapping[str, str]): All text fields of the task by name; a label description has only the generated one.
    origin (str): "gold", "description", "error" or "synthetic".
    predicted (Tuple[str, ...]): Of an error: the labels that a student gave it, where prompts may tell them. No part of the id.
    """

    id: str
    labels: tuple[str, ...]
    fields: Mapping[str, str]
    origin: str = "gold"
    predicted: tuple[str, ...] = ()

    @classmethod
    def make(cls, labels: Iterable[str], fields: Mapping[str, str], origin: str = "gold", predicted: Iterable[str] = ()) -> Seed:
        """Make a seed whose id follows from what it says."""
        labels = tuple(labels)
        parts = [part for name, text in sorted(fields.items()) for part in (name, text)]
        return cls(digest("seed", origin, *labels, *parts), labels, dict(fields), origin, tuple(predicted))

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): A JSON row."""
        told = {"predicted": list(self.predicted)} if self.predicted else {}
        return {"v": ROW_VERSION, "id": self.id, "labels": list(self.labels), "fields": dict(self.fields), "origin": self.origin, **told}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Seed:
        """row (Mapping): What `to_dict` made."""
        about = row.get("origin", GOLD), tuple(row.get("predicted", ()))
        return cls(row["id"], tuple(row["labels"]), dict(row["fields"]), *about)


@dataclass(frozen=True)
class Hit:
    """A passage found for a query: `similarity` is larger for closer, `rank` counts from 1."""

    passage_id: str
    similarity: float
    rank: int


@dataclass(frozen=True)
class Shot:
    """An in-context demonstration: a seed's text, in RetrICL with a passage retrieved for that seed."""

    seed_id: str
    passage_id: str | None = None

    @property
    def key(self) -> str:
        """RETURNS (str): What goes into the candidate's id."""
        return f"{self.seed_id}/{self.passage_id or ''}"


@dataclass(frozen=True)
class Event:
    """One thing that happened to a candidate.

    step (str): The command that did it: "plan", "synthesize", "curate", "review" …
    status (str): The candidate's status afterwards.
    reason (str): Why, when it was turned away or failed; a short fixed word such as "near_copy".
    detail (Mapping): Whatever explains it: score, model, request, tokens, annotator, the text before an edit.
    """

    step: str
    status: str
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """One synthetic example. `id` says which row was asked for; `request` says whether an answer still holds."""

    id: str
    strategy: str
    labels: tuple[str, ...]
    seed_id: str
    passage_id: str | None
    shots: tuple[Shot, ...] = ()
    rationales: tuple[str, ...] = ()
    draw: int = 0
    rank: int | None = None
    similarity: float | None = None
    margin: float | None = None
    reserve: bool = False
    status: str = PLANNED
    fields: Mapping[str, str] = field(default_factory=dict)
    request: str = ""
    weight: float = 1.0
    events: tuple[Event, ...] = ()

    @property
    def key(self) -> str:
        """RETURNS (str): The label set as one string, by which quotas and funnels count."""
        return label_key(self.labels)

    @classmethod
    def plan(
        cls,
        *,
        task: str,
        strategy: str,
        seed: Seed,
        passage_id: str | None,
        shots: Iterable[Shot] = (),
        rationales: Iterable[str] = (),
        draw: int = 0,
        labels: Iterable[str] = (),
        **more: Any,
    ) -> Candidate:
        """Plan a candidate; its id is a hash of task, strategy, labels, seed, passage, shots, rationales and draw.

        task (str): Name of the task.
        rationales (Iterable[str]): Ids of the rationales that its prompt shows.
        labels (Iterable[str]): Where the seed lends nothing but its other fields; the seed's own by default.
        more (Any): `rank`, `similarity`, `margin`, `reserve`, `fields`, `events`.
        """
        shots, rationales, labels = tuple(shots), tuple(rationales), tuple(labels) or seed.labels
        shown = (*(shot.key for shot in shots), *(f"rationale:{name}" for name in rationales))
        parts = (task, strategy, *labels, seed.id, passage_id or "", *shown, str(draw))
        about = {"shots": shots, "rationales": rationales, "draw": draw, **more}
        return cls(digest("candidate", *parts), strategy, labels, seed.id, passage_id, **about)

    def after(self, event: Event, **changes: Any) -> Candidate:
        """The same candidate with one more event and its status.

        changes (Any): Other attributes that the step changed: `fields`, `request`, `weight`.
        """
        return replace(self, status=event.status, events=(*self.events, event), **changes)

    @property
    def reason(self) -> str:
        """RETURNS (str): Why it failed or was rejected, by its last event."""
        return self.events[-1].reason if self.events else ""

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): A JSON row with its version, empty values left out."""
        row: dict[str, Any] = {"v": ROW_VERSION}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.name == "shots":
                value = [[shot.seed_id, shot.passage_id] for shot in value]
            elif spec.name == "events":
                value = [{k: v for k, v in asdict(event).items() if v} for event in value]
            elif spec.name in ("labels", "rationales"):
                value = list(value)
            if spec.name == "labels" or (value is not None and value is not False and value not in ("", [], {})):
                row[spec.name] = dict(value) if spec.name == "fields" else value
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Candidate:
        """row (Mapping): What `to_dict` made, or the same after a round trip through DocBin (lists became tuples)."""
        known = _known(cls, row)
        known["labels"] = tuple(row["labels"])
        known["passage_id"] = row.get("passage_id")
        known["shots"] = tuple(Shot(*shot) for shot in row.get("shots", ()))
        known["rationales"] = tuple(row.get("rationales", ()))
        known["events"] = tuple(Event(**_known(Event, event)) for event in row.get("events", ()))
        return cls(**known)


def _known(cls: type, row: Mapping[str, Any]) -> dict[str, Any]:
    return {spec.name: row[spec.name] for spec in fields(cls) if spec.name in row}
