"""What the measures say of rows that a real, weak teacher wrote, beside gold rows: every finished run of weak_teacher.py.

    python benchmarks/measures.py DATA RUNS --encoder FOLDER --pipeline PIPELINE

DATA is a folder with agnews_train_sample.csv.gz, RUNS the folder `runs` of the project that weak_teacher.py made, FOLDER has model.onnx and
tokenizer.json of a sentence model, PIPELINE is a spaCy pipeline with entities. Of every run as many rows of each label are drawn, so that
all numbers stand at the same size; gold is the same for all: 400 rows of the sample, halved, and 2,000 others train the judge of labels.
Only figures are written, to results/measures.json.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.embedders.fast import make_fast_embedder
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.measuring.closeness import ALL, measure_gaps, measure_mauve, measure_vectors
from spacy_synthesizrr.measuring.features import Features
from spacy_synthesizrr.measuring.judging import measure_preservation
from spacy_synthesizrr.measuring.sets import Gold, Row, mean_words, split_gold
from spacy_synthesizrr.measuring.settings import MauveSettings
from spacy_synthesizrr.measuring.variety import sized
from spacy_synthesizrr.metrics.entity_entropy import Recognizer, entities, load_recognizer
from spacy_synthesizrr.metrics.preservation import Judged
from spacy_synthesizrr.metrics.tokens import tokenizer
from spacy_synthesizrr.receipts import versions

RESULTS = Path(__file__).parent / "results" / "measures.json"
LABELS = ("World", "Sports", "Business", "Sci/Tech")
PER_LABEL, GOLD, JUDGE, SEED = 50, 400, 2000, 0
TYPES = ("PERSON", "ORG", "GPE")


def read_gold(data: Path) -> list[Row]:
    """RETURNS (List[Row]): Labels and texts of the sample, shuffled."""
    with gzip.open(data / "agnews_train_sample.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows: list[Row] = [((row["label"],), row["text"]) for row in csv.DictReader(file)]
    random.Random(SEED).shuffle(rows)
    return rows


def balanced(rows: Iterable[Row], number: int) -> list[Row] | None:
    """RETURNS (List[Row] | None): So many rows of each label, drawn with the seed; None where a label has fewer."""
    kinds: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        kinds[row[0][0]].append(row)
    if any(len(kinds[label]) < number for label in LABELS):
        return None
    return [row for label in LABELS for row in random.Random(SEED).sample(kinds[label], number)]


def measure(rows: list[Row], gold: Gold, judge: list[Row], embed: Features, recognizer: Recognizer) -> dict[str, Any]:
    """RETURNS (dict): The figures of one set, and what gold has in its place."""
    arms, texts = {"main": rows}, [text for _, text in rows]
    named = entities(recognizer.mentions(texts))
    vectors, gaps = measure_vectors(arms, gold, embed, seed=SEED), measure_gaps(arms, gold, seed=SEED)
    mauve = {c: measure_mauve(arms, gold, embed, MauveSettings(scaling=c), seed=SEED)["labels"][ALL] for c in (1.0, 5.0)}
    judged = {name: [Judged(*row) for row in own] for name, own in (*arms.items(), ("train", judge))}
    kept = measure_preservation({"main": judged["main"]}, {"train": judged["train"]}, LABELS, exclusive=True, seed=SEED)
    variety = {name: one["value"] for name, one in sized(texts, tokenizer("en")).items()}
    found = {**variety, "words": mean_words(texts)} | {f"entropy_{kind}": named["types"].get(kind, {}).get("entropy") for kind in TYPES}
    found |= {"spread": vectors["variety"]["sets"]["main"]["spread"], "nearest": vectors["variety"]["sets"]["main"]["nearest"]["median"]}
    found |= {"coverage": vectors["coverage"]["sets"]["main"]["value"], "coverage_of_gold": vectors["coverage"]["sets"]["gold"]["value"]}
    found |= {f"mauve_{c:g}": about["sets"]["main"]["mean"] for c, about in mauve.items()}
    found |= {f"mauve_{c:g}_of_gold": about["sets"]["gold"]["mean"] for c, about in mauve.items()}
    found |= {"divergence": gaps["sets"]["main"]["vocabulary"]["divergence"]}
    found |= {"divergence_of_gold": gaps["sets"]["gold"]["vocabulary"]["divergence"]}
    own = kept["arms"]["main"]
    return found | {"labels_kept": own["value"], "labels_kept_shuffled": own["shuffled"], "judge_on_gold": kept["gold"]["value"]}


def main() -> None:
    """Measure every run, and write means over the draws of a strategy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    sample, recognizer = read_gold(options.data), load_recognizer(options.pipeline)
    judge, gold = sample[:JUDGE], split_gold("train", sample[JUDGE : JUDGE + GOLD], seed=SEED)
    embedder = make_fast_embedder(folder=options.encoder)
    embedder.fit((), seed=SEED)
    embed = Features(embedder, [], seed=SEED)
    sets = {"gold-others": balanced(sample[JUDGE + GOLD :], PER_LABEL)}
    for path in sorted(options.runs.glob("*/accepted.jsonl")):
        rows = ((row.labels, row.fields["text"]) for row in read_jsonl(path, Candidate.from_dict))
        sets[path.parent.name] = balanced(rows, PER_LABEL)
    found = {name: measure(rows, gold, judge, embed, recognizer) for name, rows in sets.items() if rows}
    about = {"versions": versions(), "pipeline": recognizer.name, "seed": SEED, "rows_of_a_set": PER_LABEL * len(LABELS), "gold": GOLD}
    left_out = [name for name, rows in sets.items() if rows is None]
    report = {**about, "left_out": left_out, "strategies": by_strategy(found), "runs": found}
    options.results.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def by_strategy(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """RETURNS (dict): Mean and standard deviation over the draws of each strategy."""
    kinds: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, figures in found.items():
        kinds[name.partition("-")[2]].append(figures)
    return {
        kind: {"draws": len(runs)} | {key: _summed([run[key] for run in runs if run[key] is not None]) for key in runs[0]}
        for kind, runs in kinds.items()
    }


def _summed(values: list[float]) -> dict[str, float | None] | None:
    if not values:
        return None
    return {"mean": round(fmean(values), 4), "sd": round(stdev(values), 4) if len(values) > 1 else None}


if __name__ == "__main__":
    main()
