"""What there is and what is missing for the review of a run; looked at without changing anything."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import TYPE_CHECKING

from argilla_bridge.backends import DATASETS
from argilla_bridge.settings import FileSettings, ReviewSettings, ServerSettings, file_settings, review_settings, server_settings
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.doctor.findings import Finding, from_error, without_secrets
from spacy_synthesizrr.errors import SynthesizrrError

if TYPE_CHECKING:
    from argilla_bridge.server.backend import ArgillaBackend

PART = "review"
SDK = "argilla"
EXTRA = "pip install 'spacy-synthesizrr[argilla]'"
TESTED = "2.8"  # of the server


def doctor(ctx: Context | None) -> list[Finding]:
    """Look at all that the review of a run needs.

    ctx (Context | None): The run; None looks at an Argilla as the settings have it by default.
    RETURNS (List[Finding]): In the order in which they are shown; no secret stands in them.
    """
    if ctx is None:
        return _argilla(ReviewSettings(backend="argilla"), ServerSettings(), run="")
    review = review_settings(ctx)
    if review.backend == "argilla":
        return _argilla(review, server_settings(ctx), run=ctx.folder.path.name)
    if review.backend == "file":
        return [_file(file_settings(ctx), ctx.folder.path)]
    cure = "Choose one with vars.review in project.yml: argilla or file."
    return [Finding(PART, "backend", "ok", "none: nobody reviews this run", cure, needed=False)]


def _argilla(review: ReviewSettings, server: ServerSettings, *, run: str) -> list[Finding]:
    found = [_sdk(), *_variables(server)]
    if not any(each.bad for each in found):
        found += _server(review, server, run=run)
    return without_secrets(found, [server.key_env, *server.headers_env.values()])


def _sdk() -> Finding:
    try:
        return Finding(PART, SDK, "ok", f"{SDK} {importlib.metadata.version(SDK)}")
    except importlib.metadata.PackageNotFoundError:
        return Finding(PART, SDK, "missing", f"{SDK} is not installed", EXTRA)


def _variables(server: ServerSettings) -> list[Finding]:
    wanted = {server.url_env: "where Argilla answers", server.key_env: "the API key of an owner, or of an admin of the workspace"}
    wanted |= {variable: f"the header {name}" for name, variable in server.headers_env.items()}
    return [_variable(name, about) for name, about in wanted.items()]


def _variable(name: str, about: str) -> Finding:
    if os.environ.get(name, "").strip():
        return Finding(PART, name, "ok", "set")
    return Finding(PART, name, "missing", "not set", f"Set it to {about}: export {name}=…")


def _server(review: ReviewSettings, server: ServerSettings, *, run: str) -> list[Finding]:
    from argilla_bridge.server.backend import ArgillaBackend
    from argilla_bridge.server.connect import connect

    try:
        link = connect(server.model_copy(update={"retries": 0}))
    except SynthesizrrError as error:
        return [from_error(PART, "server", error)]
    try:
        found = [_version(link.version, f"at {link.url}, as '{link.user}' ({link.role})")]
        backend = ArgillaBackend(link, review, link.workspace(review.workspace), review.dataset or run)
        return [*found, _people(backend), *(_dataset(backend, dataset) for dataset in DATASETS if backend.base)]
    except SynthesizrrError as error:
        return [*found, from_error(PART, "workspace", error, state="missing")]
    finally:
        link.close()


def _version(version: str, detail: str) -> Finding:
    if version.startswith(f"{TESTED}."):
        return Finding(PART, "server", "ok", f"Argilla {version} {detail}")
    cure = f"Nothing need be wrong with it: the bridge was tested with {TESTED}."
    return Finding(PART, "server", "unknown", f"Argilla {version} {detail}", cure, needed=False)


def _people(backend: ArgillaBackend) -> Finding:
    """Whether somebody is there to answer."""
    people = backend.people()
    name = f"workspace {backend.review.workspace}"
    if people:
        return Finding(PART, name, "ok", f"{len(people)} people: {', '.join(people[:5])}{' …' if len(people) > 5 else ''}")
    return Finding(PART, name, "missing", "nobody is in it", "Add annotators in Argilla: settings, workspaces, users.", needed=False)


def _dataset(backend: ArgillaBackend, dataset: str) -> Finding:
    said = backend.progress(dataset)
    name = f"dataset {backend.name(dataset)}"
    if not said:
        return Finding(PART, name, "ok", "not there; the push makes it when there are rows for it")
    return Finding(PART, name, "ok", f"{said['total']:,} rows, {said['completed']:,} done: {backend.place(dataset)}")


def _file(settings: FileSettings, folder: Path) -> Finding:
    path = folder / settings.path
    if path.is_dir():
        return Finding(PART, "file", "broken", f"{path} is a folder", "Set [file] path to a .jsonl or .csv.")
    return Finding(PART, "file", "ok", f"{path}{'' if path.is_file() else ': not there; the push writes it'}")
