"""How many faulty rows the filters find, and how many sound ones they turn away: faults that are not of the filters' own making.

    python benchmarks/faults.py DATA --ask      # rewrites of a real LLM (SmolLM2 by Ollama), once; minutes
    python benchmarks/faults.py DATA            # everything; the figures stand in results/faults.json
    python benchmarks/faults.py DATA --model FOLDER    # vectors of an ONNX model too (see docs/embedders.md)

DATA is a folder with agnews_train_sample.csv.gz, news_corpus.jsonl.gz and, for false alarms, the other labelled files of
docs/real-teacher.md's benchmarks where they are there. Rows of AG News are split by a hash of their text into seeds, dev, test and
others; the others stand for sound generated rows. All filters have the values of configs/curate.cfg.

copies        sentences of a news passage, joined and shortened; sound rows stand beside the passage that is most like them by TF-IDF
leaks         dev and test rows cut, re-cased, re-ordered, and rewritten by the LLM
wrong labels  the wrong labels of people (noisy_label), and random flips: AUROC of the judges of VerifyLabels that need no LLM
false alarms  of every row filter on sound rows of five labelled sets, one filter at a time

Refusals are not among them: the LLM that the tests can start refuses nothing, neither when it is told to (none of 11 answers) nor when
examples of dangerous texts are asked for (12 requests, each bare and with two system prompts that tell it to refuse: none of 36).

Recall is over the faulty rows, false alarms are over as many sound ones; precision follows at equal numbers. AUROC is that of the
number on which the filter rests, and is left out where it rests on none.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from corpora import embedder_of
from faults_llm import MODEL, ask, rewritten
from faults_made import COPIES, LEAKS, flipped
from teacher import machine

from spacy_synthesizrr.candidates import Candidate, digest
from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.curation.chain import build_filter
from spacy_synthesizrr.curation.copies import containment
from spacy_synthesizrr.curation.gate import Checked, Gate, GateSettings
from spacy_synthesizrr.curation.leaks import Gold, GoldIndex, Row
from spacy_synthesizrr.curation.ngrams import ngram_hashes
from spacy_synthesizrr.curation.verdicts import FilterInputs, Remembers, SwitchedOff
from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.set_filters.folds import Folds
from spacy_synthesizrr.set_filters.judges import Neighbours, student_evidence
from spacy_synthesizrr.set_filters.pooling import auroc, equal_weights, posterior
from spacy_synthesizrr.taskfile import TaskSpec
from spacy_synthesizrr.words import words

HERE = Path(__file__).parent
RESULTS, CURATE = HERE / "results" / "faults.json", HERE.parent / "configs" / "curate.cfg"
NEWS, CORPUS = "agnews_train_sample.csv.gz", "news_corpus.jsonl.gz"
SETS = {"AG News": (NEWS, 3000), "headlines": ("sarcasm_headlines_train.csv.gz", 3000), "SST-2": ("sst2_train.csv", 3000),
        "IMDb": ("imdb_train_5k.jsonl.gz", 1500), "Amazon": ("amazon_reviews.jsonl.gz", 3000)}  # fmt: skip
SEEDS_PER_LABEL, GOLD, ROWS, FEW, PASSAGES, ASKED, SEED = 50, 1500, 1000, 300, 20_000, 300, 0
ROW = Candidate("r", "s", ("a",), "seed", None)
Rows = list[dict[str, str]]
PROMPT = {
    "document_header": "News article:",
    "instruction": "Write a headline {verbalization} for the article above.",
    "answer_header": "Headline:",
    "length_hint": "one or two short sentences",
    "refusal_marker": "DOES NOT FIT",
}


def read_rows(path: Path) -> Rows:
    """RETURNS (List[Dict[str, str]]): Rows of a labelled file, each text once, in an order that follows from the texts."""
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as file:
        rows = list(csv.DictReader(file)) if ".csv" in path.name else [json.loads(line) for line in file]
    return sorted({row["text"]: row for row in rows}.values(), key=lambda row: digest(row["text"]))


def split(rows: Rows) -> tuple[Rows, Rows, Rows]:
    """RETURNS (Tuple): Seeds (so many per label), dev and test rows, others."""
    seeds: dict[str, Rows] = {}
    for row in rows:
        if len(chosen := seeds.setdefault(row["label"], [])) < SEEDS_PER_LABEL:
            chosen.append(row)
    taken = {row["text"] for chosen in seeds.values() for row in chosen}
    rest = [row for row in rows if row["text"] not in taken]
    return [row for chosen in seeds.values() for row in chosen], rest[:GOLD], rest[GOLD:]


def judged(faulty: Sequence[bool], sound: Sequence[bool], scores: tuple[Any, Any] | None = None) -> dict[str, Any]:
    """RETURNS (Dict): The figures of one fault, one strength and one filter.

    faulty, sound (Sequence[bool]): Whether each faulty, each sound row was turned away. scores (Tuple): What that rested on.
    """
    recall, alarms = float(np.mean(faulty)), float(np.mean(sound))
    row: dict[str, Any] = {"faulty": len(faulty), "sound": len(sound), "recall": round(recall, 4), "false_alarms": round(alarms, 4)}
    row["precision"] = round(recall / (recall + alarms), 4) if recall + alarms else None
    if scores is not None:
        row["auroc"] = auroc(np.concatenate(scores), np.array([True] * len(scores[0]) + [False] * len(scores[1])))
    return row


def shipped(task: TaskSpec, seeds: Sequence[str], gold: Sequence[str] = ()) -> dict[str, Any]:
    """RETURNS (Dict[str, Any]): The row filters of configs/curate.cfg by the name of their section, and LabelWord."""
    sections = dict(read_config(CURATE)["row_filters"])
    sections["label_word"] = {"@misc": "synthesizrr.LabelWord.v1", "enabled": True}
    free = task.model_copy(update={"prompt": type(task.prompt).model_validate(PROMPT)})  # without limits: those of the seeds are measured
    made = {
        name: build_filter(sections, name, kind="row_filters", path="")(
            FilterInputs(free if name == "relative_length" else task, tuple(seeds), gold=tuple(gold))
        )
        for name in sections
    }
    return {name: one for name, one in made.items() if not isinstance(one, SwitchedOff)}


def task_of(labels: Iterable[str]) -> TaskSpec:
    """RETURNS (TaskSpec): Any task with these labels; texts of any length."""
    about = {label: {"verbalization": f"about {label}"} for label in labels}
    prompt = {**PROMPT, "min_words": 1, "max_words": 100_000}
    return TaskSpec.model_validate({"path": Path("task.yml"), "name": "t", "labels": about, "prompt": prompt, "corpus": {"path": "c"}})


def away(judge: Any, texts: Sequence[str], labels: Sequence[str] | None = None, passages: Sequence[str] | None = None) -> list[bool]:
    """RETURNS (List[bool]): Whether a filter turns each row away or mends it; what it lets through it remembers."""
    found = []
    for at, text in enumerate(texts):
        row = replace(ROW, id=str(at), labels=(labels[at] if labels else "a",), fields={"text": text})
        verdict = judge(row, text, passages[at] if passages else "")
        found.append(not verdict.accepted or verdict.text is not None)
        if not found[-1] and isinstance(judge, Remembers):
            judge.remember(row, text)
    return found


def copies(others: Rows, passages: Sequence[str], judge: Any) -> dict[str, Any]:
    """RETURNS (Dict): NearCopy on planted copies, by strength."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    sound = [row["text"] for row in others[:ROWS]]
    words = TfidfVectorizer(sublinear_tf=True).fit(passages)
    nearest = (words.transform(sound) @ words.transform(passages).T).toarray().argmax(axis=1)
    beside = [passages[at] for at in nearest]
    alarms, level = away(judge, sound, passages=beside), np.array([containment(*pair) for pair in zip(sound, beside, strict=True)])
    rng, found = random.Random(SEED), {}
    for name, make in COPIES.items():
        made = [make(passage, rng) for passage in passages[:ROWS]]
        score = np.array([containment(*pair) for pair in zip(made, passages, strict=False)])
        found[name] = {"NearCopy": judged(away(judge, made, passages=passages[:ROWS]), alarms, (score, level))}
    return found


