"""The figure of a grid: how far each arm lies above or below the baseline, with its interval and a dot per draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.ablations.table import clear
from spacy_synthesizrr.report.figures import BLUE, FRAME, NAME_LENGTH, ORANGE, ROW, short
from spacy_synthesizrr.report.svg import GRID, INK, MUTED, draw
from spacy_synthesizrr.students.scores import said

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 620.0  # points
# The colours of the report's page, for a picture that stands alone
LIGHT = "--ink:#1c1e22;--muted:#5f6670;--grid:#e3e5e8;--paper:#ffffff;--c1:#2a78d6;--c8:#e0612b"
DARK = "--ink:#e9e9e7;--muted:#a0a6ae;--grid:#34383d;--paper:#1d1f22;--c1:#3f8cec;--c8:#e0692f"


def figure(found: Mapping[str, Any]) -> str:
    """Draw ablation.json.

    RETURNS (str): A whole SVG file, for light and dark pages.
    """
    arms = found["arms"]

    def paint(canvas: Figure) -> None:
        axes = canvas.subplots()
        axes.axvline(0, color=MUTED, linewidth=1.5)
        for row, arm in enumerate(arms):
            _arm(axes, row, arm, baseline=arm["name"] == found["baseline"])
        names = [f"{short(arm['name'], NAME_LENGTH)}  {said(arm['score'])}" for arm in arms]
        axes.set_yticks(range(len(arms)), names)
        axes.set_ylim(len(arms) - 0.45, -0.55)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=GRID)
        axes.margins(x=0.08)
        several = " and draws (line)" if len(found["draws"]) > 1 else ""
        axes.set_xlabel(f"points against {short(found['baseline'])}; 95 % over test rows (bar){several}")

    told = "; ".join(_told(arm) for arm in arms if arm["difference"])
    described = f"{found['metric']} against {found['baseline']}, in points: {told or 'nothing is finished'}."
    size = (WIDTH, FRAME + ROW * len(arms))
    return standalone(draw(paint, name="ablation", title=f"Ablation {found['grid']}", description=described, size=size), size)


def _arm(axes: Axes, row: int, arm: Mapping[str, Any], *, baseline: bool) -> None:
    gap = arm["difference"]
    if gap is None:
        axes.plot([0], [row], "o" if baseline else "", markersize=7, color=MUTED)
        return
    color = MUTED if not clear(gap) else BLUE if gap["value"] > 0 else ORANGE
    axes.plot([100 * gap["low"], 100 * gap["high"]], [row, row], color=color, linewidth=6, alpha=0.35, solid_capstyle="butt")
    if over := gap["over_draws"]:
        axes.plot([100 * over["low"], 100 * over["high"]], [row, row], color=MUTED, linewidth=1.2)
    dots = [100 * one["value"] for one in gap["draws"]]
    if len(dots) > 1:
        axes.plot(dots, [row] * len(dots), "o", markersize=5, color=color, markeredgewidth=0, alpha=0.85)
    axes.plot([100 * gap["value"]] * 2, [row - 0.2, row + 0.2], color=INK, linewidth=2, solid_capstyle="butt")


def _told(arm: Mapping[str, Any]) -> str:
    gap = arm["difference"]
    return f"{arm['name']} {100 * gap['value']:+.1f} ({100 * gap['low']:+.1f} to {100 * gap['high']:+.1f})"


def standalone(svg: str, size: tuple[float, float]) -> str:
    """Make a picture of its own of a figure for a page: with its colours, a size, and a ground to stand on.

    svg (str): What `draw` returns. size (Tuple[float, float]): Width and height in points.
    """
    end = svg.index(">")
    style = f"<style>svg{{{LIGHT};font-family:sans-serif}}@media (prefers-color-scheme:dark){{svg{{{DARK}}}}}</style>"
    ground = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    return f'{svg[:end]} width="{size[0]:g}pt" height="{size[1]:g}pt">{style}{ground}{svg[end + 1 :]}\n'
