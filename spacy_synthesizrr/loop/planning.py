"""The plan of a round: what the teacher is asked for, written as the step `plan` writes it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.dimensions import CHOSEN
from spacy_synthesizrr.embedders.none import embeds
from spacy_synthesizrr.errors import PlanError
from spacy_synthesizrr.jsonl import atomic, write_json, write_jsonl
from spacy_synthesizrr.labelled import run_seeds
from spacy_synthesizrr.loop.extrapolation import EXTRAPOLATE, TEXT, Extrapolated, from_passages, from_text, unseen
from spacy_synthesizrr.loop.folder import Loop
from spacy_synthesizrr.loop.parents import Parent, Uses
from spacy_synthesizrr.loop.split import ERROR
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.sourcing.settings import MAIN
from spacy_synthesizrr.sourcing.summary import LabelCount, ShotCounter
from spacy_synthesizrr.steps.plan import LEAKS, PLAN, PLANNED, SEEDS, plan_settings

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

NO_LEAKS: Mapping[str, Any] = {"counts": {"seeds": {}, "dev": {}, "passages": {}}, "threshold": None, "head": []}


@dataclass(frozen=True)
class Asked:
    """What a round asks its teacher for.

    mode (str): Of the prompts.
    planned (Extrapolated): The candidates, and what was turned away on the way to them.
    remarks (Tuple[str, ...]): What to tell people.
    values (Path | None): A file with the reasons and attributes that the rows are written from, see `dimensions`.
    """

    mode: str
    planned: Extrapolated
    remarks: tuple[str, ...] = field(default=())
    values: Path | None = None


class NothingToAsk(PlanError):
    """No row of a round can be asked for."""


def extrapolate(loop: Loop, ctx: Context, store: Store, parents: Sequence[Parent], *, number: int, uses: Uses) -> Asked:
    """Ask for rows like some parents, as the section [extrapolate] says.

    ctx (Context): The round. store (Store): Its index.
    uses (Uses): What earlier rounds of the arm and the starting run used.
    """
    asked = loop.settings.extrapolate
    if asked.how == TEXT:
        return Asked(EXTRAPOLATE, from_text(parents, task=loop.task, per_error=asked.per_error, uses=uses, round_number=number))
    settings = plan_settings(ctx)
    found = from_passages(
        parents,
        store,
        task=loop.task,
        settings=settings,
        per_error=asked.per_error,
        uses=uses,
        round_number=number,
        seed=ctx.seed,
        seeds=run_seeds(ctx),
        gold=unseen(loop.task, loop.parts[ERROR]),
        neighbours=loop.neighbours,
    )
    return Asked(settings.mode, found, tuple(_remarks(loop, store, found, len(parents))))


def _remarks(loop: Loop, store: Store, found: Extrapolated, parents: int) -> Iterator[str]:
    if loop.neighbours is not None and not embeds(store.embedder):
        yield "The index has no vectors, so no labelled rows are asked about passages."
    if found.without:
        away = found.turned_away.get("neighbours", 0)
        why = f"; {away:,} hits lie among labelled rows of other labels" if away else ""
        yield f"No passage is left for {found.without} of {parents} parents{why}."


def plan_round(ctx: Context, settings: Mapping[str, Any], ask: Callable[[Store], Asked]) -> bool:
    """Write planned.jsonl, plan.json, leaks.jsonl and seeds.jsonl of a round.

    settings (Mapping): What the plan depends on beside the task, its files and configs: plain JSON.
    ask (Callable): Plans, given the index.
    RETURNS (bool): Whether work was done.
    RAISES (NothingToAsk): When there is nothing to ask for.
    """
    return run_step(
        ctx.folder,
        "plan",
        after=("index",),
        settings=ctx.depends(task=True, files=("seeds", "dev", "test", "parents"), configs=("strategy",), settings=("seed",))
        | dict(settings),
        outputs=lambda: [PLANNED, PLAN, LEAKS, SEEDS, *([CHOSEN] if ctx.folder.file(CHOSEN).is_file() else [])],
        body=lambda: _body(ctx, ask),
    )


def _body(ctx: Context, ask: Callable[[Store], Asked]) -> dict[str, Any]:
    from spacy_synthesizrr.stores.opening import open_store

    with contextlib.closing(open_store(ctx)) as store:
        asked = ask(store)
    rows, away = asked.planned.candidates, dict(asked.planned.turned_away)
    if not rows:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(away.items(), key=lambda item: -item[1]))
        raise NothingToAsk(
            f"Nothing can be asked for in the round '{ctx.folder.name}'" + (f" (passages turned away: {reasons})" if reasons else "") + ". "
            'Widen [plan.window] of the strategy, raise `hits`, add passages, or set [extrapolate] neighbours = null or with = "text".'
        )
    ctx.folder.file(CHOSEN).unlink(missing_ok=True)
    if asked.values is not None:
        with atomic(ctx.folder.file(CHOSEN)) as file:
            file.write(asked.values.read_text(encoding="utf-8"))
    seeds = {seed.id: seed for seed in run_seeds(ctx)}
    used = [seeds[name] for name in dict.fromkeys(_seed_ids(rows)) if name in seeds]
    counts, shots = _counts(rows, used), ShotCounter(max(len(row.shots) for row in rows))
    write_jsonl(ctx.folder.file(PLANNED), (row.to_dict() for row in shots.watch(iter(rows))))
    write_jsonl(ctx.folder.file(SEEDS), (seed.to_dict() for seed in used))
    write_jsonl(ctx.folder.file(LEAKS), (leak.to_dict() for leak in asked.planned.leaks))
    leaks = {**NO_LEAKS, "counts": {**NO_LEAKS["counts"], "passages": dict(Counter(leak.reason for leak in asked.planned.leaks))}}
    about = {"v": 1, "mode": asked.mode, "preset": "loop", "remarks": list(asked.remarks), "turned_away": away}
    labels = {key: count.to_dict() for key, count in counts.items()}
    more = {"per_label": int(ctx.settings["per_label"]), "labels": labels, "seeds": {"used": len(used), "left_out": 0}}
    write_json(ctx.folder.file(PLAN), about | more | {"shots": shots.to_dict(), "leaks": leaks, "controls": {}})
    planned = {key: count.planned for key, count in counts.items()}
    return {
        "mode": asked.mode,
        "arms": [MAIN],
        "not_planned": {},
        "planned": planned,
        "missing": dict.fromkeys(planned, 0),
        "leaks": leaks["counts"],
    }


def _seed_ids(rows: Sequence[Candidate]) -> list[str]:
    return [name for row in rows for name in (row.seed_id, *(shot.seed_id for shot in row.shots))]


def _counts(rows: Sequence[Candidate], seeds: Sequence[Seed]) -> dict[str, LabelCount]:
    """What is asked for is what is wanted: a round has no reserve."""
    planned = Counter(row.key for row in rows)
    asking = {row.seed_id: row.key for row in rows}
    own = Counter(asking[seed.id] for seed in seeds if seed.id in asking)
    return {key: LabelCount(planned[key], planned[key], 0, own[key]) for key in sorted(planned)}
