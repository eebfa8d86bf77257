"""Heat maps of label × label: how alike the texts of two labels are, for the rows and for gold on one scale."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spacy_synthesizrr.report.figures import BLUE, WIDTH, Plot, short
from spacy_synthesizrr.report.svg import INK, MUTED, color_variable, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Cosines = Sequence[Sequence[float | None]]
MOST = 16  # labels of a map that can be read
FAINT, STRONG = 0.05, 0.72  # opacity of the lowest and of the highest value


def heat_map(labels: Sequence[str], cosines: Cosines, *, name: str, title: str, low: float, high: float) -> Plot:
    """Mean cosines between the texts of labels; the stronger the colour, the more alike.

    cosines (Sequence): Square, in the order of `labels`; None where there is no pair of texts.
    name (str): Unique on the page. low (float), high (float): Ends of the scale, the same for maps that stand side by side.
    """
    n = len(labels)
    many = n > 6
    names = [short(label, 14 if many else 18) for label in labels]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for row, column in itertools.product(range(n), range(n)):
            _cell(axes, row, column, cosines[row][column], low=low, high=high, fontsize=12 if n <= 10 else 8)
        axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), aspect="equal")
        axes.set_xticks(range(n), names, rotation=90 if many else 30)
        for label in () if many else axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
        axes.set_yticks(range(n), names)
        axes.tick_params(length=0, labelsize=12 if n <= 12 else 8, labelcolor=INK)
        axes.spines[:].set_visible(False)

    pairs = "; ".join(
        f"{labels[row]} and {labels[column]} {cosines[row][column]:.2f}"
        for row, column in itertools.product(range(n), range(n))
        if row <= column and cosines[row][column] is not None
    )
    legend = ((color_variable(BLUE), f"mean cosine, from {low:.2f} (faint) to {high:.2f} (strong)"),)
    size = (WIDTH, min(WIDTH, 150.0 + 56.0 * n))
    return Plot(draw(paint, name=name, title=title, description=f"{title}: {pairs}.", size=size), legend)


def _cell(axes: Axes, row: int, column: int, value: float | None, *, low: float, high: float, fontsize: int) -> None:
    from matplotlib.patches import Rectangle

    color, alpha = MUTED, FAINT
    if value is not None:
        color, alpha = BLUE, FAINT + (STRONG - FAINT) * ((value - low) / (high - low) if high > low else 0.5)
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=fontsize, color=INK)
    axes.add_patch(Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, linewidth=0, facecolor=color, alpha=alpha))
