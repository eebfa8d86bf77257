"""The step `plan`: seeds and index become planned.jsonl, before anything is generated."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.leaks import DEV, EQUAL, SEED, Gold, Leak, Row, cross_leaks
from spacy_synthesizrr.dimensions import CHOSEN, Dimension, write_chosen
from spacy_synthesizrr.errors import PlanError
from spacy_synthesizrr.jsonl import write_json, write_jsonl
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.sourcing.fewgen import FewGenPlan, needs_passage, plan_fewgen
from spacy_synthesizrr.sourcing.histograms import histogram
from spacy_synthesizrr.sourcing.plan import Plan
from spacy_synthesizrr.sourcing.plan import plan as make_plan
from spacy_synthesizrr.sourcing.randomly import RandomPlan, draw_passages
from spacy_synthesizrr.sourcing.s3_seed import S3SeedPlan, plan_s3_seed
from spacy_synthesizrr.sourcing.seeds import group_seeds
from spacy_synthesizrr.sourcing.settings import EXTRAPOLATE, FEWGEN, MAIN, RANDOM, WRITTEN, PlanSettings
from spacy_synthesizrr.sourcing.shots import Shots
from spacy_synthesizrr.sourcing.summary import LabelCount, ShotCounter, count_labels, refuse_empty_labels, shortfalls, table
from spacy_synthesizrr.sourcing.windows import score_remark
from spacy_synthesizrr.steps.plan_settings import plan_settings as plan_settings
from spacy_synthesizrr.steps.rationales import dimensions_of, fingerprint_of
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

PLANNED, PLAN, LEAKS, SEEDS, CONTROLS = "planned.jsonl", "plan.json", "leaks.jsonl", "seeds.jsonl", "controls"
SHOWN_LEAKS = 20


@dataclass(frozen=True)
class Sources:
    """What a plan starts from.

    seeds (List[Seed]): Seeds that equal no dev or test row.
    cross (List[Leak]): What stands in two of seeds, dev and test.
    gold (Gold): Every text field of every dev and test row.
    """

    seeds: list[Seed]
    cross: list[Leak]
    gold: Gold


def planned_arms(task: TaskSpec, settings: PlanSettings) -> dict[str, str]:
    """RETURNS (dict): The controls that are asked for and need a plan of their own, and why one cannot have it (empty: it can)."""
    if settings.mode in WRITTEN:
        return {}
    found: dict[str, str] = {arm: "" for arm in (RANDOM, FEWGEN) if arm in settings.controls.arms}
    if FEWGEN in found and needs_passage(task):
        names = ", ".join(f"'{spec.name}'" for spec in task.carried if spec.origin == "passage")
        found[FEWGEN] = f"not run: the field {names} comes from the passage, and FewGen has none"
    return found


def run(ctx: Context) -> bool:
    """Plan the run and its controls.

    RETURNS (bool): Whether work was done.
    RAISES (PlanError): When a label gets no row at all.
    """
    settings = plan_settings(ctx)
    if settings.mode == EXTRAPOLATE:
        raise PlanError(
            f"The mode '{EXTRAPOLATE}' writes from the errors of a student, which a plan alone does not have: a loop plans it. Run "
            "`synthesizrr loop`, or choose another strategy with --vars.strategy s3-seed."
        )
    arms = planned_arms(ctx.task, settings)
    depends = ctx.depends(task=True, files=("seeds", "dev", "test"), configs=("strategy",), settings=("per_label", "seed"))
    dimensions = dimensions_of(ctx, settings)
    if dimensions:
        depends["values"] = fingerprint_of(dimensions)
    written = (PLANNED, PLAN, LEAKS, SEEDS, *((CHOSEN,) if dimensions else ()))
    return run_step(
        ctx.folder,
        "plan",
        after=("index",),
        settings=depends,
        outputs=(*written, *(_control(arm) for arm, why in arms.items() if not why)),
        body=lambda: _body(ctx, settings, arms, dimensions),
    )


def _body(ctx: Context, settings: PlanSettings, arms: Mapping[str, str], dimensions: list[Dimension]) -> Mapping[str, Any]:
    _remove_controls(ctx)
    ctx.folder.file(CHOSEN).unlink(missing_ok=True)
    sources = read_sources(ctx.task, settings)
    if settings.mode in WRITTEN:
        plan_written = _fewgen if settings.mode == FEWGEN else _s3_seed
        return _write_plan(ctx, plan_written(ctx, sources, settings, dimensions), sources, settings, {})
    with contextlib.closing(open_store(ctx)) as store:
        per_label = int(ctx.settings["per_label"])
        plan = make_plan(sources.seeds, store, task=ctx.task, settings=settings, per_label=per_label, seed=ctx.seed, gold=sources.gold)
        counts = count_labels(plan)
        refuse_empty_labels(plan, counts, ctx.task)
        return _write_plan(ctx, plan, sources, settings, _write_controls(ctx, plan, store, counts, arms))


def _s3_seed(ctx: Context, sources: Sources, settings: PlanSettings, dimensions: list[Dimension]) -> FewGenPlan:
    seed_set = group_seeds(sources.seeds, task=ctx.task, settings=settings, seed=ctx.seed)
    per_label = int(ctx.settings["per_label"])
    if dimensions:
        write_chosen(ctx.folder.file(CHOSEN), dimensions)
    with contextlib.closing(open_store(ctx)) if needs_passage(ctx.task) else contextlib.nullcontext() as store:
        how: dict[str, Any] = {"per_label": per_label, "seed": ctx.seed, "gold": sources.gold}
        return plan_s3_seed(seed_set, store, task=ctx.task, settings=settings, dimensions=dimensions, **how)


def _fewgen(ctx: Context, sources: Sources, settings: PlanSettings, dimensions: list[Dimension]) -> FewGenPlan:
    seed_set = group_seeds(sources.seeds, task=ctx.task, settings=settings, seed=ctx.seed)
    return plan_fewgen(seed_set, task=ctx.task, settings=settings, per_label=int(ctx.settings["per_label"]), seed=ctx.seed)


def _write_plan(
    ctx: Context, plan: Plan | FewGenPlan, sources: Sources, settings: PlanSettings, controls: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Write the plan, say what it has and lacks, and return the counts for the receipt."""
    counts = count_labels(plan)
    labels = {key: count.planned + count.reserve for key, count in counts.items()}
    total = sum(labels.values())
    shots = ShotCounter(settings.shots_wanted)
    _write(ctx, PLANNED, shots.watch(plan.candidates()), total)
    write_jsonl(ctx.folder.file(SEEDS), (seed.to_dict() for seed in plan.seed_set.seeds))
    leaks = _write_leaks(ctx, plan, sources.cross)
    few = filter(None, [shots.remark()])
    remarks = [*_remarks(plan, sources.cross, leaks), *few, *shortfalls(counts), *_control_remarks(controls, total)]
    for line in [*table(counts), *remarks]:
        say(line)
    about = {"v": 1, "mode": settings.mode, "preset": settings.preset, "remarks": remarks, **describe(plan, counts)}
    write_json(ctx.folder.file(PLAN), about | {"shots": shots.to_dict(), "leaks": leaks, "controls": controls})
    return {
        "mode": settings.mode,
        "arms": [MAIN, *(arm for arm, made in controls.items() if "why" not in made)],
        "not_planned": {arm: made["why"] for arm, made in controls.items() if "why" in made},
        "planned": labels,
        "missing": {key: count.missing for key, count in counts.items()},
        "leaks": leaks["counts"],
    }


