"""What checking adds to a very weak teacher: the finished runs of weak_teacher.py, curated in several ways, each as a student's accuracy.

    python benchmarks/weak_teacher_curated.py            # after weak_teacher.py; goes on where it stopped
    python benchmarks/weak_teacher_curated.py --collect  # only gather what is finished

The runs are copied first and never written to. Curation asks the teacher nothing, so every arm stands on the same answers: equal calls.
Each arm trains the same student with the same seeds for the same number of steps. Rows that go are not asked for again, as a
run with a higher `per_label` would do; so beside each share that is kept stands the same share of rows chosen by chance. Labels are
checked with the seeds alone: no gold train row is read. Arms in which the LLM judges too are measured by blind_judge.py.
results/weak_teacher_curated.json holds figures, never a text.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from cache import cache_folder
from weak_runs import DRAWS, STRATEGIES, STUDENT_STEPS, Scratch, finished

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.verdicts import Verdict
from spacy_synthesizrr.labelled import read_seeds
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.receipts import RunFolder, versions
from spacy_synthesizrr.set_filters.cartography import make_cartography
from spacy_synthesizrr.set_filters.labels import make_verify_labels
from spacy_synthesizrr.set_filters.running import Curated, Rows, SetBinder, SetInputs, curated
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.job import Job
from spacy_synthesizrr.students.rows import candidate_rows

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "weak_teacher_curated.json"
SHARE, LEAST = 0.83, 0.9
COPIED = ("inputs.json", "index.json", "accepted.jsonl", "dev.spacy", "test.spacy", "fingerprints.json", "receipts", "evaluation.json")
SMOOTHED = {"@callbacks": "synthesizrr.SoftTargets.v1", "by_score": True}


def by_chance(share: float) -> SetBinder:
    """Keep a share of the rows of each label, chosen by the run's seed and the rows' ids."""

    def bind(inputs: SetInputs) -> Callable[[Rows], Iterator[Verdict]]:
        def judge(rows: Rows) -> Iterator[Verdict]:
            found = list(rows)
            stays: set[str] = set()
            for key in {row.key for row in found}:
                own = sorted((row.id for row in found if row.key == key), key=lambda id: digest("chance", id))
                random.Random(f"{inputs.ctx.seed} {key}").shuffle(own)
                stays |= set(own[: round(share * len(own))])
            return (Verdict(row.id in stays, "" if row.id in stays else "chance") for row in found)

        return judge

    return SetBinder(bind)


def asked(action: str) -> SetBinder:
    """RETURNS (SetBinder): All three judges; the LLM is asked once."""
    return make_verify_labels(["student", "gold", "teacher"], action, LEAST, 0.4, draws=1)


ARMS: dict[str, Callable[[], dict[str, SetBinder]]] = {
    "as accepted": dict,
    "labels checked, below 0.5 rejected": lambda: {"labels": make_verify_labels(action="reject")},
    "labels checked, below 0.9 rejected": lambda: {"labels": make_verify_labels(action="reject", threshold=LEAST)},
    "labels checked, below 0.9 relabelled": lambda: {"labels": make_verify_labels(action="relabel", threshold=LEAST, sure=0.4)},
    "labels checked, rows weighed by score": lambda: {"labels": make_verify_labels()},
    "cartography, top 83 % by confidence": lambda: {"map": make_cartography()},
    "83 % by chance": lambda: {"chance": by_chance(SHARE)},
    "the LLM as a judge too, below 0.9 rejected": lambda: {"labels": asked("reject")},
    "the LLM as a judge too, below 0.9 relabelled": lambda: {"labels": asked("relabel")},
}
ASKED = tuple(arm for arm in ARMS if arm.startswith("the LLM"))  # arms that blind_judge.py measures, since they need the LLM


def copy_runs(source: Scratch, target: Scratch) -> None:
    """Copy what curation and training need of every finished run, with links to the indexes."""
    for name in ("configs", "tasks"):
        if not (target.project / name).is_dir():
            shutil.copytree(source.project / name, target.project / name, symlinks=True)
    if not (target.project / "index").exists():
        (target.project / "index").symlink_to(source.project / "index")
    for draw in range(DRAWS):
        for strategy in STRATEGIES:
            place = target.run(draw, strategy)
            if finished(source, draw, strategy) and not place.is_dir():
                work = place.with_name(f".{place.name}.part")
                shutil.rmtree(work, ignore_errors=True)
                work.mkdir(parents=True)
                for name in COPIED:
                    path = source.run(draw, strategy) / name
                    (shutil.copytree if path.is_dir() else shutil.copy)(path, work / name)
                work.rename(place)


def figures(ctx: Context, arm: str, known: dict[str, Any] | None) -> dict[str, Any]:
    """Curate one run in one way, train, and score on test.

    known (dict | None): What came of the rows as they were accepted, which is what comes of the same rows again.
    """
    rows, folder = ctx.folder.file("accepted.jsonl"), ctx.folder.file("curated")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with closing(open_store(ctx)) as store:
        inputs = SetInputs(ctx, "main", folder, Lookup(ctx.task, store, read_seeds(ctx.task)))
        binders = ARMS[arm]()
        with curated(rows, binders, inputs, kinds=dict.fromkeys(binders, "")) as found:
            gone = sum(1 for away in found.gone for _ in away)
            relabelled = sum("relabelled_from" in event.detail for row in found.kept for event in row.events)
            same = known is not None and not gone and not relabelled and "weighed" not in arm
            test = (
                {"rows": known["rows"], "test": known["test"]} if same and known else trained(ctx, found, folder, weighed="weighed" in arm)
            )
            told = found.told.get("labels", {})
    about = {"gone": gone, "relabelled": relabelled, **test}
    if told:
        about["judges"] = {name: judge["accuracy"] for name, judge in told["judges"].items()}
        about |= {"right_share": told["right_share"], "calibrated": told["pool"]["calibrated"]}
    return about


def trained(ctx: Context, found: Curated, folder: Path, *, weighed: bool) -> dict[str, Any]:
    """Train the student of the benchmark on curated rows, once for each training seed.

    RETURNS (dict): "rows"; "test": mean, sd and scores.
    """
    import spacy

    from spacy_synthesizrr.students.evaluate import read_gold, score
    from spacy_synthesizrr.students.scores import spread
    from spacy_synthesizrr.students.train import train_student

    task = StudentTask(tuple(ctx.task.labels), ctx.task.exclusive, str(ctx.settings["lang"]))
    config = read_student_config(ctx.config_path("student"), task)
    if weighed:
        config["initialize"]["after_init"] = dict(SMOOTHED)
    written = write_docs(candidate_rows(found.kept, ctx.task), folder / "train.spacy", nlp=spacy.blank(task.lang), labels=list(task.labels))
    dev, test, scores = ctx.folder.file("dev.spacy"), ctx.folder.file("test.spacy"), []
    for number in range(ctx.task.k_seeds):
        inputs = digest((folder / "train.spacy").read_bytes().hex())
        job = Job("main", ctx.seed + number, STUDENT_STEPS + 1, folder / "train.spacy", dev, folder / "students" / str(number), inputs)
        nlp = spacy.load(train_student(job, config, task=task, has_dev=True).folder)
        scores.append(score(nlp, read_gold(test, nlp, task), task).score)
    return {"rows": written.rows, "test": {**(spread(scores) or {}), "seeds": scores}}


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Run with a folder as the working directory: a project's paths count from there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def read(path: Path) -> dict[str, Any] | None:
    """RETURNS (dict | None): What is finished."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def run_all(scratch: Scratch) -> None:
    """Every arm of every run that is there and not done."""
    for draw in range(DRAWS):
        for strategy in STRATEGIES:
            if not scratch.run(draw, strategy).is_dir():
                continue
            places = [scratch.folder / "done" / f"{scratch.run(draw, strategy).name}.{number}.json" for number in range(len(ARMS))]
            for place, arm in zip(places, ARMS, strict=True):
                if place.is_file() or arm in ASKED:
                    continue
                with inside(scratch.project):
                    folder = RunFolder(scratch.run(draw, strategy))
                    found = figures(
                        Context(folder, folder.inputs()), arm, read(places[0])
                    )  # an earlier version prepared it: fingerprints may differ
                place.parent.mkdir(exist_ok=True)
                place.write_text(json.dumps({"draw": draw, "strategy": strategy, "arm": arm, **found}), encoding="utf-8")
                print(f"{strategy}, draw {draw}, {arm}: {found['rows']} rows, {100 * found['test']['mean']:.1f}", flush=True)


