"""`synthesize`: ask the teacher until N rows per label are accepted, for the run and for its control arms."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.refusals import LANGUAGES, knows
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.progress import progress_bar, say
from spacy_synthesizrr.receipts import run_step, versions
from spacy_synthesizrr.steps.meter import Meter
from spacy_synthesizrr.students.arms import FEWGEN, MAIN, SYNTHESIZED, arm_file
from spacy_synthesizrr.synthesis import FILES, STEP, kinds_of

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_synthesizrr.curation.verdicts import RowFilter
    from spacy_synthesizrr.models.responses import ResponseStore

ANSWERS, STATUS = "answers.sqlite", "status.json"
NOT_REFUSED = "synthesizrr.NotRefused.v1"
GRACE = 5.0  # seconds for requests in flight when something else ends the step
COPIES = "not run: this teacher only copies"


@dataclass(frozen=True)
class Arm:
    """The run itself ("main") or a control that the teacher answers too."""

    name: str
    folder: Path
    mode: str


def arms(ctx: Context) -> list[Arm]:
    """RETURNS (List[Arm]): The arms that `plan` planned, by its receipt, the main one first."""
    counts = ctx.folder.receipt("plan")["counts"]
    modes = {name: FEWGEN if name == FEWGEN else str(counts["mode"]) for name in counts["arms"]}
    return [Arm(name, ctx.folder.file(arm_file(name, "")), mode) for name, mode in modes.items()]


def run(ctx: Context) -> bool:
    """Write generated.jsonl, synthesized.jsonl and turned_away.jsonl for every arm.

    RETURNS (bool): Whether work was done.
    RAISES (TeacherError): When the teacher can answer no prompt of this strategy, or answered none at all.
    """
    settings = ctx.depends(
        task=True, files=("seeds", "dev", "test"), configs=("strategy", "teacher", "curate"), settings=("per_label", "seed", "lang")
    )
    return run_step(ctx.folder, STEP, after=("index", "plan"), settings=settings, outputs=lambda: _outputs(ctx), body=lambda: _body(ctx))


def _outputs(ctx: Context) -> list[str]:
    found: list[str] = []
    for arm in arms(ctx):
        ran = arm.name == MAIN or read_json(arm.folder / STATUS)["run"]
        found += [arm_file(arm.name, name) for name in ((*FILES,) if ran else ())]
        found += [arm_file(arm.name, STATUS)] if arm.name != MAIN else []
    return found


def _body(ctx: Context) -> dict[str, Any]:
    from spacy_synthesizrr.labelled import read_seeds
    from spacy_synthesizrr.models.responses import ResponseStore
    from spacy_synthesizrr.stores.opening import open_store

    counts: dict[str, Any] = {}
    planned = arms(ctx)
    for name in SYNTHESIZED:
        if name not in {arm.name for arm in planned}:
            _forget(ctx.folder.file(arm_file(name, "")), (*FILES, STATUS))
    with closing(open_store(ctx)) as store, ResponseStore(ctx.folder.file(ANSWERS)) as answers:
        lookup = Lookup(ctx.task, store, read_seeds(ctx.task))
        for arm in planned:
            counts[arm.name] = _run_arm(ctx, arm, lookup, answers)
    if any(arm.get("unanswered") for arm in counts.values()):
        counts["unfinished"] = True
    return counts


def _run_arm(ctx: Context, arm: Arm, lookup: Lookup, answers: ResponseStore) -> dict[str, Any]:
    from spacy_synthesizrr.synthesis import Plan, synthesize

    nlp = pipeline(ctx, arm.mode, answers, stage=f"{STEP} {arm.name}")
    copies = teacher_copies(nlp)
    if arm.mode == FEWGEN and copies:
        return _not_run(arm)
    accept, remarks = row_filters(ctx, lookup, copies=copies)
    for line in remarks if arm.name == MAIN else ():
        say(line)
    plan = Plan(arm.folder / "planned.jsonl")
    per_label = int(ctx.settings["per_label"])
    with progress_bar(f"Synthesizing ({arm.name})", total=per_label * len(plan.offsets), unit="accepted") as bar:
        with asking(nlp) as model:
            meter = Meter(model, bar, wanted=per_label * len(plan.offsets))
            outcome = synthesize(plan, arm.folder, nlp=nlp, lookup=lookup, accept=accept, per_label=per_label, watch=meter.watch)
    if spent := meter.summary():
        say(f"{arm.name}: {spent}")
    if arm.name != MAIN:
        write_json(arm.folder / STATUS, {"v": 1, "run": True})
    if outcome.unanswered:
        kinds = kinds_of(outcome.unanswered)
        say(f"{arm.name}: {outcome.unanswered.total()} requests failed ({kinds}) and rows are missing; run again to ask them again.")
    found = {"accepted": outcome.accepted, "switched_off": remarks, "copies": copies}
    return found | {"failed": dict(sorted(outcome.failures.items())), "unanswered": outcome.unanswered.total()}


def row_filters(ctx: Context, lookup: Lookup, *, copies: bool) -> tuple[RowFilter, list[str]]:
    """The row filters of configs/curate.cfg for this run, new and without a memory of rows.

    copies (bool): Whether the teacher only copies.
    RETURNS (Tuple[RowFilter, List[str]]): The filter, and what to tell about those that do not (fully) run.
    """
    from spacy_synthesizrr.curation.chain import read_row_filters
    from spacy_synthesizrr.labelled import read_rows

    task, lang = ctx.task, str(ctx.settings["lang"])
    seeds = [seed.fields[task.generated.name] for seed in lookup.seeds.values() if seed.origin == "gold"]
    kinds: tuple[Literal["dev", "test"], ...] = ("dev", "test")
    rows = (row for kind in kinds if getattr(task, kind) is not None for row in read_rows(task, kind))
    gold = [row.fields[spec.name] for row in rows for spec in task.fields]
    config, path = ctx.config("curate"), ctx.config_path("curate")
    accept, off = read_row_filters(config, task, seeds, copies=copies, gold=gold, lang=lang, path=path)
    return accept, [*off, *_unknown_language(config, path, lang)]


def _unknown_language(config: Mapping[str, Any], path: Path, lang: str) -> Iterator[str]:
    for name, about in config["row_filters"].items():
        if about.get("@misc") == NOT_REFUSED and about.get("typical", True) and not about.get("openings") and not knows(lang):
            yield (
                f"The filter '{name}' knows how teachers refuse in {', '.join(LANGUAGES)}, but not in '{lang}': only English refusals are "
                f"found. Add beginnings of others to `openings` in {path}."
            )


def _not_run(arm: Arm) -> dict[str, Any]:
    if arm.name == MAIN:
        raise TeacherError(
            "The strategy 'fewgen' needs a teacher that writes without a passage; this teacher only copies. "
            "Choose another teacher with --vars.teacher NAME, or another strategy with --vars.strategy synthesizrr."
        )
    _forget(arm.folder, FILES)
    write_json(arm.folder / STATUS, {"v": 1, "run": False, "why": COPIES})
    return {"not_run": COPIES}


def _forget(folder: Path, names: Iterable[str]) -> None:
    """Remove what an earlier run of the step wrote for an arm that is not run now."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def teacher(ctx: Context) -> dict[str, Any]:
    """The [teacher] section of the teacher's config.

    RAISES (TeacherError): When there is none.
    """
    block = ctx.config("teacher").get("teacher")
    if not isinstance(block, Mapping) or "@llm_models" not in block:
        example = '@llm_models = "synthesizrr.Extractive.v1"'
        raise TeacherError(f"{ctx.config_path('teacher')}: the section [teacher] with a line such as {example} is missing.")
    return dict(block)


