"""What goes to the people who review, and what comes back: plain rows that know nothing of any review tool.

A ReviewRow is one question to people about the content of a candidate. A Vote is what one person said of one row. Both
backends, an Argilla server and a file, speak in them, so everything else of the bridge is one code for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.students.reviewed import UNREVIEWED

SUBMITTED, DRAFT, DISCARDED = "submitted", "draft", "discarded"
STATUSES = (SUBMITTED, DRAFT, DISCARDED)
UNUSABLE = "unusable"  # the answer of fast mode that rejects a row and is a submission all the same
KEEP, FIX, REJECT = "keep", "fix", "reject"  # the verdicts of careful mode


def content_id(fields: Mapping[str, str]) -> str:
    """The id of a review row: a hash of the texts that people judge, so that the same content is never asked about twice and a
    changed text never inherits the votes for the old one. A changed suggestion keeps the id.

    fields (Mapping[str, str]): All text fields of the row by name.
    """
    return digest("review", *(part for name, text in sorted(fields.items()) for part in (name, text)))


@dataclass(frozen=True)
class Suggestion:
    """What the project would answer itself.

    labels (Sequence[str]): The candidate's labels.
    score (float | None): How sure the project is, in [0, 1]; None where nothing measured it.
    agent (str): Who says so: the teacher's name.
    """

    labels: tuple[str, ...]
    score: float | None = None
    agent: str = ""


@dataclass(frozen=True)
class ReviewRow:
    """One row as people see it.

    id (str): See `content_id`.
    candidate_id (str): Of the candidate it was made from.
    fields (Mapping[str, str]): Field name → text as shown; in the order of the schema's fields.
    metadata (Mapping[str, Any]): What people filter by; strings, integers, finite floats; a missing value has no key.
    vectors (Mapping[str, Sequence[float]]): By name, for find-similar.
    suggestion (Suggestion | None): None in the blind share.
    priority (float): In [0, 1], larger = look at it sooner.
    """

    id: str
    candidate_id: str
    fields: Mapping[str, str]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    vectors: Mapping[str, Sequence[float]] = field(default_factory=dict)
    suggestion: Suggestion | None = None
    priority: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        return {**vars(self), "suggestion": None if self.suggestion is None else vars(self.suggestion)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> ReviewRow:
        """row (Mapping): What `to_dict` made."""
        said = row["suggestion"]
        suggestion = None if said is None else Suggestion(tuple(said["labels"]), said["score"], said["agent"])
        return cls(**{**row, "suggestion": suggestion})


@dataclass(frozen=True)
class Vote:
    """What one person said of one row.

    row_id (str): Id of the ReviewRow.
    user (str): Name, pseudonym or id of the person.
    status (str): One of `STATUSES`; only a submitted one counts as a vote, a discarded one as a reject.
    labels (Tuple[str, ...]): What was chosen; empty when the row is unusable or nothing was chosen.
    verdict (str): `KEEP`, `FIX` or `REJECT`; in fast mode `REJECT` for `UNUSABLE`, else empty.
    text (str): The corrected text, empty when there is none.
    reason (str): Why, in the person's words.
    updated_at (str): When, ISO 8601 in UTC; empty when unknown.
    dataset (str): In which dataset: "main", "overlap" or "adjudication".
    about (str): In adjudication: id of the ReviewRow on which people disagreed; else empty.
    identity (str): Of the place where it was read: id of a dataset, path of a file.
    person (str): What the place knows the person by, when that is not the name: the id of an account. It stays in the ledger.
    """

    row_id: str
    user: str
    status: str
    labels: tuple[str, ...] = ()
    verdict: str = ""
    text: str = ""
    reason: str = ""
    updated_at: str = ""
    dataset: str = "main"
    about: str = ""
    identity: str = field(default="", compare=False, repr=False)
    person: str = field(default="", compare=False, repr=False)

    @property
    def rejects(self) -> bool:
        """RETURNS (bool): Whether the person turned the row away."""
        return self.status == DISCARDED or (self.status == SUBMITTED and self.verdict == REJECT)

    @property
    def counts(self) -> bool:
        """RETURNS (bool): Whether it decides anything; neither a draft nor what is not finished does."""
        return self.status in (SUBMITTED, DISCARDED) and not self.unfinished

    @property
    def unfinished(self) -> bool:
        """RETURNS (bool): Whether it asks for a correction and gives none: as it stands the text is no good, and rejected it was not."""
        return self.status == SUBMITTED and self.verdict == FIX and not self.text.strip()

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): A JSON row with its version."""
        own = {name: value for name, value in vars(self).items() if name != "person"}
        return {"v": 1, **own, "labels": list(self.labels)}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Vote:
        """row (Mapping): What `to_dict` made."""
        known = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        return cls(**{**known, "labels": tuple(row.get("labels", ()))})


@dataclass(frozen=True)
class Decision:
    """What the votes on a row come to.

    outcome (str): "accepted", "rejected", "tie" (goes to adjudication), "waiting" (people disagree, and more are to answer) or
        "unreviewed".
    labels (Tuple[str, ...]): The labels that won; empty unless accepted, or where people said that none fits.
    text (str): The corrected text that won; empty when the text stands.
    source (str): See `spacy_synthesizrr.students.reviewed.label_source`.
    votes (int): How many people counted.
    agreement (float | None): How far people agree with the outcome, see `deciding.agreeing`.
    reasons (Tuple[str, ...]): Why, as people wrote it.
    reason (str): Why the row is not accepted: "rejected_by_reviewers", "unusable" or "tie"; empty otherwise.
    """

    outcome: str
    labels: tuple[str, ...] = ()
    text: str = ""
    source: str = UNREVIEWED
    votes: int = 0
    agreement: float | None = None
    reasons: tuple[str, ...] = ()
    reason: str = ""
