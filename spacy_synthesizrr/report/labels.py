"""Are the labels right? What the judges of labels are worth, what they found, and the data map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.report.data_map import data_map, map_table
from spacy_synthesizrr.report.figures import BLUE, ORANGE, WIDTH, Plot
from spacy_synthesizrr.report.parts import Numbers, Part
from spacy_synthesizrr.report.svg import INK, color_variable, draw
from spacy_synthesizrr.report.view import Table, decimals, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERIFY, MAP, DISTRIBUTION = "synthesizrr.VerifyLabels.v1", "synthesizrr.Cartography.v1", "synthesizrr.MatchDistribution.v1"
NAMES = {"student": "student, cross-validated", "gold": "nearest labelled rows", "teacher": "teacher, blind"}
DONE = {"kept": "kept", "marked": "marked for review", "rejected": "rejected", "relabelled": "given another label"}
MOST = 12  # pairs of labels in the table
HEIGHT = 240.0  # points


def part(numbers: Numbers) -> Part | None:
    """The section of the page; None where no filter of labels ran.

    numbers (Mapping): What `report.collect` gathered; "curation" is curation.json, or None.
    """
    curation = numbers.get("curation") or {}
    filters = curation.get("arms", {}).get("main", {}).get("filters", {})
    kinds = {about["kind"]: about for about in filters.values() if about["kind"] in (VERIFY, MAP, DISTRIBUTION)}
    if not kinds:
        return None
    plots: list[tuple[Plot, str]] = []
    tables: list[Table] = []
    sentences: list[str] = []
    if (found := kinds.get(VERIFY)) and found["judges"]:
        plots.append((scores_plot(found), "How likely the label of each row is right, as the judges say."))
        tables += verify_tables(found)
        sentences += verify_sentences(found)
    elif found:
        sentences.append(
            f"No judge of labels could say anything: {'; '.join(f'{NAMES[name]}: {why}' for name, why in found['off'].items())}."
        )
    if (found := kinds.get(MAP)) and found.get("labels"):
        low = found["low"] if found["keep"] == "confidence" else None
        plots.append(
            (data_map(found["labels"], bins=found["bins"], low=low), "Data map: rows by what a student made of them while it learned.")
        )
        tables.append(map_table(found["labels"]))
        sentences.append(map_sentence(found))
    if found := kinds.get(DISTRIBUTION):
        tables.append(distribution_table(found))
    commands = (f"synthesizrr rows --reason label_mismatch --run {numbers['run']}",) if VERIFY in kinds else ()
    return Part("labels", "Labels", tuple(plots), tuple(tables), tuple(sentences), files=("curation.json",), commands=commands)


def scores_plot(found: Mapping[str, Any]) -> Plot:
    """A histogram of scores, those below the threshold in another colour."""
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
    return Plot(draw(paint, name="label-scores", title="Scores of labels", description=described, size=(WIDTH, HEIGHT)), legend)


def verify_tables(found: Mapping[str, Any]) -> Iterator[Table]:
    """What each judge is worth on labelled rows; what became of rows; where they disagree."""
    yield judges_table(found)
    actions = tuple((DONE[name], count, percent(count / max(1, found["rows"]))) for name, count in found["actions"].items())
    yield Table("What became of the rows", ("", "rows", "%"), actions)
    if found["mismatches"]:
        rows = tuple((own, best, count) for own, best, count in found["mismatches"][:MOST])
        rest = sum(count for _, _, count in found["mismatches"][MOST:])
        foot = ("other pairs", "", rest) if rest else ()
        yield Table("Rows whose label the judges doubt", ("asked for as", "judged to be", "rows"), rows, foot=foot, words=(1,))


def judges_table(found: Mapping[str, Any]) -> Table:
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
    return Table("What the judges are worth", head, tuple(rows))


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
