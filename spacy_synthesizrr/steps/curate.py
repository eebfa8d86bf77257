"""`curate`: judge the finished set, keep every rejected row with its reason, count the funnel.

What the set filters leave goes to accepted.jsonl, what they or the row filters turned away (and what failed) to
rejected.jsonl, for the run itself and for each control arm that was synthesized. What they found out goes to curation.json.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import ACCEPTED, ROW_VERSION, Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.dimensions import read_chosen
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.funnel import Funnel
from spacy_synthesizrr.jsonl import atomic, dumps, write_json
from spacy_synthesizrr.lines import count_lines
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import RunFolder, run_step
from spacy_synthesizrr.set_filters.running import (
    SAID,
    SET_FILTERS,
    STEP,
    UNFINISHED,
    Curated,
    Rows,
    SetBinder,
    SetInputs,
    curated,
    read_set_filters,
)
from spacy_synthesizrr.steps.checking import check_config
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.synthesis import FILES

REPORT = "curation.json"
OUTPUTS = ("accepted.jsonl", "rejected.jsonl", "funnel.json")
_, KEPT, AWAY = FILES  # what the row filters of `synthesize` let through and turned away
NO_LACK = ("rank", "surplus")  # hits that the plan did not need


def run(ctx: Context) -> bool:
    """Write accepted.jsonl, rejected.jsonl and funnel.json for every arm, and curation.json.

    RETURNS (bool): Whether work was done.
    """
    arms = synthesized_arms(ctx.folder)
    check_config("curate", ctx.config("curate"), ctx.config_path("curate"))
    filters = read_set_filters(ctx.config("curate"), path=ctx.config_path("curate"))
    configs = sorted({kind for binder in filters.values() for kind in binder.configs})
    others = sorted({path.as_posix() for binder in filters.values() for path in binder.files})
    rests_on: dict[str, Any] = {"files": ("seeds", "dev", "train"), "settings": ("seed", "lang")} if filters else {}
    return run_step(
        ctx.folder,
        STEP,
        after=("index", "plan", "synthesize") if filters else ("plan", "synthesize"),
        settings=ctx.depends(task=True, configs=("curate", *configs), **rests_on) | _of_files(others),
        outputs=[REPORT, *((folder / name).as_posix() for folder in arms.values() for name in OUTPUTS)],
        body=lambda: _body(ctx, arms, filters),
    )


def _of_files(names: Sequence[str]) -> dict[str, Any]:
    found = {name: fingerprint(Path(name))["sha256"] if Path(name).is_file() else None for name in names}
    return {"set_filter_files": found} if found else {}


def synthesized_arms(folder: RunFolder) -> dict[str, Path]:
    """The arms that `synthesize` wrote, by its receipt: what an earlier strategy left in the folder is none.

    RETURNS (Dict[str, Path]): "main" and the controls; folders relative to the run folder.
    """
    folders = [Path(name).parent for name in folder.receipt("synthesize")["outputs"] if Path(name).name == KEPT]
    return {folder.name or MAIN: folder for folder in sorted(folders)}


def _body(ctx: Context, arms: Mapping[str, Path], filters: Mapping[str, SetBinder]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        lookup = None
        if filters:
            lookup = _lookup(ctx)
            stack.enter_context(contextlib.closing(lookup.store))
        counts: dict[str, Any] = {name: _arm(ctx, name, folder, filters, lookup, told) for name, folder in arms.items()}
    write_json(ctx.folder.file(REPORT), {"v": ROW_VERSION, "arms": told})
    if any(about.get(UNFINISHED) for arm in told.values() for about in arm["filters"].values()):
        counts[UNFINISHED] = True
    return counts


def _arm(
    ctx: Context, name: str, folder: Path, filters: Mapping[str, SetBinder], lookup: Lookup | None, told: dict[str, Any]
) -> dict[str, int]:
    where = ctx.folder.path / folder
    funnel = _start(ctx, name, where / "planned.jsonl")
    with _curated(ctx, name, where, filters, lookup) as found:
        sort_rows(where, found, funnel, what=f"Curating ({name})")
    told[name] = {"filters": found.told, "off": list(found.off)}
    said = [about[SAID] for about in found.told.values() if about.get(SAID)]
    for sentence in [*found.off, *said] if name == MAIN else ():
        say(sentence)
    leaks = {"leaks": read_document(ctx.folder, "plan.json")["leaks"]["counts"]} if name == MAIN else {}
    write_json(where / "funnel.json", funnel.to_dict() | leaks)
    _tell(name, funnel)
    return {"accepted": funnel.total.accepted, "asked": funnel.total.asked, "short": funnel.short}


def _curated(
    ctx: Context, arm: str, where: Path, filters: Mapping[str, SetBinder], lookup: Lookup | None
) -> contextlib.AbstractContextManager[Curated]:
    if lookup is None:
        return contextlib.nullcontext(Curated(Rows(where / KEPT), (), {}, ()))
    sections = ctx.config("curate")[SET_FILTERS]
    kinds = {name: str(sections[name]["@misc"]) for name in filters}
    return curated(where / KEPT, filters, SetInputs(ctx, arm, where, lookup), kinds=kinds)


def _lookup(ctx: Context) -> Lookup:
    from spacy_synthesizrr.labelled import run_seeds
    from spacy_synthesizrr.stores.opening import open_store

    seeds = run_seeds(ctx)  # first: when it fails, no store is left open
    return Lookup(ctx.task, open_store(ctx), seeds, read_chosen(ctx.folder.path))


def _start(ctx: Context, arm: str, planned: Path) -> Funnel:
    """A funnel that knows what was asked for and has counted an arm's plan; passages were passed over for the main plan only."""
    plan = read_document(ctx.folder, "plan.json")["labels"]
    funnel = Funnel({})
    for key, about in plan.items():
        funnel.ask(key, about["wanted"], {k: n for k, n in about["turned_away"].items() if k not in NO_LACK} if arm == MAIN else None)
    for candidate in Rows(planned):
        funnel.add(candidate)
    return funnel


def sort_rows(where: Path, found: Curated, funnel: Funnel, *, what: str) -> None:
    """Stream an arm's rows into accepted.jsonl and rejected.jsonl and count them.

    where (Path): The arm's folder.
    found (Curated): What the set filters left and took away.
    """
    with atomic(where / "accepted.jsonl") as kept, atomic(where / "rejected.jsonl") as rejected:
        total = count_lines(where / AWAY, where / KEPT)
        for candidate in progress(_all(where, found), what, total=total):
            funnel.add(candidate)
            file = kept if candidate.status == ACCEPTED else rejected
            file.write(dumps(candidate.to_dict()) + "\n")


def _all(where: Path, found: Curated) -> Iterator[Candidate]:
    return chain(Rows(where / AWAY), *found.gone, found.kept)


def _tell(arm: str, funnel: Funnel) -> None:
    """The whole funnel of the run itself, one line for a control."""
    if arm == MAIN:
        say(funnel.table())
        return
    say(f"Control '{arm}': {funnel.total.accepted} of {funnel.total.asked} rows" + (f", short by {funnel.short}." if funnel.short else "."))
