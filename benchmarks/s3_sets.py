"""The real tasks of s3_real.py, cut by a seed: seeds, dev (half errors, half selection), test, and rows for a judge of labels.

No row stands in two parts. The data stay where they are; what is cut from them lies in a cache folder, and nothing of it enters this
repository.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3_loops import write, write_rows

HERE = Path(__file__).parent
SEEDS = 10  # per label
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A task of one size.

    task (str): Its file in tasks/. source (str): File of labelled rows. dev (int), test (int): Rows in all.
    fields (Tuple[str, ...]): Text fields. test_file (str): Rows of the test part; from `source` where there is none.
    corpus (str): File of passages; empty: the texts of the rows that are left, without their labels.
    sentences (int): Most that the extractive teacher takes.
    judge (int): Most gold rows that a judge of labels is trained on.
    """

    task: str
    source: str
    dev: int
    test: int
    fields: tuple[str, ...] = ("text",)
    test_file: str = ""
    corpus: str = "news_corpus.jsonl.gz"
    sentences: int = 2
    judge: int = 2000


AGNEWS = "agnews_train_sample.csv.gz"
CASES = {
    "agnews-100": Case("agnews", AGNEWS, 100, 2000),
    "agnews-500": Case("agnews", AGNEWS, 500, 2000),
    "agnews-2000": Case("agnews", AGNEWS, 2000, 2000),
    "imdb": Case("imdb", "imdb_train_5k.jsonl.gz", 1000, 1000, corpus="", sentences=8),
    "rte": Case("rte", "rte_train.jsonl", 800, 277, ("premise", "hypothesis"), "rte_test.jsonl"),
}


def read(path: Path) -> list[Row]:
    """RETURNS (List[Dict]): Rows of a CSV or JSONL file, gzipped or not; texts that stand there twice, once."""
    file = gzip.open(path, "rt", encoding="utf-8", newline="") if path.suffix == ".gz" else path.open(encoding="utf-8", newline="")
    with file:
        rows = csv.DictReader(file) if ".csv" in path.name else map(json.loads, file)
        return list({row["text"]: row for row in rows}.values())


def cut(case: Case, data: Path, draw: int) -> dict[str, list[Row]]:
    """RETURNS (Dict[str, List[Dict]]): Rows of seeds, dev, test and rest, labels in turn, so that every part is balanced."""
    rows = read(data / case.source)
    random.Random(f"{case.source} {draw}").shuffle(rows)
    labels = sorted({row["label"] for row in rows})
    queue = list(_in_turn([[row for row in rows if row["label"] == label] for label in labels]))
    if case.test_file:
        parts = {"test": read(data / case.test_file)}
    else:
        parts, queue = {"test": queue[: case.test]}, queue[case.test :]
    count = SEEDS * len(labels)
    return {**parts, "seeds": queue[:count], "dev": queue[count : count + case.dev], "rest": queue[count + case.dev :]}


def _in_turn(groups: Sequence[Sequence[Row]]) -> Iterator[Row]:
    for place in range(max(map(len, groups))):
        yield from (rows[place] for rows in groups if place < len(rows))


def make_task(project: Path, name: str, data: Path, draw: int) -> str:
    """Write the task of one draw.

    name (str): Of `CASES`.
    RETURNS (str): Its folder, in the project.
    """
    case, folder = CASES[name], project / "tasks" / f"{name}-{draw}"
    if not (folder / "task.yml").is_file():
        parts = cut(case, data, draw)
        for part in ("seeds", "dev", "test"):
            write_rows(folder / f"{part}.jsonl", ({key: row[key] for key in (*case.fields, "label")} for row in parts[part]))
        if case.corpus:
            (folder / "corpus.jsonl.gz").unlink(missing_ok=True)
            (folder / "corpus.jsonl.gz").symlink_to(data / case.corpus)
        else:
            write_rows(folder / "corpus.jsonl", ({"id": str(number), "text": row["text"]} for number, row in enumerate(parts["rest"])))
        text = (HERE / "tasks" / f"{case.task}.yml").read_text(encoding="utf-8")
        # written last; the control "gold" is no arm here
        write(folder / "task.yml", "k_seeds: 1\n" + "\n".join(line for line in text.splitlines() if not line.startswith("train:")) + "\n")
    return f"tasks/{name}-{draw}"


def judge_rows(name: str, data: Path, draw: int) -> list[Row]:
    """RETURNS (List[Dict]): Gold rows that no other part has, for a judge of labels."""
    return cut(CASES[name], data, draw)["rest"][: CASES[name].judge]
