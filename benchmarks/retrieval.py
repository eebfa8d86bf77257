"""Which retrieval serves the student: what is found by vectors, by words, by both, or at random, as train rows of a student.

    python benchmarks/retrieval.py DATA --model FOLDER        # FOLDER: model.onnx and tokenizer.json of a sentence model
    python benchmarks/retrieval.py DATA --collect             # only write the table of what is finished

DATA is a folder with news_corpus.jsonl.gz and agnews_train_sample.csv.gz. Of each draw, 10 or 50 rows per label are seeds;
the planned passages themselves, with the label of their seed, are the train rows (no teacher), and the bag-of-words student
trains on them for the same number of steps. What is finished is not repeated; only figures are written, to results/retrieval.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import spacy
from cache import cache_folder
from corpora import HERE, embedder_of, make_task, ready_index

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.configs import section
from spacy_synthesizrr.draws import draw_splits
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.sourcing.plan import plan
from spacy_synthesizrr.sourcing.randomly import RandomPlan, draw_passages
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.steps.plan import read_sources
from spacy_synthesizrr.stores.memory import MemoryStore
from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.evaluate import load_each, read_gold, score
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.job import Job
from spacy_synthesizrr.students.rows import StudentRow, labelled_rows
from spacy_synthesizrr.students.train import train_student
from spacy_synthesizrr.taskfile import TaskSpec, read_task

RESULTS = HERE / "results" / "retrieval.json"
DRAWS, DEV, TEST, STEPS = 5, 100, 500, 400
PER_LABEL = {10: 200, 50: 800}  # seeds per label → rows per label


@dataclass(frozen=True)
class Retrieval:
    """One way to find passages.

    index (str): "lsa" or "model"; its vectors also give margins and the leak gate.
    search (str): Of the project's [plan]; or "random".
    alpha (float): Share of the vectors in a hybrid search.
    """

    index: str
    search: str
    alpha: float = 0.5


RETRIEVALS = {
    "TF-IDF + SVD": Retrieval("lsa", "vector"),
    "keyword (BM25)": Retrieval("lsa", "keyword"),
    "hybrid of both": Retrieval("lsa", "hybrid"),
    "hybrid of both, alpha 0.25": Retrieval("lsa", "hybrid", 0.25),
    "sentence model": Retrieval("model", "vector"),
    "hybrid of sentence model and BM25": Retrieval("model", "hybrid"),
    "hybrid of sentence model and BM25, alpha 0.25": Retrieval("model", "hybrid", 0.25),
    "random": Retrieval("lsa", "random"),
}


@dataclass(frozen=True)
class Case:
    """One student. draw (int), seeds (int): Per label. name (str): Of the retrieval. margin (bool): Whether the better half stays."""

    draw: int
    seeds: int
    name: str
    margin: bool

    @property
    def key(self) -> str:
        """RETURNS (str): In the file of what is finished."""
        return f"{self.draw}/{self.seeds}/{self.name}/{'margin' if self.margin else 'rank'}"

    def settings(self) -> PlanSettings:
        """RETURNS (PlanSettings): The default strategy, but for what is compared."""
        search = RETRIEVALS[self.name].search
        chosen = {"search": "vector" if search == "random" else search, "hits": 50, "overgenerate": 1.0, "margin": {"on": self.margin}}
        chosen["retrieval"] = {"alpha": RETRIEVALS[self.name].alpha}
        return section({"plan": {"preset": "synthesizrr", "mode": "zero-shot", **chosen}}, "plan", PlanSettings, path="retrieval.py")


def cases() -> list[Case]:
    """RETURNS (List[Case]): Draw by draw, so that every arm has as many draws when we are stopped."""
    return [
        Case(draw, seeds, name, margin)
        for draw in range(DRAWS)
        for seeds in PER_LABEL
        for name, retrieval in RETRIEVALS.items()
        for margin in (True, False)
        if not (retrieval.search == "random" and margin)
    ]


def drawn_task(folder: Path, data: Path, draw: int, seeds: int) -> TaskSpec:
    """RETURNS (TaskSpec): Seeds, dev and test of one draw."""
    task = folder / f"draw{draw}-{seeds}"
    if not (task / "task.yml").is_file():
        shutil.rmtree(task, ignore_errors=True)
        source, wanted = data / "agnews_train_sample.csv.gz", {"per_label_seeds": seeds, "dev": DEV, "test": TEST}
        draw_splits(source, task, text=["text"], label="label", seed=draw, force=True, **wanted)
        make_task(task, data)
    return read_task(task)


def train_rows(case: Case, task: TaskSpec, store: MemoryStore) -> Iterator[StudentRow]:
    """YIELDS (StudentRow): The planned passages, the best `PER_LABEL` of each label."""
    settings, wanted = case.settings(), PER_LABEL[case.seeds]
    sources = read_sources(task, settings)
    found = plan(sources.seeds, store, task=task, settings=settings, per_label=wanted, seed=case.draw, gold=sources.gold)
    candidates: Iterator[Candidate]
    candidates = RandomPlan(found, draw_passages(found, store)).candidates() if is_random(case) else found.candidates()
    taken: Counter[str] = Counter()
    for candidate in candidates:
        (label,) = candidate.labels
        if taken[label] < wanted:
            taken[label] += 1
            (passage,) = store.get([str(candidate.passage_id)])
            yield StudentRow(candidate.id, passage.text, candidate.labels)


def is_random(case: Case) -> bool:
    """RETURNS (bool): Whether passages are drawn, whatever they are about."""
    return RETRIEVALS[case.name].search == "random"


def run_case(case: Case, task: TaskSpec, store: MemoryStore, folder: Path) -> dict[str, Any]:
    """Train and test one student."""
    about, nlp, labels = StudentTask(tuple(task.labels), task.exclusive, "en"), spacy.blank("en"), list(task.labels)
    work = folder / "student"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    written = write_docs(train_rows(case, task, store), work / "train.spacy", nlp=nlp, labels=labels)
    for kind in ("dev", "test"):
        write_docs(labelled_rows(task, kind), work / f"{kind}.spacy", nlp=nlp, labels=labels)
    config = read_student_config(HERE.parent / "configs" / "student.bow.cfg", about)
    job = Job(
        arm="main",
        seed=case.draw,
        steps=STEPS + 1,
        train=work / "train.spacy",
        dev=work / "dev.spacy",
        folder=work / "model",
        inputs=case.key,
    )
    trained = train_student(job, config, task=about, has_dev=True)
    (student,) = load_each([trained.folder])
    scored = score(student, read_gold(work / "test.spacy", student, about), about)
    return {"test": round(scored.score, 4), "rows": written.rows, "labels": dict(written.labels)}


def run(folder: Path, data: Path, model: str) -> None:
    """Run the cases that are not finished."""
    done_file = folder / "done.json"
    done = json.loads(done_file.read_text(encoding="utf-8")) if done_file.is_file() else {}
    first = read_task(make_task(folder / "corpus", data).parent)
    stores: dict[str, MemoryStore] = {}
    for case in cases():
        retrieval = RETRIEVALS[case.name]
        if case.key in done or (retrieval.index == "model" and not model):
            continue
        if retrieval.index not in stores:
            embedder = embedder_of(model if retrieval.index == "model" else "lsa")
            stores[retrieval.index], about = ready_index(folder / "index" / retrieval.index, first, embedder)
            done["indexes"] = {**done.get("indexes", {}), retrieval.index: {**done.get("indexes", {}).get(retrieval.index, {}), **about}}
        done[case.key] = run_case(case, drawn_task(folder, data, case.draw, case.seeds), stores[retrieval.index], folder)
        print(case.key, done[case.key]["test"], done[case.key]["rows"], flush=True)
        half = done_file.with_suffix(".half")
        half.write_text(json.dumps(done), encoding="utf-8")
        half.replace(done_file)
    publish(done)


def publish(done: dict[str, Any]) -> None:
    """Write the results and show them as a table."""
    arms: dict[str, Any] = {}
    for name in RETRIEVALS:
        for seeds in PER_LABEL:
            for margin in (True, False):
                found = [done[key] for draw in range(DRAWS) if (key := Case(draw, seeds, name, margin).key) in done]
                if found:
                    scores = [row["test"] for row in found]
                    about = {"draws": len(found), "test": round(mean(scores), 4), "rows": round(mean(row["rows"] for row in found))}
                    about |= {"sd": round(stdev(scores), 4) if len(scores) > 1 else None, "scores": scores}
                    arms.setdefault(name, {}).setdefault(str(seeds), {})["margin" if margin else "rank"] = about
    settings = {"draws": DRAWS, "dev_per_label": DEV, "test_per_label": TEST, "steps": STEPS, "rows_per_label": PER_LABEL, "hits": 50}
    results = {"settings": settings, "indexes": done.get("indexes", {}), "arms": arms, "versions": versions()}
    results["machine"] = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(arms))


def table(arms: dict[str, Any]) -> str:
    """RETURNS (str): Markdown."""
    columns = [(str(seeds), kind) for seeds in PER_LABEL for kind in ("rank", "margin")]
    lines = [
        "| retrieval | " + " | ".join(f"{seeds} seeds, by {kind}" for seeds, kind in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name, arm in arms.items():
        cells = [arm.get(seeds, {}).get(kind) for seeds, kind in columns]
        lines.append(f"| {name} | " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _cell(about: dict[str, Any] | None) -> str:
    if about is None:
        return "–"
    return f"{100 * about['test']:.1f}" + (f" ± {100 * about['sd']:.1f}" if about["sd"] is not None else "")


def main() -> None:
    """Run what is not finished, or only collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="", help="folder with model.onnx and tokenizer.json; without it those arms are left out")
    parser.add_argument("--folder", type=Path, default=cache_folder("retrieval"), help="indexes, draws and what is finished; kept")
    parser.add_argument("--collect", action="store_true", help="only write the results of what is finished")
    options = parser.parse_args()
    folder = options.folder.expanduser().resolve()
    if options.collect:
        return publish(json.loads((folder / "done.json").read_text(encoding="utf-8")))
    run(folder, options.data.resolve(), options.model)


if __name__ == "__main__":
    main()
