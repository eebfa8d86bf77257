"""Train sets of 40, 400 and 4,000 rows for the comparison of students: gold, noisy and synthesized; balanced, three draws of each.

Of each draw the smaller sets are parts of the larger ones, and dev and test are the same for all. Nothing of them enters this
repository.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZES = (40, 400, 4000)
DRAWS = 3
DEV, TEST, SEEDS = 100, 500, 50  # per label
Row = dict[str, Any]  # text, label, and perhaps noisy_label


@dataclass(frozen=True)
class Source:
    """A labelled data set. train, test (str): Files; without a test file test is cut from train. kinds: Kinds of rows."""

    train: str
    test: str = ""
    kinds: tuple[str, ...] = ("gold",)


SOURCES = {
    "agnews": Source("agnews_train_sample.csv.gz", kinds=("gold", "noisy", "synthesized")),
    "sarcasm": Source("sarcasm_headlines_train.csv.gz", "sarcasm_headlines_test.csv"),
    "sst2": Source("sst2_train.csv", "sst2_dev.csv"),
}


def read(path: Path) -> list[Row]:
    """RETURNS (List[Row]): Of a CSV file, gzipped or not; texts that stand there twice, once."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") if path.suffix == ".gz" else path.open(encoding="utf-8", newline="") as file:
        return list({row["text"]: row for row in csv.DictReader(file)}.values())


def by_label(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """RETURNS (Dict[str, List[Row]]): Rows of each label, in order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["label"], []).append(row)
    return dict(sorted(found.items()))


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write texts and labels as JSONL."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({"text": row["text"], "label": row["label"]}, ensure_ascii=False) + "\n")


def in_turn(groups: Sequence[Sequence[Row]]) -> Iterator[Row]:
    """YIELDS (Row): One of each label in turn, so that every beginning is balanced."""
    for rows in zip(*groups, strict=False):
        yield from rows


def make_sets(data: Path, folder: Path, name: str, draw: int) -> None:
    """Write dev.jsonl, test.jsonl, seeds.jsonl and <kind>-<rows>.jsonl of gold and noisy rows for one draw of one data set."""
    source, chance = SOURCES[name], random.Random(f"{name} {draw}")
    labels = by_label(read(data / source.train))
    for rows in labels.values():
        chance.shuffle(rows)
    parts: dict[str, list[list[Row]]] = {"dev": [], "test": [], "seeds": [], "rest": []}
    for rows in labels.values():
        for part, number in (("dev", DEV), ("seeds", SEEDS), ("test", 0 if source.test else TEST)):
            parts[part].append(rows[:number])
            del rows[:number]
        parts["rest"].append(rows)
    if source.test:
        rows = read(data / source.test)
        chance.shuffle(rows)
        parts["test"] = [rows[: TEST * 4]]
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("dev", "seeds"):
        write(folder / f"{part}.jsonl", in_turn(parts[part]))
    write(folder / "test.jsonl", in_turn(parts["test"]))
    for kind in source.kinds:
        if kind != "synthesized":
            groups = [[one for row in group if (one := _as(kind, row))] for group in parts["rest"]]
            for size in SIZES:
                write(folder / f"{kind}-{size}.jsonl", list(in_turn(groups))[:size])


def _as(kind: str, row: Row) -> Row | None:
    """A row with its gold label, or with the label that somebody's rules gave it; rows without that are left out."""
    if kind == "gold":
        return row
    return {"text": row["text"], "label": row["noisy_label"]} if row["noisy_label"] else None


def make_synthesized(data: Path, folder: Path, work: Path, draw: int) -> None:
    """Write synthesized-<rows>.jsonl: passages of the news corpus as the default strategy plans them for the seeds, without a teacher.

    folder (Path): Of one draw of AG News. work (Path): Keeps the index.
    """
    from corpora import embedder_of, make_task, ready_index

    from spacy_synthesizrr.configs import section
    from spacy_synthesizrr.sourcing.plan import plan
    from spacy_synthesizrr.sourcing.settings import PlanSettings
    from spacy_synthesizrr.steps.plan import read_sources
    from spacy_synthesizrr.taskfile import read_task

    here = work / f"task{draw}"
    make_task(here, data)
    for part in ("seeds", "dev", "test"):
        (here / f"{part}.jsonl").write_bytes((folder / f"{part}.jsonl").read_bytes())
    task = read_task(here)
    store, _ = ready_index(work / "index", task, embedder_of("lsa"))
    settings = section({"plan": {"preset": "synthesizrr", "mode": "zero-shot"}}, "plan", PlanSettings, path="students_sets.py")
    sources, most = read_sources(task, settings), max(SIZES) // len(task.labels)
    found = plan(sources.seeds, store, task=task, settings=settings, per_label=most, seed=draw, gold=sources.gold)
    groups: dict[str, list[Row]] = {label: [] for label in task.labels}
    for candidate in found.candidates():
        (label,) = candidate.labels
        if len(groups[label]) < most:
            (passage,) = store.get([str(candidate.passage_id)])
            groups[label].append({"text": passage.text, "label": label})
    rows = list(in_turn(list(groups.values())))
    for size in SIZES:
        write(folder / f"synthesized-{size}.jsonl", rows[:size])
