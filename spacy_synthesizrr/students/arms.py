"""The arms of a run: the student's own rows ("main") and the controls that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from spacy_synthesizrr.errors import StudentError, choices

MAIN, SEED_ONLY, GOLD, RETRIEVE_ONLY, RANDOM, FEWGEN = "main", "seed-only", "gold", "retrieve-only", "random", "fewgen"
ARMS = (MAIN, SEED_ONLY, GOLD, RETRIEVE_ONLY, RANDOM, FEWGEN)
SYNTHESIZED = (RANDOM, FEWGEN)  # controls that the teacher answers; the others are made from rows that are there


@dataclass(frozen=True)
class Arm:
    """One train set and how many rows of each label it has.

    name (str): One of `ARMS`.
    rows (int): Rows of the train set; of an arm that was not run for lack of some label, the rows that were there.
    labels (Mapping[str, int]): Rows per label; in a multi-label task a row counts under each of its labels.
    why (str): Why this arm was not run; empty when it was.
    spans (bool): Whether its train set is there as rows of question answering too, which a span student reads.
    """

    name: str
    rows: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    why: str = ""
    spans: bool = False

    @property
    def run(self) -> bool:
        """RETURNS (bool): Whether there is a student to train."""
        return not self.why

    @property
    def file(self) -> str:
        """RETURNS (str): Name of its train set in the run folder; a file, or a folder of shards."""
        return arm_file(self.name, "train.spacy")

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        told = {name: value for name, value in asdict(self).items() if name != "spans" or value}
        return {**told, "labels": dict(self.labels), "run": self.run, "file": self.file}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Arm:
        """row (Mapping): What `to_dict` made."""
        return cls(row["name"], int(row["rows"]), dict(row["labels"]), row["why"], bool(row.get("spans", False)))


def arm_file(arm: str, name: str) -> str:
    """RETURNS (str): Name of an arm's file, relative to the run folder."""
    if arm not in ARMS:
        raise ValueError(f"There is no arm '{arm}'. {choices(arm, ARMS)}")
    return name if arm == MAIN else f"controls/{arm}/{name}"


def empty_label(arm: Arm, labels: Sequence[str]) -> str | None:
    """RETURNS (str | None): The first label of which an arm has no row."""
    return next((label for label in labels if not arm.labels.get(label)), None)


def check_main(arm: Arm, labels: Sequence[str]) -> None:
    """Refuse a train set from which no classifier of these labels can come.

    RAISES (StudentError): When there is no row at all, rows of one label only, or none of some label.
    """
    missing = [label for label in labels if not arm.labels.get(label)]
    if not missing:
        return
    cure = "Look at the reasons in funnel.json, then widen [plan.window], loosen the row filters, add seeds or passages, and run again."
    if not arm.rows:
        raise StudentError(f"No row was accepted, so there is nothing to train on. {cure}")
    present = [label for label in labels if label not in missing]
    if len(present) == 1:
        raise StudentError(f"All {arm.rows} accepted rows have the label '{present[0]}'; a classifier needs at least two. {cure}")
    named = ", ".join(f"'{label}'" for label in missing)
    raise StudentError(f"No accepted row has the label {named} ({arm.rows} rows of other labels). {cure}")
