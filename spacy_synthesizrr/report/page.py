"""The page: tables, plots and rows through one template. Whatever comes from data is escaped by the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy_synthesizrr.report import calibration, data_tables, figures, review, student_tables, view
from spacy_synthesizrr.report.collect import matrix
from spacy_synthesizrr.report.findings import Standing
from spacy_synthesizrr.report.rows import Row
from spacy_synthesizrr.students.scores import NOTHING

HERE = Path(__file__).parent
MATRIX_LABELS = 30  # beyond them a matrix cannot be read, and only the most frequent confusions are shown
SCORES = {"vector": "cosine", "keyword": "BM25 score", "hybrid": "fused score of words and vectors"}  # by kind of search
PLOTS = ("students", "sizes", "confusion", "reliability", "funnel", "similarity", "acceptance")
SECTIONS = (
    ("students", "Student against controls"),
    ("confusion", "Confusion"),
    ("calibration", "Calibration"),
    ("funnel", "Funnel"),
    ("sourcing", "Sourcing"),
    ("leaks", "Leaks"),
    ("measures", "Measures"),
    ("rows", "Rows"),
    ("rejected", "Turned away"),
    ("asked", "Asked, and again"),
)
BEFORE_REVIEW = "measures"


@dataclass(frozen=True)
class Samples:
    """The rows that the page shows.

    accepted (Sequence[Row]): By label.
    rejected (Mapping[str, Sequence[Row]]): By reason.
    similarity (Sequence[int]): How many accepted rows fall into each bin of the plan's histogram.
    """

    accepted: Sequence[Row] = ()
    rejected: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    similarity: Sequence[int] = ()


def render(numbers: Mapping[str, Any], samples: Samples, plots: Mapping[str, figures.Plot]) -> str:
    """Make the page.

    numbers (Mapping): What `collect` found.
    plots (Mapping): What `draw_plots` drew.
    RETURNS (str): One HTML document that asks for nothing from outside.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(plain=view.plain, decimals=view.decimals, percent=view.percent, shown=shown)
    style = (HERE / "page.css").read_text(encoding="utf-8")
    page = environment.get_template("page.jinja")
    drawn = {name: plots.get(name) for name in PLOTS}
    return page.render(style=style, sections=_sections(numbers), samples=samples, plots=drawn, **_tables(numbers)).strip() + "\n"


