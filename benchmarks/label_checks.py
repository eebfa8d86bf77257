"""How well wrong labels are found, and how far the score is a probability: judges of `VerifyLabels` and dataset cartography side by side.

    python benchmarks/label_checks.py DATA     # or $SYNTHESIZRR_BENCHMARK_DATA: a folder with agnews_train_sample.csv.gz

Gold rows of AG News stand in for synthetic ones. Some get a wrong label: a random other one, evenly, or the one that a person gave
(column noisy_label, wrong in one of five). 10 seeds per label are known. Judges and pool see seeds and rows as in a run, with folds by
made-up seeds; the truth is only used to count. results/label_checks.json holds figures, never a text.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from students_sets import read

from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.set_filters.folds import make_folds
from spacy_synthesizrr.set_filters.gold_rows import one_hot
from spacy_synthesizrr.set_filters.judges import Neighbours, student_evidence
from spacy_synthesizrr.set_filters.pooling import (
    ASSUMED_RIGHT,
    auroc,
    counted_share,
    make_pool,
    posterior,
    right_share,
    score_of,
    with_intent,
)
from spacy_synthesizrr.students.cartography import data_map
from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.rows import StudentRow

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "label_checks.json"
LABELS = ["World", "Sports", "Business", "Sci/Tech"]
SEEDS, SIZES, DRAWS = 10, (200, 1000), (0, 1)
NOISES = {"none": 0.0, "10 % at random": 0.1, "20 % at random": 0.2, "40 % at random": 0.4, "by people": None}
SHARE = 0.83


def drawn(
    rows: list[dict[str, Any]], noise: float | None, size: int, draw: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """RETURNS (Tuple): Seeds, other rows, and the labels that these were given."""
    chance = random.Random(draw)
    pool = [row for row in rows if row["noisy_label"]] if noise is None else rows
    seeds, others = list[dict[str, Any]](), list[dict[str, Any]]()
    for row in chance.sample(pool, size + 400):
        (seeds if sum(seed["label"] == row["label"] for seed in seeds) < SEEDS else others).append(row)
    others = others[:size]
    if noise is None:
        return seeds, others, [row["noisy_label"] for row in others]
    wrong = {row["label"]: [label for label in LABELS if label != row["label"]] for row in others}
    return seeds, others, [chance.choice(wrong[row["label"]]) if chance.random() < noise else row["label"] for row in others]


def judged(embedder: Any, seeds: list[dict[str, Any]], others: list[dict[str, Any]], given: list[str]) -> dict[str, Any]:
    """RETURNS (dict): Scores of each judge, of both pooled, and what the pool says of itself."""
    numbers, known = dict.fromkeys(LABELS, 0), []
    for seed in seeds:
        known.append((f"{seed['label']}{numbers[seed['label']]}", seed["label"]))
        numbers[seed["label"]] += 1
    ids = [(f"row{number}", f"{label}{number % SEEDS}") for number, label in enumerate(given)]
    folds = make_folds(ids, known, keys=dict(known), count=5, seed=0)
    assigned, gold = one_hot([(label,) for label in given], LABELS), one_hot([(label,) for _, label in known], LABELS)
    texts, seed_texts = [row["text"] for row in others], [row["text"] for row in seeds]
    student = student_evidence(texts, assigned, seed_texts, gold, [True] * len(seeds), folds=folds, exclusive=True)
    judge = Neighbours(embedder, [id for id, _ in known], seed_texts, gold, exclusive=True)
    near = [
        np.concatenate(list(judge.evidence(pairs)))
        for pairs in (zip((seed for _, seed in ids), texts, strict=True), zip((id for id, _ in known), seed_texts, strict=True))
    ]
    rows, labelled = {"student": student[0], "gold": near[0]}, {"student": student[1], "gold": near[1]}
    pool = make_pool(labelled, gold, exclusive=True, seed=0)
    scores = posterior(rows, pool.weights, exclusive=True)
    share = right_share(scores, assigned, exclusive=True) if pool.calibrated else ASSUMED_RIGHT
    found = {name: score_of(posterior({name: said}, {name: 1.0}, exclusive=True), assigned, exclusive=True) for name, said in rows.items()}
    counted = counted_share(share, len(LABELS), exclusive=True)
    both = score_of(with_intent(scores, assigned, counted, exclusive=True), assigned, exclusive=True)
    return {"scores": {**found, "both": both}, "share": share}


def confidence(others: list[dict[str, Any]], given: list[str]) -> Any:
    """RETURNS (Array): Of each row, over six epochs of a bag of words."""
    import spacy

    task = StudentTask(tuple(LABELS), True, "en")
    rows = [StudentRow(str(number), row["text"], (label,)) for number, (row, label) in enumerate(zip(others, given, strict=True))]
    with tempfile.TemporaryDirectory() as folder:
        train = Path(folder) / "train.spacy"
        write_docs(rows, train, nlp=spacy.blank("en"), labels=LABELS)
        config = read_student_config(HERE.parent / "configs" / "student.bow.cfg", task)
        return data_map(train, config, task=task, seed=0, epochs=6).confidence


def figures(embedder: Any, rows: list[dict[str, Any]], noise: str, size: int, draw: int) -> dict[str, Any]:
    """What one set of rows gives."""
    seeds, others, given = drawn(rows, NOISES[noise], size, draw)
    wrong = np.array([row["label"] != label for row, label in zip(others, given, strict=True)])
    found, sure = judged(embedder, seeds, others, given), confidence(others, given)
    marked = found["scores"]["both"] < 0.5
    gone = np.zeros(size, dtype=bool)
    for label in LABELS:
        own = np.array(given) == label
        gone[own] = sure[own] < np.quantile(sure[own], 1 - SHARE)
    return {
        "noise": noise, "rows": size, "draw": draw, "wrong": int(wrong.sum()),
        "auroc": {**{name: auroc(values, ~wrong) for name, values in found["scores"].items()}, "cartography": auroc(sure, ~wrong)},
        "right_share": round(found["share"], 4), "mean_score": round(float(found["scores"]["both"].mean()), 4),
        "below_half": {"rows": int(marked.sum()), "wrong": int(wrong[marked].sum())},
        "cartography_drops": {"rows": int(gone.sum()), "wrong": int(wrong[gone].sum())},
    }  # fmt: skip


def markdown(found: list[dict[str, Any]]) -> str:
    """RETURNS (str): Means over draws."""
    lines = [
        "| wrong labels | rows | right, % | estimated, % | student | neighbours | both | cartography | below 0.5: rows, of which wrong "
        "| cartography drops: rows, of which wrong |",
        "|---" * 10 + "|",
    ]
    for noise in NOISES:
        for size in SIZES:
            own = [row for row in found if (row["noise"], row["rows"]) == (noise, size)]
            if not own:
                continue
            cells = [noise, str(size), f"{100 - 100 * mean(own, 'wrong') / size:.1f}", f"{100 * mean(own, 'right_share'):.1f}"]
            for name in ("student", "gold", "both", "cartography"):
                values = [row["auroc"][name] for row in own if row["auroc"][name] is not None]
                cells.append(f"{sum(values) / len(values):.3f}" if values else "")
            for what in ("below_half", "cartography_drops"):
                cells.append(", ".join(f"{sum(row[what][name] for row in own) / len(own):.0f}" for name in ("rows", "wrong")))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def mean(rows: list[dict[str, Any]], name: str) -> float:
    """RETURNS (float): Of one figure over draws."""
    return float(np.mean([row[name] for row in rows]))


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=os.environ.get("SYNTHESIZRR_BENCHMARK_DATA"))
    options = parser.parse_args()
    if options.data is None:
        raise SystemExit("Name the folder with agnews_train_sample.csv.gz.")
    rows = read(Path(options.data) / "agnews_train_sample.csv.gz")
    rows = [row for row in rows if row["label"] in LABELS and row["noisy_label"] in (*LABELS, "")]
    embedder = make_lsa_embedder()
    embedder.fit([row["text"] for row in rows[6000:]], seed=0)
    found = [figures(embedder, rows, noise, size, draw) for noise in NOISES for size in SIZES for draw in DRAWS]
    settings = {"seeds_per_label": SEEDS, "draws": len(DRAWS), "share": SHARE, "epochs": 6}
    RESULTS.write_text(json.dumps({"settings": settings, "runs": found, "versions": versions()}, indent=1) + "\n", encoding="utf-8")
    print(markdown(found))


if __name__ == "__main__":
    main()
