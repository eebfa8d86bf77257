"""All checks for one choice of configs, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.context import RUNS, Context, config_file
from spacy_synthesizrr.doctor.findings import Finding, from_error, variables, without_secrets
from spacy_synthesizrr.doctor.machine import disk, gpu, packages, pipelines, python
from spacy_synthesizrr.doctor.stores import look_at_store
from spacy_synthesizrr.doctor.teachers import look_at_answers, look_at_teacher
from spacy_synthesizrr.errors import SynthesizrrError
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.project_file import PROJECT, project_variables
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.stores.opening import INDEX
from spacy_synthesizrr.teachers import ANSWERS


@dataclass(frozen=True)
class Chosen:
    """Which configs are looked at.

    store (Path), teacher (Path): The files. why (str): What chose them.
    folder (Optional[RunFolder]): Of the run. gpu_id (int): That it asks for.
    index (Mapping): What the run noted of its index; empty when it has none.
    """

    store: Path
    teacher: Path
    why: str
    folder: RunFolder | None = None
    gpu_id: int = -1
    index: Mapping[str, Any] = field(default_factory=dict)


def choose(run: str | None, store: str | None, teacher: str | None) -> Chosen:
    """The configs of a run; without one, those that project.yml names.

    run (str), store (str), teacher (str): As given on the command line, or None.
    RAISES (InputError): When the run is not set up.
    """
    named: Mapping[str, Any] = {}
    folder, why = None, "project.yml"
    index: Mapping[str, Any] = {}
    if run is not None:
        folder = RunFolder(Path(run) if (Path(run) / "inputs.json").is_file() else RUNS / run)
        inputs = folder.inputs()
        named, why = {**inputs["identity"], **inputs["settings"]}, f"the run '{folder.name}'"
        noted = folder.file(INDEX)
        index = read_json(noted) if noted.is_file() and store is None else {}
    elif PROJECT.is_file():
        named = project_variables()
    given = [f"--{name}" for name, value in (("store", store), ("teacher", teacher)) if value is not None]
    return Chosen(
        config_file("store", store or named.get("store", "memory")),
        config_file("teacher", teacher or named.get("teacher", "extractive")),
        ", ".join([why, *given]),
        folder,
        int(named.get("gpu_id", -1)),
        index,
    )


def visit(chosen: Chosen) -> list[Finding]:
    """RETURNS (List[Finding]): What all checks found; without a secret in it."""
    found = [python(), *packages(), pipelines(), gpu(needed=chosen.gpu_id >= 0)]
    store, teacher = _config(chosen.store, "store"), _config(chosen.teacher, "teacher")
    embedded = isinstance(store, Mapping) and "Weaviate" in str(store)
    found.append(disk(_store_folder(store), hosts_weaviate=embedded))
    found += [store] if isinstance(store, Finding) else look_at_store(store, chosen.store, of_run=chosen.index)
    found += [teacher] if isinstance(teacher, Finding) else look_at_teacher(teacher, chosen.teacher)
    answers = _answers(teacher, chosen)
    if answers is not None:
        found.append(look_at_answers(answers))
    return without_secrets(found, variables(store) | variables(teacher))


def _config(path: Path, part: str) -> dict[str, Any] | Finding:
    try:
        return read_config(path)
    except SynthesizrrError as error:
        where = "" if PROJECT.is_file() else " This is no project folder: go to yours, or make one with `synthesizrr init FOLDER`."
        return from_error(part, str(path), type(error)(f"{error}{where}"), state="missing")


def _store_folder(config: dict[str, Any] | Finding) -> Path:
    block = config.get("store") if isinstance(config, dict) else None
    return Path(str(block.get("path", "index"))) if isinstance(block, Mapping) else Path("index")


def _answers(config: dict[str, Any] | Finding, chosen: Chosen) -> Path | None:
    """RETURNS (Optional[Path]): The response store: the one that the teacher's config names, else the run's or that of its grid."""
    block = config.get("teacher") if isinstance(config, dict) else None
    named = block.get("responses") if isinstance(block, Mapping) else None
    if named:
        return Path(str(named))
    return None if chosen.folder is None else Context(chosen.folder, chosen.folder.inputs()).shared / ANSWERS
