"""Putting rows before people: each once, the most useful first, and whatever was cut goes on where it stopped.

A row is sent when the ledger does not know it in this dataset, or when what it shows has changed. It is noted only after the
backend surely keeps it, so a kill costs at most one batch that is sent twice, which changes nothing. A row stays in the dataset
into which it was put first, even when the shares in the settings change: its votes are there. For the same reason a row that shows
its suggestion goes on to show it, and a blind one none. Rows that somebody deleted on the server are sent again. Before rows are
removed, what people said of them is kept in the ledger. Memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from argilla_bridge.backends import ADJUDICATION, MAIN, OVERLAP
from argilla_bridge.rounds.ballots import Ballots
from argilla_bridge.rounds.ledger import Ledger, Noted, Place, digest_of, texts_digest
from argilla_bridge.rounds.spool import Spool
from argilla_bridge.rows import ReviewRow
from argilla_bridge.schema import ANSWERS, PASSAGE, SEED, for_several
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.marking import unescaped
from spacy_synthesizrr.progress import progress
from spacy_synthesizrr.stores.passages import batched

if TYPE_CHECKING:
    from argilla_bridge.backends import Backend, BadRow
    from argilla_bridge.schema import ReviewSchema

BESIDE = (PASSAGE, SEED, ANSWERS)  # fields that every row has beside those of the task
BATCH = 100  # rows noted or removed at once


@dataclass
class Pushed:
    """What became of the rows.

    new (int), changed (int): Sent.
    unchanged (int): There already, and as they are.
    removed (int): Stale rows that were taken away.
    answers (int): Votes on them, which stay in the ledger.
    kept (int): Stale rows that were left there.
    waiting (int): Rows beyond the most that are to be reviewed.
    bad (list[BadRow]): Rows that the backend refused.
    places (dict[str, str]): Dataset → where people find it.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    answers: int = 0
    kept: int = 0
    waiting: int = 0
    bad: list[BadRow] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        return {**vars(self), "bad": [{"id": row.id, "why": row.why} for row in self.bad], "places": dict(self.places)}


def push(
    backend: Backend,
    rows: Iterable[ReviewRow],
    ledger: Ledger,
    *,
    schema: ReviewSchema,
    settings: ReviewSettings,
    report: Callable[[str], None] = lambda line: None,
) -> Pushed:
    """Put the rows of a run before people.

    rows (Iterable[ReviewRow]): All of them, in any order; they are read once.
    schema (ReviewSchema): Of the main dataset.
    report (Callable): Gets a line for each dataset.
    RAISES (InputError): When a dataset of that name belongs to something else.
    """
    from argilla_bridge.showing.making import dataset_of

    schemas = {MAIN: schema, OVERLAP: for_several(schema, settings)}
    stale = (lambda row: True) if settings.stale == "remove" else None
    sending = Sending(backend, ledger, schemas, Ballots(ledger, settings), stale=stale, report=report)
    return sending.send(rows, where=lambda row: dataset_of(row, settings), most=settings.rows)


