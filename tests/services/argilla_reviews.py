"""Datasets on a real Argilla for tests: each with a name of its own, and people who answer in them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from argilla_bridge.rows import ReviewRow, Suggestion, content_id
from argilla_bridge.schema import ReviewSchema, review_schema
from argilla_bridge.server.backend import ArgillaBackend, open_argilla
from argilla_bridge.settings import ReviewSettings, ServerSettings
from services.argilla import Argilla, Person
from spacy_synthesizrr.taskfile import TaskSpec, read_task

TASK = Path(__file__).parents[2] / "assets" / "news_demo" / "task.yml"
SIZES = {"text_vector": 4, "passage_vector": 4}
FILTERS = {"strategy": "retricl", "round": 1, "similarity": 0.25, "priority": 0.5}


@dataclass
class Review:
    """A dataset of its own on a running server.

    backend (ArgillaBackend): The owner's. settings (ReviewSettings): With its name.
    schema (ReviewSchema): Of the main dataset.
    places (Dict[str, str]): Id of a row → of its record, as far as somebody answered.
    kept (List[str]): Ids that `put` called surely kept, in order.
    """

    server: Argilla
    backend: ArgillaBackend
    settings: ReviewSettings
    schema: ReviewSchema
    kept: list[str] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)

    def put(self, *rows: ReviewRow, dataset: str = "main") -> dict[str, str]:
        """Put rows, and tell the refused ones: id → why."""
        return {bad.id: bad.why for bad in self.backend.put(dataset, rows, done=self.kept.extend)}

    def records(self, dataset: str = "main") -> dict[str, dict[str, Any]]:
        """What the server holds, by our ids, asked without our code for paging."""
        id = self.backend.open(dataset, self.schema)
        params = {"limit": 1000, "include": "responses,suggestions,vectors"}
        found = self.backend.link.call("GET", f"/datasets/{id}/records", params=params)["items"]
        return {each["external_id"]: each for each in found}

    def answer(self, person: Person, row: ReviewRow, label: Any = None, *, status: str = "submitted", **more: str) -> None:
        """What the page sends when somebody answers."""
        values = {name: {"value": value} for name, value in {"label": label, **more}.items() if value}
        if row.id not in self.places:
            self.places |= {id: record["id"] for id, record in self.records().items()}
        mine = {"x-argilla-api-key": person.key}
        body = {"status": status, "values": values}
        self.backend.link.call("POST", f"/records/{self.places[row.id]}/responses", json=body, headers=mine)

    def votes(self, dataset: str = "main") -> list[Any]:
        """All votes, in an order that does not depend on the server's."""
        return sorted(self.backend.votes(dataset), key=lambda vote: (vote.row_id, vote.user))


def demo_task() -> TaskSpec:
    """Topics of news: politics, business, sport, science."""
    return read_task(TASK)


def row(number: int, label: str = "sport", *, suggestion: Suggestion | None | str = "own", **changes: Any) -> ReviewRow:
    """A row that differs from that of any other number."""
    texts = {"text": changes.pop("text", f"Text number {number} of the review."), "passage": f"Passage number {number}."}
    own = Suggestion((label,), 0.75, "a teacher") if suggestion == "own" else suggestion
    vector = [1.0, number / 1000, 0.0, 0.0]
    about: dict[str, Any] = {"metadata": FILTERS, "vectors": {"text_vector": vector, "passage_vector": vector}, **changes}
    return ReviewRow(content_id(texts), f"candidate-{number}", {**texts, **changes.get("fields", {})}, suggestion=own, priority=0.5, **{
        name: value for name, value in about.items() if name != "fields"
    })  # fmt: skip


@contextmanager
def reviewing(
    server: Argilla,
    *,
    person: Person | None = None,
    server_settings: Mapping[str, Any] | None = None,
    task: TaskSpec | None = None,
    **settings: Any,
) -> Iterator[Review]:
    """A review whose dataset is there and empty.

    person (Person): Whose key is used; the owner's by default.
    settings: Of [review].
    """
    chosen = ReviewSettings(**{"dataset": f"test-{uuid.uuid4().hex[:12]}", **settings})
    with connected(server, chosen, person=person, **(server_settings or {})) as backend:
        schema = review_schema(task or demo_task(), chosen, dimensions=SIZES)
        backend.open("main", schema)
        yield Review(server, backend, chosen, schema)


@contextmanager
def connected(server: Argilla, review: ReviewSettings, *, person: Person | None = None, **settings: Any) -> Iterator[ArgillaBackend]:
    """A backend as a person with a key gets it."""
    environment = {"ARGILLA_API_URL": server.url, "ARGILLA_API_KEY": (person or server.owner).key}
    with patch.dict("os.environ", environment):
        backend = open_argilla(ServerSettings(**{"retries": 0, **settings}), review, run="run-of-tests")
    try:
        yield backend
    finally:
        backend.close()