def read_sources(task: TaskSpec, settings: PlanSettings) -> Sources:
    """Read seeds, dev and test, and compare them.

    RAISES (PlanError): When all seeds of a label equal dev or test rows.
    """
    from spacy_synthesizrr.labelled import read_seeds

    seeds = read_seeds(task)
    dev, test = (_gold_rows(task, kind) for kind in ("dev", "test"))
    cross = cross_leaks([Row(seed.id, tuple(seed.fields.values())) for seed in seeds], dev, test, n=settings.leaks.ngram)
    equal = {leak.id for leak in cross if leak.what == SEED and leak.reason == EQUAL}
    kept = [seed for seed in seeds if seed.id not in equal]
    for label in task.labels:
        if not any(label in seed.labels for seed in kept):
            count = sum(label in seed.labels for seed in seeds)
            raise PlanError(
                f"All {count} seeds of the label '{label}' equal a dev or test text, so none can be used. "
                "Give other seeds (`synthesizrr seeds draw` cuts one file into parts that do not overlap), or other dev and test rows."
            )
    return Sources(kept, cross, Gold.of([*dev, *test]))


def _gold_rows(task: TaskSpec, kind: Literal["dev", "test"]) -> list[Row]:
    """Dev or test rows with all their text fields; none when the task names no such file."""
    from spacy_synthesizrr.labelled import read_rows

    if getattr(task, kind) is None:
        return []
    return [Row(f"{kind}:{row.line}", tuple(row.fields.values())) for row in read_rows(task, kind)]


def _write(ctx: Context, name: str, candidates: Iterable[Candidate], total: int) -> int:
    rows = (candidate.to_dict() for candidate in progress(candidates, f"Writing {name}", total=total))
    return write_jsonl(ctx.folder.file(name), rows)


def _write_leaks(ctx: Context, plan: Plan | FewGenPlan, cross: list[Leak]) -> dict[str, Any]:
    passages = plan.facts.leaks if isinstance(plan, Plan) else ()
    write_jsonl(ctx.folder.file(LEAKS), (leak.to_dict() for leak in itertools.chain(cross, passages)))
    counts = {name: dict(Counter(leak.reason for leak in cross if leak.what == what)) for name, what in (("seeds", SEED), ("dev", DEV))}
    counts["passages"] = dict(Counter(leak.reason for leak in passages))
    near = plan.gate.similarity if isinstance(plan, Plan) else None
    return {
        "counts": counts,
        "threshold": near if near is None else round(near, 4),
        "head": [leak.to_dict() for leak in passages[:SHOWN_LEAKS]],
    }


