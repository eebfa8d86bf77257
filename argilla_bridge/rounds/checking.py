"""Corrected texts before the row filters of curation: what people write, too, may give a test text away, copy its passage, or say what
another row says.

They are judged as answers of the teacher are, after all rows whose text stands: where two say the same, the corrected one goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from spacy_synthesizrr.candidates import REJECTED, Candidate, Event
from spacy_synthesizrr.curation.verdicts import Remembers, RowFilter, Verdict
from spacy_synthesizrr.students.reviewed import REVIEW

if TYPE_CHECKING:
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.lookup import Lookup

Check = Callable[[Iterable[Candidate], Iterable[Candidate]], Iterator[Candidate]]
"""Gets the rows whose text stands, which are read first, and the corrected ones; gives back the latter, accepted or rejected."""


def check_of(ctx: Context, lookup: Lookup) -> Check:
    """RETURNS (Check): By the row filters of a run, which are built only where there is a corrected text."""

    def check(others: Iterable[Candidate], edited: Iterable[Candidate]) -> Iterator[Candidate]:
        from spacy_synthesizrr.steps.synthesize import row_filters
        from spacy_synthesizrr.students.arms import MAIN

        counts = ctx.folder.receipt("synthesize")["counts"]
        copies = bool(counts.get(MAIN, {}).get("copies"))
        accept, _ = row_filters(ctx, lookup, copies=copies)
        return checked(accept, lookup, others, edited)

    return check


def checked(accept: RowFilter, lookup: Lookup, others: Iterable[Candidate], edited: Iterable[Candidate]) -> Iterator[Candidate]:
    """Judge corrected texts; streams.

    accept (RowFilter): Row filters that remember no row yet.
    others (Iterable[Candidate]): The rows that go on with the text they had.
    edited (Iterable[Candidate]): Rows after review, with the text that people wrote.
    YIELDS (Candidate): The same in their order; one that a filter turns away is rejected with the filter's reason.
    """
    name = lookup.task.generated.name
    remembering = [judge for judge in getattr(accept, "filters", [accept]) if isinstance(judge, Remembers)]
    for row in others:
        for judge in remembering:
            judge.remember(row, row.fields[name])
    for candidate, planned in lookup.stream(edited):
        verdict = accept(candidate, candidate.fields[name], planned["passage"])
        yield candidate if verdict.accepted else turned_away(candidate, verdict)


def turned_away(candidate: Candidate, verdict: Verdict) -> Candidate:
    """RETURNS (Candidate): A row that people took and a filter does not, with what it says in the place of their decision."""
    score = {} if verdict.score is None else {"score": verdict.score}
    decided = candidate.events[-1].detail
    return replace(candidate, events=candidate.events[:-1]).after(Event(REVIEW, REJECTED, verdict.reason, {**decided, **score}))
