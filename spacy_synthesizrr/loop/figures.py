"""The figures of a loop: how scores move with the rounds, and how far the loop is ahead of each control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.ablations.table import clear
from spacy_synthesizrr.loop.folder import START
from spacy_synthesizrr.loop.split import SELECTION
from spacy_synthesizrr.loop.told import mean_sd
from spacy_synthesizrr.report.figures import AQUA, BLUE, FRAME, ORANGE, ROW, VIOLET, WIDTH, YELLOW, Plot
from spacy_synthesizrr.report.svg import GRID, INK, MUTED, color_variable, draw
from spacy_synthesizrr.students.scores import said

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = (BLUE, ORANGE, VIOLET, AQUA)  # the loop, then its controls in their order
MARKS = "osD^"
STEP = 0.07  # by which arms stand beside each other in a round
HEIGHT = 320.0  # points


def learning_curve(ledger: Mapping[str, Any]) -> Plot | None:
    """The score on the selection part by round, a line per arm; bars are 95 % intervals over the rows of that part.

    RETURNS (Plot | None): None before a round is finished.
    """
    arms = [arm for arm in ledger["arms"] if arm["rounds"]]
    if not arms:
        return None
    colors = dict(zip((arm["name"] for arm in ledger["arms"]), COLORS, strict=False))

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for place, arm in enumerate(arms):
            shift = STEP * (place - (len(arms) - 1) / 2)
            _line(
                axes,
                [ledger["start"], *arm["rounds"]],
                shift,
                colors[arm["name"]],
                MARKS[place % len(MARKS)],
                chosen=arm["chosen"],
                first=not place,
            )
        last = max(len(arm["rounds"]) for arm in arms)
        axes.set_xticks(range(last + 1), [START, *(f"round {number}" for number in range(1, last + 1))])
        axes.set_xlim(-0.35, last + 0.35)
        axes.set_ylabel(f"{ledger['metric']} on the selection part, %")
        axes.grid(axis="y", color=GRID)

    legend = tuple((color_variable(colors[arm["name"]]), f"{arm['name']}, {_range(arm)}") for arm in arms)
    described = "; ".join(
        f"{arm['name']}: " + ", ".join(said(mean_sd(one[SELECTION])) for one in (ledger["start"], *arm["rounds"])) for arm in arms
    )
    title = "Score by round"
    svg = draw(paint, name="curve", title=title, description=f"{ledger['metric']}. {described}.", size=(WIDTH, HEIGHT))
    note = "A ring: the loop's result, and what a control is compared in. Bars: other rows of this kind; dots: training seeds."
    return Plot(svg, legend, note)


def _range(arm: Mapping[str, Any]) -> str:
    added = arm["rounds"][-1]["added"]
    return f"{added:+,} rows"


def _line(axes: Axes, entries: Sequence[Mapping[str, Any]], shift: float, color: str, mark: str, *, chosen: int, first: bool) -> None:
    scores = [entry[SELECTION] for entry in entries]
    places = [entry["round"] + (shift if entry["round"] else 0.0) for entry in entries]
    means = [100 * score["mean"] for score in scores]
    axes.plot(places, means, color=color, linewidth=2)
    for entry, place, score in list(zip(entries, places, scores, strict=True))[0 if first else 1 :]:
        shade = color if entry["round"] else MUTED
        axes.plot([place, place], [100 * score["low"], 100 * score["high"]], color=shade, linewidth=5, alpha=0.3, solid_capstyle="butt")
        axes.plot([place] * len(score["seeds"]), [100 * one for one in score["seeds"]], "o", markersize=3.5, color=shade, alpha=0.6)
        axes.plot([place], [100 * score["mean"]], mark, markersize=8, color=shade, markeredgewidth=0)
        if entry["round"] == chosen and entry["round"]:
            axes.plot(
                [place], [100 * score["mean"]], "o", markersize=15, markerfacecolor="none", markeredgecolor=color, markeredgewidth=1.5
            )


def gains(ledger: Mapping[str, Any]) -> Plot | None:
    """How far the loop is ahead on test, a row per control.

    RETURNS (Plot | None): None where nothing was tested.
    """
    found = [one for one in ledger["differences"] if one["test"]]
    if not found:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axvline(0, color=MUTED, linewidth=1.5)
        for row, one in enumerate(found):
            _bar(axes, row, one["test"])
        axes.set_yticks(range(len(found)), [one["against"] for one in found])
        axes.set_ylim(len(found) - 0.45, -0.55)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=GRID)
        axes.margins(x=0.08)
        axes.set_xlabel("points that the loop is ahead on test")

    legend = (
        (color_variable(BLUE), "clear of 0: ahead"),
        (color_variable(ORANGE), "clear of 0: behind"),
        (color_variable(MUTED), "unclear"),
    )
    described = "; ".join(f"{one['against']} {100 * one['test']['value']:+.1f} ({_bounds(one['test'])})" for one in found)
    svg = draw(paint, name="gains", title="Gain over each control", description=described, size=(WIDTH, FRAME + ROW * (len(found) + 1)))
    return Plot(svg, legend, "Bar: 95 % over test rows; line: 95 % over training seeds; a dot per training seed.")


def _bounds(found: Mapping[str, Any]) -> str:
    return f"{100 * found['low']:+.1f} to {100 * found['high']:+.1f}"


def _bar(axes: Axes, row: int, found: Mapping[str, Any]) -> None:
    color = MUTED if not clear(found) else BLUE if found["value"] > 0 else ORANGE
    axes.plot([100 * found["low"], 100 * found["high"]], [row, row], color=color, linewidth=8, alpha=0.35, solid_capstyle="butt")
    if over := found["over_seeds"]:
        axes.plot([100 * over["low"], 100 * over["high"]], [row, row], color=MUTED, linewidth=1.2)
    if len(found["seeds"]) > 1:
        axes.plot([100 * one for one in found["seeds"]], [row] * len(found["seeds"]), "o", markersize=5, color=color, markeredgewidth=0)
    axes.plot([100 * found["value"]] * 2, [row - 0.2, row + 0.2], color=INK, linewidth=2, solid_capstyle="butt")


def moved_rows(ledger: Mapping[str, Any], part: str) -> Plot | None:
    """Rows of a part that each round fixed (to the right) and broke (to the left).

    RETURNS (Plot | None): None before a round is finished.
    """
    rounds = [(f"{arm['name']} {entry['round']}", entry[part]["moved"]) for arm in ledger["arms"] for entry in arm["rounds"]]
    if not rounds:
        return None

    def paint(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.subplots()
        places = range(len(rounds))
        fixed, broken = ([moved[name] or 0 for _, moved in rounds] for name in ("fixed", "broken"))
        axes.barh(places, fixed, height=0.62, color=BLUE)
        axes.barh(places, [-one for one in broken], height=0.62, color=YELLOW)
        axes.axvline(0, color=MUTED, linewidth=1.5)
        axes.set_yticks(places, [name for name, _ in rounds])
        axes.set_ylim(len(rounds) - 0.45, -0.55)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=GRID)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
        axes.set_xlabel("rows")

    legend = ((color_variable(BLUE), "fixed: wrong before, right now"), (color_variable(YELLOW), "broken: right before, wrong now"))
    described = "; ".join(f"{name}: {moved['fixed']} fixed, {moved['broken']} broken" for name, moved in rounds)
    svg = draw(paint, name=f"moved-{part}", title="Fixed and broken", description=described, size=(WIDTH, FRAME + ROW * len(rounds)))
    return Plot(svg, legend)
