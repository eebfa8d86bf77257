"""The data map: where the rows of each label lie by how sure a student was of their label while it learned, and how that varied.

Every row counts: the plot is made of counts per cell (Swayamdipta et al. 2020, figure 1, draws a sample of points).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.report.figures import BLUE, ORANGE, WIDTH, YELLOW, Plot
from spacy_synthesizrr.report.svg import INK, color_variable, draw
from spacy_synthesizrr.report.view import Table, decimals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT = 340.0  # points
BIGGEST = 150.0  # square points of the fullest cell's dot
BANDS = ((0.0, ORANGE, "below a third"), (1 / 3, YELLOW, "a third to two thirds"), (2 / 3, BLUE, "two thirds and more"))


def data_map(labels: Mapping[str, Mapping[str, Any]], *, bins: int, low: float | None = None) -> Plot:
    """One plot of all labels together.

    labels (Mapping): By label: "map", cells as (column, row, rows in it, mean correctness).
    bins (int): Cells along each axis; across is variability from 0 to 0.5, up is confidence from 0 to 1.
    low (float | None): Least confidence that was kept, where one holds for all labels.
    """
    cells = joined([about["map"] for about in labels.values()])
    fullest = max((cell[2] for cell in cells), default=1)

    def paint(figure: Figure) -> None:
        from matplotlib.ticker import MultipleLocator

        axes = figure.subplots()
        for least, color, _ in BANDS:
            own = [cell for cell in cells if band(cell[3]) == least]
            across, up = [(cell[0] + 0.5) / bins / 2 for cell in own], [(cell[1] + 0.5) / bins for cell in own]
            sizes = [4 + BIGGEST * cell[2] / fullest for cell in own]
            axes.scatter(across, up, s=sizes, color=color, alpha=0.8, linewidths=0)
        if low is not None:
            axes.axhline(low, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlim=(0, 0.5), ylim=(0, 1), xlabel="variability", ylabel="confidence")
        axes.grid()
        axes.yaxis.set_major_locator(MultipleLocator(0.2))

    counts = {least: sum(int(cell[2]) for cell in cells if band(cell[3]) == least) for least, _, _ in BANDS}
    legend = tuple(
        (color_variable(color), f"own label on top in {what} of the epochs: {counts[least]:,} rows") for least, color, what in BANDS
    )
    rows = sum(counts.values())
    described = f"{rows:,} rows by variability and confidence; larger dots are more rows. " + "; ".join(text for _, text in legend) + "."
    return Plot(draw(paint, name="data-map", title="Data map", description=described, size=(WIDTH, HEIGHT)), legend)


def band(correctness: float) -> float:
    """RETURNS (float): The least correctness of the band that it lies in."""
    return max(least for least, _, _ in BANDS if correctness >= least)


def joined(maps: Sequence[Sequence[Sequence[float]]]) -> list[tuple[int, int, int, float]]:
    """RETURNS (List[Tuple]): The cells of several maps laid over each other."""
    found: dict[tuple[int, int], tuple[int, float]] = {}
    for cells in maps:
        for across, up, count, right in cells:
            before = found.get((int(across), int(up)), (0, 0.0))
            found[int(across), int(up)] = (before[0] + int(count), before[1] + count * right)
    return [(across, up, count, right / count) for (across, up), (count, right) in sorted(found.items())]


def map_table(labels: Mapping[str, Mapping[str, Any]]) -> Table:
    """The three measures of each label, and how many rows stayed."""
    rows = tuple(
        (label, about["rows"], about["kept"], *(decimals(about[name]) for name in ("confidence", "variability", "correctness")))
        for label, about in labels.items()
    )
    return Table("Data map, means per label", ("label", "rows", "kept", "confidence", "variability", "correctness"), rows)
