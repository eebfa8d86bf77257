"""Set filters on many rows: duplicates by meaning beside brute force, and the time and memory of `VerifyLabels`.

    python benchmarks/set_filters.py DATA --model FOLDER    # FOLDER has model.onnx and tokenizer.json (docs/embedders.md); LSA without
    python benchmarks/set_filters.py DATA --parts labels    # one part only

DATA is a folder with news_corpus.jsonl.gz and agnews_train_sample.csv.gz.

duplicates  10,000 pieces of 60 words as in duplicates.py: a fifth are copies of others with 5 to 30 % of the words replaced. Brute force is
            the plainest program: row by row, the cosines with every earlier row that stays, in double precision. Recall and precision of
            the filter's verdicts are against it. "one matrix" takes all cosines at once, as fast as numpy can. "copies_found"
            tells, by share of replaced words, how many of the later ones of a text and its copy went; "others_gone" how many rows went that
            are no such text.
labels      rows of AG News in which a fifth of the words were replaced by words of other rows, with 10 % wrong labels, until there are
            10,000 and 100,000; 10 seeds per label. The whole filter, from a file of rows to verdicts, judges "student" and "gold" (LSA).

Each measurement has a process of its own and one thread for numpy; memory is its peak above that of its imports and inputs.
results/set_filters.json holds figures, never a text.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from corpora import embedder_of  # noqa: E402
from duplicates import COPIES, pieces, with_copies  # noqa: E402
from students_sets import read  # noqa: E402
from teacher import machine  # noqa: E402

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed  # noqa: E402
from spacy_synthesizrr.embedders.base import unit_rows  # noqa: E402
from spacy_synthesizrr.jsonl import write_jsonl  # noqa: E402
from spacy_synthesizrr.receipts import versions  # noqa: E402
from spacy_synthesizrr.set_filters.embedding_duplicates import SLACK, neighbours, sort_out  # noqa: E402
from spacy_synthesizrr.set_filters.labels import make_verify_labels  # noqa: E402
from spacy_synthesizrr.set_filters.pooling import auroc  # noqa: E402
from spacy_synthesizrr.set_filters.running import Rows, SetInputs  # noqa: E402
from spacy_synthesizrr.taskfile import read_task  # noqa: E402

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "set_filters.json"
NEWS = "agnews_train_sample.csv.gz"
ROWS, THRESHOLDS, SIZES = 10_000, (0.9, 0.95), (10_000, 100_000)
LABELS = ["World", "Sports", "Business", "Sci/Tech"]
SEEDS, REPLACED, WRONG, SEED = 10, 0.2, 0.1, 0


@contextmanager
def watched(said: dict[str, Any]) -> Iterator[None]:
    """Put seconds and CPU seconds of a block into `said`, and how far memory rose above what was there at its start."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (Linux)
    before, began, spent = _megabytes("VmRSS"), time.monotonic(), time.process_time()
    yield
    took = {"seconds": round(time.monotonic() - began, 2), "cpu": round(time.process_time() - spent, 2)}
    said |= {**took, "memory_mb": _megabytes("VmHWM") - before, "peak_mb": _megabytes("VmHWM")}


