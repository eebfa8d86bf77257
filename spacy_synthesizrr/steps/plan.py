"""The step `plan`: seeds and index become planned.jsonl, before anything is generated."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.configs import section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import write_json, write_jsonl
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.sourcing.fewgen import FewGenPlan, needs_passage, plan_fewgen
from spacy_synthesizrr.sourcing.gate import DEV, EQUAL, SEED, Gold, Located, cross_check
from spacy_synthesizrr.sourcing.histograms import histogram
from spacy_synthesizrr.sourcing.plan import Plan
from spacy_synthesizrr.sourcing.plan import plan as make_plan
from spacy_synthesizrr.sourcing.randomly import RandomPlan, draw_passages
from spacy_synthesizrr.sourcing.seeds import group_seeds
from spacy_synthesizrr.sourcing.settings import FEWGEN, PlanSettings
from spacy_synthesizrr.sourcing.shots import Shots
from spacy_synthesizrr.sourcing.summary import LabelCount, ShotCounter, count_labels, refuse_empty_labels, shortfalls, table
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.taskfile import TaskSpec

PLANNED, PLAN, LEAKS, CONTROLS = "planned.jsonl", "plan.json", "leaks.jsonl", "controls"
SHOWN_LEAKS = 20


def plan_settings(ctx: Context) -> PlanSettings:
    """RETURNS (PlanSettings): The section [plan] of the run's strategy.

    RAISES (ConfigError): Names file, key, value and the valid keys.
    """
    return section(ctx.config("strategy"), "plan", PlanSettings, path=ctx.config_path("strategy"))


def planned_arms(task: TaskSpec, settings: PlanSettings) -> tuple[str, ...]:
    """RETURNS (Tuple[str, ...]): The controls that need a plan of their own."""
    if settings.mode == FEWGEN:
        return ()
    return tuple(arm for arm in ("random", FEWGEN) if arm in settings.controls.arms and not (arm == FEWGEN and needs_passage(task)))


def run(ctx: Context) -> bool:
    """Plan the run and its controls.

    RETURNS (bool): Whether work was done.
    RAISES (PlanError): When a label gets no row at all.
    """
    settings = plan_settings(ctx)
    arms = planned_arms(ctx.task, settings)
    return run_step(
        ctx.folder,
        "plan",
        after=("index",),
        settings=ctx.depends(task=True, files=("seeds", "dev", "test"), configs=("strategy",), settings=("per_label", "seed")),
        outputs=(PLANNED, PLAN, LEAKS, *(f"{CONTROLS}/{arm}/{PLANNED}" for arm in arms)),
        body=lambda: _body(ctx, settings, arms),
    )


def _body(ctx: Context, settings: PlanSettings, arms: tuple[str, ...]) -> Mapping[str, Any]:
    seeds, cross, gold = read_sources(ctx.task, settings)
    store = None if settings.mode == FEWGEN else open_store(ctx)
    per_label, seed = int(ctx.settings["per_label"]), ctx.seed
    plan: Plan | FewGenPlan
    if store is None:
        seed_set = group_seeds(seeds, task=ctx.task, settings=settings, seed=seed)
        plan = plan_fewgen(seed_set, task=ctx.task, settings=settings, per_label=per_label, seed=seed)
    else:
        plan = make_plan(seeds, store, task=ctx.task, settings=settings, per_label=per_label, seed=seed, gold=gold)
    counts = count_labels(plan)
    if isinstance(plan, Plan):
        refuse_empty_labels(plan, counts, ctx.task)
    shots = ShotCounter(settings.shots_wanted)
    total = sum(count.planned + count.reserve for count in counts.values())
    _write(ctx, PLANNED, shots.watch(plan.candidates()), total)
    leaks = _write_leaks(ctx, plan, cross)
    controls: dict[str, Any] = {}
    if store is not None and isinstance(plan, Plan):
        controls = _write_controls(ctx, plan, store, counts, arms)
        store.close()
    remarks = [*_remarks(plan, cross, leaks), *filter(None, [shots.remark()]), *shortfalls(counts), *_control_remarks(controls, total)]
    for line in [*table(counts), *remarks]:
        say(line)
    about = {"v": 1, "mode": settings.mode, "preset": settings.preset, "remarks": remarks, **describe(plan, counts)}
    write_json(ctx.folder.file(PLAN), about | {"shots": shots.to_dict(), "leaks": leaks, "controls": controls})
    labels = {key: count.planned + count.reserve for key, count in counts.items()}
    return {
        "mode": settings.mode,
        "planned": labels,
        "missing": {key: count.missing for key, count in counts.items()},
        "leaks": leaks["counts"],
    }


def read_sources(task: TaskSpec, settings: PlanSettings) -> tuple[list[Seed], list[Located], Gold]:
    """Seeds, and the gold texts that neither seeds nor passages may give away.

    RETURNS (Tuple[List[Seed], List[Located], Gold]): Seeds that equal no gold text; what stands in two of seeds, dev and
        test; the gold texts.
    """
    from spacy_synthesizrr.labelled import read_seeds

    seeds, own = read_seeds(task), task.generated.name
    dev, test = (read_gold(task, (kind,), (own,)) for kind in ("dev", "test"))
    leaks = cross_check(seeds, dev, test, field=own, ngram=settings.leaks.ngram)
    equal = {leak.id for leak in leaks if leak.what == SEED and leak.reason == EQUAL}
    everything = read_gold(task, ("dev", "test"), tuple(spec.name for spec in task.fields))
    return [seed for seed in seeds if seed.id not in equal], leaks, everything


def read_gold(task: TaskSpec, kinds: tuple[Literal["dev", "test"], ...], fields: tuple[str, ...]) -> Gold:
    """RETURNS (Gold): Some text fields of every dev or test row, with its place."""
    from spacy_synthesizrr.labelled import read_rows

    texts: list[str] = []
    places: list[str] = []
    for kind in kinds:
        for row in read_rows(task, kind) if getattr(task, kind) is not None else ():
            texts.extend(row.fields[name] for name in fields)
            places.extend([f"{kind}:{row.line}"] * len(fields))
    return Gold(texts, places)


def _write(ctx: Context, name: str, candidates: Iterable[Candidate], total: int) -> int:
    rows = (candidate.to_dict() for candidate in progress(candidates, f"Writing {name}", total=total))
    return write_jsonl(ctx.folder.file(name), rows)


def _write_leaks(ctx: Context, plan: Plan | FewGenPlan, cross: list[Located]) -> dict[str, Any]:
    passages = plan.facts.leaks if isinstance(plan, Plan) else ()
    write_jsonl(ctx.folder.file(LEAKS), (leak.to_dict() for leak in itertools.chain(cross, passages)))
    counts = {name: dict(Counter(leak.reason for leak in cross if leak.what == what)) for name, what in (("seeds", SEED), ("dev", DEV))}
    counts["passages"] = dict(Counter(leak.reason for leak in passages))
    return {"counts": counts, "head": [leak.to_dict() for leak in passages[:SHOWN_LEAKS]]}


def _write_controls(ctx: Context, plan: Plan, store: Any, counts: Mapping[str, LabelCount], arms: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for arm in ("random", FEWGEN):
        if arm not in arms:
            ctx.folder.file(f"{CONTROLS}/{arm}/{PLANNED}").unlink(missing_ok=True)
            continue
        other: RandomPlan | FewGenPlan
        if arm == FEWGEN:
            totals = [counts[key].planned + counts[key].reserve for key in plan.seed_set.keys]
            shots = Shots(plan.seed_set, plan.settings.controls.fewgen_shots)
            other = FewGenPlan(ctx.task, plan.seed_set, shots, totals, plan.per_label, plan.seed)
        else:
            other = RandomPlan(plan, draw_passages(plan, store))
        found[arm] = {"rows": _write(ctx, f"{CONTROLS}/{arm}/{PLANNED}", other.candidates(), len(plan))}
    return found


def _remarks(plan: Plan | FewGenPlan, cross: list[Located], leaks: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(plan, Plan):
        if plan.remark:
            yield plan.remark
        yield f"Similarity window of inputs: {plan.window}." + (
            f" Of in-context pairs: {plan.pair_window}." if plan.shots.pairs is not None else ""
        )
    texts = {leak.id for leak in cross if leak.what == SEED}
    equal = {leak.id for leak in cross if leak.what == SEED and leak.reason == EQUAL}
    if texts:
        yield f"{len(texts)} seeds share text with dev or test ({LEAKS}); the {len(equal)} that equal one are not used."
    if leaks["counts"]["dev"]:
        yield f"{sum(leaks['counts']['dev'].values())} dev rows share text with test ({LEAKS}): scores on dev and test are not independent."
    if leaks["counts"]["passages"]:
        shown = ", ".join(f"{reason} {count}" for reason, count in leaks["counts"]["passages"].items())
        yield f"{sum(leaks['counts']['passages'].values())} passages give a dev or test text away and are left out ({shown}; {LEAKS})."


def _control_remarks(controls: Mapping[str, Any], total: int) -> Iterator[str]:
    for arm, about in controls.items():
        if about["rows"] < total:
            yield f"The control '{arm}' has {about['rows']} rows instead of {total}: the corpus has no more passages that it may use."


def describe(plan: Plan | FewGenPlan, counts: Mapping[str, LabelCount]) -> dict[str, Any]:
    """RETURNS (dict): What plan.json says of a plan: label sets, windows, similarities, and the settings as they were used."""
    found: dict[str, Any] = {"per_label": plan.per_label, "labels": {key: count.to_dict() for key, count in counts.items()}}
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
    seeds, _, _ = read_sources(ctx.task, settings)
    store = open_store(ctx)
    found = look(seeds, store, task=ctx.task, settings=settings, seed=ctx.seed)
    store.close()
    return render(found)