def publish(scratch: Scratch) -> None:
    """Write the results and show them: per strategy the mean over draws, and each arm's difference to the rows as they were accepted."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((scratch.folder / "done").glob("*.json"))]
    table = [summary(found, strategy, arm) for strategy in STRATEGIES for arm in ARMS]
    overall = [differences([row for row in found if row["arm"] == arm], found, arm) for arm in ARMS]
    settings = {"student_steps": STUDENT_STEPS, "share": SHARE, "labelled": ["seeds"]}
    results = {"settings": settings, "table": [row for row in table if row], "overall": overall, "runs": found, "versions": versions()}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(markdown(results))


def summary(found: list[dict[str, Any]], strategy: str, arm: str) -> dict[str, Any]:
    """RETURNS (dict): One cell of the table; empty when nothing is finished."""
    own = [row for row in found if row["strategy"] == strategy and row["arm"] == arm]
    if not own:
        return {}
    scores = [row["test"]["mean"] for row in own]
    return {
        "strategy": strategy, "arm": arm, "draws": len(own), "rows": round(mean(row["rows"] for row in own), 1),
        "test": round(mean(scores), 4), "sd_over_draws": round(stdev(scores), 4) if len(scores) > 1 else None,
    }  # fmt: skip


def differences(own: list[dict[str, Any]], found: list[dict[str, Any]], arm: str) -> dict[str, Any]:
    """RETURNS (dict): An arm against the rows as they were accepted, paired by run. Runs of one draw share seeds and test rows, so the
    standard error is that of the draws' means, and there is none with one draw.
    """
    before = {(row["draw"], row["strategy"]): row["test"]["mean"] for row in found if row["arm"] == "as accepted"}
    gains: dict[int, list[float]] = {}
    for row in own:
        gains.setdefault(row["draw"], []).append(row["test"]["mean"] - before[row["draw"], row["strategy"]])
    every, means = [gain for each in gains.values() for gain in each], [mean(each) for each in gains.values()]
    return {
        "arm": arm,
        "draws": len(gains),
        "runs": len(every),
        "rows": round(mean(row["rows"] for row in own), 1) if own else None,
        "relabelled": round(mean(row["relabelled"] for row in own), 1) if own else None,
        "gain": round(mean(every), 4) if every else None,
        "standard_error": round(stdev(means) / len(means) ** 0.5, 4) if len(means) > 1 else None,
        "better": sum(gain > 0 for gain in every),
    }


def markdown(results: dict[str, Any]) -> str:
    """RETURNS (str): Both tables."""
    lines = [
        "| curated | runs (draws) | rows | relabelled | points against as accepted ± standard error over draws | better in |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["overall"]:
        if row["runs"]:
            gain = f"{100 * row['gain']:+.1f}" + ("" if row["standard_error"] is None else f" ± {100 * row['standard_error']:.1f}")
            better = "" if row["arm"] == "as accepted" else row["better"]
            lines.append(f"| {row['arm']} | {row['runs']} ({row['draws']}) | {row['rows']} | {row['relabelled']} | {gain} | {better} |")
    strategies = [name for name in STRATEGIES if any(row["strategy"] == name for row in results["table"])]
    lines += ["", "| accuracy, % | " + " | ".join(strategies) + " |", "|---" * (len(strategies) + 1) + "|"]
    cells = {(row["strategy"], row["arm"]): row for row in results["table"]}
    for arm in ARMS:
        own = [cells.get((strategy, arm)) for strategy in strategies]
        lines.append(
            f"| {arm} | " + " | ".join("" if cell is None else f"{100 * cell['test']:.1f} ({cell['draws']})" for cell in own) + " |"
        )
    return "\n".join(lines)


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=cache_folder("weak-teacher"), help="where weak_teacher.py keeps its runs")
    parser.add_argument("--collect", action="store_true")
    options = parser.parse_args()
    scratch = Scratch(cache_folder("weak-teacher-curated"))
    if not options.collect:
        copy_runs(Scratch(options.folder), scratch)
        run_all(scratch)
    publish(scratch)


if __name__ == "__main__":
    main()