def _sections(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What stands in the navigation; a run that nobody reviews has no section about it."""
    place = [anchor for anchor, _ in SECTIONS].index(BEFORE_REVIEW) + 1
    return [*SECTIONS[:place], *([review.ANCHOR] if numbers.get("review") else []), *SECTIONS[place:]]


def shown(cell: str | int | None) -> str:
    """RETURNS (str): A cell of a table as it stands there."""
    return NOTHING if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def _tables(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the template names, besides rows and plots."""
    evaluation, funnel, plan = numbers["evaluation"] or {}, numbers["funnel"], numbers["plan"]
    confusion = evaluation.get("confusion")
    asked = numbers["asked"]
    return {
        "run": numbers["run"],
        "summary": " · ".join(f"{kind} {asked[kind]}" for kind in ("task", "strategy", "teacher", "store", "student")),
        "tiles": view.tiles(numbers),
        "findings": numbers["findings"],
        "metric": numbers["metric"],
        "arms": student_tables.standings_table(numbers) if numbers["arms"] else None,
        "arm_notes": list(student_tables.arm_notes(numbers)) if numbers["arms"] else [],
        "confusion": confusion,
        "why_no_test": evaluation.get("why"),
        "confusion_caption": _confusion_caption(numbers) if evaluation else "",
        "confusion_tables": [
            table for table in (student_tables.labels_table(numbers), confusion and student_tables.confusions_table(confusion)) if table
        ],
        "matrix": _matrix_table(confusion),
        "calibration": _calibration(evaluation),
        "funnel": funnel,
        "funnel_table": data_tables.funnel_table(funnel) if funnel else None,
        "reasons": data_tables.reasons_table(funnel) if funnel else None,
        "switched_off": numbers["switched_off"],
        "plan": plan,
        "remarks": data_tables.plan_remarks(plan) if plan else [],
        "sourcing": data_tables.sourcing_table(plan) if plan else None,
        "leak_sentences": list(data_tables.leak_sentences(numbers)) if plan else [],
        "leaks": data_tables.leaks_table(numbers["leaks"]) if plan else None,
        "measures": list(data_tables.measure_tables(numbers["measures"])) if numbers["measures"] else [],
        "review": _review(numbers.get("review")),
        "asked": view.asked_table(asked),
        "versions": view.versions_table(numbers["versions"]),
        "files": view.files_table(numbers["files"]),
        "reproduce": numbers["reproduce"],
        "version": numbers["versions"].get("spacy-synthesizrr", ""),
    }


def _review(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {"sentences": list(review.sentences(found)), "tables": list(review.tables(found))} if found else None


def _calibration(evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    if not evaluation.get("calibration"):
        return None
    return {"sentences": list(calibration.sentences(evaluation)), "tables": list(calibration.tables(evaluation))}


def _confusion_caption(numbers: Mapping[str, Any]) -> str:
    return f"{numbers['evaluation']['rows']:,} test rows, by the student that is taken home ({student_tables.which_student(numbers)})"


def _matrix_table(confusion: Mapping[str, Any] | None) -> view.Table | None:
    if not confusion or len(confusion["labels"]) > MATRIX_LABELS:
        return None
    return student_tables.matrix_table(confusion["labels"], matrix(confusion), "The matrix in numbers")


def draw_plots(numbers: Mapping[str, Any], samples: Samples) -> dict[str, figures.Plot]:
    """RETURNS (Dict[str, Plot]): The plots for which there are numbers, by name."""
    plots = {}
    arms = [Standing(arm["name"], dev=arm["dev"]["scores"], test=arm["test"]["scores"], why=arm["why"]) for arm in numbers["arms"]]
    if any(arm.split for arm in arms):
        plots["students"] = figures.students(arms, metric=numbers["metric"])
    sizes = {arm["name"]: arm["rows"] for arm in numbers["arms"] if arm["rows"] is not None}
    if sizes:
        plots["sizes"] = figures.sizes(sizes)
    confusion = (numbers["evaluation"] or {}).get("confusion")
    if confusion and len(confusion["labels"]) <= MATRIX_LABELS:
        plots["confusion"] = figures.confusion(confusion["labels"], matrix(confusion))
    if found := (numbers["evaluation"] or {}).get("calibration"):
        plots["reliability"] = calibration.reliability(found["reliability"], exclusive=numbers["asked"]["exclusive"])
    if numbers["funnel"] and numbers["funnel"]["labels"]:
        plots["funnel"] = figures.funnel({label: data_tables.ends(counts) for label, counts in numbers["funnel"]["labels"].items()})
    if (numbers["plan"] or {}).get("histogram"):
        plots["similarity"] = _similarity(numbers["plan"], samples.similarity)
    if numbers.get("review") and (plot := review.acceptance(numbers["review"])):
        plots["acceptance"] = plot
    return plots


def _similarity(plan: Mapping[str, Any], accepted: Sequence[int]) -> figures.Plot:
    histogram = plan["histogram"]
    hits = [sum(column) for column in zip(*histogram["counts"].values(), strict=True)]
    names = {"inputs": "window", "pairs": "window of pairs"} if plan["mode"] == "retricl" else {"inputs": "window"}
    windows = {title: (plan["windows"][name]["low"], plan["windows"][name]["high"]) for name, title in names.items()}
    kind = SCORES[plan.get("settings", {}).get("search", "vector")]
    return figures.similarities(histogram["edges"], hits, windows, accepted=accepted, kind=kind)
