"""Which rows the page shows: a seeded sample of all arms in which every reason and every mistake has a place.

Each file is read once, and no more rows are kept than the sample may need. Room is shared fairly: kinds of which there
are few rows are shown whole, and what they leave is shared by the others.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from spacy_synthesizrr.candidates import Candidate, label_key
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.metrics.samples import Reservoir
from spacy_synthesizrr.report.items import Item
from spacy_synthesizrr.report.rows import MOST_KEYS, sample
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import NO_LABEL

MOST = 2000  # rows in all
REJECTED, CONTROLS, TESTED = 600, 300, 300  # of these at most, unless others leave room
EACH = 300  # rows of one reason among which the sample is drawn
LEAST = 60  # rows of one label that are kept to draw from
SETS = 4  # label sets for each label that have a sample of their own, in tasks whose labels do not exclude each other
CELL = 6  # test rows of one cell
ACCEPTED_FILE, REJECTED_FILE = "accepted.jsonl", "rejected.jsonl"
Thing = TypeVar("Thing")
Watch = Callable[[Iterable[Candidate]], Iterable[Candidate]]
Cell = tuple[str, str]  # gold label set, the student's


@dataclass(frozen=True)
class Sample:
    """Rows of the run, and how many there are in all.

    rows (Sequence[Tuple[str, Candidate]]): Arm and row: accepted ones of the run, rejected ones, those of the controls.
    totals (Mapping[str, Mapping[str, int]]): Arm → status → rows in its files.
    reasons (Mapping[str, int]): Why rows of the run were turned away → how many.
    """

    rows: Sequence[tuple[str, Candidate]] = ()
    totals: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Confused:
    """Test rows that are shown.

    said (Mapping[int, Tuple[str, ...]]): Line of the test file → what the student says.
    cells (Mapping[Cell, Sequence[int]]): Lines of each cell; the mistakes first, the most frequent before the others.
    counts (Mapping[Cell, int]): How many rows fell into each.
    """

    said: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    cells: Mapping[Cell, Sequence[int]] = field(default_factory=dict)
    counts: Mapping[Cell, int] = field(default_factory=dict)


def fair(sizes: Mapping[Any, int], room: int) -> dict[Any, int]:
    """Share room among kinds: everybody gets the same, but nobody more than there is.

    RETURNS (dict): Rows of each kind; with less room than kinds, one for each of the first.
    """
    given = dict.fromkeys(sizes, 0)
    open_kinds = [kind for kind, size in sizes.items() if size]
    while room > 0 and open_kinds:
        each = max(1, room // len(open_kinds))
        for kind in open_kinds[:room]:
            taken = min(each, sizes[kind] - given[kind], room)
            given[kind] += taken
            room -= taken
        open_kinds = [kind for kind in open_kinds if given[kind] < sizes[kind]]
    return given


def thinned(kinds: Mapping[Any, Sequence[Thing]], room: int, *, seed: int) -> list[Thing]:
    """Draw from each kind what is its fair share, in the order of the kinds and of their rows."""
    chance = random.Random(seed)
    shares = fair({kind: len(rows) for kind, rows in kinds.items()}, room)
    found: list[Thing] = []
    for kind, rows in kinds.items():
        found += (rows[place] for place in sorted(chance.sample(range(len(rows)), shares[kind])))
    return found


def draw_sample(arms: Mapping[str, Path], *, seed: int, labels: int, tested: int, watch: Watch) -> Sample:
    """Draw from the files of a run.

    arms (Mapping[str, Path]): Folder of each arm, "main" first.
    labels (int): Of the task: the more there are, the fewer rows of each are kept to draw from.
    tested (int): Rows of the page that are taken already.
    watch (Callable): Sees the accepted rows of the main arm go by.
    RETURNS (Sample): The same for the same files and seed.
    """
    totals: dict[str, Counter[str]] = {arm: Counter() for arm in arms}
    reasons = Counter[str]()

    def read(arm: str, name: str) -> Iterator[Candidate]:
        path = arms[arm] / name
        for row in read_jsonl(path, Candidate.from_dict) if path.is_file() else ():
            totals[arm][row.status] += 1
            if arm == MAIN and name == REJECTED_FILE:
                reasons[_why(row)] += 1
            yield row

    rejected = thinned(sample(read(MAIN, REJECTED_FILE), EACH, by=_why, seed=seed), REJECTED, seed=seed)
    beside: dict[str, list[tuple[str, Candidate]]] = {}
    for arm in arms:
        for name, by in ((ACCEPTED_FILE, _label), (REJECTED_FILE, _why)) if arm != MAIN else ():
            kinds = sample(read(arm, name), CONTROLS // 2, by=by, seed=seed, most=max(MOST_KEYS, labels))
            beside |= {f"{arm} {name} {kind}": [(arm, row) for row in rows] for kind, rows in kinds.items()}
    controls = thinned(beside, CONTROLS, seed=seed)
    room = max(0, MOST - tested - len(rejected) - len(controls))
    each = min(MOST, max(LEAST, 2 * MOST // labels))
    accepted = sample(watch(read(MAIN, ACCEPTED_FILE)), each, by=_label, seed=seed, most=max(MOST_KEYS, SETS * labels))
    kept = _mixed(thinned(accepted, room, seed=seed), seed=seed)
    return Sample([*((MAIN, row) for row in (*kept, *rejected)), *controls], totals, reasons)


def _mixed(rows: Sequence[Candidate], *, seed: int) -> list[Candidate]:
    """Labels in turn, so that the first rows that a reader meets are of all of them."""
    kinds: dict[str, list[Candidate]] = {}
    for row in random.Random(seed).sample(rows, len(rows)):
        kinds.setdefault(row.key, []).append(row)
    turns = max(map(len, kinds.values()), default=0)
    return [rows[turn] for turn in range(turns) for rows in kinds.values() if turn < len(rows)]


def _label(row: Candidate) -> str:
    return row.key


def _why(row: Candidate) -> str:
    return row.reason or "unknown"


def draw_tested(answers: Iterable[Mapping[str, Any]], *, seed: int) -> Confused:
    """Draw test rows of every cell of the confusion matrix.

    answers (Iterable[Mapping]): line, gold and student of each test row.
    """
    chance = random.Random(seed)
    kept: dict[Cell, Reservoir[tuple[int, tuple[str, ...]]]] = {}
    counts: Counter[Cell] = Counter()
    for row in answers:
        cell = (label_key(row["gold"]) or NO_LABEL, label_key(row["student"]) or NO_LABEL)
        counts[cell] += 1
        kept.setdefault(cell, Reservoir(CELL, chance)).add((int(row["line"]), tuple(row["student"])))
    order = sorted(counts, key=lambda cell: (cell[0] == cell[1], -counts[cell], cell))
    pools = {cell: kept[cell].items() for cell in order}
    shares = fair({cell: len(rows) for cell, rows in pools.items()}, TESTED)
    cells = {cell: rows[: shares[cell]] for cell, rows in pools.items() if shares[cell]}
    said = {line: student for rows in cells.values() for line, student in rows}
    return Confused(said, {cell: [line for line, _ in rows] for cell, rows in cells.items()}, dict(counts))


def cells_as_answers(cells: Iterable[Mapping[str, Any]], labels: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The rows that a confusion matrix names, for runs of releases that wrote no answers: the first ones of each cell.

    labels (Iterable[str]): A label may hold what stands between the labels of a set.
    """
    known = set(labels)
    for cell in cells:
        for line in cell["rows"]:
            yield {"line": line, "gold": _labels_of(cell["gold"], known), "student": _labels_of(cell["predicted"], known)}


def _labels_of(key: str, known: set[str]) -> list[str]:
    return [] if key == NO_LABEL and key not in known else [key] if key in known else key.split(" + ")


def by_cell(tested: Confused, items: Mapping[int, Item]) -> dict[Cell, tuple[Item, ...]]:
    """RETURNS (Dict[Cell, Tuple[Item, ...]]): The rows that are shown of each cell, in the order of `Confused.cells`."""
    return {cell: tuple(items[line] for line in lines if line in items) for cell, lines in tested.cells.items()}
