"""What the tables of the page are made of, and those about the run itself. Plain functions; no markup here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.students.arms import MAIN, RANDOM, SEED_ONLY
from spacy_synthesizrr.students.scores import NOTHING, said

NARROW = 64  # letters of the width of a table that may stand beside something else
LONGEST, GAP = 28, 2  # letters of a column that is broken into lines, and between columns
SIGNED = {True: "+", False: "\N{MINUS SIGN}"}
BROWSER = "rows"  # where on the page the browser of rows stands


@dataclass(frozen=True)
class Link:
    """A cell that leads to the rows behind it.

    text (str | int): What stands there.
    anchor (str): Where on the page it leads.
    choose (Tuple[Tuple[str, str], ...]): What the browser of rows is to show then, such as ("reason", "near_copy").
    """

    text: str | int
    anchor: str
    choose: tuple[tuple[str, str], ...] = ()


Cell = str | int | None | Link


@dataclass(frozen=True)
class Table:
    """A table of the page: the first column names its rows.

    words (Tuple[int, ...]): Columns, counted from 0, that hold words rather than numbers.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: tuple[Cell, ...] = ()
    words: tuple[int, ...] = ()

    @property
    def narrow(self) -> bool:
        """RETURNS (bool): Whether it may stand beside something else."""
        columns = zip(self.head, *self.rows, strict=True)
        widths = [max(max(map(len, str(head).split()), default=0), *(_width(cell) for cell in cells), 3) for head, *cells in columns]
        return sum(min(width, LONGEST) + GAP for width in widths) <= NARROW


def _width(cell: Cell) -> int:
    return len(str(cell.text if isinstance(cell, Link) else cell))


def commanded(command: str, run: str, **options: str) -> str:
    """RETURNS (str): A command to type: options that are empty are left out, words are quoted for a shell."""
    chosen = [f"--{name} {shlex.quote(value)}" for name, value in options.items() if value]
    return " ".join(["synthesizrr", command, *chosen, "--run", shlex.quote(run)])


def plain(word: str) -> str:
    """RETURNS (str): A fixed word such as "near_copy" as people write it."""
    return word.replace("_", " ")


def decimals(value: float | None, digits: int = 3) -> str:
    """RETURNS (str): A number with so many digits after the point, or a dash."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def signed(value: float, digits: int) -> str:
    """RETURNS (str): A difference with its sign; one that rounds to nothing has none."""
    shown = f"{abs(value):.{digits}f}"
    return shown if float(shown) == 0 else f"{SIGNED[value > 0]}{shown}"


def percent(value: float | None, digits: int = 1) -> str:
    """RETURNS (str): A share in percent, without the sign, or a dash."""
    return NOTHING if value is None else f"{100 * value:.{digits}f}"


def tiles(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    """RETURNS (List[Tuple[str, str]]): The few numbers that come first, with what they are."""
    found: list[tuple[str, str]] = []
    main = next((arm for arm in numbers["arms"] if arm["name"] == MAIN), None)
    split = next((split for split in ("test", "dev") if main and main[split]["scores"]), None)
    for arm in numbers["arms"] if split else ():
        if arm["name"] in (MAIN, SEED_ONLY, RANDOM) and arm[split]["scores"]:
            found.append((said(arm[split]), f"{split} {numbers['metric']} (%), {'student' if arm is main else arm['name']}"))
    if numbers["funnel"]:
        total = numbers["funnel"]["total"]
        found.append((f"{total['accepted']:,}", f"rows accepted of {total['asked']:,} asked for"))
    if numbers["asked"]["passages"] is not None:
        found.append((f"{numbers['asked']['passages']:,}", "passages in the index"))
    if numbers["leaks"]:
        found.append((f"{sum(numbers['leaks']['counts']['passages'].values()):,}", "leaking passages kept out of the plan"))
    return found


def asked_table(asked: Mapping[str, Any]) -> Table:
    """What the person asked for."""
    not_llm = "; not an LLM: it only copies sentences of the passage" if asked["copies"] else ""
    index = NOTHING if asked["passages"] is None else f"{asked['passages']:,} passages"
    if asked["documents"] is not None:  # of a collection that the user has nobody counts them
        index += f" of {asked['documents']:,} documents"
    rows = (
        ("task", f"{asked['task']} ({asked['task_file']})"),
        ("labels", ", ".join(asked["labels"]) + ("" if asked["exclusive"] else "; a row may have several")),
        ("strategy", asked["strategy"] + (f" ({asked['mode']})" if asked["mode"] else "")),
        ("teacher", asked["teacher"] + not_llm),
        ("store", asked["store"]),
        ("index", index),
        ("embedder", asked["embedder"] or NOTHING),
        ("student", asked["student"]),
        ("rows per label", asked["per_label"]),
        ("seed", asked["seed"]),
        ("language", asked["lang"]),
    )
    return Table("The run", ("asked for", "value"), rows, words=(1,))


def versions_table(versions: Mapping[str, str]) -> Table:
    """Packages that shape results."""
    return Table("Versions", ("package", "version"), tuple(versions.items()), words=(1,))


def files_table(files: Mapping[str, Mapping[str, Any]]) -> Table:
    """Fingerprints of all files that went in."""
    rows = tuple((what, about["path"], about.get("bytes"), about["sha256"][:16] + "…") for what, about in files.items())
    return Table("Files that went in", ("what", "file", "bytes", "SHA-256"), rows, words=(1, 3))
