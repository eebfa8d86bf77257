"""What people said in review: how far they agree, what the suggestions are worth and how they pull. From review/agreement.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.documents import Document
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.report.figures import BLUE, FRAME, ROW, WIDTH, YELLOW, Plot
from spacy_synthesizrr.report.parts import Numbers, Part
from spacy_synthesizrr.report.svg import INK, color_variable, draw
from spacy_synthesizrr.report.view import Table, decimals, percent
from spacy_synthesizrr.students.scores import NOTHING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AGREEMENT, STEP = "review/agreement.json", "agreement"
ESTIMATED = '"Right, estimated" follows from how often people and suggestions agree on blind rows, if all err independently and alike.'
MEASURES = {
    "percent": "pairs of answers alike (%)",
    "fleiss": "Fleiss' kappa",
    "alpha": "Krippendorff's alpha, nominal",
    "alpha_masi": "Krippendorff's alpha, sets of labels (MASI)",
}
DECIDED = {
    "human": "labelled by people",
    "relabelled": "of these and the next, with another label than before",
    "suggestion": "a tie that the suggestion broke",
    "unreviewed": "labelled by nobody",
    "waiting": "of these, waiting for more people because those so far disagree",
    "edited": "with a text that people corrected",
}
MOST_CHANGES = 20  # of what became of suggestions that were not accepted
MOST_PAIRS = 20
ARMS = {"shown": (-0.15, BLUE, "suggestion shown"), "blind": (0.15, YELLOW, "blind: no suggestion shown")}
Estimate = Mapping[str, Any]


def read_review(folder: RunFolder, receipt: Mapping[str, Any]) -> Document | None:
    """What `agreement` measured.

    receipt (Mapping): Of that step, empty when it does not stand.
    RETURNS (Document | None): None in a run that nobody reviews, or before anybody answered.
    """
    if AGREEMENT not in receipt.get("outputs", ()):
        return None
    found = Document(read_json(folder.file(AGREEMENT), cure=f"Run the step '{STEP}'."), name=AGREEMENT, step=STEP)
    return found if found["rows"]["answered"] else None


def share(estimate: Estimate | None) -> str:
    """RETURNS (str): A share in percent with its interval, such as "81.5 (79.0 to 83.8)"."""
    return _told(estimate, percent)


def number(estimate: Estimate | None) -> str:
    """RETURNS (str): A coefficient with its interval, such as "0.72 (0.69 to 0.75)"."""
    return _told(estimate, lambda value: decimals(value, 2))


def _told(estimate: Estimate | None, written: Any) -> str:
    if estimate is None or estimate["value"] is None:
        return NOTHING
    ends = "" if estimate["low"] is None or estimate["high"] is None else f" ({written(estimate['low'])} to {written(estimate['high'])})"
    return f"{written(estimate['value'])}{ends}"


def sentences(review: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): How much was answered, and what the suggestions do to people."""
    rows, answers = review["rows"], review["answers"]
    people = len(review["people"])
    yield (
        f"{rows['answered']:,} of {rows['asked']:,} rows were answered by {people:,} {'person' if people == 1 else 'people'}: "
        f"{answers['submitted']:,} answers submitted, {answers['discarded']:,} discarded, {answers['draft']:,} drafts. "
        "Intervals are of 95 %; where there is none, too few rows tell anything."
    )
    pull = review["suggestions"]["pull"]
    if pull["copied"]["value"] is not None:
        yield (
            f"Suggestions are accepted in {share(pull['shown'])} % of the rows that show them, and in {share(pull['blind'])} % of the "
            f"rows where nobody sees them: a pull of {share(pull['difference'])} points. If people either copy what is shown or answer as "
            f"without it, they copy in {share(pull['copied'])} % of the rows."
        )
    elif not pull["blind"]["n"]:
        yield "How the suggestions pull is not known: no blind row was answered (see 'blind' in the review's config)."


def tables(review: Mapping[str, Any]) -> Iterator[Table]:
    """YIELDS (Table): Those with rows: rows, people, agreement, pairs, labels, score bins, what became of the suggestions."""
    made = (decided_table, people_table, agreement_table, pairs_table, labels_table, bins_table, changes_table)
    return (table for table in (make(review) for make in made) if table.rows)


def part(numbers: Numbers) -> Part | None:
    """What people said; None in a run that nobody reviews, or before anybody answered."""
    found = numbers.get("review")
    if not found:
        return None
    plot = acceptance(found)
    plots = ((plot, "How often people accept the suggestion"),) if plot else ()
    said = (*sentences(found), ESTIMATED)
    return Part("review", "What people said in review", plots, tuple(tables(found)), said, short="Review", files=(AGREEMENT,))


def decided_table(review: Mapping[str, Any]) -> Table:
    """What became of the rows that curation accepted; empty for files of releases that did not tell."""
    found = review.get("decided") or {}
    counts = [(title, found.get(name, 0)) for name, title in DECIDED.items()]
    unfit = found.get("unfit") or {}
    counts += [(f"turned away: {reason}", count - unfit.get(reason, 0)) for reason, count in (found.get("reasons") or {}).items()]
    counts += [(f"turned away: corrected text, {reason}", count) for reason, count in unfit.items()]
    return Table("What became of the rows", ("rows", "number"), tuple((title, count) for title, count in counts if count))


def people_table(review: Mapping[str, Any]) -> Table:
    """Each person's answers, accuracy, pull and pace."""
    rows = tuple(
        (
            one["name"],
            *(one["answers"][status] for status in ("submitted", "discarded", "draft")),
            share(one["like_others"]),
            share(one["accuracy"]),
            share(one["pull"]["copied"]),
            decimals(one["seconds"]["median"], 1),
        )
        for one in review["people"]
    )
    head = ("person", "submitted", "discarded", "drafts", "like most others (%)", "right, estimated (%)", "copies (%)", "seconds per row")
    return Table("People", head, rows, words=(4, 5, 6))


