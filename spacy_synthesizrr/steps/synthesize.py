"""`synthesize`: ask the teacher until N rows per label are accepted, for the run and for its control arms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, digest
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.progress import progress_bar, say
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.synthesis import FILES, STEP

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_synthesizrr.models.responses import ResponseStore

ANSWERS = "answers.sqlite"
FEWGEN = "fewgen"
COPIES = "not run: this teacher only copies"


@dataclass(frozen=True)
class Arm:
    """The run itself ("main") or a control that the teacher answers too."""

    name: str
    folder: Path
    mode: str


def arms(ctx: Context) -> list[Arm]:
    """RETURNS (List[Arm]): The arms that `plan` planned, the main one first."""
    mode = str(ctx.folder.receipt("plan")["counts"]["mode"])
    found = [Arm("main", ctx.folder.path, mode)]
    for name, its_mode in (("random", mode), (FEWGEN, FEWGEN)):
        folder = ctx.folder.path / "controls" / name
        if (folder / "planned.jsonl").is_file():
            found.append(Arm(name, folder, its_mode))
    return found


def run(ctx: Context) -> bool:
    """Write generated.jsonl, synthesized.jsonl and turned_away.jsonl for every arm.

    RETURNS (bool): Whether work was done.
    RAISES (TeacherError): When the teacher can answer no prompt of this strategy.
    """
    settings = ctx.depends(task=True, files=("seeds",), configs=("strategy", "teacher", "curate"), settings=("per_label", "seed", "lang"))
    return run_step(ctx.folder, STEP, after=("index", "plan"), settings=settings, outputs=lambda: _outputs(ctx), body=lambda: _body(ctx))


def _outputs(ctx: Context) -> list[str]:
    found = [arm.folder / name for arm in arms(ctx) for name in (*FILES, "status.json") if (arm.folder / name).is_file()]
    return [path.relative_to(ctx.folder.path).as_posix() for path in found]


def _body(ctx: Context) -> dict[str, Any]:
    from spacy_synthesizrr.labelled import read_seeds
    from spacy_synthesizrr.models.responses import ResponseStore
    from spacy_synthesizrr.stores.opening import open_store

    store = open_store(ctx)
    seeds = read_seeds(ctx.task)
    lookup = Lookup(ctx.task, store, seeds)
    counts: dict[str, Any] = {}
    with ResponseStore(ctx.folder.file(ANSWERS)) as answers:
        for arm in arms(ctx):
            counts[arm.name] = _run_arm(ctx, arm, lookup, answers)
    store.close()
    return counts


def _run_arm(ctx: Context, arm: Arm, lookup: Lookup, answers: ResponseStore) -> dict[str, Any]:
    from spacy_synthesizrr.curation.chain import read_row_filters
    from spacy_synthesizrr.synthesis import Plan, synthesize

    nlp = pipeline(ctx, arm.mode, answers)
    copies = teacher_copies(nlp)
    status = arm.folder / "status.json"
    if arm.mode == FEWGEN and copies:
        return _not_run(arm, status)
    texts = [seed.fields[ctx.task.generated.name] for seed in lookup.seeds.values() if seed.origin == "gold"]
    accept, switched_off = read_row_filters(ctx.config("curate"), ctx.task, texts, copies=copies)
    plan = Plan(arm.folder / "planned.jsonl")
    per_label = int(ctx.settings["per_label"])
    wanted = per_label * len(plan.offsets)
    if arm.name == "main":
        for line in switched_off:
            say(line)
    with progress_bar(f"Synthesizing ({arm.name})", total=wanted, unit="accepted") as bar:

        def watch(candidate: Candidate) -> None:
            bar.update(candidate.status == ACCEPTED)

        accepted = synthesize(plan, arm.folder, nlp=nlp, lookup=lookup, accept=accept, per_label=per_label, watch=watch)
    if arm.name != "main":
        write_json(status, {"v": 1, "run": True})
    return {"accepted": accepted, "switched_off": switched_off, "copies": copies}


def _not_run(arm: Arm, status: Path) -> dict[str, Any]:
    if arm.name == "main":
        raise TeacherError(
            "The strategy 'fewgen' needs a teacher that writes without a passage; this teacher only copies. "
            "Choose another teacher with --vars.teacher NAME, or another strategy with --vars.strategy synthesizrr."
        )
    write_json(status, {"v": 1, "run": False, "why": COPIES})
    return {"not_run": COPIES}


def teacher(ctx: Context) -> dict[str, Any]:
    """The [teacher] section of the teacher's config.

    RAISES (TeacherError): When there is none.
    """
    block = ctx.config("teacher").get("teacher")
    if not isinstance(block, Mapping) or "@llm_models" not in block:
        example = '@llm_models = "synthesizrr.Extractive.v1"'
        raise TeacherError(f"{ctx.config_path('teacher')}: the section [teacher] with a line such as {example} is missing.")
    return dict(block)


def pipeline(ctx: Context, mode: str, answers: ResponseStore | None = None) -> Language:
    """A blank pipeline with our task and the run's teacher, whose answers are remembered in the response store.

    mode (str): "zero-shot", "retricl", "non-retricl" or "fewgen".
    """
    import spacy

    from spacy_synthesizrr.models.responses import Remembering
    from spacy_synthesizrr.steps.plan import plan_settings
    from spacy_synthesizrr.tasks.registry import task_config

    block = teacher(ctx)
    nlp = spacy.blank(str(ctx.settings["lang"]))
    task = task_config(ctx.task, mode=mode)
    if mode != FEWGEN:  # prompts cut passages where the plan measured them
        task["max_context"] = plan_settings(ctx).context.max_tokens
    nlp.add_pipe("llm_synthesizrr", config={"task": task, "model": block})
    if answers is not None:
        component: Any = nlp.get_pipe("llm_synthesizrr")
        identity = digest("teacher", json.dumps(block, sort_keys=True))
        component._model = Remembering(component._model, answers, identity)
    return nlp


def teacher_copies(nlp: Language) -> bool:
    """RETURNS (bool): Whether the teacher only copies from passages."""
    component: Any = nlp.get_pipe("llm_synthesizrr")
    model = component._model
    return bool(getattr(getattr(model, "model", model), "copies", False))
