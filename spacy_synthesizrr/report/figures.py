"""The plots of the report, each from counts alone, so that they cost the same for a hundred rows and for a million.

Figures are narrow and their letters large: side by side on a wide screen, and still to be read on a telephone. What the
colours mean stands in HTML beside the plot, where it can wrap; the numbers stand in a table below it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spacy_synthesizrr.report.findings import Standing
from spacy_synthesizrr.report.svg import GRID, INK, MUTED, PAPER, SERIES, color_variable, draw
from spacy_synthesizrr.students.scores import said, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 460.0  # points
ROW, FRAME = 30.0, 52.0  # points of height for one bar, and for the axis below
MOST_ROWS = 24  # labels in one plot; the table beside it has all
MOST_PARTS = 7  # colours in one stack; the rest becomes "other"
NAME_LENGTH = 22  # letters of a name beside an axis
BLUE, GREEN, YELLOW, AQUA, VIOLET, RED, MAGENTA, ORANGE = SERIES
REASON_COLORS = (ORANGE, YELLOW, VIOLET, RED, MAGENTA, AQUA, GREEN)


@dataclass(frozen=True)
class Plot:
    """A figure for the page.

    svg (str): Inline SVG.
    legend (Tuple[Tuple[str, str], ...]): CSS colour and what it means.
    note (str): What the plot leaves out, if anything.
    """

    svg: str
    legend: tuple[tuple[str, str], ...] = ()
    note: str = ""


def short(name: str, limit: int = NAME_LENGTH) -> str:
    """A name that fits beside an axis."""
    return name if len(name) <= limit else name[: limit - 1] + "…"


def funnel(counts: Mapping[str, Mapping[str, int]], *, first: str = "accepted") -> Plot:
    """What became of the candidates of each label: one bar per label, stacked by reason.

    counts (Mapping): Per label, how many candidates met each end; the key `first` is the good one.
    """
    totals = _totals(counts, first)
    shown = [first, *list(totals)[:MOST_PARTS]] if len(totals) > MOST_PARTS else [first, *totals]
    rest = list(totals)[MOST_PARTS:]
    if len(rest) == 1:
        shown, rest = [*shown, rest[0]], []
    colors = dict(zip(shown, (BLUE, *REASON_COLORS, MUTED), strict=False))
    stacks = {part: [row.get(part, 0) for row in counts.values()] for part in shown}
    if rest:
        stacks["other"] = [sum(row.get(part, 0) for part in rest) for row in counts.values()]
        colors["other"] = MUTED
    legend = tuple((color_variable(colors[part]), f"{part.replace('_', ' ')} ({sum(values):,})") for part, values in stacks.items())
    names = list(counts)[:MOST_ROWS]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        left = [0] * len(names)
        for part, values in stacks.items():
            axes.barh(range(len(names)), values[: len(names)], left=left, height=0.68, color=colors[part], edgecolor=PAPER, linewidth=1)
            left = [start + value for start, value in zip(left, values, strict=False)]
        _rows(axes, names, "candidates")

    described = f"Stacked bars, one per label: {_spoken(legend)}."
    svg = draw(paint, name="funnel", title="Funnel per label", description=described, size=(WIDTH, FRAME + ROW * len(names)))
    return Plot(svg, legend, _left_out(len(counts)))


def _totals(counts: Mapping[str, Mapping[str, int]], first: str) -> dict[str, int]:
    """The reasons with their sums, the most frequent first."""
    totals: dict[str, int] = {}
    for part, count in itertools.chain.from_iterable(row.items() for row in counts.values()):
        if part != first and count:
            totals[part] = totals.get(part, 0) + count
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def _rows(axes: Axes, names: Sequence[str], unit: str) -> None:
    """Names down the left side, the first on top, and a light grid of counts."""
    from matplotlib.ticker import MaxNLocator

    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(unit)


def _left_out(rows: int) -> str:
    return f"The plot shows the first {MOST_ROWS} of {rows} labels; the table has all." if rows > MOST_ROWS else ""


def _spoken(legend: Sequence[tuple[str, str]]) -> str:
    return ", ".join(text for _, text in legend)


def sizes(rows: Mapping[str, int]) -> Plot:
    """Training rows of each arm.

    rows (Mapping[str, int]): The main arm first.
    """
    names, values = list(rows), list(rows.values())

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        bars = axes.barh(range(len(names)), values, height=0.6, color=[BLUE, *[AQUA] * (len(names) - 1)])
        axes.bar_label(bars, [f"{value:,}" for value in values], padding=4, color=INK)
        axes.margins(x=0.12)
        _rows(axes, names, "training rows")

    described = "Bars, one per arm: " + ", ".join(f"{name} {value:,}" for name, value in rows.items()) + "."
    return Plot(draw(paint, name="sizes", title="Training rows per arm", description=described, size=(WIDTH, FRAME + ROW * len(names))))


def similarities(
    edges: Sequence[float],
    counts: Sequence[int],
    windows: Mapping[str, tuple[float, float]],
    *,
    accepted: Sequence[int] = (),
    kind: str = "cosine",
) -> Plot:
    """How close the hits were to their seeds, and which of them the windows let through.

    edges (Sequence[float]): The n + 1 bounds of the bins; larger = closer.
    counts (Sequence[int]): Hits per bin.
    windows (Mapping): Name → (low, high); it may reach beyond the bins.
    accepted (Sequence[int]): Accepted rows per bin, when known.
    kind (str): What the similarities are.
    """
    legend = [(color_variable(MUTED if accepted else BLUE), f"hits ({sum(counts):,})")]
    if accepted:
        legend.append((color_variable(BLUE), f"accepted rows ({sum(accepted):,})"))
    colors = dict(zip(windows, (YELLOW, VIOLET), strict=False))
    legend += [(color_variable(colors[name]), f"{name} {low:.2f} to {high:.2f}") for name, (low, high) in windows.items()]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for name, (low, high) in windows.items():
            shown = max(low, edges[0]), min(high, edges[-1])
            axes.axvspan(*shown, color=colors[name], alpha=0.14, linewidth=0)
            for bound in {low, high} & set(shown):
                axes.axvline(bound, color=colors[name], linewidth=2, linestyle=(0, (4, 2)))
        axes.stairs(counts, edges, fill=True, color=MUTED if accepted else BLUE, alpha=0.45 if accepted else 0.85)
        if accepted:
            axes.stairs(accepted, edges, fill=True, color=BLUE)
        axes.grid(axis="y")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel(f"similarity to the seed ({kind})")
        axes.set_ylabel("hits")

    described = f"Histogram over {len(counts)} bins from {edges[0]:.2f} to {edges[-1]:.2f}: {_spoken(legend)}."
    svg = draw(paint, name="similarity", title="Similarity of hits to their seeds", description=described, size=(WIDTH, 240.0))
    return Plot(svg, tuple(legend))


def students(arms: Sequence[Standing], *, metric: str) -> Plot:
    """The student against the controls: a dot per training seed, mean ± standard deviation; dev above, test below.

    metric (str): Name of the score, such as "accuracy".
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    sides = ((-0.17, YELLOW, "dev"), (0.17, BLUE, "test"))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        _rows(axes, [arm.name for arm in arms], f"{metric} in percent")
        for row, arm in enumerate(arms):
            for offset, color, split in sides:
                _dots(axes, arm.scores(split), row + offset, color)
            if not arm.split:
                axes.text(0.01, row, short(arm.why, 44), transform=axes.get_yaxis_transform(), va="center", color=MUTED, style="italic")
            if row:
                axes.axhline(row - 0.5, color=GRID, linewidth=1)
        axes.set_xlim(*_limits([score for arm in arms for score in (*arm.dev, *arm.test)]))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=""))

    legend = tuple((color_variable(color), f"{split}: a dot per training seed, line and band are mean ± sd") for _, color, split in sides)
    described = f"{metric} in percent of each student on dev and test: " + "; ".join(_described(arm) for arm in arms) + "."
    svg = draw(paint, name="students", title="Student against controls", description=described, size=(WIDTH, FRAME + 44.0 * len(arms)))
    return Plot(svg, legend)


def _limits(scores: Sequence[float]) -> tuple[float, float]:
    """Ends of a score axis that shows the differences; it need not start at 0, since dots have no length."""
    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    pad = max(0.02, (high - low) * 0.08)
    return max(0.0, low - pad), high + (pad if high + pad < 1 else pad / 4)


def _dots(axes: Axes, values: Sequence[float], height: float, color: str) -> None:
    about = spread(values)
    if about is None:
        return
    mean, sd = about["mean"] or 0.0, about["sd"]
    axes.plot([mean - (sd or 0.0), mean + (sd or 0.0)], [height, height], color=color, linewidth=7, alpha=0.35, solid_capstyle="butt")
    axes.plot(values, [height] * len(values), "o", markersize=6, color=color, alpha=0.85, markeredgewidth=0, linestyle="none")
    axes.plot([mean, mean], [height - 0.15, height + 0.15], color=INK, linewidth=2, solid_capstyle="butt")


def _described(arm: Standing) -> str:
    found = [f"{split} {said(spread(arm.scores(split)))}" for split in ("dev", "test") if arm.scores(split)]
    return f"{arm.name} {' and '.join(found)}" if found else f"{arm.name} {arm.why}"
