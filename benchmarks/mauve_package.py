"""MAUVE beside the package of its authors: the same formula on the same clusters, and the whole way on the same vectors.

    python benchmarks/mauve_package.py DATA RUNS --encoder FOLDER --install     # the package into an environment of its own, once
    python benchmarks/mauve_package.py DATA RUNS --encoder FOLDER

DATA is a folder with agnews_train_sample.csv.gz, RUNS the folder `runs` of the project that weak_teacher.py made, FOLDER has model.onnx and
tokenizer.json of a sentence model. Compared are gold rows with other gold rows, with each strategy's rows of all draws, and the rows of one
label with those of another. "formula": the largest difference between our area and theirs for their own histograms of clusters. "value":
mean and standard deviation over seeds of k-means, here scikit-learn's, there faiss'. CPU with one thread. Only figures are written, to
results/mauve.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from clients import install, versions  # noqa: E402
from measures import LABELS, read_gold  # noqa: E402
from teacher import machine  # noqa: E402

from spacy_synthesizrr.candidates import Candidate  # noqa: E402
from spacy_synthesizrr.embedders.base import unit_rows  # noqa: E402
from spacy_synthesizrr.embedders.fast import make_fast_embedder  # noqa: E402
from spacy_synthesizrr.jsonl import read_jsonl  # noqa: E402
from spacy_synthesizrr.metrics.mauve import CLUSTERS, area, mauve  # noqa: E402

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "mauve.json"
PEER = "mauve"
SCALINGS, SEEDS, TEXTS = (1.0, 5.0), tuple(range(10)), 600


def text_sets(data: Path, runs: Path) -> dict[str, tuple[list[str], list[str]]]:
    """RETURNS (Dict[str, Tuple]): Pairs of equally many texts by what they are; the first are gold rows."""
    gold = read_gold(data)
    texts = [text for _, text in gold]
    found = {"gold": (texts[:TEXTS], texts[TEXTS : 2 * TEXTS]), "gold, 2,000 texts": (texts[:2000], texts[2000:4000])}
    strategies: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(runs.glob("*/accepted.jsonl")):
        strategies[path.parent.name.partition("-")[2]] += [row.fields["text"] for row in read_jsonl(path, Candidate.from_dict)]
    found |= {name: (texts[:TEXTS], rows) for name, rows in strategies.items() if len(rows) == TEXTS}
    first, second = ([text for (label,), text in gold if label == wanted][:TEXTS] for wanted in LABELS[:2])
    return found | {f"{LABELS[0]} and {LABELS[1]}, gold": (first, second)}


def ours(pairs: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    """RETURNS (List[dict]): Value and CPU seconds of every pair, scaling and seed."""
    found = []
    for number, (p, q) in enumerate(pairs):
        for scaling in SCALINGS:
            for seed in SEEDS:
                began = time.process_time()
                value = mauve(p, q, scaling=scaling, seed=seed)
                found.append({"pair": number, "scaling": scaling, "seed": seed, "cpu": time.process_time() - began, "mauve": value})
    return found


def theirs(python: str, pairs: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    """RETURNS (List[dict]): The same of the package, with its histograms."""
    with tempfile.TemporaryDirectory(prefix="mauve-benchmark-") as scratch:
        path = Path(scratch) / "vectors.npz"
        np.savez(
            path, **{f"{side}{number}": vectors for number, pair in enumerate(pairs) for side, vectors in zip("pq", pair, strict=True)}
        )
        command = [python, str(HERE / "peers" / "score_mauve.py"), str(path), str(CLUSTERS)]
        command += [",".join(map(str, some)) for some in (SCALINGS, SEEDS)]
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return list(json.loads(said.splitlines()[-1]))


def table(names: list[str], sizes: list[int], mine: list[dict[str, Any]], other: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """RETURNS (List[dict]): A row for each pair and scaling."""
    rows = []
    for number, name in enumerate(names):
        for scaling in SCALINGS:
            own, peer = ([one for one in some if (one["pair"], one["scaling"]) == (number, scaling)] for some in (mine, other))
            row: dict[str, Any] = {"pair": name, "texts_a_side": sizes[number], "scaling": scaling}
            for who, some in (("ours", own), ("theirs", peer)):
                values = [one["mauve"] for one in some]
                row[who] = {
                    "mean": round(fmean(values), 4),
                    "sd": round(stdev(values), 4),
                    "cpu": round(fmean(one["cpu"] for one in some), 3),
                }
            differences = [abs(area(np.array(one["p"]), np.array(one["q"]), scaling=scaling) - one["mauve"]) for one in peer]
            row |= {"formula_differs_by": max(differences), "times_our_cpu": round(row["theirs"]["cpu"] / row["ours"]["cpu"], 2)}
            rows.append(row)
    return rows


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--install", action="store_true", help="install the package, and do nothing else")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    python, missing = install(PEER, may_install=options.install)
    if options.install or missing:
        print(missing or python)
        return
    sets = text_sets(options.data, options.runs)
    embedder = make_fast_embedder(folder=options.encoder)
    embedder.fit((), seed=0)
    known = {text: None for pair in sets.values() for side in pair for text in side}
    vectors = dict(zip(known, unit_rows(embedder.embed(list(known))), strict=True))
    first, second = ([np.stack([vectors[text] for text in pair[side]]).astype(np.float32) for pair in sets.values()] for side in (0, 1))
    pairs = list(zip(first, second, strict=True))
    rows = table(list(sets), [len(p) for p, _ in pairs], ours(pairs), theirs(python, pairs))
    about: dict[str, Any] = {"machine": machine(), "seeds": len(SEEDS), "clusters": CLUSTERS, "embedder": embedder.id}
    about["versions"] = {"spacy-synthesizrr": versions("", sys.executable), "peers": versions(PEER, python)}
    options.results.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
