"""Near-duplicates among real texts: recall, precision, texts per second and memory of this project, datasketch and rensa in one run.

    python benchmarks/duplicates.py DATA --install     # datasketch and rensa into an environment of their own, once
    python benchmarks/duplicates.py DATA               # everything; the figures stand in results/duplicates.json
    python benchmarks/duplicates.py DATA --sizes 10000

DATA is a folder with news_corpus.jsonl.gz: its texts, shuffled, are cut into pieces of 60 words. A fifth of each set are copies of
other texts of the set in which 5, 10, 20 or 30 % of the words were replaced by words drawn from the whole corpus. The order is
shuffled, and each text is looked up among those before it.

The truth is known: every text is compared with every other (a sparse matrix of word 3-grams times itself, in blocks). A text is a
near-duplicate when one before it reaches the threshold. "recall" and "precision" are over all texts; "named" tells how precise a
method would be without a look at what its index names. Seconds are from words to verdicts, with one thread for numpy; this project
joins and cuts the words again, as it must in a run. "strengths" tells, for each share of changed words, how many pairs of a text and
its copy are near-duplicates by the threshold, and of how many the later one was found.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from clients import install, versions  # noqa: E402
from teacher import machine  # noqa: E402

from spacy_synthesizrr.curation.near_index import shingle_keys  # noqa: E402
from spacy_synthesizrr.words import words  # noqa: E402

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "duplicates.json"
CORPUS, PEER = "news_corpus.jsonl.gz", "duplicates"
SIZES, THRESHOLDS, STRENGTHS = (10_000, 100_000), (0.5, 0.8), (0.05, 0.1, 0.2, 0.3)
LENGTH, NGRAM, COPIES, SEED, BLOCK = 60, 3, 0.2, 0, 2_000
METHODS = ("ours", "datasketch", "datasketch-bulk", "rensa")
Text = list[str]
Pairs = dict[float, list[int]]


def pieces(data: Path) -> Iterator[Text]:
    """YIELDS (List[str]): Different pieces of 60 words."""
    with gzip.open(data / CORPUS, "rt", encoding="utf-8") as file:
        passages = [json.loads(line)["text"] for line in file]
    random.Random(SEED).shuffle(passages)
    seen: set[str] = set()
    for passage in passages:
        tokens = words(passage)
        for start in range(0, len(tokens) - LENGTH + 1, LENGTH):
            piece = tokens[start : start + LENGTH]
            if (key := " ".join(piece)) not in seen:
                seen.add(key)
                yield piece


def with_copies(originals: list[Text], rng: random.Random) -> tuple[list[Text], Pairs]:
    """Plant changed copies among texts, each of another.

    RETURNS (Tuple[List[List[str]], Dict[float, List[int]]]): The texts in a shuffled order; for each share of changed words the later
        text of every pair of a text and its copy.
    """
    total = round(len(originals) / (1 - COPIES))
    vocabulary = sorted({word for text in originals for word in text})
    texts, sources = list(originals), rng.sample(range(len(originals)), total - len(originals))
    for number, source in enumerate(sources):
        copy = list(originals[source])
        for at in rng.sample(range(LENGTH), round(STRENGTHS[number % len(STRENGTHS)] * LENGTH)):
            copy[at] = rng.choice(vocabulary)
        texts.append(copy)
    order = list(range(total))
    rng.shuffle(order)
    place = {row: at for at, row in enumerate(order)}
    later: Pairs = {strength: [] for strength in STRENGTHS}
    for number, source in enumerate(sources):
        later[STRENGTHS[number % len(STRENGTHS)]].append(max(place[source], place[len(originals) + number]))
    return [texts[row] for row in order], later


def nearest_before(texts: list[Text]) -> Any:
    """RETURNS (ndarray): For each text the largest Jaccard similarity to one before it: all are compared with all."""
    from scipy.sparse import csr_matrix

    sets = [shingle_keys(" ".join(text), NGRAM) for text in texts]
    sizes = np.array([len(some) for some in sets])
    _, columns = np.unique(np.concatenate(sets), return_inverse=True)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    matrix = csr_matrix((np.ones(len(columns), dtype=np.float32), columns, starts))
    turned, best = matrix.T.tocsr(), np.zeros(len(texts))
    for start in range(0, len(texts), BLOCK):
        shared = (matrix[start : start + BLOCK] @ turned).tocoo()
        row, other = shared.row + start, shared.col
        before = other < row
        row, other, both = row[before], other[before], shared.data[before]
        np.maximum.at(best, row, both / (sizes[row] + sizes[other] - both))
    return best


def run(method: str, python: str, texts: Path, threshold: float) -> dict[str, Any]:
    """RETURNS (Dict): What a method said, from a process of its own."""
    command = [python, str(HERE / "peers" / "find_duplicates.py"), method, str(texts), str(NGRAM), str(threshold)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def judged(said: dict[str, Any], truth: Any, pairs: Pairs) -> dict[str, Any]:
    """RETURNS (Dict): The figures of one method at one threshold."""
    found, named = np.array(said["rows"]) >= 0, np.array(said["named"])
    count = len(truth)
    row = {"seconds": round(said["seconds"], 2), "cpu": round(said["cpu"], 2), "texts_a_cpu_second": round(count / said["cpu"])}
    row |= {"memory_mb": said["peak_mb"] - said["texts_mb"], "found": int(found.sum()), "true": int(truth.sum())}
    row["recall"] = round(float((found & truth).sum() / truth.sum()), 5)
    row["precision"] = round(float((found & truth).sum() / max(1, found.sum())), 5)
    row["precision_of_the_named"] = round(float((named & truth).sum() / max(1, named.sum())), 5)
    about = {}
    for strength in STRENGTHS:
        later = pairs[strength]
        about[str(strength)] = {"near": round(float(truth[later].mean()), 4), "found": round(float(found[later].mean()), 4)}
    return {**row, "strengths": about}


def measure(texts: list[Text], pairs: Pairs, peer: str, scratch: Path) -> Iterator[dict[str, Any]]:
    """YIELDS (Dict): A row of the results for each threshold."""
    path = scratch / "texts.txt"
    path.write_text("".join(" ".join(text) + "\n" for text in texts), encoding="utf-8")
    best = nearest_before(texts)
    for threshold in THRESHOLDS:
        truth = best >= threshold - 1e-6  # float32 sums
        row: dict[str, Any] = {"texts": len(texts), "threshold": threshold, "load": round(os.getloadavg()[0], 2), "methods": {}}
        for method in METHODS:
            python = sys.executable if method == "ours" else peer
            if python:
                row["methods"][method] = judged(run(method, python, path, threshold), truth, pairs)
        ours = row["methods"]["ours"]["texts_a_cpu_second"]
        row["our_speed_over"] = {name: round(ours / about["texts_a_cpu_second"], 2) for name, about in row["methods"].items()}
        yield row


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--install", action="store_true", help="install the peers, and do nothing else")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of texts, with commas between")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    python, missing = install(PEER, may_install=options.install)
    if options.install:
        print(missing or python)
        return
    told = {"spacy-synthesizrr": versions("", sys.executable), **({"peers": versions(PEER, python)} if python else {})}
    known: dict[str, Any] = {"machine": machine(), "versions": told, "missing": missing, "seed": SEED}
    rows: list[dict[str, Any]] = []
    known |= {"words_a_text": LENGTH, "words_a_shingle": NGRAM, "share_of_copies": COPIES, "rows": rows}
    sizes = sorted(int(size) for size in options.sizes.split(","))
    originals = [text for text, _ in zip(pieces(options.data), range(round(sizes[-1] * (1 - COPIES))), strict=False)]
    with tempfile.TemporaryDirectory(prefix="duplicates-benchmark-") as scratch:
        for size in sizes:
            texts, pairs = with_copies(originals[: round(size * (1 - COPIES))], random.Random(SEED))
            for row in measure(texts, pairs, python, Path(scratch)):
                rows.append(row)
                print(json.dumps(row), flush=True)
                options.results.parent.mkdir(exist_ok=True)
                options.results.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
