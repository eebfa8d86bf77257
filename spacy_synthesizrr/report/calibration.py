"""How far the student's scores can be taken as probabilities: a reliability diagram, the numbers behind it, the thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.report.figures import BLUE, ORANGE, WIDTH, Plot
from spacy_synthesizrr.report.svg import INK, MUTED, color_variable, draw
from spacy_synthesizrr.report.view import Table, decimals, percent
from spacy_synthesizrr.students.table import USUAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT = 360.0  # points
Bins = Sequence[Mapping[str, Any]]


def reliability(bins: Bins, *, exclusive: bool) -> Plot:
    """The share of right answers among predictions of each score: on the diagonal, scores are probabilities.

    bins (Sequence[Mapping]): low, high, count, score (mean) and share (right), rising.
    exclusive (bool): Whether only the top score of each row is in the bins, and not every score of every label.
    """
    from matplotlib.ticker import MultipleLocator, PercentFormatter

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        edges, shares = [one["low"] for one in bins], [one["share"] for one in bins]
        axes.bar(edges, shares, width=[0.94 * (one["high"] - one["low"]) for one in bins], align="edge", color=BLUE, alpha=0.75)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.5, linestyle=(0, (4, 3)))
        axes.vlines([one["score"] for one in bins], shares, [one["score"] for one in bins], color=ORANGE, linewidth=2)
        axes.plot([one["score"] for one in bins], shares, "o", markersize=5, color=INK, linestyle="none", markeredgewidth=0)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="score, percent", ylabel="right, percent")
        axes.grid(axis="y")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MultipleLocator(0.2))
            axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=""))

    what = "top scores" if exclusive else "scores of all labels"
    legend = (
        (color_variable(BLUE), f"share that is right, by score ({sum(one['count'] for one in bins):,} {what})"),
        (color_variable(ORANGE), "distance from the mean score: above the dashed line too cautious, below it too sure"),
    )
    spoken = "; ".join(f"{one['count']:,} with mean score {percent(one['score'])}: {percent(one['share'])} right" for one in bins)
    described = f"Share of right answers in percent by score: {spoken}."
    return Plot(draw(paint, name="reliability", title="Reliability diagram", description=described, size=(WIDTH, HEIGHT)), legend)


def tables(chosen: Mapping[str, Any]) -> Iterator[Table]:
    """The measures before and after, the bins, and the thresholds where there are any.

    chosen (Mapping): calibration and thresholds of the student.
    """
    found = chosen["calibration"]
    rows = [
        ("expected calibration error, %", *(percent(found["ece"][name]) for name in ("before", "after"))),
        ("Brier score", *(decimals(found["brier"][name]) for name in ("before", "after"))),
    ]
    if found["nll"]:
        rows.append(("negative log-likelihood, nats", *(decimals(found["nll"][name]) for name in ("before", "after"))))
    head = ("on test", "as trained", f"with temperature {found['temperature']:.2f}")
    yield Table(f"Scores against what is right, {found['rows']:,} rows", head, tuple(rows))
    bins = tuple(
        (f"{one['low']:.2f} to {one['high']:.2f}", one["count"], percent(one["score"]), percent(one["share"]))
        for one in found["reliability"]
    )
    yield Table("The diagram in numbers", ("score", "predictions", "mean score, %", "right, %"), bins)
    if chosen["thresholds"]:
        yield Table("Thresholds", ("label", "given from score"), tuple((label, decimals(at)) for label, at in chosen["thresholds"].items()))


def sentences(chosen: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): What the reader must know about these numbers."""
    found, done = chosen["calibration"], chosen["finish"]
    if found["temperature"] == 1.0:
        yield f"Scores are as training left them. {done.get('why', '')}".strip()
    else:
        ece = found["ece"]
        change = "smaller" if ece["after"] < ece["before"] else "no smaller"
        yield (
            f"Logits are divided by {found['temperature']:.2f}, a temperature that was fitted on {done.get('rows', 0):,} dev rows and is "
            f"part of the student's weights. On test the calibration error is {change} for it: {percent(ece['before'])} % before, "
            f"{percent(ece['after'])} % after. {done.get('why', '')}".strip()
        )
    yield f"{_choice(chosen)} Nothing was fitted to test. Few rows in a bin say little."
    yield from done.get("notes", ())


def _choice(chosen: Mapping[str, Any]) -> str:
    """What dev chose, and what its scores are worth therefore."""
    moved = any(value != USUAL for value in (chosen["thresholds"] or {}).values())
    fitted = ["temperature"] if chosen["calibration"]["temperature"] != 1.0 else []
    fitted += ["thresholds"] if moved else []
    if fitted:
        return f"Dev chose the model before it chose {' and '.join(fitted)}, so on dev all of it looks a little better than it is."
    if chosen["finish"].get("rows"):
        return "Dev chose the model, so on dev it looks a little better than it is."
    return "There were no dev rows to choose or fit anything by."
