"""Are the labels right? What the judges of labels are worth, what they found, and the data map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.report.data_map import data_map, map_table
from spacy_synthesizrr.report.figures import BLUE, ORANGE, WIDTH, Plot
from spacy_synthesizrr.report.parts import Numbers, Part
from spacy_synthesizrr.report.svg import INK, color_variable, draw
from spacy_synthesizrr.report.view import Table, commanded, decimals, percent
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import NOTHING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERIFY, MAP, DISTRIBUTION = "synthesizrr.VerifyLabels.v1", "synthesizrr.Cartography.v1", "synthesizrr.MatchDistribution.v1"
NAMES = {"student": "student, cross-validated", "gold": "nearest labelled rows", "teacher": "teacher, blind"}
ACTIONS = {"review": "marked", "reject": "rejected", "relabel": "relabelled"}
DONE = {"kept": "kept", "marked": "marked for review", "rejected": "rejected", "relabelled": "given another label"}
MOST = 12  # pairs of labels in the table
HEIGHT = 240.0  # points


def part(numbers: Numbers) -> Part | None:
    """The section of the page; None where no filter of labels ran.

    numbers (Mapping): What `report.collect` gathered; "curation" is curation.json, or None.
    """
    arms = (numbers.get("curation") or {}).get("arms", {})
    filters = arms.get(MAIN, {}).get("filters", {})
    kinds = {about["kind"]: about for about in filters.values() if about["kind"] in (VERIFY, MAP, DISTRIBUTION)}
    if not kinds:
        return None
    plots: list[tuple[Plot, str]] = []
    tables = [checks_table(arms)] if VERIFY in kinds else []
    sentences: list[str] = []
    checks = {name: about for name, about in filters.items() if about["kind"] == VERIFY}
    for number, (name, found) in enumerate(checks.items()):
        whose = f" ({name})" if len(checks) > 1 else ""
        if found["judges"]:
            plot = scores_plot(found, name=f"label-scores-{number}" if number else "label-scores")
            plots.append((plot, f"How likely the label of each row is right, as the judges say{whose}."))
            tables += verify_tables(found, whose)
            sentences += verify_sentences(found)
        else:
            off = "; ".join(f"{NAMES[judge]}: {why}" for judge, why in found["off"].items())
            sentences.append(f"No judge of labels could say anything{whose}: {off}.")
    if (found := kinds.get(MAP)) and found.get("labels"):
        low = found["low"] if found["keep"] == "confidence" else None
        plots.append(
            (data_map(found["labels"], bins=found["bins"], low=low), "Data map: rows by what a student made of them while it learned.")
        )
        tables.append(map_table(found["labels"]))
        sentences.append(map_sentence(found))
    if found := kinds.get(DISTRIBUTION):
        tables.append(distribution_table(found))
    commands = (commanded("rows", numbers["run"], reason="label_mismatch"),) if VERIFY in kinds else ()
    return Part("labels", "Labels", tuple(plots), tuple(tables), tuple(sentences), files=("curation.json",), commands=commands)


def checks_table(arms: Mapping[str, Any]) -> Table:
    """What each set filter that checks labels was told to do, and what it did, on the run's own rows and on each control's.

    arms (Mapping): Of curation.json.
    """
    rows = tuple(
        (name, arm, found["rows"], found.get("unjudged"), ACTIONS.get(found.get("action", ""), NOTHING), _acted(found), *_right(found))
        for arm, about in arms.items()
        for name, found in about["filters"].items()
        if found["kind"] == VERIFY
    )
    head = (
        "set filter",
        "arm",
        "rows",
        "of which no judge spoke",
        "doubted rows were to be",
        "and were",
        "right labels, %",
        "95 % interval",
    )
    return Table("Filters that check labels", head, rows, words=(1, 4, 5))


def _acted(found: Mapping[str, Any]) -> str:
    """What was done; rows of which no judge spoke are marked at the most."""
    return ACTIONS[found["acted"]] if "acted" in found else "left as they are"


def _right(found: Mapping[str, Any]) -> tuple[str, str]:
    """The estimated share of right labels with its interval; without calibration it is assumed, and no estimate."""
    if "right_interval" not in found:
        return NOTHING, NOTHING
    low, high = found["right_interval"]
    return percent(found["right_share"]), f"{percent(low, 0)} to {percent(high, 0)}"


def scores_plot(found: Mapping[str, Any], *, name: str = "label-scores") -> Plot:
    """A histogram of scores, those below the threshold in another colour.

    name (str): Prefix of its ids on the page.
    """
    counts, threshold = found["scores"], float(found["threshold"])
    width = 1 / len(counts)

    def paint(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.subplots()
        edges = [place * width for place in range(len(counts))]
        colors = [BLUE if edge + width / 2 >= threshold else ORANGE for edge in edges]
        axes.bar(edges, counts, width=0.94 * width, align="edge", color=colors)
        axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlim=(0, 1), xlabel="score of the label", ylabel="rows")
        axes.grid(axis="y")
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_formatter("{x:,.0f}")

    below = found["rows"] - found["actions"].get("kept", 0)
    legend = (
        (color_variable(BLUE), f"at or above {threshold:g}: {found['actions'].get('kept', 0):,} rows"),
        (color_variable(ORANGE), f"below: {below:,} rows"),
    )
    described = (
        f"Histogram of label scores over {found['rows']:,} rows, mean {decimals(found['mean_score'])}; {legend[0][1]}; {legend[1][1]}."
    )
    return Plot(draw(paint, name=name, title="Scores of labels", description=described, size=(WIDTH, HEIGHT)), legend)


def verify_tables(found: Mapping[str, Any], whose: str = "") -> Iterator[Table]:
    """What each judge is worth on labelled rows; what became of rows; where they disagree.

    whose (str): Behind the captions, where several filters check labels.
    """
    yield judges_table(found, whose)
    actions = tuple((DONE[name], count, percent(count / max(1, found["rows"]))) for name, count in found["actions"].items())
    yield Table(f"What became of the rows{whose}", ("", "rows", "%"), actions)
    if found["mismatches"]:
        rows = tuple((own, best, count) for own, best, count in found["mismatches"][:MOST])
        rest = sum(count for _, _, count in found["mismatches"][MOST:])
        foot = ("other pairs", "", rest) if rest else ()
        yield Table(f"Rows whose label the judges doubt{whose}", ("asked for as", "judged to be", "rows"), rows, foot=foot, words=(1,))


def judges_table(found: Mapping[str, Any], whose: str = "") -> Table:
    """Accuracy on labelled rows that a judge never saw with their labels."""
    rows: list[tuple[str | int | None, ...]] = []
    for name, about in found["judges"].items():
        weight = found["pool"]["weights"].get(name)
        rows.append((NAMES[name], *_worth(about), decimals(weight, 2)))
    for name, about in found["pool"]["measured"].items():
        what = "all together, calibrated (cross-validated)" if name == "fitted" else "all together, equal weights"
        rows.append((what, *_worth(about), None))
    rows += [(f"{NAMES[name]}: off, {why}", None, None, None, None, None) for name, why in found["off"].items()]
    head = ("judge", "labelled rows", "right, %", "right above wrong label (AUROC)", "calibration error, %", "weight")
    return Table(f"What the judges are worth{whose}", head, tuple(rows))


def _worth(about: Mapping[str, Any]) -> tuple[str | int | None, ...]:
    if not about:
        return (0, None, None, None)
    return (about["rows"], percent(about["accuracy"]), decimals(about["right_above_wrong"]), percent(about["ece"]))


def verify_sentences(found: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): What the reader must know about the scores."""
    pool, labelled = found["pool"], found["labelled"]
    if pool["calibrated"]:
        yield (
            f"Scores are calibrated on {pool['rows']:,} labelled rows (of {labelled['seeds']:,} seeds and {labelled['train']:,} gold train "
            f"rows), which no judge saw with their labels. By the judges' evidence {_share(found)} of the rows have "
            "the right label. Synthetic rows may differ from labelled ones in ways "
            "that this does not see, and errors that the teacher makes again and again look right to a student that learned from them."
        )
    else:
        yield f"Scores are uncalibrated: {pool['why']}. They put rows in order and are no probabilities."
    if labelled["train"]:
        yield "Gold train rows helped to judge, so the student's own rows have seen gold: seed-only and the other controls have not."
    if found.get("acted") != found.get("action"):
        yield f"Doubted rows were to be {ACTIONS[found['action']]} and were only marked: {pool['why']}."
    if unjudged := found.get("unjudged"):
        yield f"Of {unjudged:,} rows no judge said anything: they are marked at the most."
    if found["folds"].get("by") == "row":
        yield "Some label has one seed only, so the student that judges a row has seen other rows of the same seed."
    if failed := found["failed_votes"]:
        told = ", ".join(f"{kind} {count:,}" for kind, count in failed.items())
        yield f"Questions to the teacher that it did not answer with a label: {told}."


def _share(found: Mapping[str, Any]) -> str:
    right, counted = found["right_share"], found["counted_share"]
    return f"{percent(counted, 0)} % or more" if right > counted else f"about {percent(right, 0)} %"


def map_sentence(found: Mapping[str, Any]) -> str:
    """RETURNS (str): How the data map was made and what it decided."""
    made = (
        f"The student '{found['student']}' passed over {found['rows']:,} rows {found['epochs']} times and learned their labels: the map "
        "says what was easy to believe, not what is right."
    )
    if found["keep"] is None:
        return f"{made} No row went for it."
    return f"{made} {found['rows'] - found['kept']:,} rows went by their {found['keep']}."


def distribution_table(found: Mapping[str, Any]) -> Table:
    """Rows of each label before, and what the filter made of them."""
    after = "weight of a row" if found["how"] == "weights" else "rows after"
    values = found.get("weights") or found.get("after") or {}
    rows = tuple(
        (label, count, percent(found["shares"].get(label)), decimals(values[label], 2) if found["how"] == "weights" else values[label])
        for label, count in found["before"].items()
    )
    return Table(f"Labels brought to: {found['to']}", ("label", "rows before", "wanted, %", after), rows)
