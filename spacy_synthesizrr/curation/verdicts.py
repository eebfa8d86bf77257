"""What a filter is and what it says.

A *row filter* judges one candidate by its text, its passage and the rows before it; it runs inside `synthesize`, in plan
order. A *set filter* needs the finished set; it runs in `curate`, takes rows away and says what it knows of those that stay.

Filters come from configs/curate.cfg. A section `[row_filters.NAME]` names a registered factory with arguments from the
config alone; the factory returns a *binder*, which is called once per run with what only the run knows (`FilterInputs`:
the task, its seeds, its dev and test texts, whether the teacher only copies) and returns the filter, or `SwitchedOff` with the reason:

    make_length(min_words=None, max_words=None)   # what the .cfg says
        -> bind(FilterInputs(task, seeds))        # what the run knows
            -> filter(candidate, text, passage)   # one row at a time

Set filters and their binders: see set_filters/running.py.

Replay: a filter's verdict follows from its config, its `FilterInputs` and the rows it has been shown, in their order, and
from nothing else (no clock, no chance, no files). A filter that remembers rows has a method `remember`, which the chain
calls only for rows that every filter accepted: a text that another filter turned away does not block its equals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.taskfile import TaskSpec


@dataclass(frozen=True)
class Verdict:
    """What a filter says about a candidate.

    accepted (bool): Whether it may stay.
    reason (str): A short fixed word such as "near_copy"; empty when accepted.
    score (float): What the decision rests on, where it rests on a number; its unit is the filter's.
    detail (Mapping): What else the row's event should tell, as plain JSON.
    text (str | None): What the generated field of an accepted row says from now on, where a row filter mended it. The chain keeps
        the text before in the event.
    labels (Tuple[str, ...] | None): The labels of an accepted row from now on, where a set filter changed them.
    weight (float | None): Its weight from now on.
    """

    accepted: bool
    reason: str = ""
    score: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    labels: tuple[str, ...] | None = None
    weight: float | None = None


ACCEPT = Verdict(True)
REPAIRED, BEFORE = "repaired", "before"  # keys in the detail of an event: what was mended, in order, and the text that the teacher wrote


def repair(what: str, text: str) -> Verdict:
    """RETURNS (Verdict): Accepted with another text; `what` is a short fixed word for what was mended."""
    return Verdict(True, detail={REPAIRED: what}, text=text)


def reject(reason: str, score: float | None = None) -> Verdict:
    """RETURNS (Verdict): Turned away, and why."""
    return Verdict(False, reason, score)


class RowFilter(Protocol):
    """Judges one row."""

    def __call__(self, candidate: Candidate, text: str, passage: str) -> Verdict:
        """Judge a generated candidate.

        candidate (Candidate): The row, with all its fields.
        text (str): Its generated field.
        passage (str): The text of its passage; empty when it has none.
        RETURNS (Verdict): Asking twice in a row gives the same.
        """


@runtime_checkable
class Remembers(Protocol):
    """A row filter whose verdicts depend on the accepted rows before."""

    def remember(self, candidate: Candidate, text: str) -> None:
        """Take note of a row that was accepted."""


@dataclass(frozen=True)
class FilterInputs:
    """What a row filter can only learn from the run.

    task (TaskSpec): Fields, refusal marker, length limits.
    seeds (Tuple[str, ...]): What the seeds say in the generated field.
    copies (bool): Whether the teacher only copies from its passage, as the extractive one does.
    gold (Tuple[str, ...]): Every text field of every dev and test row.
    lang (str): Language of the texts, a code of spaCy.
    """

    task: TaskSpec
    seeds: tuple[str, ...] = ()
    copies: bool = False
    gold: tuple[str, ...] = ()
    lang: str = "en"


@dataclass(frozen=True)
class SwitchedOff:
    """A filter that does not run, and why.

    reason (str): Completes the sentence "The filter … is off: ".
    """

    reason: str


DISABLED = SwitchedOff("the config says enabled = false")
Binder: TypeAlias = Callable[[FilterInputs], RowFilter | SwitchedOff]