def leaks(gold: Rows, others: Rows, embedders: Mapping[str, Any]) -> dict[str, Any]:
    """RETURNS (Dict): The n-grams of Leak and gate, and the vectors of the gate, on planted leaks, by strength."""
    texts = [row["text"] for row in gold]
    rng, sound = random.Random(SEED), [row["text"] for row in others[:ROWS]]
    made = {name: [make(text, rng) for text in texts[:ROWS]] for name, make in LEAKS.items()}
    if said := rewritten(texts[:ASKED]):
        made[f"rewritten by {MODEL}"] = list(said.values())
    found: dict[str, Any] = {name: {} for name in made}
    if said:
        own = [len(known & new) / max(1, len(new)) for known, new in ((set(words(a)), set(words(b))) for a, b in said.items())]
        found[f"rewritten by {MODEL}"]["share of words that are the source's, median"] = round(float(np.median(own)), 4)
    index = GoldIndex(Gold(texts), 8)
    level = _shared(index, sound)
    for name, some in made.items():
        score = _shared(index, some)
        found[name]["n-grams"] = judged(score > 0, level > 0, (score, level))
    for embedder_name, embedder in embedders.items():
        most = ROWS if embedder_name == "LSA" else FEW
        vectors = unit_rows(embedder.embed(texts))
        whole = [Checked(str(at), "", text) for at, text in enumerate(texts)]  # equal rows are left to n-grams and vectors
        gate = Gate(whole, Gold.of([Row(str(at), (text,)) for at, text in enumerate(texts)]), GateSettings(), embedder.embed)
        level = (unit_rows(embedder.embed(sound[:most])) @ vectors.T).max(axis=1)
        for name, some in ((name, some[:most]) for name, some in made.items()):
            score = (unit_rows(embedder.embed(some)) @ vectors.T).max(axis=1)
            row = judged(score > gate.threshold, level > gate.threshold, (score, level))
            found[name][f"vectors of {embedder_name}"] = row | {"threshold": round(float(gate.threshold or 0), 4)}
            checked = [[Checked(str(at), text, text) for at, text in enumerate(part)] for part in (some, sound[:most])]
            both = [[leak is not None for leak in gate.find(part, "main")] for part in checked]
            found[name][f"gate with {embedder_name}"] = judged(both[0], both[1])
    return found


