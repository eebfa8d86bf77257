"""What the commands of a run work with: its settings, the place where people review, the ledger, and rows made on demand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argilla_bridge.rounds.ledger import NAME, Ledger
from argilla_bridge.rows import ReviewRow
from argilla_bridge.schema import VECTORS, ReviewSchema, for_several, review_schema
from argilla_bridge.settings import FileSettings, ReviewSettings, file_settings, review_settings, server_settings
from argilla_bridge.showing.making import review_rows
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import NO_REVIEW, Context, relative
from spacy_synthesizrr.dimensions import read_chosen
from spacy_synthesizrr.embedders.none import embeds
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.labelled import read_seeds, run_seeds
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from argilla_bridge.backends import Backend
    from spacy_synthesizrr.lookup import Lookup

FOLDER = "review"
EXAMPLES = 3  # seeds per label in the guidelines


@dataclass(frozen=True)
class Desk:
    """A run that people review.

    settings (ReviewSettings): With the backend that is used now.
    files (Tuple[Path, ...]): Where the backend is a file: the file, and copies that others filled in.
    given (Tuple[Path, ...]): Files to read votes from instead, each of the person whose name it has.
    """

    ctx: Context
    settings: ReviewSettings
    files: tuple[Path, ...] = ()
    given: tuple[Path, ...] = ()

    @property
    def task(self) -> TaskSpec:
        """RETURNS (TaskSpec): The run's task."""
        return self.ctx.task

    @property
    def folder(self) -> Path:
        """RETURNS (Path): Where everything of the review lies."""
        return self.ctx.folder.file(FOLDER)

    @property
    def run_id(self) -> str:
        """RETURNS (str): What tells the run from every other; empty in runs from before there were ids."""
        return str(self.ctx.inputs.get("id", ""))

    @property
    def agent(self) -> str:
        """RETURNS (str): Who suggests the labels."""
        return str(self.ctx.inputs["identity"]["teacher"])

    @cached_property
    def examples(self) -> Mapping[str, tuple[str, ...]]:
        """RETURNS (Mapping): Label → texts of seeds that have it alone, for the guidelines."""
        found: dict[str, tuple[str, ...]] = {label: () for label in self.task.labels}
        for seed in read_seeds(self.task):
            if seed.origin == "gold" and len(seed.labels) == 1 and len(found[seed.labels[0]]) < EXAMPLES:
                found[seed.labels[0]] += (self.task.student_text(seed.fields),)
        return found

    def schema(self, *, dimensions: Mapping[str, int] | None = None, adjudication: bool = False, overlap: bool = False) -> ReviewSchema:
        """RETURNS (ReviewSchema): Of the main dataset, of that for ties, or of the one that several people answer."""
        made = review_schema(self.task, self.settings, dimensions=dimensions or {}, adjudication=adjudication, examples=self.examples)
        return for_several(made, self.settings) if overlap else made

    @contextlib.contextmanager
    def backend(self) -> Iterator[Backend]:
        """Reach the place where people review.

        YIELDS (Backend): Closed at the end.
        """
        opened = self._open()
        try:
            yield opened
        finally:
            opened.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Backend]:
        """YIELDS (Backend): To read votes from: the given files where there are any, else the place itself. Closed at the end."""
        if not self.given:
            with self.backend() as opened:
                yield opened
            return
        from argilla_bridge.files.filed import FileBackend

        own = self.files[0] if self.files else self.folder / FileSettings().path
        user = file_settings(self.ctx).user
        yield FileBackend(own, user, schema=self.schema(), copies=self.given, alone=True)

    def _open(self) -> Backend:
        if self.settings.backend == "file":
            from argilla_bridge.files.filed import FileBackend

            user = file_settings(self.ctx).user
            return FileBackend(self.files[0], user, schema=self.schema(), copies=self.files[1:], run_id=self.run_id)
        from argilla_bridge.server.backend import open_argilla

        return open_argilla(server_settings(self.ctx), self.settings, run=self.ctx.folder.path.name, run_id=self.run_id)

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """YIELDS (Ledger): What was put before people in this run; closed at the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(Ledger.open(self.folder / NAME)) as opened:
            yield opened

    @contextlib.contextmanager
    def making(self, ledger: Ledger) -> Iterator[Making]:
        """ledger (Ledger): Of the run.
        YIELDS (Making): Turns candidates into rows as long as the run's index is open.
        """
        from spacy_synthesizrr.lookup import Lookup
        from spacy_synthesizrr.stores.opening import open_store

        seeds = run_seeds(self.ctx)  # first: when it fails, no store is left open
        with contextlib.closing(open_store(self.ctx)) as store:
            yield Making(self, Lookup(self.task, store, seeds, read_chosen(self.ctx.folder.path)), ledger)


@dataclass(frozen=True)
class Making:
    """Makes rows for review."""

    desk: Desk
    lookup: Lookup
    ledger: Ledger

    @property
    def vectors(self) -> bool:
        """RETURNS (bool): Whether rows have vectors: nobody finds similar ones in a file."""
        wanted = self.desk.settings.vectors and self.desk.settings.backend == "argilla"
        return wanted and embeds(self.lookup.store.embedder)

    @property
    def dimensions(self) -> dict[str, int]:
        """RETURNS (Dict[str, int]): Of each vector that rows have."""
        return dict.fromkeys(VECTORS, self.lookup.store.embedder.dimensions) if self.vectors else {}

    def __call__(self, candidates: Iterable[Candidate]) -> Iterator[ReviewRow]:
        """RETURNS (Iterator[ReviewRow]): One for each candidate."""
        embedder = self.lookup.store.embedder if self.vectors else None
        desk = self.desk
        how: dict[str, Any] = {"lookup": self.lookup, "embedder": embedder, "agent": desk.agent, "shown": self.ledger.shown}
        return review_rows(candidates, task=desk.task, settings=desk.settings, **how)


def open_desk(ctx: Context, to: Path | None = None, given: Iterable[Path] = ()) -> Desk:
    """The desk of a run.

    to (Path): Review in this file, whatever backend the config names.
    given (Iterable[Path]): Files to read votes from, whatever the place; ties go to the place all the same.
    RAISES (ConfigError): When nobody reviews this run.
    """
    settings, given = review_settings(ctx), tuple(Path(relative(path)) for path in given)
    if settings.backend == NO_REVIEW:
        raise ConfigError(
            f"Nobody reviews the run '{ctx.folder.path.name}': [review] backend is \"none\" in {ctx.config_path('review')}. Choose "
            "another with --vars.review argilla, or --vars.review file, and run the project again."
        )
    if to is not None:
        return Desk(ctx, replace_backend(settings, "file"), (to,))
    if settings.backend == "file":
        about = file_settings(ctx)
        return Desk(ctx, settings, tuple(ctx.folder.file(name) for name in (about.path, *about.copies)), given)
    return Desk(ctx, settings, given=given)


def replace_backend(settings: ReviewSettings, backend: str) -> ReviewSettings:
    """RETURNS (ReviewSettings): The same with another backend."""
    return settings.model_copy(update={"backend": backend})
