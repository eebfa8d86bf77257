"""Gathers what the steps of a run wrote down into one document: the numbers of the report, and its numbers.json.

A part whose step has not been run, or is older than the steps before it, is None, and the page says so; nothing is made
up. No text of a passage, seed or row gets in: those are looked up for the page's sample alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from spacy_synthesizrr.candidates import ROW_VERSION
from spacy_synthesizrr.context import KINDS, Context
from spacy_synthesizrr.documents import WRITTEN_BY, read_document
from spacy_synthesizrr.jsonl import read_json, read_jsonl
from spacy_synthesizrr.receipts import STEPS, RunFolder, fresh, loop_command, loop_of, versions
from spacy_synthesizrr.report.findings import Finding, Standing, comparisons, remarks
from spacy_synthesizrr.report.review import STEP, read_review
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import ACCURACY

LEAKS_SHOWN = 20
SETTINGS = ("per_label", "seed", "lang", "gpu_id")


def collect(ctx: Context, *, money: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read the results of every step of a run whose receipt stands.

    money (Mapping): What the run has spent by its ledger: spent, stages.
    RETURNS (dict): Plain JSON; see the keys below.
    RAISES (RunFolderError): When another release wrote one of them; the text names the step to run again.
    """
    valid = {step for step in STEPS if fresh(ctx.folder, step)}
    receipts = {step: ctx.folder.receipt(step) if step in valid else {} for step in STEPS}
    written = {name: name in receipts[step].get("outputs", ()) for name, step in WRITTEN_BY.items()}  # an older release wrote fewer
    files = {name.removesuffix(".json"): read_document(ctx.folder, name) if there else None for name, there in written.items()}
    asked = _asked(ctx, files["index"], receipts)
    standings = read_standings(files["export"], files["student"], files["evaluation"])
    metric = (files["evaluation"] or files["student"] or {"metric": ACCURACY})["metric"]
    exported = files["export"]
    rows = {split: exported[split]["rows"] if exported else 0 for split in ("dev", "test")}
    shared = exported["dev"]["in_test"] if exported else 0
    found = [
        *comparisons(standings, metric=metric, rows=rows, dev_in_test=shared),
        *remarks(asked, files["funnel"], rows=rows, dev_in_test=shared),
    ]
    return {
        "v": ROW_VERSION,
        "run": ctx.folder.name,
        "asked": asked,
        "findings": [{"tone": finding.tone, "text": finding.text} for finding in _in_order(found)],
        "metric": metric,
        "arms": [standing.to_dict() for standing in standings],
        "evaluation": _evaluation(files["evaluation"], tuple(ctx.task.labels), exclusive=ctx.task.exclusive),
        "gold_left_out": exported["gold_left_out"] if exported else {},
        "funnel": files["funnel"],
        "switched_off": _main_counts(receipts).get("switched_off", []),
        "plan": files["plan"],
        "leaks": _leaks(ctx.folder, files["plan"]),
        "gate": files.get("gate"),
        "measures": files["metrics"],
        "curation": files["curation"],
        "money": {
            **(money or {"spent": None, "stages": []}),
            "shared": bool(ctx.inputs.get("account")),
            "home": _home(ctx.folder) if "evaluate" in valid else None,
        },
        "written": sorted(receipts["evaluate"].get("outputs", ())),
        "review": read_review(ctx.folder, receipts[STEP]),
        "versions": versions(),
        "files": {**ctx.inputs["files"], **{f"config: {kind}": about for kind, about in ctx.inputs["configs"].items()}},
        "keys": {step: receipt["key"] for step, receipt in receipts.items() if receipt.get("key")},
        "reproduce": reproduce(ctx),
    }


