"""Rows on which people disagree, put before somebody once more together with what was answered.

The row shows the answers with how many gave each, and not who: a judge should weigh what was said. Its id is the hash of all that
it shows, so when more people answer it becomes another row; the old one goes unless somebody has judged it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from argilla_bridge.backends import ADJUDICATION
from argilla_bridge.rounds.ballots import Ballots
from argilla_bridge.rounds.deciding import AWAY, TIE, answer_of, newest
from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.pulling import TURNED_AWAY, decides
from argilla_bridge.rounds.pushing import Pushed, Sending
from argilla_bridge.rows import ReviewRow, Vote, content_id
from argilla_bridge.schema import ABOUT, ANSWERS, PLANNED_LABEL, SEED
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.marking import escaped
from spacy_synthesizrr.candidates import Candidate, label_key
from spacy_synthesizrr.jsonl import read_jsonl

if TYPE_CHECKING:
    from argilla_bridge.backends import Backend
    from argilla_bridge.schema import ReviewSchema

Making = Callable[[Iterable[Candidate]], Iterable[ReviewRow]]


def adjudicate(
    backend: Backend,
    ledger: Ledger,
    out: Path,
    *,
    making: Making,
    schema: ReviewSchema,
    settings: ReviewSettings,
    report: Callable[[str], None] = lambda line: None,
) -> Pushed:
    """Put the ties of the last pull before a judge. Nothing is made where there never was one.

    out (Path): The run's folder `review`, as `pull` wrote it.
    making (Callable): Makes the rows of candidates, such as `making.review_rows` with all but its first argument.
    schema (ReviewSchema): Of the dataset for adjudication.
    RETURNS (Pushed): What was sent.
    """
    ballots = Ballots(ledger, settings)
    sending = Sending(backend, ledger, {ADJUDICATION: schema}, ballots, stale=lambda row: not ballots.judged(row), report=report)
    ties = () if settings.ties == "drop" else _ties(out / TURNED_AWAY)
    return sending.send(_rows(making(ties), ballots, schema), where=lambda row: ADJUDICATION)


def _ties(path: Path) -> Iterator[Candidate]:
    return (candidate for candidate in read_jsonl(path, Candidate.from_dict) if candidate.reason == TIE)


def _rows(rows: Iterable[ReviewRow], ballots: Ballots, schema: ReviewSchema) -> Iterator[ReviewRow]:
    """The rows without whatever tells the suggestion: it was one of the answers, or nobody's."""
    for row in rows:
        said = answers(vote for vote in ballots.of(row.id) if decides(vote, schema))
        fields = {name: text for name, text in row.fields.items() if name != SEED} | {ANSWERS: said}
        metadata = {name: value for name, value in row.metadata.items() if name != PLANNED_LABEL} | {"blind": "yes", ABOUT: row.id}
        yield replace(row, id=content_id(fields), fields=fields, suggestion=None, metadata=metadata)


def answers(votes: Iterable[Vote]) -> str:
    """What people answered, for a judge to read.

    RETURNS (str): Markdown: a line per answer with how many gave it, the most frequent first, and below it the corrections and
        reasons that came with it.
    """
    found = [(vote, answer_of(vote)) for vote in newest(votes)]
    counts = Counter(answer for _, answer in found)
    lines = []
    for answer, count in sorted(counts.items(), key=lambda item: (-item[1], sorted(item[0]))):
        name = "turn it away" if answer == AWAY else escaped(label_key(sorted(answer))) or "no label"
        lines.append(f"- **{name}** ({count})")
        given = [vote for vote, other in found if other == answer]
        lines += [f"    - corrected: {escaped(text)}" for text in sorted({vote.text.strip() for vote in given} - {""})]
        lines += [f"    - why: {escaped(text)}" for text in sorted({vote.reason.strip() for vote in given} - {""})]
    return "\n".join(lines)
