"""`synthesize`: ask the teacher until N rows per label are accepted, for the run and for its control arms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spacy_synthesizrr.candidates import DESCRIPTION
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.near_duplicates import earlier_files
from spacy_synthesizrr.curation.refusals import LANGUAGES, knows
from spacy_synthesizrr.dimensions import read_chosen
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.fingerprints import fingerprint_file
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.progress import progress_bar, say
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.sourcing.settings import WRITTEN
from spacy_synthesizrr.steps.meter import Meter
from spacy_synthesizrr.steps.plan_cost import plan_cost, told
from spacy_synthesizrr.steps.round_trip import RoundTrip
from spacy_synthesizrr.steps.teacher import Arm, arms, pipeline
from spacy_synthesizrr.students.arms import MAIN, SYNTHESIZED, arm_file
from spacy_synthesizrr.synthesis import FILES, STEP, kinds_of
from spacy_synthesizrr.teachers import ANSWERS, asking, teacher_copies

if TYPE_CHECKING:
    from spacy_synthesizrr.curation.verdicts import RowFilter
    from spacy_synthesizrr.models.answers.responses import ResponseStore

STATUS = "status.json"
NOT_REFUSED = "synthesizrr.NotRefused.v1"
COPIES = "not run: this teacher only copies"


def run(ctx: Context, *, tell: Callable[[str], None] = say) -> bool:
    """Write generated.jsonl, synthesized.jsonl and turned_away.jsonl for every arm.

    tell (Callable): Says what it will take, before the first request.
    RETURNS (bool): Whether work was done.
    RAISES (TeacherError): When the teacher can answer no prompt of this strategy, or answered none at all.
    RAISES (WaitsForAnswers): When the teacher answers in a later run; the requests of all arms are written then.
    """
    settings = ctx.depends(
        task=True, files=("seeds", "dev", "test"), configs=("strategy", "teacher", "curate"), settings=("per_label", "seed", "lang")
    )
    if earlier := earlier_files(ctx.config("curate")):
        settings["earlier"] = {name: fingerprint_file(Path(name)) for name in earlier if Path(name).is_file()}
    return run_step(
        ctx.folder, STEP, after=("index", "plan"), settings=settings, outputs=lambda: _outputs(ctx), body=lambda: _body(ctx, tell)
    )


def _outputs(ctx: Context) -> list[str]:
    found: list[str] = []
    for arm in arms(ctx):
        ran = arm.name == MAIN or read_json(arm.folder / STATUS)["run"]
        found += [arm_file(arm.name, name) for name in ((*FILES,) if ran else ())]
        found += [arm_file(arm.name, STATUS)] if arm.name != MAIN else []
    return found


def _body(ctx: Context, tell: Callable[[str], None]) -> dict[str, Any]:
    from spacy_synthesizrr.labelled import run_seeds
    from spacy_synthesizrr.models.answers.responses import ResponseStore
    from spacy_synthesizrr.stores.opening import open_store

    counts: dict[str, Any] = {}
    planned = arms(ctx)
    for name in SYNTHESIZED:
        if name not in {arm.name for arm in planned}:
            _forget(ctx.folder.file(arm_file(name, "")), (*FILES, STATUS))
    if cost := told_cost(ctx):
        tell(cost)
    with closing(open_store(ctx)) as store, ResponseStore(ctx.shared / ANSWERS) as answers:
        lookup = Lookup(ctx.task, store, run_seeds(ctx), read_chosen(ctx.folder.path))
        with RoundTrip() as trip:
            for arm in planned:
                with trip.arm():
                    counts[arm.name] = _run_arm(ctx, arm, lookup, answers, trip)
    if any(arm.get("unanswered") for arm in counts.values()):
        counts["unfinished"] = True
    return counts


def costs_nothing(ctx: Context) -> bool:
    """RETURNS (bool): Whether the teacher works by rule, so that there is nothing to forecast."""
    return _says(ctx, "by_rule")


def defers(ctx: Context) -> bool:
    """RETURNS (bool): Whether the teacher answers in a later run."""
    return _says(ctx, "defers")


def _says(ctx: Context, name: str) -> bool:
    component: Any = pipeline(ctx, arms(ctx)[0].mode).get_pipe("llm_synthesizrr")
    return bool(getattr(component.model, name, False))


def told_cost(ctx: Context) -> str:
    """RETURNS (str): What the step will take, before the first request; empty for teachers that work by rule, which take nothing."""
    if costs_nothing(ctx):
        return ""
    return told(plan_cost(ctx), ctx.folder.name)


def _run_arm(ctx: Context, arm: Arm, lookup: Lookup, answers: ResponseStore, trip: RoundTrip) -> dict[str, Any]:
    from spacy_synthesizrr.synthesis import Plan, synthesize

    nlp = pipeline(ctx, arm.mode, answers, stage=f"{STEP} {arm.name}")
    copies = teacher_copies(nlp)
    if arm.mode in WRITTEN and copies:
        return _not_run(arm)
    accept, remarks = row_filters(ctx, lookup, copies=copies)
    for line in remarks if arm.name == MAIN else ():
        say(line)
    plan = Plan(arm.folder / "planned.jsonl")
    per_label = int(ctx.settings["per_label"])
    wanted = sum(min(per_label, plan.left(key)) for key in plan.offsets)
    with progress_bar(f"Synthesizing ({arm.name})", total=wanted, unit="accepted") as bar:
        with asking(nlp) as model:
            names = [other.name for other in arms(ctx)]
            then = names[names.index(arm.name) + 1 :]
            meter = Meter(model, bar, wanted=wanted, run=ctx.folder.name, arm=arm.name, then=then)
            how: dict[str, Any] = {"accept": accept, "per_label": per_label, "watch": meter.watch, "extra": trip.join(model)}
            outcome = synthesize(plan, arm.folder, nlp=nlp, lookup=lookup, **how)
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
    seeds = [seed.fields[task.generated.name] for seed in lookup.seeds.values() if seed.origin != DESCRIPTION]
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
            f"The strategy '{arm.mode}' needs a teacher that writes without a passage; this teacher only copies. "
            "Choose another teacher with --vars.teacher NAME, or another strategy with --vars.strategy synthesizrr."
        )
    _forget(arm.folder, FILES)
    write_json(arm.folder / STATUS, {"v": 1, "run": False, "why": COPIES})
    return {"not_run": COPIES}


def _forget(folder: Path, names: Iterable[str]) -> None:
    """Remove what an earlier run of the step wrote for an arm that is not run now."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