def _main_counts(receipts: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the receipt of `synthesize` says about the main arm."""
    return receipts["synthesize"].get("counts", {}).get(MAIN, {})


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Bad news first, and otherwise as they come."""
    return sorted(findings, key=lambda finding: finding.tone != "bad")


def _asked(ctx: Context, index: Mapping[str, Any] | None, receipts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    task, identity = ctx.task, ctx.inputs["identity"]
    return {
        "task": task.name,
        "task_file": identity["task"],
        "labels": list(task.labels),
        "exclusive": task.exclusive,
        **{kind: identity.get(kind, ctx.inputs.get(kind, "")) for kind in KINDS},
        **{name: ctx.settings[name] for name in SETTINGS},
        "mode": receipts["plan"].get("counts", {}).get("mode"),
        "copies": _main_counts(receipts).get("copies"),
        "documents": index["documents"] if index else None,
        "passages": index["passages"] if index else None,
        "embedder": index["embedder"]["id"] if index else None,
    }


def read_standings(
    exported: Mapping[str, Any] | None, trained: Mapping[str, Any] | None, evaluation: Mapping[str, Any] | None
) -> list[Standing]:
    """How each arm did, from the latest of export.json, student.json and evaluation.json that is there.

    RETURNS (List[Standing]): The main arm first; empty before `export`.
    """
    dev = {arm["name"]: [seed["dev"] for seed in arm["seeds"] if seed["dev"] is not None] for arm in (trained or {}).get("arms", ())}
    standings = []
    for arm in (evaluation or trained or exported or {}).get("arms", ()):
        ran = not arm["why"]
        standings.append(
            Standing(
                arm["name"],
                rows=arm["rows"] if ran else None,
                steps=arm.get("steps") if ran else None,
                dev=dev.get(arm["name"], ()),
                test=(arm.get("test") or {}).get("seeds", ()) if evaluation else (),
                why=arm["why"],
                interval=arm["interval"] if evaluation else None,
                ece=arm["ece"] if evaluation else None,
            )
        )
    return standings


def _evaluation(evaluation: Mapping[str, Any] | None, labels: Sequence[str], *, exclusive: bool) -> dict[str, Any] | None:
    """The main arm in detail: mean scores per label over training seeds; intervals, calibration and confusions of the chosen student."""
    if evaluation is None:
        return None
    main: Mapping[str, Any] = next((arm for arm in evaluation["arms"] if arm["name"] == MAIN), {})
    chosen = evaluation["chosen"] or {}
    return {
        "rows": evaluation["rows"],
        "why": evaluation["why"],
        "per_label": main.get("per_label", {}),
        "majority": evaluation["baselines"].get("majority"),
        "copies": evaluation["copies"],
        "seed": chosen.get("seed"),
        **{name: chosen[name] if chosen else None for name in ("intervals", "calibration", "thresholds", "finish")},
        "confusion": _confusion(chosen["confusion"], labels if exclusive else ()) if chosen and "shares" not in chosen else None,
        **({"spans": {name: chosen[name] for name in ("em", "shares", "intervals")}} if "shares" in chosen else {}),
    }


def _confusion(cells: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    """The cells that are not empty, and all labels or label sets that occur: those of the task first, in its order."""
    cells = list(cells)
    seen = dict.fromkeys(cell[side] for cell in cells for side in ("gold", "predicted"))
    return {"labels": [*labels, *(name for name in seen if name not in labels)], "cells": cells}


def matrix(confusion: Mapping[str, Any]) -> list[list[int]]:
    """RETURNS (List[List[int]]): All counts, gold labels in rows, in the order of the confusion's labels."""
    place = {name: number for number, name in enumerate(confusion["labels"])}
    counts = [[0] * len(place) for _ in place]
    for cell in confusion["cells"]:
        counts[place[cell["gold"]]][place[cell["predicted"]]] += cell["count"]
    return counts


def _home(folder: RunFolder) -> dict[str, Any] | None:
    """What taking the student home is worth; it is measured anew by every `evaluate` and so no output of its receipt."""
    path = folder.file("takehome.json")
    return dict(read_json(path)) if path.is_file() else None


def _leaks(folder: RunFolder, plan: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Counts, and the first ones by their ids and places."""
    if plan is None:
        return None
    path = folder.file("leaks.jsonl")
    return {"counts": plan["leaks"]["counts"], "head": list(islice(read_jsonl(path, dict), LEAKS_SHOWN)) if path.is_file() else []}


def reproduce(ctx: Context) -> str:
    """RETURNS (str): The command that makes this run again from the project folder; of a round the one that makes its loop."""
    if about := loop_of(ctx.folder):
        return loop_command(about)
    identity = ctx.inputs["identity"]
    chosen = {
        "task": identity["task"],
        "run": ctx.inputs.get("run", ctx.folder.path.name),
        **{kind: identity.get(kind, ctx.inputs.get(kind, "")) for kind in KINDS},
        **{name: ctx.settings[name] for name in SETTINGS},
    }
    return " ".join(["python -m spacy project run all .", *(f"--vars.{name} {shlex.quote(str(value))}" for name, value in chosen.items())])