def pipeline(ctx: Context, mode: str, answers: ResponseStore | None = None, *, stage: str = "") -> Language:
    """A blank pipeline with our task and the run's teacher, whose answers are remembered in the response store.

    mode (str): "zero-shot", "retricl", "non-retricl" or "fewgen".
    answers (ResponseStore | None): Where answers are remembered, if they are.
    stage (str): For the ledger.
    """
    import spacy

    from spacy_synthesizrr.models.memory import remember
    from spacy_synthesizrr.steps.plan import plan_settings
    from spacy_synthesizrr.tasks.registry import task_config

    block = teacher(ctx)
    nlp = spacy.blank(str(ctx.settings["lang"]))
    task = task_config(ctx.task, mode=mode)
    if mode != FEWGEN:  # prompts cut passages where the plan measured them
        task["max_context"] = plan_settings(ctx).context.max_tokens
    task["typical_refusals"] = False  # the filter NotRefused decides, where configs/curate.cfg can switch it off
    try:
        nlp.add_pipe("llm_synthesizrr", config={"task": task, "model": block})
    except (ValueError, OSError) as error:  # unknown names and keys; a model that looks for its server when it is built
        said = " ".join(str(error).split())
        raise TeacherError(f"{ctx.config_path('teacher')}: the teacher cannot be built: {said[:600]}") from error
    if answers is not None:
        component: Any = nlp.get_pipe("llm_synthesizrr")
        model = component.model
        component.model = remember(model, answers, identity=identity(block, model), scope=ctx.folder.path.name, stage=stage)
    return nlp


def identity(block: Mapping[str, Any], model: object) -> str:
    """What tells the answers of one teacher from those of another, for request hashes.

    block (Mapping): The teacher's config.
    model (Callable): It says itself what its config does not (endpoint, defaults). A rule is as good as its code, so the
        version of this package counts for teachers that work by rule.
    """
    rule = versions()["spacy-synthesizrr"] if getattr(model, "by_rule", False) else ""
    return digest("teacher", json.dumps(block, sort_keys=True), str(getattr(model, "identity", "")), rule)


@contextmanager
def asking(nlp: Language) -> Iterator[Any]:
    """The teacher while it is asked; afterwards its connections are closed, and what is in flight gets a moment to be kept."""
    component: Any = nlp.get_pipe("llm_synthesizrr")
    try:
        yield component.model
    finally:
        if hasattr(component.model, "close"):
            component.model.close(grace=GRACE)


def teacher_copies(nlp: Language) -> bool:
    """RETURNS (bool): Whether the teacher only copies from passages."""
    component: Any = nlp.get_pipe("llm_synthesizrr")
    return bool(getattr(component.model, "copies", False))
