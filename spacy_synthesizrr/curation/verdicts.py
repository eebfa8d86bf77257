"""What a filter is and what it says.

A *row filter* judges one candidate by its text, its passage and the rows before it; it runs inside `synthesize`, in plan
order. A *set filter* needs the finished set; it runs in `curate` and only takes away.

Filters come from configs/curate.cfg. A section `[row_filters.NAME]` names a registered factory with arguments from the
config alone; the factory returns a *binder*, which is called once per run with what only the run knows (`FilterInputs`:
the task, its seeds, its dev and test texts, whether the teacher only copies) and returns the filter, or `SwitchedOff` with the reason:

    make_length(min_words=None, max_words=None)   # what the .cfg says
        -> bind(FilterInputs(task, seeds))        # what the run knows
            -> filter(candidate, text, passage)   # one row at a time

A factory of a set filter returns the filter itself: it is called with all rows and the run's `Lookup`.

Replay: a filter's verdict follows from its config, its `FilterInputs` and the rows it has been shown, in their order, and
from nothing else (no clock, no chance, no files). A filter that remembers rows has a method `remember`, which the chain
calls only for rows that every filter accepted: a text that another filter turned away does not block its equals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from spacy_synthesizrr.lookup import Lookup


@dataclass(frozen=True)
class Verdict:
    """What a filter says about a candidate.

    accepted (bool): Whether it may stay.
    reason (str): A short fixed word such as "near_copy"; empty when accepted.
    score (float): What the decision rests on, where it rests on a number; its unit is the filter's.
    """

    accepted: bool
    reason: str = ""
    score: float | None = None


ACCEPT = Verdict(True)


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


Binder: TypeAlias = Callable[[FilterInputs], RowFilter | SwitchedOff]
SetFilter: TypeAlias = "Callable[[Iterable[Candidate], Lookup], Iterator[tuple[str, Verdict]]]"
