"""Any dataset of a server, also one that we did not make, as rows with what people answered to one question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from argilla_bridge.backends import MAIN
from argilla_bridge.importing import Answered
from argilla_bridge.rows import STATUSES, Vote
from argilla_bridge.schema import LABEL
from argilla_bridge.server.backend import OURS
from argilla_bridge.server.connect import Link
from argilla_bridge.server.paging import records
from argilla_bridge.server.records import moment, votes_of
from argilla_bridge.server.shapes import Held, read_held
from spacy_synthesizrr.errors import InputError, choices

LABELLING = ("label_selection", "multi_label_selection", "rating")


@dataclass(frozen=True)
class Source:
    """A dataset to import from.

    name (str): Of the dataset. id (str): Of it on the server.
    ours (bool): Whether `push` made it, so that its texts are escaped.
    """

    link: Link
    name: str
    id: str
    held: Held
    ours: bool

    @property
    def fields(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Names of its texts; images, chats and the like cannot be imported."""
        return tuple(each["name"] for each in self.held.fields if each["settings"]["type"] == "text")

    @property
    def questions(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Names of the questions whose answers are labels."""
        return tuple(name for name, kind in self.held.question_kinds().items() if kind in LABELLING)

    def check(self, question: str) -> None:
        """RAISES (InputError): When there is no such question, or its answers are no labels."""
        if question in self.questions:
            return
        kind = self.held.question_kinds().get(question)
        problem = (
            f"The answers to '{question}' in '{self.name}' are no labels but {kind}."
            if kind
            else f"'{self.name}' has no question '{question}'."
        )
        raise InputError(problem, cure=f"Choose another with --question. {choices(question, self.questions)}")

    def rows(self, question: str) -> Iterator[Answered]:
        """What people answered to a question.

        YIELDS (Answered): One per record, in the order in which they were made.
        RAISES (InputError): See `check`.
        """
        self.check(question)
        for record in records(self.link, self.id, include="responses"):
            texts = {name: record["fields"][name] for name in self.fields if isinstance(record["fields"].get(name), str)}
            votes = [*_votes(record, question, self.held, ours=self.ours)]
            yield Answered(texts, votes)


def open_source(link: Link, workspace: str, name: str) -> Source:
    """Find a dataset.

    RAISES (ConfigError): When the workspace is not there.
    RAISES (InputError): When the dataset is not there.
    """
    workspace_id = link.workspace(workspace)
    there = link.call("GET", "/me/datasets", params={"workspace_id": workspace_id})["items"]
    found = next((each for each in there if each["name"] == name), None)
    if found is None:
        cure = choices(name, sorted(each["name"] for each in there))
        raise InputError(f"The workspace '{workspace}' of Argilla at {link.url} has no dataset '{name}'.", cure=cure)
    return Source(link, name, str(found["id"]), read_held(link, found["id"]), OURS in (found.get("metadata") or {}))


def _votes(record: Mapping[str, Any], question: str, held: Held, *, ours: bool) -> Iterator[Vote]:
    if ours and question == LABEL:  # what turns a row away there is known
        yield from votes_of(record, held, {}, MAIN)
        return
    for response in record.get("responses") or ():
        said = ((response.get("values") or {}).get(question) or {}).get("value")
        labels = () if said is None else tuple(map(str, said)) if isinstance(said, list) else (str(said),)
        if response["status"] in STATUSES and labels:  # who left this question out did not answer it
            when = moment(response.get("updated_at") or "")
            yield Vote(record["id"], str(response["user_id"]), response["status"], labels, updated_at=when)
