"""`report compare`: runs side by side, as a page and as JSON. Nothing of the runs is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy_synthesizrr.errors import RunFolderError, SynthesizrrError
from spacy_synthesizrr.jsonl import atomic, read_json, read_jsonl, write_json
from spacy_synthesizrr.receipts import RUNS, RunFolder, fresh
from spacy_synthesizrr.report.comparison import Answered, Compared, compare, comparison_parts, told
from spacy_synthesizrr.steps.evaluate import ANSWERS
from spacy_synthesizrr.steps.report import NUMBERS
from spacy_synthesizrr.students.arms import MAIN

FOLDER, PAGE, FOUND = "comparison", "index.html", "comparison.json"


def compare_runs(names: Sequence[str], out: Path | None = None) -> Iterator[str]:
    """Write index.html and comparison.json.

    names (Sequence[str]): Runs, or their folders; all are compared with the first.
    out (Path): Folder; report/comparison of the first run by default.
    YIELDS (str): The differences of the students in short, and where the page is.
    RAISES (SynthesizrrError): For less than two runs, or one that stands there twice.
    RAISES (RunFolderError): When a run has no report that holds.
    """
    if len(dict.fromkeys(names)) < 2 or len(set(names)) < len(names):
        raise SynthesizrrError(f"Give two runs or more, each once; got: {', '.join(names) or 'none'}.")
    folders = [_folder(name) for name in names]
    found = compare([_read(folder) for folder in folders])
    out = out or folders[0].file("report") / FOLDER
    write_json(out / FOUND, found)
    with atomic(out / PAGE) as file:
        file.write(_page(found))
    yield from told(found)
    yield f"Comparison: {out / PAGE}"


def _folder(name: str) -> RunFolder:
    path = Path(name)
    folder = RunFolder(path if (path / "inputs.json").is_file() else RUNS / path)
    if not folder.file("inputs.json").is_file():
        there = sorted(one.parent.relative_to(RUNS).as_posix() for one in RUNS.glob("**/inputs.json"))
        raise RunFolderError(f"There is no run '{name}'. Runs: {', '.join(there) or 'none yet'}.")
    return folder


def _read(folder: RunFolder) -> Compared:
    if not fresh(folder, "report"):
        raise RunFolderError(
            f"The run '{folder.name}' has no report that fits its results. Write it: synthesizrr report --run {folder.name}"
        )
    numbers = read_json(folder.file(NUMBERS))
    known = ANSWERS in numbers.get("written", ()) and folder.file(ANSWERS).is_file()
    return Compared(folder.name, numbers, _tested(folder, numbers) if known else None)


def _tested(folder: RunFolder, numbers: dict[str, Any]) -> Answered | None:
    rows = list(read_jsonl(folder.file(ANSWERS), dict))
    test = numbers["files"].get("test")
    if not rows or test is None:
        return None
    answers = zip(*([tuple(answer) for answer in row["arms"][MAIN]] for row in rows), strict=True)
    return Answered(test["sha256"], [tuple(row["gold"]) for row in rows], [list(student) for student in answers])


def _page(found: dict[str, Any]) -> str:
    from spacy_synthesizrr.receipts import versions
    from spacy_synthesizrr.report.items import Shown
    from spacy_synthesizrr.report.page import HERE, environment

    style = (HERE / "page.css").read_text(encoding="utf-8")
    first, *others = found["runs"]
    page = environment().get_template("compare.jinja").render(
        title=f"{first} against {', '.join(others)}", style=style, parts=comparison_parts(found), version=versions()["spacy-synthesizrr"],
        shown=Shown(), run=first,
    )  # fmt: skip
    return page.strip() + "\n"
