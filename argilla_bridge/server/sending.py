"""Rows to the server, in batches; those that it refuses are found and reported, and the others get through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from argilla_bridge.backends import BadRow
from argilla_bridge.rows import ReviewRow
from argilla_bridge.server.connect import Link
from argilla_bridge.server.faults import Refused, spoken
from argilla_bridge.server.records import encoded
from argilla_bridge.server.shapes import Held

MOST_BYTES = 4_000_000  # per request: gateways before a server refuse long ones
ABOUT_ROWS = (400, 413, 422, 500)  # answers that may be about one row of a batch
MOST_FAILED = 3  # rows in a row at which the server breaks: then it is the server
_POSITION = re.compile(r"Record at position (\d+) is not valid because (.*)", re.DOTALL)
# the answer repeats the rows; packing it costs the server more than sending it does
HEADERS = {"content-type": "application/json", "accept-encoding": "identity"}


@dataclass(frozen=True)
class _Ready:
    row: ReviewRow
    body: bytes


@dataclass
class Sending:
    """One push to one dataset.

    done (Callable): Called with the ids of the rows that the server surely keeps.
    responses (Dict[str, List]): Id of a row → answers that go with it; taken out when the row is sent.
    """

    link: Link
    dataset_id: str
    held: Held
    done: Callable[[Sequence[str]], None]
    bad: list[BadRow] = field(default_factory=list)
    responses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _failed: list[tuple[BadRow, Refused]] = field(default_factory=list)  # rows at which the server broke, since the last that went through
    _worked: bool = False

    def send(self, rows: Iterable[ReviewRow]) -> list[BadRow]:
        """Send rows.

        RETURNS (List[BadRow]): Those that were refused.
        RAISES (ServerError): When the server does not answer, or breaks whatever it is sent.
        """
        for batch in self._batches(rows):
            self._send(batch)
        if self._failed and not self._worked:
            raise self._failed[0][1]
        self.bad += [bad for bad, _ in self._failed]
        return self.bad

    def _batches(self, rows: Iterable[ReviewRow]) -> Iterator[list[_Ready]]:
        batch: dict[str, _Ready] = {}
        size = 0
        for row in rows:
            try:
                ready = _Ready(row, encoded(row, self.held, self.responses.pop(row.id, ())))
            except ValueError as error:
                self.bad.append(BadRow(row.id, str(error)))
                continue
            if batch and (len(batch) >= self.link.settings.batch_size or size + len(ready.body) > MOST_BYTES or row.id in batch):
                yield [*batch.values()]
                batch, size = {}, 0
            batch[row.id] = ready
            size += len(ready.body)
        if batch:
            yield [*batch.values()]

    def _send(self, batch: list[_Ready]) -> None:
        while batch:
            try:
                self._put(batch)
                return
            except Refused as error:
                if error.status not in ABOUT_ROWS:
                    raise
                named = _named(error.detail) if error.status == 422 else {}
                named = {place: why for place, why in named.items() if place < len(batch)}
                if len(batch) == 1:
                    self._refuse(batch[0], named.get(0, ""), error)
                    return
                if not named:
                    half = len(batch) // 2
                    self._send(batch[:half])
                    self._send(batch[half:])
                    return
            self.bad += [BadRow(batch[place].row.id, self._clean(why)) for place, why in sorted(named.items())]
            batch = [ready for place, ready in enumerate(batch) if place not in named]

    def _put(self, batch: list[_Ready]) -> None:
        body = b'{"items":[' + b",".join(ready.body for ready in batch) + b"]}"
        answer = self.link.call("PUT", f"/datasets/{self.dataset_id}/records/bulk", content=body, headers=HEADERS)
        without_one = {ready.row.id for ready in batch if not (ready.row.suggestion and ready.row.suggestion.labels)}
        for record in answer["items"]:
            if record.get("suggestions") and record.get("external_id") in without_one:
                self.link.call("PATCH", f"/records/{record['id']}", json={"suggestions": []})  # from an earlier push: a bulk keeps it
        self._worked = True
        self.bad += [bad for bad, _ in self._failed]
        self._failed.clear()
        self.done([ready.row.id for ready in batch])

    def _refuse(self, ready: _Ready, why: str, error: Refused) -> None:
        bad = BadRow(ready.row.id, self._clean(why or error.detail))
        if error.status != 500:
            self.bad.append(bad)
            return
        self._failed.append((bad, error))
        if len(self._failed) >= MOST_FAILED:
            raise error

    def _clean(self, why: Any) -> str:
        return spoken(why, self.link.secrets)


def _named(detail: Any) -> dict[int, str]:
    """RETURNS (Dict[int, str]): Place in the batch → what is wrong, as far as the server says it, in either of its two ways."""
    if isinstance(detail, str):
        found = _POSITION.search(detail)
        return {int(found.group(1)): found.group(2)} if found else {}
    errors = detail.get("params", {}).get("errors") if isinstance(detail, dict) else detail
    named: dict[int, str] = {}
    for each in errors if isinstance(errors, list) else ():
        loc = each.get("loc") or ()
        place = next((part for part in loc if isinstance(part, int)), None)
        if place is not None and "items" in loc:
            where = ".".join(str(part) for part in loc[loc.index(place) + 1 :])
            named.setdefault(place, f"{where}: {each.get('msg', '')}")
    return named
