"""The blind judge of `VerifyLabels` with a real, very small LLM: how often it names a label, and what its votes are worth.

    python benchmarks/blind_judge.py            # after weak_teacher_curated.py; starts Ollama by the recipe of the tests
    python benchmarks/blind_judge.py --base-url http://127.0.0.1:11434/v1

The rows are those of one finished run of weak_teacher.py (RetrICL by margin, the run with the most wrong labels), judged by the LLM that
wrote them, one question a row: "held" with Ollama's structured answers, which admit the names of the labels only; "free", some of the
rows, with the settings of that run. All judges are compared with a classifier trained on the task's gold train rows, which they never see:
AUROC of a judge's score for "the classifier finds the label that the row was asked for". That classifier errs too; its accuracy on test
stands beside. Then the two arms of weak_teacher_curated.py in which the LLM judges are curated and trained. results/blind_judge.json holds
figures, never a text.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from cache import cache_folder
from faults_llm import MODEL, served
from weak_runs import IN_FLIGHT, PARAMETERS, Scratch
from weak_teacher_curated import ARMS, ASKED, figures, inside, publish, read

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl
from spacy_synthesizrr.labelled import read_rows, read_seeds
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.receipts import RunFolder, versions
from spacy_synthesizrr.set_filters.labels import make_verify_labels
from spacy_synthesizrr.set_filters.pooling import auroc
from spacy_synthesizrr.set_filters.running import SetInputs, curated
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.taskfile import TaskSpec

RESULTS = Path(__file__).parent / "results" / "blind_judge.json"
DRAW, STRATEGY = 0, "retricl-margin"
DRAWS, SEED = 1, 0  # questions per row
ROWS = {"held": 200, "free": 60}  # that are judged: free answers are long, and few of them name a label
JUDGES = ["student", "gold", "teacher"]


def parameters(variant: str, labels: list[str]) -> dict[str, Any]:
    """RETURNS (dict): Of the requests."""
    if variant == "free":
        return dict(PARAMETERS)
    schema = {"name": "label", "schema": {"type": "string", "enum": labels}}
    return {**PARAMETERS, "response_format": {"type": "json_schema", "json_schema": schema}}


@contextmanager
def asking(scratch: Scratch, base_url: str, variant: str) -> Iterator[Context]:
    """YIELDS (Context): The run, with the server that is there now as its teacher."""
    folder = RunFolder(scratch.run(DRAW, STRATEGY))
    inputs = folder.inputs()
    labels = list(Context(folder, inputs).task.labels)
    said = "".join(f"{name} = {json.dumps(value)}\n" for name, value in parameters(variant, labels).items())
    with tempfile.TemporaryDirectory(prefix="judge-") as place:
        path = Path(place) / "teacher.cfg"
        path.write_text(
            f'[teacher]\n@llm_models = "synthesizrr.ChatCompletions.v1"\nbase_url = "{base_url}"\nmodel = "{MODEL}"\n'
            f'responses = "{scratch.folder / "judged.sqlite"}"\n\n[teacher.parameters]\n{said}\n'
            f"[teacher.requests]\nmax_in_flight = {IN_FLIGHT}\nread_timeout = 1800\n",
            encoding="utf-8",
        )
        configs = {**inputs["configs"], "teacher": {**inputs["configs"]["teacher"], "path": str(path)}}
        yield Context(folder, {**inputs, "configs": configs})


def by_gold(task: TaskSpec, texts: list[str]) -> tuple[list[str], float]:
    """RETURNS (Tuple[List[str], float]): The label that a classifier of gold train rows gives each text, and its accuracy on test."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    train, test = ([(task.student_text(row.fields), row.labels[0]) for row in read_rows(task, kind)] for kind in ("train", "test"))
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LogisticRegression(C=10, max_iter=1000))
    model.fit(*map(list, zip(*train, strict=True)))
    return list(model.predict(texts)), float(model.score(*map(list, zip(*test, strict=True))))


def judged(ctx: Context, variant: str) -> dict[str, Any]:
    """RETURNS (dict): What the judges said of the rows, against the classifier of gold rows."""
    began, folder = time.monotonic(), ctx.folder.file("judged")
    folder.mkdir(exist_ok=True)
    with closing(open_store(ctx)) as store:
        inputs = SetInputs(ctx, "main", folder, Lookup(ctx.task, store, read_seeds(ctx.task)))
        binder = make_verify_labels(JUDGES, draws=DRAWS)
        some = list(read_jsonl(ctx.folder.file("accepted.jsonl"), Candidate.from_dict))
        write_jsonl(folder / "rows.jsonl", (row.to_dict() for row in random.Random(SEED).sample(some, ROWS[variant])))
        with curated(folder / "rows.jsonl", {"labels": binder}, inputs, kinds={"labels": ""}) as found:
            rows, told = list(found.kept), found.told["labels"]
    seconds = time.monotonic() - began
    labels, accuracy = by_gold(ctx.task, [ctx.task.student_text(row.fields) for row in rows])
    right = np.array([row.labels[0] == label for row, label in zip(rows, labels, strict=True)])
    asked = (len(rows) + told["labelled"]["rows"]) * DRAWS
    scores = {name: np.array([row.events[-1].detail["judges"][name] for row in rows]) for name in told["judges"]}
    scores["all three"] = np.array([row.events[-1].detail["label_score"] for row in rows])
    return {
        "rows": len(rows),
        "questions": asked,
        "named_a_label": round(1 - sum(told["failed_votes"].values()) / asked, 4),
        "failed": told["failed_votes"],
        "seconds": round(seconds, 1),
        "classifier_on_test": round(accuracy, 4),
        "classifier_agrees": round(float(right.mean()), 4),
        "auroc": {name: auroc(values, right) for name, values in scores.items()},
        "right_above_wrong_on_seeds": {name: about.get("right_above_wrong") for name, about in told["judges"].items()},
        "accuracy_on_seeds": {name: about.get("accuracy") for name, about in told["judges"].items()},
        "weights": told["pool"]["weights"],
        "calibrated": told["pool"]["calibrated"],
    }


def kept(place: Path, made: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write what is not there yet, so that seconds stay those of the first time."""
    if made is not None:
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps(made), encoding="utf-8")
    return dict(json.loads(place.read_text(encoding="utf-8")))


def arms(scratch: Scratch, ctx: Context) -> None:
    """Curate and train as weak_teacher_curated.py does, with the LLM among the judges."""
    name = scratch.run(DRAW, STRATEGY).name
    for number, arm in enumerate(ARMS):
        place = scratch.folder / "done" / f"{name}.{number}.json"
        if arm in ASKED and not place.is_file():
            found = figures(ctx, arm, read(scratch.folder / "done" / f"{name}.0.json"))
            kept(place, {"draw": DRAW, "strategy": STRATEGY, "arm": arm, **found})


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default="", help="of a server that is there; Ollama is started otherwise")
    options = parser.parse_args()
    scratch = Scratch(cache_folder("weak-teacher-curated"))
    results: dict[str, Any] = {"model": MODEL, "run": scratch.run(DRAW, STRATEGY).name, "versions": versions(), "variants": {}}
    with served(options.base_url) as (url, _), inside(scratch.project):
        for variant in ROWS:
            with asking(scratch, url, variant) as ctx:
                place = scratch.folder / "judge" / f"{variant}.json"
                results["variants"][variant] = kept(place, None if place.is_file() else judged(ctx, variant))
                print(variant, json.dumps(results["variants"][variant]), flush=True)
                if variant == "held":
                    arms(scratch, ctx)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    publish(scratch)


if __name__ == "__main__":
    main()
