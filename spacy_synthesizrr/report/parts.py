"""What a part of the page is: whoever measures something says it in plots, tables and sentences, and the page does the rest.

A module of a topic has `part(numbers) -> Part | None`, from the numbers that `collect` gathered: plain JSON, no texts of
rows. None means that the run has nothing to do with the topic; a step that should have been run and was not is said by
`missing`. No markup: the page escapes every word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spacy_synthesizrr.report.figures import Plot
from spacy_synthesizrr.report.items import Item
from spacy_synthesizrr.report.view import Table

Numbers = Mapping[str, Any]
Plots = tuple[tuple[Plot, str], ...]


@dataclass(frozen=True)
class Heat:
    """A square of counts, coloured by the share of the row, whose cells lead to the rows behind them.

    caption (str), corner (str): What it is, and what its rows and columns are.
    names (Tuple[str, ...]): Of rows and of columns alike.
    counts (Tuple[Tuple[int, ...], ...]): By row.
    anchors (Mapping[Tuple[str, str], str]): Where a cell leads, by the names of its row and column.
    """

    caption: str
    corner: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    anchors: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def share(self, row: int, column: int) -> int:
        """RETURNS (int): Percent of the row that fell into a cell."""
        return round(100 * self.counts[row][column] / (sum(self.counts[row]) or 1))


@dataclass(frozen=True)
class Group:
    """Rows that are shown when somebody opens them.

    anchor (str): Target of links. title (str): What they have in common. total (int): How many there are in all.
    items (Tuple[Item, ...]): The ones shown.
    command (str): Shows all of them.
    """

    anchor: str
    title: str
    total: int
    items: tuple[Item, ...]
    command: str = ""


@dataclass(frozen=True)
class Part:
    """One section of the page.

    anchor (str): Plain word, unique on the page: the target of links.
    title (str): Its heading.
    plots (Tuple[Tuple[Plot, str], ...]): Figures (see `report.figures`) with their captions, side by side where there is room.
    tables (Tuple[Table, ...]): Below the plots; one of a few narrow columns stands beside another.
    sentences (Tuple[str, ...]): What the reader must know to read the numbers, short, after the plots.
    missing (str): Why there is nothing, as a sentence; "" when there is something.
    short (str): Its name in the navigation; the title when empty.
    bad (Tuple[str, ...]): What went wrong, to be seen at once.
    files (Tuple[str, ...]): Files of the run folder that hold all of it, such as "curation.json".
    commands (Tuple[str, ...]): Commands that show the rest, such as "synthesizrr rows --reason near_copy --run NAME".
    heat (Heat | None): A square of counts, beside the first plot or instead of it.
    groups (Tuple[Group, ...]): Rows to be opened, at the end.
    """

    anchor: str
    title: str
    plots: Plots = ()
    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()
    missing: str = ""
    short: str = ""
    bad: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    heat: Heat | None = None
    groups: tuple[Group, ...] = ()


Maker = Callable[[Numbers], Part | None]


def not_run(what: str, step: str) -> str:
    """RETURNS (str): The sentence of a part whose step has left no results that hold."""
    return f"{what}: not available. The step '{step}' has not written its results into this run folder."
