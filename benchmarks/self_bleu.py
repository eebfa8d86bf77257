"""Self-BLEU-5 by this project, by nltk and by fast-bleu, on the same tokens in one run: are the numbers equal, and what do they cost?

    python benchmarks/self_bleu.py DATA --install     # nltk and fast-bleu into an environment of their own, once
    python benchmarks/self_bleu.py DATA               # everything; the figures stand in results/self_bleu.json
    python benchmarks/self_bleu.py DATA --sizes 1000,4000

DATA is a folder with news_corpus.jsonl.gz: its texts, shuffled, are cut into texts of 60 tokens by spaCy's tokenizer. At 200 texts
every score of every text is compared with nltk's, the definition; at 1,000, 4,000 and 16,000 with fast-bleu's, which is for n from 2.
What is timed is from tokens in memory to scores, in a process with one thread for numpy; ours is the median of three. Cutting the
texts into tokens is the same for all and timed for itself. nltk takes minutes at 1,000 and hours at 4,000, so it stops at 200.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from clients import install, versions  # noqa: E402
from teacher import machine  # noqa: E402

from spacy_synthesizrr.metrics.self_bleu import self_bleu_each  # noqa: E402
from spacy_synthesizrr.metrics.tokens import tokenizer, tokens  # noqa: E402

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "self_bleu.json"
CORPUS, PEER = "news_corpus.jsonl.gz", "bleu"
SIZES, LENGTH = (200, 1_000, 4_000, 16_000, 100_000), 60
UP_TO = {"nltk": 200, "fast-bleu": 16_000}
ROUNDS, SEED = 3, 0
Texts = list[list[str]]


def read_texts(data: Path, number: int) -> tuple[Texts, float]:
    """RETURNS (Tuple[List[List[str]], float]): Texts of 60 tokens each, and the CPU seconds of the tokenizer per 1,000 of them."""
    with gzip.open(data / CORPUS, "rt", encoding="utf-8") as file:
        passages = [json.loads(line)["text"] for line in file]
    random.Random(SEED).shuffle(passages)
    nlp, spent, found = tokenizer("en"), time.process_time(), []
    for piece in _pieces(tokens([passage], nlp)[0] for passage in passages):
        found.append(piece)
        if len(found) == number:
            break
    return found, 1000 * (time.process_time() - spent) / len(found)


def _pieces(texts: Iterator[list[str]]) -> Iterator[list[str]]:
    for text in texts:
        for start in range(0, len(text) - LENGTH + 1, LENGTH):
            yield text[start : start + LENGTH]


def ours(texts: Texts) -> tuple[dict[str, float], Any]:
    """RETURNS (Tuple[Dict, ndarray]): Wall and CPU seconds, the median of some rounds each; the scores."""
    seconds, cpu, scores = [], [], None
    for _ in range(ROUNDS):
        began, spent = time.monotonic(), time.process_time()
        scores = self_bleu_each(texts)
        seconds.append(time.monotonic() - began)
        cpu.append(time.process_time() - spent)
    return {"seconds": round(median(seconds), 4), "cpu": round(median(cpu), 4)}, scores


def theirs(peer: str, python: str, texts: Texts, scratch: Path) -> tuple[dict[str, float], Any]:
    """RETURNS (Tuple[Dict, ndarray]): The same of a peer, in its own process."""
    path = scratch / "tokens.json"
    path.write_text(json.dumps(texts), encoding="utf-8")
    command = [python, str(HERE / "peers" / "score_bleu.py"), peer, str(path)]
    said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return {"seconds": round(said["seconds"], 3), "cpu": round(said["cpu"], 3)}, np.array(said["scores"])


def measure(texts: Texts, python: str, scratch: Path) -> dict[str, Any]:
    """RETURNS (Dict): One row of the results."""
    about, scores = ours(texts)
    row: dict[str, Any] = {"texts": len(texts), "load": round(os.getloadavg()[0], 2), "ours": about}
    row["self_bleu"] = [round(float(value), 6) for value in scores.mean(axis=1)]
    for peer, most in UP_TO.items():
        if len(texts) > most or not python:
            continue
        about, other = theirs(peer, python, texts, scratch)
        mine = scores[-len(other) :]
        about |= {"largest_difference_of_a_text": float(abs(mine - other).max())}
        about |= {"largest_difference_of_the_mean": float(abs(mine.mean(axis=1) - other.mean(axis=1)).max())}
        about["times_our_cpu"] = round(about["cpu"] / row["ours"]["cpu"], 1)
        row[peer] = about
    return row


def growth(rows: list[dict[str, Any]]) -> dict[str, float]:
    """RETURNS (Dict): Of each pair of sizes, how much more CPU a text takes in the larger: 1 is linear."""
    pairs = [(a, b) for a, b in zip(rows, rows[1:], strict=False) if a["texts"] >= 1000]
    return {f"{a['texts']} to {b['texts']}": round(b["ours"]["cpu"] / b["texts"] * a["texts"] / a["ours"]["cpu"], 2) for a, b in pairs}


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
    sizes = sorted(int(size) for size in options.sizes.split(","))
    texts, tokenizing = read_texts(options.data, sizes[-1])
    rows = []
    with tempfile.TemporaryDirectory(prefix="self-bleu-benchmark-") as scratch:
        for size in sizes:
            rows.append(measure(texts[:size], python, Path(scratch)))
            print(json.dumps(rows[-1]), flush=True)
    known = {"machine": machine(), "versions": {"spacy-synthesizrr": versions("", sys.executable)}, "missing": missing, "seed": SEED}
    if python:
        known["versions"]["peers"] = versions(PEER, python)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    known |= {"tokens_a_text": LENGTH, "tokenizer_cpu_per_1000_texts": round(tokenizing, 3), "peak_mb": peak}
    known |= {"cpu_a_text_relative_to_the_size_before": growth(rows), "rows": rows}
    options.results.parent.mkdir(exist_ok=True)
    options.results.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