def _control(arm: str) -> str:
    return f"{CONTROLS}/{arm}/{PLANNED}"


def _remove_controls(ctx: Context) -> None:
    """What an earlier plan made for a control must not be taken for this one's."""
    for arm in (RANDOM, FEWGEN):
        ctx.folder.file(_control(arm)).unlink(missing_ok=True)


def _write_controls(
    ctx: Context, plan: Plan, store: Store, counts: Mapping[str, LabelCount], arms: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """RETURNS (dict): For each control its rows, and why there are none."""
    found: dict[str, dict[str, Any]] = {}
    for arm, why in arms.items():
        other: RandomPlan | FewGenPlan
        if why:
            found[arm] = {"rows": 0, "why": why}
            continue
        if arm == FEWGEN:
            totals = [counts[key].planned + counts[key].reserve for key in plan.seed_set.keys]
            shots = Shots(plan.seed_set, plan.settings.controls.fewgen_shots)
            other = FewGenPlan(ctx.task, plan.seed_set, shots, totals, plan.per_label, plan.seed)
        else:
            other = RandomPlan(plan, draw_passages(plan, store))
        found[arm] = {"rows": _write(ctx, _control(arm), other.candidates(), len(plan))}
    return found


def _remarks(plan: Plan | FewGenPlan, cross: list[Leak], leaks: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(plan, Plan):
        yield from filter(None, [plan.remark, score_remark(plan.settings)])
        if plan.settings.filter.where:
            yield f"Only passages with {' and '.join(map(str, plan.settings.filter.where))} are used."
        yield f"Similarity window of inputs: {plan.window}." + (
            f" Of in-context pairs: {plan.pair_window}." if plan.shots.pairs is not None else ""
        )
    if isinstance(plan, S3SeedPlan) and (unused := sorted(plan.unused)):
        yield f"Not used, because the task has fields that are not written: {', '.join(unused)} (`pairs = true` uses it all the same)."
    if plan.seed_set.left_out:
        yield f"{plan.seed_set.left_out} seeds are not used, because seeds_per_label of [plan] limits them ({SEEDS} has the others)."
    texts = {leak.id for leak in cross if leak.what == SEED}
    equal = {leak.id for leak in cross if leak.what == SEED and leak.reason == EQUAL}
    if texts:
        yield f"{len(texts)} seeds share text with dev or test ({LEAKS}); the {len(equal)} that equal one are not used."
    if leaks["counts"]["dev"]:
        yield f"{sum(leaks['counts']['dev'].values())} dev rows share text with test ({LEAKS}): scores on dev and test are not independent."
    if leaks["counts"]["passages"]:
        shown = ", ".join(f"{reason} {count}" for reason, count in leaks["counts"]["passages"].items())
        yield f"{sum(leaks['counts']['passages'].values())} passages give a dev or test text away and are left out ({shown}; {LEAKS})."


def _control_remarks(controls: Mapping[str, Mapping[str, Any]], total: int) -> Iterator[str]:
    for arm, about in controls.items():
        if "why" in about:
            yield f"The control '{arm}' is {about['why']}."
        elif about["rows"] < total:
            yield f"The control '{arm}' has {about['rows']} rows instead of {total}: the corpus has no more passages that it may use."


def describe(plan: Plan | FewGenPlan, counts: Mapping[str, LabelCount]) -> dict[str, Any]:
    """RETURNS (dict): What plan.json says of a plan: label sets, seeds, windows, similarities, and the settings as they were used."""
    found: dict[str, Any] = {"per_label": plan.per_label, "labels": {key: count.to_dict() for key, count in counts.items()}}
    found["seeds"] = {"used": len(plan.seed_set.seeds), "left_out": plan.seed_set.left_out}
    if isinstance(plan, S3SeedPlan) and plan.dimensions:
        found["dimensions"] = {one.name: {"header": one.header, "per_row": one.per_row, "values": one.size} for one in plan.dimensions}
    if isinstance(plan, FewGenPlan):
        return found
    inputs = plan.hits.between(plan.settings.input_ranks)
    similarity, group = plan.hits.similarity[inputs], plan.group[inputs]
    windows = {"inputs": plan.window, "pairs": plan.pair_window}
    found["windows"] = {name: {"low": round(at.low, 4), "high": round(at.high, 4), "said": at.said} for name, at in windows.items()}
    found["ranks"] = list(plan.settings.input_ranks)
    found["histogram"] = histogram(similarity, {key: group == i for i, key in enumerate(plan.seed_set.keys)}).to_dict()
    found["settings"] = plan.settings.model_dump(mode="json")
    return found


def calibrate(ctx: Context) -> str:
    """RETURNS (str): The similarities between seeds and passages, drawn for a terminal, and the windows they suggest."""
    from spacy_synthesizrr.sourcing.calibrate import calibrate as look
    from spacy_synthesizrr.sourcing.calibrate import render

    settings = plan_settings(ctx)
    seeds = read_sources(ctx.task, settings).seeds
    with contextlib.closing(open_store(ctx)) as store:
        return render(look(seeds, store, task=ctx.task, settings=settings, seed=ctx.seed))
