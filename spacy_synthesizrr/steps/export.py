"""`export`: accepted and labelled rows become train, dev and test sets, for the student and for every control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from spacy_synthesizrr.configs import section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import RunFolder, run_step
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.students.arms import ARMS, GOLD, MAIN, RETRIEVE_ONLY, SEED_ONLY, SYNTHESIZED, Arm, arm_file, empty_label
from spacy_synthesizrr.students.rows import StudentRow, accepted_rows, labelled_rows, retrieved_rows, seed_rows

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_synthesizrr.students.rows import Passages

REPORT = "export.json"
Source = Callable[[], Iterable[StudentRow]]


def run(ctx: Context) -> bool:
    """Write train.spacy, dev.spacy, test.spacy, controls/<arm>/train.spacy and export.json.

    RETURNS (bool): Whether work was done.
    """
    settings = ctx.depends(task=True, files=("seeds", "dev", "test", "train"), configs=("strategy",), settings=("lang",))
    after = ("index", "synthesize", "curate")
    return run_step(ctx.folder, "export", after=after, settings=settings, outputs=lambda: _outputs(ctx.folder), body=lambda: _body(ctx))


def read_arms(folder: RunFolder) -> list[Arm]:
    """RETURNS (List[Arm]): The arms as export.json tells them, the main one first."""
    return [Arm.from_dict(row) for row in read_json(folder.file(REPORT), cure="Run the step 'export'.")["arms"]]


def _outputs(folder: RunFolder) -> list[str]:
    return [REPORT, "dev.spacy", "test.spacy", *(arm.file for arm in read_arms(folder) if arm.run)]


def _body(ctx: Context) -> dict[str, Any]:
    import spacy

    from spacy_synthesizrr.stores.opening import open_store

    nlp = spacy.blank(str(ctx.settings["lang"]))
    store = open_store(ctx)
    copies: Counter[str] = Counter()
    try:
        arms = [_export_arm(ctx, name, nlp, _sources(ctx, store, copies)) for name in ARMS]
    finally:
        store.close()
    found = {
        "v": 1,
        "task": ctx.task.name,
        "lang": ctx.settings["lang"],
        "exclusive": ctx.task.exclusive,
        "labels": list(ctx.task.labels),
        "arms": [arm.to_dict() for arm in arms],
        "dev": _export_labelled(ctx, "dev", nlp),
        "test": _export_labelled(ctx, "test", nlp),
        "copies": {"rows": copies["rows"], "equal": copies["equal"]},
    }
    write_json(ctx.folder.file(REPORT), found)
    for arm in arms:
        say(f"  {arm.name}: {arm.why or f'{arm.rows} rows'}")
    return {"rows": {arm.name: arm.rows for arm in arms if arm.run}}


def _sources(ctx: Context, store: Passages, copies: Counter[str]) -> Mapping[str, Source]:
    """Where the rows of each arm come from."""
    task, accepted = ctx.task, {name: ctx.folder.file(arm_file(name, "accepted.jsonl")) for name in (MAIN, *SYNTHESIZED)}
    return {
        MAIN: lambda: accepted_rows(accepted[MAIN], task),
        SEED_ONLY: lambda: seed_rows(task),
        GOLD: lambda: labelled_rows(task, "train"),
        RETRIEVE_ONLY: lambda: retrieved_rows(accepted[MAIN], task, store, copies=copies),
        **{name: partial(accepted_rows, accepted[name], task) for name in SYNTHESIZED},
    }


def _export_arm(ctx: Context, name: str, nlp: Language, sources: Mapping[str, Source]) -> Arm:
    from spacy_synthesizrr.students.export import remove_docs, write_docs

    path = ctx.folder.file(arm_file(name, "train.spacy"))
    why = _why_not(ctx, name)
    if why:
        remove_docs(path)
        return Arm(name, why=why)
    labels = list(ctx.task.labels)
    written = write_docs(progress(sources[name](), f"Exporting ({name})"), path, nlp=nlp, labels=labels)
    arm = Arm(name, written.rows, {label: written.labels[label] for label in labels})
    missing = empty_label(arm, labels)
    if name == MAIN or missing is None:
        return arm
    remove_docs(path)
    return Arm(name, arm.rows, arm.labels, why=f"not run: no rows for label '{missing}'" if arm.rows else "not run: no rows")


def _why_not(ctx: Context, name: str) -> str:
    """RETURNS (str): Why an arm cannot be exported; empty when it can."""
    if name == MAIN:
        return ""
    wanted = section(ctx.config("strategy"), "plan", PlanSettings, path=ctx.config_path("strategy")).controls.arms
    if name not in wanted:
        return "not run: the strategy leaves this control out"
    if name == SEED_ONLY and ctx.task.seeds is None:
        return "not run: the task has label descriptions and no seeds"
    if name == GOLD and ctx.task.train is None:
        return "not run: the task names no train file"
    return _why_not_synthesized(ctx.folder, name) if name in SYNTHESIZED else ""


def _why_not_synthesized(folder: RunFolder, name: str) -> str:
    """What the receipts say about a control that the teacher answers; files that an older strategy left count for nothing."""
    status = arm_file(name, "status.json")
    if status in folder.receipt("synthesize")["outputs"]:
        told = read_json(folder.file(status))
        if not told["run"]:
            return str(told["why"])
    if arm_file(name, "accepted.jsonl") not in folder.receipt("curate")["outputs"]:
        return "not run: nothing was planned for this control"
    return ""


def _export_labelled(ctx: Context, kind: Literal["dev", "test"], nlp: Language) -> dict[str, Any]:
    """Write dev or test; without labelled rows the set is empty."""
    from spacy_synthesizrr.students.export import write_docs

    rows = labelled_rows(ctx.task, kind) if ctx.task.file(kind) else ()
    written = write_docs(progress(rows, f"Exporting ({kind})"), ctx.folder.file(f"{kind}.spacy"), nlp=nlp, labels=list(ctx.task.labels))
    return {"rows": written.rows, "labels": {label: written.labels[label] for label in ctx.task.labels}}
