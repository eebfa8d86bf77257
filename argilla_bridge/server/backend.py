"""An Argilla server as the place of review: see `argilla_bridge.backends.Backend`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from tempfile import TemporaryFile
from typing import Any
from uuid import UUID

from argilla_bridge.backends import ADJUDICATION, MAIN, OVERLAP, BadRow
from argilla_bridge.rounds.spool import Spool
from argilla_bridge.rows import ReviewRow, Vote
from argilla_bridge.schema import ReviewSchema
from argilla_bridge.server.connect import Link, connect
from argilla_bridge.server.faults import ServerError
from argilla_bridge.server.paging import records
from argilla_bridge.server.records import votes_of
from argilla_bridge.server.sending import Sending
from argilla_bridge.server.shapes import Held, complete, differences, read_held, to_settings
from argilla_bridge.server.users import read_names
from argilla_bridge.settings import ReviewSettings, ServerSettings
from spacy_synthesizrr.errors import ConfigError, InputError, choices

ENDINGS = {MAIN: "", OVERLAP: "-overlap", ADJUDICATION: "-adjudication"}
OURS = "spacy-synthesizrr"  # where a dataset notes whose it is, among what Argilla keeps of it and shows nobody
RUN = "run"  # in that note: the id of the run
MOST_REMOVED = 100  # records per request that the server takes
LONGEST_NAME = 200
QUEUE = "page=1&status=pending&sort=metadata.priority.desc"  # as the page itself writes it


def open_argilla(server: ServerSettings, review: ReviewSettings, *, run: str, run_id: str = "") -> ArgillaBackend:
    """Connect to the server of a run.

    server (ServerSettings): Where it is. review (ReviewSettings): Workspace, names.
    run (str): Name of the run, for the names of datasets where the settings have none.
    run_id (str): What tells it from every other run; its datasets note it.
    RAISES (ConfigError): When a variable, the workspace or the role is not what it must be.
    RAISES (ServerError): When no Argilla answers or it does not let us in.
    """
    link = connect(server)
    try:
        return ArgillaBackend(link, review, link.workspace(review.workspace), review.dataset or run, run_id)
    except BaseException:
        link.close()
        raise


@dataclass
class ArgillaBackend:
    """The datasets of one run on a server.

    workspace_id (str): Of the workspace that the settings name.
    base (str): Name of the main dataset; the others have it with an ending.
    run_id (str): Of the run; empty takes the datasets of any.
    """

    link: Link
    review: ReviewSettings
    workspace_id: str
    base: str
    run_id: str = ""
    _at: dict[str, tuple[str, Held]] = field(default_factory=dict)

    def name(self, dataset: str) -> str:
        """RETURNS (str): What a dataset is called on the server."""
        return self.base + ENDINGS[dataset]

    def open(self, dataset: str, schema: ReviewSchema) -> str:
        """See `Backend.open`. Guidelines, filters and the number of people are brought up to date.

        RETURNS (str): The server's id of the dataset.
        """
        if len(self.name(dataset)) > LONGEST_NAME:
            raise ConfigError(f"'{self.name(dataset)[:40]}…' is too long for the name of a dataset. Set a shorter one in [review] dataset.")
        self._at.pop(dataset, None)
        there = self.link.dataset(self.name(dataset), self.workspace_id)
        if there is None or self._is_half(there):
            there = self._create(dataset, schema, half=there)
        held = read_held(self.link, there["id"])
        self._check(dataset, schema, there, held)
        if complete(self.link, there["id"], schema, held):
            held = read_held(self.link, there["id"])
        self._update(schema, there)
        self._at[dataset] = str(there["id"]), held
        return str(there["id"])

    def put(self, dataset: str, rows: Iterable[ReviewRow], *, done: Callable[[Sequence[str]], None]) -> Sequence[BadRow]:
        """See `Backend.put`."""
        found = self._found(dataset)
        if found is None:
            raise InputError(f"Argilla at {self.link.url} has no dataset '{self.name(dataset)}'.", cure="Push again: it is made anew.")
        return Sending(self.link, *found, done).send(rows)

    def remove(self, dataset: str, ids: Iterable[str]) -> None:
        """See `Backend.remove`. The server knows records by ids of its own: all pages are read once for them."""
        found, ids = self._found(dataset), iter(ids)
        first = next(ids, None)
        if found is None or first is None:
            return
        with Spool() as wanted, TemporaryFile() as here:
            for id in chain((first,), ids):
                wanted.see(id)
            for record in records(self.link, found[0]):
                if record.get("external_id") and wanted.saw(record["external_id"]):
                    here.write(UUID(record["id"]).bytes)
            here.seek(0)
            while some := here.read(16 * MOST_REMOVED):  # not while pages are read: they would move
                gone = ",".join(str(UUID(bytes=some[place : place + 16])) for place in range(0, len(some), 16))
                self.link.call("DELETE", f"/datasets/{found[0]}/records", params={"ids": gone})

    def ids(self, dataset: str) -> Iterator[str]:
        """See `Backend.ids`. A record that somebody made without an id is none of ours."""
        found = self._found(dataset)
        for record in records(self.link, found[0]) if found else ():
            if record.get("external_id"):
                yield record["external_id"]

    def votes(self, dataset: str) -> Iterator[Vote]:
        """See `Backend.votes`."""
        found = self._found(dataset)
        if found is None:
            return
        names = read_names(self.link, self.workspace_id)
        for record in records(self.link, found[0], include="responses"):
            if record.get("external_id"):
                yield from (replace(vote, identity=found[0]) for vote in votes_of(record, found[1], names, dataset))

    def held(self, dataset: str) -> Iterator[tuple[str, str]]:
        """RETURNS (Iterator): None: in Argilla nobody takes an answer back; it becomes a draft, or goes with its account."""
        return iter(())

    def news(self) -> list[str]:
        """RETURNS (List[str]): Names in the settings that are nobody's: those whom they mean go into files by their own."""
        if not self.review.names:
            return []
        there = sorted(read_names(self.link, self.workspace_id).values())
        wrong = [name for name in self.review.names if name not in there]
        return [
            f"[review] names has '{name}', and no account here that this key sees has that name. {choices(name, there)}" for name in wrong
        ]

    def progress(self, dataset: str) -> dict[str, int]:
        """RETURNS (Dict[str, int]): "total", "completed" (enough people submitted) and "pending" rows; empty when there is no dataset."""
        found = self._found(dataset)
        if found is None:
            return {}
        said = self.link.call("GET", f"/datasets/{found[0]}/progress")
        return {name: int(said[name]) for name in ("total", "completed", "pending")}

    def people(self) -> list[str]:
        """RETURNS (List[str]): Accounts of the workspace, by name; owners see every workspace and need not be among them."""
        return sorted(each["username"] for each in self.link.call("GET", f"/workspaces/{self.workspace_id}/users")["items"])

    def place(self, dataset: str) -> str:
        """RETURNS (str): The page for annotators, the most useful rows first: by itself the page gives everybody an order by lot.
        The server's address where there is no such dataset yet.
        """
        found = self._found(dataset)
        return f"{self.link.url}/dataset/{found[0]}/annotation-mode?{QUEUE}" if found else self.link.url

    def close(self) -> None:
        """Close the connection."""
        self.link.close()

    def _found(self, dataset: str) -> tuple[str, Held] | None:
        if dataset not in self._at:
            there = self.link.dataset(self.name(dataset), self.workspace_id)
            if there is None or there["status"] != "ready":
                return None
            if self._is_foreign(there):
                raise self._foreign(dataset)
            self._at[dataset] = str(there["id"]), read_held(self.link, there["id"])
        return self._at[dataset]

    def _create(self, dataset: str, schema: ReviewSchema, *, half: dict[str, Any] | None) -> dict[str, Any]:
        if half is not None:
            self.link.call("DELETE", f"/datasets/{half['id']}")
        name = self.name(dataset)
        # with its note from the start: what is left of it when this is cut off is known as ours
        about = {"name": name, "workspace_id": self.workspace_id, "metadata": {OURS: self._own(schema)}}
        id = self.link.call("POST", "/datasets", json=about)["id"]
        with self.link.explained(f"making the dataset '{name}'"):
            made = self.link.client.datasets(id=id)
            made.settings = to_settings(schema)
            made.settings.create()
        self.link.call("PUT", f"/datasets/{id}/publish")
        there = self.link.dataset(name, self.workspace_id)
        if there is None:
            raise ServerError(f"Argilla at {self.link.url} has no dataset '{name}' though it made it. Push again.")
        return there

    def _is_half(self, there: dict[str, Any]) -> bool:
        """Whether it is what is left of our making one when that was cut off: not published, and noted as ours."""
        return there["status"] == "draft" and bool(own_note(there)) and not self._is_foreign(there)

    def _check(self, dataset: str, schema: ReviewSchema, there: dict[str, Any], held: Held) -> None:
        name, noted = self.name(dataset), own_note(there)
        if self._is_foreign(there):
            raise self._foreign(dataset)
        found = differences(schema, held)
        if there["status"] != "ready":
            found.append("it is not published")
        if noted and noted.get("task") != schema.task:
            found.append(f"it was made for the task '{noted.get('task')}', not '{schema.task}'")
        if found:
            raise InputError(
                f"The dataset '{name}' in the workspace '{self.review.workspace}' of Argilla at {self.link.url} is another one: "
                f"{'; '.join(found)}.",
                cure="Set [review] dataset to another name. Where only the labels of the task changed: argilla-bridge relabel",
            )

    def _is_foreign(self, there: Mapping[str, Any]) -> bool:
        """Whether another run put its rows there: each of the two would remove those of the other."""
        noted = own_note(there).get(RUN)
        return bool(noted and self.run_id and noted != self.run_id)

    def _foreign(self, dataset: str) -> InputError:
        return InputError(
            f"The dataset '{self.name(dataset)}' in the workspace '{self.review.workspace}' of Argilla at {self.link.url} belongs to "
            "another run.",
            cure="Set [review] dataset to another name in the config of this run; or delete the dataset in Argilla, if its run is gone.",
        )

    def _own(self, schema: ReviewSchema) -> dict[str, Any]:
        """What a dataset notes of itself."""
        run = {RUN: self.run_id} if self.run_id else {}
        return {"v": 1, "task": schema.task, "fingerprint": schema.fingerprint(), **run}

    def _update(self, schema: ReviewSchema, there: dict[str, Any]) -> None:
        write_note(self.link, there, {**own_note(there), **self._own(schema)})
        changes: dict[str, Any] = {}
        if (there.get("guidelines") or "") != schema.guidelines:
            changes["guidelines"] = schema.guidelines or None
        if there["distribution"]["min_submitted"] != schema.min_submitted:
            changes["distribution"] = {"strategy": "overlap", "min_submitted": schema.min_submitted}  # its worker counts again who is done
        if changes:
            self.link.call("PATCH", f"/datasets/{there['id']}", json=changes)


def own_note(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """RETURNS (dict): What a dataset, as the server tells it, notes of whose it is; nothing where it is not ours."""
    return dict((dataset.get("metadata") or {}).get(OURS) or {})


def write_note(link: Link, dataset: Mapping[str, Any], note: Mapping[str, Any]) -> None:
    """Note whose a dataset is.

    dataset (Mapping): As the server tells it.
    """
    held = dataset.get("metadata") or {}
    if own_note(dataset) == note:
        return
    if held:  # it merges a table into the one that is there and does not see that it changed (argilla-server 2.8, models/mixins.py, fill)
        link.call("PATCH", f"/datasets/{dataset['id']}", json={"metadata": None})
    link.call("PATCH", f"/datasets/{dataset['id']}", json={"metadata": {**held, OURS: dict(note)}})
