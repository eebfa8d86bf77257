"""All records of a dataset, each once, while other people change it.

The server pages by offset, in the order in which records were made, so that answers do not move them. Removing one moves those
behind it forward: each page starts with the last record of the page before, and where that is not so, or fewer were seen than
are there, all pages are read once more.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

from argilla_bridge.server.connect import Link
from argilla_bridge.server.faults import ServerError

PAGE = 500  # records; the server gives at most 1,000
MOST_SWEEPS = 10


def records(link: Link, dataset_id: str, *, include: str = "", page: int = PAGE) -> Iterator[Mapping[str, Any]]:
    """Read a dataset.

    include (str): What else of a record is asked for: "responses", "suggestions" and "vectors", with commas between them.
    page (int): Records per request.
    YIELDS (Mapping): Each record as the server tells it, once.
    RAISES (ServerError): When so many are removed at a time that no sight of all of them can be had.
    """
    seen: set[int] = set()
    for _ in range(MOST_SWEEPS):
        moved = yield from _sweep(link, dataset_id, seen, include=include, page=page)
        if not moved:
            return
    raise ServerError(f"Records are being removed from a dataset of Argilla at {link.url} faster than they can be read. Try again later.")


def _sweep(link: Link, dataset_id: str, seen: set[int], *, include: str, page: int) -> Generator[Mapping[str, Any], None, bool]:
    """YIELDS (Mapping): The records of all pages that are not in `seen`, which it fills.
    RETURNS (bool): Whether something moved meanwhile, so that some may have been missed.
    """
    more = {"include": include} if include else {}
    offset, here, last, moved = 0, 0, "", False
    while True:
        answer = link.call("GET", f"/datasets/{dataset_id}/records", params={"offset": offset, "limit": page + 1, **more})
        found = answer["items"]
        whole = len(found) > page
        if last:
            moved |= not found or found[0]["id"] != last
            found = found[1:] if not moved else found
        for record in found:
            key = int(record["id"].replace("-", ""), 16)
            if key not in seen:
                seen.add(key)
                yield record
        here += len(found)
        if not whole:
            return moved or here < int(answer["total"])
        last, offset = found[-1]["id"], offset + page
