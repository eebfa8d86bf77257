"""What the bridge needs of a place where people review: an Argilla server, or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from argilla_bridge.rows import ReviewRow, Vote
from argilla_bridge.schema import ReviewSchema

MAIN, OVERLAP, ADJUDICATION = "main", "overlap", "adjudication"
DATASETS = (MAIN, OVERLAP, ADJUDICATION)


@dataclass(frozen=True)
class BadRow:
    """A row that the backend does not take.

    id (str): Of the ReviewRow.
    why (str): In the backend's words.
    """

    id: str
    why: str


class Backend(Protocol):
    """Where rows are put before people and votes are read. `dataset` is one of `DATASETS`; the backend knows its own name for it."""

    def open(self, dataset: str, schema: ReviewSchema) -> str:
        """Make sure that the dataset is there and belongs to this task.

        RETURNS (str): Its identity; another one means that nothing which was pushed before is in it.
        RAISES (InputError): When there is one of that name with other questions or fields.
        """

    def put(self, dataset: str, rows: Iterable[ReviewRow], *, done: Callable[[Sequence[str]], None]) -> Sequence[BadRow]:
        """Add rows, or replace what is shown with them; the votes on them stay.

        done (Callable): Called with the ids of each batch that is surely kept.
        RETURNS (Sequence[BadRow]): The rows that were refused; they do not block the others.
        """

    def remove(self, dataset: str, ids: Iterable[str]) -> None:
        """Remove rows with their votes, all in one go; ids that are not there are fine."""

    def ids(self, dataset: str) -> Iterator[str]:
        """RETURNS (Iterator[str]): The ids of all rows there; none where there is no such dataset."""

    def votes(self, dataset: str) -> Iterator[Vote]:
        """RETURNS (Iterator[Vote]): All answers, drafts and discards too, each once, also while people work."""

    def held(self, dataset: str) -> Iterator[tuple[str, str]]:
        """Where an answer that is no more there was taken back by whoever gave it, and did not go with its row or its account.

        RETURNS (Iterator[Tuple[str, str]]): Identities of places and ids of the rows there.
        """

    def news(self) -> list[str]:
        """RETURNS (List[str]): What a person should know of the votes that were read."""

    def place(self, dataset: str) -> str:
        """RETURNS (str): Where people find it: an address or a path."""

    def close(self) -> None:
        """Give back what it holds."""