def agreement_table(review: Mapping[str, Any]) -> Table:
    """The coefficients on all rows with several answers, and on the blind ones among them."""
    found = review["agreement"]
    told = {name: share if name == "percent" else number for name in MEASURES}
    rows = tuple(
        (title, told[name](found["all"][name]), found["all"][name]["n"], told[name](found["blind"].get(name)), _n(found["blind"].get(name)))
        for name, title in MEASURES.items()
        if name in found["all"] and found["all"]["percent"]["n"]
    )
    return Table("Agreement between people", ("measure", "on all rows", "rows", "on blind rows", "blind rows"), rows, words=(1, 3))


def _n(estimate: Estimate | None) -> int:
    return 0 if estimate is None else int(estimate["n"])


def pairs_table(review: Mapping[str, Any]) -> Table:
    """Two people at a time."""
    most = sorted(review["pairs"], key=lambda one: -one["percent"]["n"])[:MOST_PAIRS]
    rows = tuple((" and ".join(one["people"]), one["percent"]["n"], share(one["percent"]), number(one["kappa"])) for one in most)
    return Table("Pairs of people", ("pair", "rows", "alike (%)", "Cohen's kappa"), rows, words=(2, 3))


def labels_table(review: Mapping[str, Any]) -> Table:
    """Each label against the others, and how often it is accepted when suggested."""
    rows = tuple(
        (one["label"], one["answers"], number(one["alpha"]), share(one["specific"]), one["accepted"]["n"], share(one["accepted"]))
        for one in review["labels"]
    )
    head = ("label", "answers", "alpha", "chosen by the others too (%)", "suggested", "accepted (%)")
    return Table("Labels", head, rows, words=(2, 3, 5))


def bins_table(review: Mapping[str, Any]) -> Table:
    """Acceptance by the score of the suggestion."""
    rows = tuple(
        (f"{one['low']:.1f} to {one['high']:.1f}", one["rows"], decimals(one["score"], 2), share(one["shown"]), share(one["blind"]))
        for one in review["suggestions"]["bins"]
    )
    head = ("score", "rows", "mean score", "accepted, shown (%)", "accepted, blind (%)")
    return Table("Acceptance of suggestions by their score", head, rows, words=(3, 4))


def changes_table(review: Mapping[str, Any]) -> Table:
    """What people said instead of the suggestion."""
    changed = [one for one in review["suggestions"]["became"] if one["suggested"] != one["answer"]]
    rows = tuple((one["suggested"], one["answer"], one["answers"]) for one in changed[:MOST_CHANGES])
    return Table("What people said instead of the suggestion", ("suggested", "answer", "answers"), rows, words=(1,))


def acceptance(review: Mapping[str, Any]) -> Plot | None:
    """Acceptance of suggestions over all rows and by score, where they were shown and where not.

    RETURNS (Plot | None): None when no row with a suggestion was answered.
    """
    rows = _rows(review)
    if not any(one[arm]["n"] for _, one, _ in rows for arm in ARMS):
        return None

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for place, (_, one, score) in enumerate(rows):
            for arm, (offset, color, _) in ARMS.items():
                _interval(axes, one[arm], place + offset, color)
            if score is not None:
                axes.plot([score, score], [place - 0.32, place + 0.32], color=INK, linewidth=2, solid_capstyle="butt")
        _axes(axes, [name for name, _, _ in rows])

    legend = [(color_variable(color), f"{title} ({_all(review, arm)['n']:,} rows)") for arm, (_, color, title) in ARMS.items()]
    if len(rows) > 1:
        legend.append((color_variable(INK), "mean score of the suggestions"))
    described = "Share of suggestions that people accept, with intervals of 95 %: " + "; ".join(_described(*row) for row in rows) + "."
    size = (WIDTH, FRAME + 1.2 * ROW * len(rows))
    return Plot(draw(paint, name="acceptance", title="Acceptance of suggestions", description=described, size=size), tuple(legend))


def _all(review: Mapping[str, Any], arm: str) -> Estimate:
    return review["suggestions"]["pull"][arm]


def _rows(review: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any], float | None]]:
    """Name, both arms and mean score: all rows first, then the bins from the highest score down."""
    found: list[tuple[str, Mapping[str, Any], float | None]] = [("all rows", {arm: _all(review, arm) for arm in ARMS}, None)]
    return found + [(f"score {one['low']:.1f} to {one['high']:.1f}", one, one["score"]) for one in reversed(review["suggestions"]["bins"])]


def _interval(axes: Axes, estimate: Estimate, height: float, color: str) -> None:
    if estimate["n"]:
        axes.plot([estimate["low"], estimate["high"]], [height, height], color=color, linewidth=5, alpha=0.4, solid_capstyle="butt")
        axes.plot([estimate["value"]], [height], "o", markersize=7, color=color, markeredgewidth=0)


def _axes(axes: Axes, names: Sequence[str]) -> None:
    from matplotlib.ticker import MultipleLocator, PercentFormatter

    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlim(-0.01, 1.01)
    axes.xaxis.set_major_locator(MultipleLocator(0.2))
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0, symbol=""))
    axes.set_xlabel("accepted, percent of rows")


def _described(name: str, one: Mapping[str, Any], score: float | None) -> str:
    arms = ", ".join(f"{arm} {share(one[arm])} %" for arm in ARMS if one[arm]["n"])
    return f"{name} {arms or 'not answered'}"