def _shared(index: GoldIndex, texts: Sequence[str]) -> Any:
    """The share of each text's 8-grams that stand in a gold text; 1 for a hit of a text that is shorter."""
    found = [
        (match.score / max(1, len(ngram_hashes(text, 8))) if match else 0.0)
        for text, match in zip(texts, index.match(texts, equality=False), strict=True)
    ]
    return np.minimum(np.array(found), 1.0)


def wrong_labels(seeds: Rows, others: Rows, embedder: Any) -> dict[str, Any]:
    """RETURNS (Dict): AUROC of "this label is wrong" by cross-validated student, nearest seeds, and both."""
    rows = [row for row in others if row.get("noisy_label")][: 4 * ROWS]
    names = sorted({row["label"] for row in rows})
    truth, rng = [row["label"] for row in rows], random.Random(SEED)
    given = {"people": [row["noisy_label"] for row in rows], **{f"{s:.0%} flipped": flipped(truth, s, rng) for s in (0.1, 0.2, 0.4)}}
    one_hot = {name: np.eye(len(names))[[names.index(label) for label in labels]] for name, labels in given.items()}
    known = np.eye(len(names))[[names.index(row["label"]) for row in seeds]]
    texts, labelled = [row["text"] for row in rows], [row["text"] for row in seeds]
    near = np.concatenate(list(Neighbours(embedder, labelled, labelled, known, exclusive=True).evidence(("", text) for text in texts)))
    folds, found = Folds(5, "row", tuple(at % 5 for at in range(len(rows))), tuple(at % 5 for at in range(len(seeds)))), dict[str, Any]()
    for name, assigned in one_hot.items():
        student, _ = student_evidence(texts, assigned, labelled, known, [True] * len(seeds), folds=folds, exclusive=True)
        wrong = np.array([label != right for label, right in zip(given[name], truth, strict=True)])
        evidence = {"student": student, "gold": near}
        about: dict[str, Any] = {"rows": len(rows), "wrong": round(float(wrong.mean()), 4)}
        for judges in (["student"], ["gold"], ["student", "gold"]):
            score = (posterior({judge: evidence[judge] for judge in judges}, equal_weights(judges), exclusive=True) * assigned).sum(axis=1)
            worst = np.argsort(score, kind="stable")[: int(wrong.sum())]
            about[" + ".join(judges)] = {
                "auroc": auroc(-score, wrong),
                "precision_at_as_many_as_are_wrong": round(float(wrong[worst].mean()), 4),
            }
        found[name] = about
    return found


def false_alarms(data: Path) -> dict[str, Any]:
    """RETURNS (Dict): For each set and each row filter, the share of sound rows that it would turn away or mend."""
    found: dict[str, Any] = {}
    for name, (file, number) in SETS.items():
        if not (data / file).is_file():
            continue
        seeds, gold, others = split(read_rows(data / file))
        rows = others[:number]
        judges = shipped(task_of(sorted({row["label"] for row in rows})), [row["text"] for row in seeds], [row["text"] for row in gold])
        texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
        found[name] = {"rows": len(rows), **{judge: round(float(np.mean(away(one, texts, labels))), 4) for judge, one in judges.items()}}
    return found


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--ask", action="store_true", help="ask the LLM, and do nothing else")
    parser.add_argument("--base-url", default="", help="of a server that is there; Ollama is started otherwise")
    parser.add_argument("--model", default="", help="folder of an ONNX model, whose vectors are compared too")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    seeds, gold, others = split(read_rows(options.data / NEWS))
    if options.ask:
        ask([row["text"] for row in gold[:ASKED]], base_url=options.base_url)
        return
    with gzip.open(options.data / CORPUS, "rt", encoding="utf-8") as file:
        passages = sorted((json.loads(line)["text"] for line in file), key=digest)[:PASSAGES]
    lsa = embedder_of("lsa")
    lsa.fit(passages, seed=SEED)
    embedders = {"LSA": lsa}
    if options.model:
        embedders[Path(options.model).name] = embedder_of(options.model)
        embedders[Path(options.model).name].fit((), seed=SEED)
    judges = shipped(task_of(sorted({row["label"] for row in others})), [row["text"] for row in seeds])
    known: dict[str, Any] = {"machine": machine(), "versions": versions(), "seed": SEED, "faults": {}}
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "copies": lambda: copies(others, passages, judges["near_copy"]),
        "leaks": lambda: leaks(gold, others, embedders),
        "wrong labels": lambda: wrong_labels(seeds, others, lsa),
        "false alarms": lambda: false_alarms(options.data),
    }
    for name, measure in steps.items():
        known["faults"][name] = measure()
        print(name, json.dumps(known["faults"][name]), flush=True)
        options.results.parent.mkdir(exist_ok=True)
        options.results.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
