"""From datasets that people answered before: labelled rows for a task, or the same dataset under another label set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from argilla_bridge.backends import ADJUDICATION, DATASETS, OVERLAP
from argilla_bridge.desk import Desk, open_desk
from argilla_bridge.importing import KINDS, Imported, field_pairs, imported_rows, label_pairs, rows_spec
from argilla_bridge.schema import LABEL, ReviewSchema
from argilla_bridge.settings import ReviewSettings, ServerSettings, server_settings
from spacy_synthesizrr.configs import read_config, section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError, InputError, choices
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.taskfile import TaskSpec, read_task


@dataclass(frozen=True)
class Wanted:
    """What to import.

    dataset (str): On the server. question (str): Whose answers are labels.
    fields (Sequence[str]), renames (Sequence[str]): See `importing.field_pairs` and `importing.label_pairs`.
    workspace (str): Empty for that of the config.
    """

    dataset: str
    question: str = LABEL
    fields: Sequence[str] = field(default_factory=tuple)
    renames: Sequence[str] = field(default_factory=tuple)
    workspace: str = ""


def import_rows(wanted: Wanted, task: TaskSpec | Path, to: str, out: Path, *, config: Path) -> Imported:
    """Write the answered rows of a dataset as labelled rows of a task.

    to (str): "seeds", "dev" or "train": what the rows will be.
    out (Path): A new .jsonl file.
    config (Path): A configs/review.NAME.cfg with the server; the defaults where there is none.
    RETURNS (Imported): What was written and what was left out.
    RAISES (InputError): When the file is there, or the dataset, a field or the question is not.
    """
    spec = task if isinstance(task, TaskSpec) else read_task(task)
    if to not in KINDS:
        raise InputError(f"Rows cannot be imported as '{to}'.", cure=choices(to, KINDS))
    if out.exists():
        raise InputError("This file is there already, and nothing is written over it.", path=out, cure="Choose another with --out.")
    from argilla_bridge.server.connect import connect
    from argilla_bridge.server.reading import open_source

    found = read_config(config) if config.is_file() else {}
    server, review = section(found, "server", ServerSettings, path=config), section(found, "review", ReviewSettings, path=config)
    renames, done = label_pairs(spec, wanted.renames), Imported()
    link = connect(server)
    try:
        source = open_source(link, wanted.workspace or review.workspace, wanted.dataset)
        fields = field_pairs(spec, wanted.fields, source.fields)
        source.check(wanted.question)
        rows = imported_rows(source.rows(wanted.question), task=spec, fields=fields, done=done, renames=renames, ours=source.ours)
        write_jsonl(out, rows)
    finally:
        link.close()
    return done


def named(task: TaskSpec, to: str, out: Path) -> str:
    """RETURNS (str): The line that the task file needs to name the imported rows; the path starts at its folder where it can."""
    try:
        place = out.resolve().relative_to(task.path.parent).as_posix()
    except ValueError:
        place = out.resolve().as_posix()
    return rows_spec(task, to, place)


@dataclass(frozen=True)
class Moved:
    """What `relabel` did, or would do.

    lines (Sequence[str]): For people: the way of each label, what was moved, what to do now.
    """

    lines: Sequence[str]


def relabel(ctx: Context, renames: Sequence[str] = (), *, dry_run: bool = False) -> Moved:
    """Move the datasets of a run to the labels that its task has now; the old ones stay.

    renames (Sequence[str]): "OLD=NEW" each, for labels that got another name.
    dry_run (bool): Only say what would happen.
    RAISES (ConfigError): When the run is not reviewed in Argilla.
    """
    desk = open_desk(ctx)
    if desk.settings.backend != "argilla":
        raise ConfigError("Only datasets in Argilla are relabelled. In a file, write the new label over the old one.")
    from argilla_bridge.server.backend import open_argilla
    from argilla_bridge.server.relabelling import plan_of
    from argilla_bridge.server.relabelling import relabel as move

    backend = open_argilla(server_settings(ctx), desk.settings, run=ctx.folder.path.name, run_id=desk.run_id)
    try:
        plan = plan_of(backend, tuple(desk.task.labels), label_pairs(desk.task, renames))
        if not plan.changes:
            return Moved(["The dataset has these labels already: nothing to move."])
        if dry_run:
            return Moved([*plan.lines(), "Nothing was moved (dry run)."])
        done = move(backend, plan, {dataset: _schema(desk, dataset) for dataset in DATASETS})
    finally:
        backend.close()
    told = [*plan.lines(), f"{done.rows:,} rows and {done.answers:,} answers are in '{done.name}' now."]
    told += [f"{done.waiting:,} answers could not be moved; their rows wait for an answer again."] if done.waiting else []
    told += [f"{len(done.bad):,} rows were refused; the first: {done.bad[0].id}: {done.bad[0].why}"] if done.bad else []
    return Moved([*told, f'Set dataset = "{done.name}" in {ctx.config_path("review")}, then push. The old datasets are as they were.'])


def _schema(desk: Desk, dataset: str) -> ReviewSchema:
    return desk.schema(adjudication=dataset == ADJUDICATION, overlap=dataset == OVERLAP)