def _megabytes(name: str) -> int:
    """RETURNS (int): Of the memory of this process: VmRSS, what there is; VmHWM, the most there was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) // 1024


def brute_force(vectors: Any, threshold: float) -> Any:
    """RETURNS (ndarray): Whether each row stays."""
    exact = vectors.astype(np.float64)
    kept = np.ones(len(exact), dtype=bool)
    for row in range(1, len(exact)):
        kept[row] = not (exact[:row][kept[:row]] @ exact[row] >= threshold - SLACK).any()
    return kept


def one_matrix(vectors: Any, threshold: float) -> Any:
    """RETURNS (ndarray): Whether each row stays."""
    near = vectors @ vectors.T >= threshold - SLACK
    kept = np.ones(len(vectors), dtype=bool)
    for row in range(1, len(vectors)):
        kept[row] = not (near[row, :row] & kept[:row]).any()
    return kept


PLAIN = {"brute force": brute_force, "one matrix": one_matrix}


def one_sort(vectors: Path, method: str, threshold: float) -> None:
    """Judge vectors in this process, and print what it took."""
    loaded, said = np.load(vectors), dict[str, Any]()
    with watched(said):
        if method in PLAIN:
            kept = PLAIN[method](loaded, threshold)
        else:
            groups = np.zeros(len(loaded), dtype=np.int64)
            kept = sort_out(loaded, groups, threshold)[2]
            if method == "ours, with neighbours":
                neighbours(loaded, groups, kept)
    print(json.dumps({**said, "gone": np.flatnonzero(~kept).tolist()}))


def duplicates(data: Path, embedder: Any, scratch: Path) -> Iterator[dict[str, Any]]:
    """YIELDS (dict): A row of the results for each threshold."""
    originals = [text for text, _ in zip(pieces(data), range(round(ROWS * (1 - COPIES))), strict=False)]
    texts, pairs = with_copies(originals, random.Random(SEED))
    joined, about, path = [" ".join(text) for text in texts], dict[str, Any](), scratch / "vectors.npy"
    embedder.fit(joined, seed=SEED)
    with watched(about):
        vectors = unit_rows(np.concatenate([embedder.embed(joined[at : at + 512]) for at in range(0, len(joined), 512)]))
    np.save(path, vectors.astype(np.float32))
    for threshold in THRESHOLDS:
        said = {name: in_process("sort", path, name, threshold) for name in (*PLAIN, "ours", "ours, with neighbours")}
        gone = {name: set(one.pop("gone")) for name, one in said.items()}
        mine, truth = gone["ours"], gone["brute force"]
        copies = {row for later in pairs.values() for row in later}
        yield {
            "embedder": embedder.id, "dimensions": vectors.shape[1], "rows": len(texts), "threshold": threshold, "methods": said,
            "embedding": about, "gone": len(mine), "gone_by_brute_force": len(truth),
            "recall": round(len(mine & truth) / max(1, len(truth)), 5), "precision": round(len(mine & truth) / max(1, len(mine)), 5),
            "cpu_over_ours": {name: round(one["cpu"] / said["ours"]["cpu"], 2) for name, one in said.items()},
            "copies_found": {str(share): round(len(mine & set(later)) / len(later), 4) for share, later in pairs.items()},
            "others_gone": len(mine - copies),
        }  # fmt: skip


def news_run(data: Path, number: int, folder: Path) -> tuple[SetInputs, Rows, list[bool]]:
    """RETURNS (Tuple): A run's inputs, its rows, and whether each row's label is right."""
    chance, rows = random.Random(SEED), [row for row in read(data / NEWS) if row["label"] in LABELS]
    chance.shuffle(rows)
    seeds: dict[str, Seed] = {}
    for label in LABELS:
        some = [Seed.make((label,), {"text": row["text"]}) for row in rows if row["label"] == label][:SEEDS]
        seeds |= {seed.id: seed for seed in some}
    taken = {seed.fields["text"] for seed in seeds.values()}
    rows = [row for row in rows if row["text"] not in taken]
    words, right = [word for row in rows[:2000] for word in row["text"].split()], list[bool]()
    own = {label: [seed for seed in seeds.values() if seed.labels == (label,)] for label in LABELS}

    def made() -> Iterator[dict[str, Any]]:
        for place in range(number):
            row = rows[place % len(rows)]
            text = " ".join(chance.choice(words) if chance.random() < REPLACED else word for word in row["text"].split())
            right.append(chance.random() >= WRONG)
            label = row["label"] if right[-1] else chance.choice([other for other in LABELS if other != row["label"]])
            planned = Candidate.plan(task="t", strategy="s", seed=own[label][place % SEEDS], passage_id=f"p{place}", draw=0)
            yield planned.after(Event("synthesize", ACCEPTED), fields={"text": text}).to_dict()

    path = folder / "rows.jsonl"
    write_jsonl(path, made())
    (folder / "corpus.jsonl").touch()
    (folder / "task.yml").write_text((HERE / "tasks" / "agnews.yml").read_text(encoding="utf-8"), encoding="utf-8")
    for kind in ("seeds", "dev", "test", "rest"):
        (folder / f"{kind}.jsonl").touch()
    embedder = embedder_of("lsa")
    embedder.fit([row["text"] for row in rows[:5000]], seed=SEED)
    lookup: Any = SimpleNamespace(task=read_task(folder / "task.yml"), store=SimpleNamespace(embedder=embedder), seeds=seeds)
    ctx: Any = SimpleNamespace(seed=SEED)
    return SetInputs(ctx, "main", folder, lookup), Rows(path), right


def one_check(data: Path, number: int) -> None:
    """Check the labels of so many rows in this process, and print what it took."""
    with tempfile.TemporaryDirectory(prefix="labels-benchmark-") as scratch:
        inputs, rows, right = news_run(data, number, Path(scratch))
        said: dict[str, Any] = {"rows": number, "wrong": round(1 - sum(right) / number, 4)}
        judge: Any = make_verify_labels().bind(inputs)
        with watched(said):
            scores = np.array([verdict.detail["label_score"] for verdict in judge(rows)])
        said |= {"auroc": auroc(scores, np.array(right)), "right_share": judge.told()["right_share"]}
        print(json.dumps(said))


def in_process(*words: Any) -> dict[str, Any]:
    """RETURNS (dict): What one measurement said, from a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--one", *map(str, words)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def main() -> None:
    """Measure, and write it down."""
    if sys.argv[1:2] == ["--one"]:
        what, *rest = sys.argv[2:]
        return one_sort(Path(rest[0]), rest[1], float(rest[2])) if what == "sort" else one_check(Path(rest[0]), int(rest[1]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="", help="folder of an ONNX model, whose vectors are compared too")
    parser.add_argument("--parts", nargs="+", choices=("duplicates", "labels"), default=["duplicates", "labels"])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    known: dict[str, Any] = json.loads(options.results.read_text(encoding="utf-8")) if options.results.is_file() else {}
    known |= {"machine": machine(), "versions": versions(), "seed": SEED}
    for part in options.parts:
        known[part] = []
        with tempfile.TemporaryDirectory(prefix="set-filters-") as scratch:
            names = ["lsa", *([options.model] if options.model else [])]
            rows = (
                (row for name in names for row in duplicates(options.data, embedder_of(name), Path(scratch)))
                if part == "duplicates"
                else (in_process("check", options.data, number) for number in SIZES)
            )
            for row in rows:
                known[part].append({**row, "load": round(os.getloadavg()[0], 2)})
                print(json.dumps(known[part][-1]), flush=True)
                options.results.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
