"""The page: parts of numbers and rows through one template. Whatever comes from data is escaped by the template."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.report import data_parts, labels, measures, money, review, student_parts, view
from spacy_synthesizrr.report.browse import ACCEPTED_FILE, REJECTED_FILE, Cell, Confused, by_cell
from spacy_synthesizrr.report.items import TEST, Item, Shown, fitted, inside_script
from spacy_synthesizrr.report.parts import Group, Maker, Numbers, Part
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import NOTHING

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
CHOICES = (("arm", "Arm"), ("status", "Status"), ("label", "Label"), ("reason", "Reason"))
FIRST = 24  # rows that stand there without JavaScript, as many as the script shows at first
AWAY = 5  # rows of each reason without JavaScript
# Topics whose part needs numbers alone, in the order of the page: before the funnel, after it, and after the leaks.
BEFORE: tuple[Maker, ...] = (student_parts.calibrated, money.part)
AFTER: tuple[Maker, ...] = (data_parts.leaks, *measures.PARTS, review.part)


@dataclass(frozen=True)
class Samples:
    """The rows that the page shows.

    shown (Shown): Rows of the run and its controls, then test rows.
    totals (Mapping[str, Mapping[str, int]]): Arm → status → rows that there are.
    tested (Confused): Test rows by cell of the confusion matrix. cells (Mapping[Cell, Sequence[Item]]): Those that are shown.
    similarity (Sequence[int]): How many accepted rows fall into each bin of the plan's histogram.
    reasons (Mapping[str, int]): Why rows of the run were turned away → how many.
    """

    shown: Shown = Shown()
    totals: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    tested: Confused = Confused()
    similarity: Sequence[int] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def cells(self) -> Mapping[Cell, Sequence[Item]]:
        """RETURNS (Mapping[Cell, Sequence[Item]]): The test rows that are shown of each cell."""
        return by_cell(self.tested, {int(item.id.partition(":")[2]): item for item in self.shown.items if item.arm == TEST})


def make_parts(numbers: Numbers, samples: Samples) -> list[Part]:
    """RETURNS (List[Part]): The parts of a run in the order of the page, those with nothing to say left out."""
    made = (
        student_parts.students(numbers),
        student_parts.confusion(numbers, samples.cells),
        *(make(numbers) for make in BEFORE),
        data_parts.funnel(numbers),
        labels.part(numbers),
        data_parts.sourcing(numbers, samples.similarity),
        *(make(numbers) for make in AFTER),
    )
    return [part for part in made if part]


def environment() -> Environment:
    """RETURNS (Environment): Jinja that escapes everything and knows the report's own words."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(plain=view.plain, shown=shown, chosen=chosen, commanded=view.commanded)
    return made


def render(numbers: Numbers, samples: Samples, parts: Sequence[Part], *, loops: Sequence[str] = ()) -> str:
    """Make the page.

    numbers (Mapping): What `collect` found.
    parts (Sequence[Part]): What `make_parts` made of them.
    loops (Sequence[str]): Folders of the loops that started from this run, beside its own; each has a page.
    RETURNS (str): One HTML document that asks for nothing from outside.
    """
    small, letters = fitted(samples.shown)
    script = (HERE / "browser.js").read_text(encoding="utf-8")
    run, asked = numbers["run"], numbers["asked"]
    return _page(
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=content_hash(script),
        run=run,
        summary=" · ".join(f"{kind} {asked[kind]}" for kind in ("task", "strategy", "teacher", "store", "student")),
        tiles=[*view.tiles(numbers), *money.tiles(numbers)],
        findings=numbers["findings"],
        loops=loops,
        parts=parts,
        sections=[*((part.anchor, part.short or part.title) for part in parts), ("rows", "Rows"), ("asked", "Again")],
        shown=small,
        first=small.items[:FIRST],
        away=list(_away(small, run, samples.reasons)),
        choices=CHOICES,
        told=_told(small, samples.totals),
        cut_note=f"Texts of more than {letters:,} letters are cut here." if small != samples.shown else "",
        row_files=(ACCEPTED_FILE, REJECTED_FILE),
        rows_command=view.commanded("rows", run),
        data=inside_script({"run": run, **small.to_dict()}),
        asked=view.asked_table(asked),
        versions=view.versions_table(numbers["versions"]),
        files=view.files_table(numbers["files"]),
        reproduce=numbers["reproduce"],
        version=numbers["versions"].get("spacy-synthesizrr", ""),
    )


def _page(**values: Any) -> str:
    return environment().get_template("page.jinja").render(**values).strip() + "\n"


def content_hash(script: str) -> str:
    """RETURNS (str): What a content security policy calls a script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def shown(cell: str | int | None) -> str:
    """RETURNS (str): A cell of a table as it stands there."""
    return NOTHING if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def chosen(choose: Sequence[tuple[str, str]]) -> str:
    """RETURNS (str): What the browser of rows is to show, as JSON for an attribute."""
    return json.dumps(dict(choose), ensure_ascii=False)


def _told(shown: Shown, totals: Mapping[str, Mapping[str, int]]) -> str:
    """What the browser holds, and of how much."""
    main = totals.get(MAIN, {})
    held = sum(item.arm == MAIN for item in shown.items)
    tested = sum(item.arm == TEST for item in shown.items)
    controls = len(shown.items) - held - tested
    parts = [f"{held:,} of the run's {sum(main.values()):,} rows ({', '.join(f'{count:,} {status}' for status, count in main.items())})"]
    parts += [f"{controls:,} of its controls"] if controls else []
    parts += [f"{tested:,} test rows, some of each cell of the confusion matrix"] if tested else []
    return (
        f"A sample, drawn with the run's seed: {'; '.join(parts)}. Every reason for which rows were turned away is among them. In a "
        "passage, words that the row repeats five or more in a row are marked."
    )


def _away(shown: Shown, run: str, reasons: Mapping[str, int]) -> Iterator[Group]:
    """A few rows of each reason."""
    found: dict[str, list[Item]] = {}
    for item in shown.items:
        if item.arm == MAIN and item.reason:
            found.setdefault(item.reason, []).append(item)
    for number, (reason, items) in enumerate(found.items(), 1):
        total = max(len(items), reasons.get(reason, 0))
        yield Group(f"away-{number}", view.plain(reason), total, tuple(items[:AWAY]), view.commanded("rows", run, arm=MAIN, reason=reason))