@dataclass
class Sending:
    """One push.

    schemas (Mapping[str, ReviewSchema]): Of the datasets that may be made.
    ballots (Ballots): Where votes are kept before their rows are removed.
    stale (Callable | None): Whether a row that was put there and is no more among the rows goes; None lets all of them stay.
    report (Callable): Gets a line for each dataset.
    """

    backend: Backend
    ledger: Ledger
    schemas: Mapping[str, ReviewSchema]
    ballots: Ballots
    stale: Callable[[str], bool] | None
    report: Callable[[str], None]
    done: Pushed = field(default_factory=Pushed)
    _places: dict[str, Place] = field(default_factory=dict)

    def send(self, rows: Iterable[ReviewRow], *, where: Callable[[ReviewRow], str], most: int | None = None) -> Pushed:
        """Send what is new or changed, and take away what is stale.

        where (Callable): The dataset of a row that is in none.
        most (int | None): At most so many rows may be there; rows that are there already stay.
        """
        for dataset in self.ledger.datasets():
            if dataset in self.schemas and next(iter(self.backend.ids(dataset)), None) is not None:
                self._place(dataset)  # of one that is not here nothing is stale, and it may never be needed
        with Spool() as spool:
            for batch in batched(rows, BATCH):
                for row in batch:
                    self._sort(row, where, spool)
                if ADJUDICATION not in self.schemas:  # a row for a judge says itself which one it is about
                    self.ledger.link([(row.candidate_id, row.id, self._texts(row)) for row in batch])
            if most is not None:
                self.done.waiting = spool.cut(most - self.done.unchanged - self.done.changed)
            self.done.changed = 0  # counted again when they are sent
            for dataset in self.schemas:
                if (place := self._places.get(dataset)) is None:
                    continue
                self._put(dataset, place, spool)
                self._clear(dataset, place, spool)
                self.done.places[dataset] = self.backend.place(dataset)
        return self.done

    def _texts(self, row: ReviewRow) -> str:
        """The hash of the texts that a row asks about; what stands beside them does not count."""
        shapes = next(iter(self.schemas.values())).fields
        return texts_digest(unescaped(row.fields[shape.name]) for shape in shapes if shape.name not in BESIDE)

    def _place(self, dataset: str) -> Place:
        """Open a dataset, and forget the rows that are not there any more."""
        if dataset not in self._places:
            place = self._places[dataset] = Place(dataset, self.backend.open(dataset, self.schemas[dataset]))
            if next(self.ledger.known(place), None) is not None:
                with Spool() as there:
                    for row in self.backend.ids(dataset):
                        there.see(row)
                    for gone in batched(there.unseen(self.ledger.known(place)), BATCH):
                        self.ledger.forget(place, gone)
        return self._places[dataset]

    def _sort(self, row: ReviewRow, where: Callable[[ReviewRow], str], spool: Spool) -> None:
        if not spool.see(row.id):
            return
        dataset = self.ledger.dataset(row.id)  # also where it was put at another place
        home = dataset if dataset is not None and dataset in self.schemas else where(row)
        place, known = self._known(row.id) or (self._place(home), None)
        now = digest_of(row)
        # a vote was given with the suggestion in view or without, and the row has to say which
        if known and (known.digest == now or known.shown != (row.suggestion is not None)):
            self.done.unchanged += 1
            return
        self.done.changed += known is not None
        spool.add(row, place.dataset, digest=now, new=known is None)

    def _known(self, row: str) -> tuple[Place, Noted] | None:
        for place in self._places.values():
            if (found := self.ledger.noted(place, row)) is not None:
                return place, found
        return None

    def _put(self, dataset: str, place: Place, spool: Spool) -> None:
        total = spool.count(dataset)
        if not total:
            return

        def note(ids: Sequence[str]) -> None:
            found = [spool.waiting(row) for row in ids]
            self.ledger.note(place, [noted for noted, _ in found])
            self.done.new += sum(new for _, new in found)
            self.done.changed += sum(not new for _, new in found)

        self.report(f"{dataset}: {total:,} rows to send")
        self.done.bad += self.backend.put(dataset, progress(spool.rows(dataset), f"Sending ({dataset})", total=total), done=note)

    def _clear(self, dataset: str, place: Place, spool: Spool) -> None:
        """Take away, or keep, what was put there and is no more among the rows."""
        with Spool() as stale:
            for number, row in enumerate(spool.unseen(self.ledger.known(place))):
                if number == 0 and self.stale:
                    self.ballots.keep(self.backend.votes(dataset))
                if self.stale and self.stale(row):
                    stale.see(row)
                else:
                    self.done.kept += 1
            if next(stale.ids(), None) is not None:
                self.backend.remove(dataset, stale.ids())
            for gone in batched(stale.ids(), BATCH):
                self.done.answers += self.ballots.on(dataset, gone)
                self.ledger.forget(place, gone)
                self.done.removed += len(gone)
