"""The parts of the page about the synthetic rows: from the plan to what was accepted, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spacy_synthesizrr.report import data_tables, figures
from spacy_synthesizrr.report.parts import Numbers, Part, Plots, not_run
from spacy_synthesizrr.report.view import commanded
from spacy_synthesizrr.students.arms import MAIN

SCORES = {"vector": "cosine", "keyword": "BM25 score", "hybrid": "fused score of words and vectors"}  # by kind of search


def funnel(numbers: Numbers) -> Part:
    """From the plan to accepted rows."""
    head: dict[str, Any] = {"anchor": "funnel", "title": "From the plan to accepted rows", "short": "Funnel"}
    found = numbers["funnel"]
    if not found:
        return Part(**head, missing=not_run("Funnel", "curate"))
    plots: Plots = ()
    if found["labels"]:
        plot = figures.funnel({label: data_tables.ends(counts) for label, counts in found["labels"].items()})
        plots = ((plot, "What became of the candidates of each label"),)
    reasons = data_tables.reasons_table(found)
    sentences = (*(() if reasons else ("No candidate was turned away.",)), *data_tables.funnel_sentences(found), *numbers["switched_off"])
    return Part(
        **head,
        plots=plots,
        tables=(*((reasons,) if reasons else ()), data_tables.funnel_table(found)),
        sentences=sentences,
        bad=tuple(found["shortfalls"]),
        files=("funnel.json", "rejected.jsonl"),
        commands=(commanded("rows", numbers["run"], arm=MAIN, status="rejected"),) if reasons else (),
    )


def sourcing(numbers: Numbers, accepted: Sequence[int] = ()) -> Part:
    """Where the content comes from.

    accepted (Sequence[int]): How many accepted rows fall into each bin of the plan's histogram.
    """
    head: dict[str, Any] = {"anchor": "sourcing", "title": "Where the content comes from", "short": "Sourcing"}
    plan = numbers["plan"]
    if not plan:
        return Part(**head, missing=not_run("Plan", "plan"))
    sentences = tuple(data_tables.plan_remarks(plan))
    plots: Plots = ()
    if plan.get("histogram"):
        plots = ((_similarity(plan, accepted), "How close the retrieved passages are to their seeds"),)
    else:
        sentences = ("There are no similarities: this strategy retrieves no passages.", *sentences)
    files = ("plan.json", "planned.jsonl")
    return Part(**head, plots=plots, tables=(data_tables.sourcing_table(plan),), sentences=sentences, files=files)


def _similarity(plan: Mapping[str, Any], accepted: Sequence[int]) -> figures.Plot:
    histogram = plan["histogram"]
    hits = [sum(column) for column in zip(*histogram["counts"].values(), strict=True)]
    names = {"inputs": "window", "pairs": "window of pairs"} if plan["mode"] == "retricl" else {"inputs": "window"}
    windows = {title: (plan["windows"][name]["low"], plan["windows"][name]["high"]) for name, title in names.items()}
    kind = SCORES[plan.get("settings", {}).get("search", "vector")]
    return figures.similarities(histogram["edges"], hits, windows, accepted=accepted, kind=kind)


def leaks(numbers: Numbers) -> Part:
    """What the leak gate found."""
    head: dict[str, Any] = {"anchor": "leaks", "title": "Leaks from dev and test", "short": "Leaks"}
    if not numbers["plan"]:
        return Part(**head, missing=not_run("Leak gate", "plan"))
    table, gate = data_tables.leaks_table(numbers["leaks"]), numbers.get("gate")
    sentences = (*data_tables.leak_sentences(numbers), *(data_tables.gate_sentences(gate) if gate else ()))
    tables = (data_tables.gate_table(gate) if gate else None, table)
    files = (*(("leaks.jsonl",) if table else ()), *(("gate.json", "gate.jsonl") if gate else ()))
    return Part(**head, tables=tuple(one for one in tables if one), sentences=sentences, files=files)
