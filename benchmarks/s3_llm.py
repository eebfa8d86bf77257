"""What a real, very weak LLM makes of S3's prompts: reasons, texts from reasons, and texts like an error of the student's.

    python benchmarks/s3_llm.py DATA --start               # starts Ollama with SmolLM2-135M as the tests do; goes on after any stop
    python benchmarks/s3_llm.py DATA --base-url URL        # a chat server that runs already
    python benchmarks/s3_llm.py DATA --collect             # only write what is finished

The tasks are those of s3_real.py, draw 0. Per task and arm at least 200 prompts: which share is answered with something that can be read
(parsed), which share passes the filters, and how often a classifier of words that was trained on gold rows gives a text the label that it
was asked for. Beside the last stand what that classifier reaches on gold test rows and what shuffled labels would give: on RTE it knows
nothing. Only figures are written, to results/s3_llm.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from cache import cache_folder
from s3_judge import arm, judge_of, judged
from s3_loops import Wanted, config_text, do_loop, do_start, finished, make_project, of_loop, publish, write
from s3_sets import CASES, make_task

from spacy_synthesizrr.context import RUNS, Context
from spacy_synthesizrr.dimensions import write_values
from spacy_synthesizrr.instructions import rationale_instruction
from spacy_synthesizrr.steps.rationales import ABOUT, FILE
from spacy_synthesizrr.taskfile import read_task
from spacy_synthesizrr.tasks.rationale import rationale_config
from spacy_synthesizrr.teachers import asking, pipeline_for

RESULTS = Path(__file__).parent / "results" / "s3_llm.json"
TASKS = ("agnews-500", "rte", "imdb")
CALLS = 200  # of the loop
ROWS = 200  # asked for by the starting run, all labels together; those that are turned away are not replaced
REASONS, LISTS = 5, 40  # reasons of a list; lists, all labels together
PARAMETERS = {"temperature": 0.9, "max_tokens": 300, "seed": 0}
LOOP = {
    "loop": {"rounds": 3, "final": "last", "controls": []},
    "extrapolate": {"with": "text", "per_error": 1},
    "stop": {"patience": 3, "max_calls": CALLS},
}
STRATEGY = {"plan": {"preset": "s3-seed", "mode": "s3-seed", "overgenerate": 1.0}, "plan.controls": {"arms": []}}
DIMENSION = "rationale"


def project_of(folder: Path) -> Path:
    """RETURNS (Path): The project, with our configs."""
    strategy = {**STRATEGY, "plan.dimensions": {}, f"plan.dimensions.{DIMENSION}": {"n": REASONS, "per_row": 3, "header": "Reasons"}}
    configs = {"loop.llm.cfg": config_text(LOOP), "strategy.llm.cfg": config_text(strategy)}
    return make_project(folder.expanduser().resolve() / "project", configs, steps=200)


def write_teacher(project: Path, base_url: str, model: str) -> None:
    """The next server may have another port; answers are kept."""
    about = {"@llm_models": "synthesizrr.ChatCompletions.v1", "base_url": base_url, "model": model}
    about["responses"] = (project.parent / "answers.sqlite").as_posix()
    sections = {"teacher": about, "teacher.parameters": PARAMETERS}
    text = config_text({**sections, "teacher.requests": {"max_in_flight": 4, "read_timeout": 1800}})
    write(project / "configs" / "teacher.llm.cfg", text)


def wanted(name: str) -> Wanted:
    """RETURNS (Wanted): The loop of a task."""
    labels = 4 if name.startswith("agnews") else 2
    return Wanted(f"tasks/{name}-0", f"{name}-llm", "llm", {"strategy": "llm", "teacher": "llm", "per_label": ROWS // labels})


def ask_reasons(project: Path, name: str, ctx: Context) -> None:
    """Ask for many lists of reasons, and take all that could be read for the rows of the task: a weak teacher's list is short.

    project (Path): Where figures are written: lists, parsed (share), reasons (of a list that was read, mean), enough (share of lists with
        as many as were asked for), not_parsed (reasons why), distinct (reasons of each label).
    """
    path = figures_file(project, name)
    if path.is_file():
        return
    read = list(_lists(ctx))
    counts = [len(one["texts"]) for _, one in read if "texts" in one]
    failed = Counter(str(one["failed"]) for _, one in read if "texts" not in one)
    found = {"lists": len(read), "parsed": len(counts) / len(read), "reasons": fmean(counts) if counts else 0}
    found |= {"enough": sum(count >= REASONS for count in counts) / len(read), "not_parsed": dict(failed)}
    own: dict[str, dict[str, None]] = {label: {} for label in ctx.task.labels}
    for label, one in read:
        own[label] |= dict.fromkeys(one.get("texts", ()))
    found["distinct"] = {label: len(texts) for label, texts in own.items()}
    write_values(ctx.folder.file(FILE), {DIMENSION: {label: tuple(texts) for label, texts in own.items()}}, about=ABOUT)
    path.write_text(json.dumps(found), encoding="utf-8")


def figures_file(project: Path, name: str) -> Path:
    """RETURNS (Path): Where the figures of a task's lists lie."""
    return project / f"reasons-{name}.json"


def _lists(ctx: Context) -> Iterator[tuple[str, dict[str, Any]]]:
    """YIELDS (Tuple[str, dict]): Label, and what came of an answer. Prompts differ by a number: equal ones are answered once."""
    labels = [*ctx.task.labels]
    for number in range(LISTS // len(labels)):
        instruction = f"{rationale_instruction(ctx.task)} (List {number + 1})"
        nlp = pipeline_for(ctx, rationale_config(ctx.task, n=REASONS, dimension=DIMENSION, instruction=instruction, by_label=True))
        with asking(nlp):
            yield from (
                (label, doc._.synthesizrr_rationales) for label, doc in zip(labels, nlp.pipe(map(nlp.make_doc, labels)), strict=True)
            )


def run_task(project: Path, name: str, data: Path) -> None:
    """Everything of one task; what is done is not done again."""
    make_task(project, name, data, 0)
    do_start(project, wanted(name), first=partial(ask_reasons, project.resolve(), name))
    do_loop(project, wanted(name))


def figures(project: Path, name: str, data: Path) -> dict[str, Any]:
    """RETURNS (dict): All figures of a task, as far as they are there."""
    run, case = wanted(name), CASES[name]
    task = read_task(project / run.task)
    judge, gold = judge_of(name, data, 0, task)
    test = [json.loads(line) for line in (project / run.task / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    known = [(row["label"], task.student_text({field: row[field] for field in case.fields})) for row in test]
    rounds = sorted((project / RUNS / run.name).glob("loop-*"))
    found = {"judge_trained_on": gold, "judge_on_gold": judged(known, judge, [*task.labels])}
    found |= {"step by step": arm([project / RUNS / run.run], task, judge), "extrapolate": arm(rounds, task, judge)}
    reasons = figures_file(project, name)
    found["rationale"] = json.loads(reasons.read_text(encoding="utf-8")) if reasons.is_file() else None
    ledger = finished(project, run)
    return found | {"students": of_loop(ledger) if ledger else None}


def collect(project: Path, data: Path, model: str) -> None:
    """Write and show what is finished."""
    tasks = {name: figures(project, name, data) for name in TASKS if (project / RUNS / wanted(name).run / "generated.jsonl").is_file()}
    settings = {"model": model, "parameters": PARAMETERS, "reasons_asked_for": REASONS, "loop_calls": CALLS}
    publish(RESULTS, {"settings": settings, "tasks": tasks})
    print("| task | arm | prompts | parsed | accepted | confirmed, of accepted | shuffled | judge on gold |\n" + "|---" * 8 + "|")
    for name, found in tasks.items():
        for one in ("step by step", "extrapolate"):
            row, own = found[one], found[one]["judge_on_accepted"]
            if row["calls"] and own["rows"]:
                cells = [row["parsed"], row["accepted"], own["confirmed"], own["shuffled"], found["judge_on_gold"]["confirmed"]]
                print(f"| {name} | {one} | {row['calls']} | " + " | ".join(f"{100 * cell:.1f}" for cell in cells) + " |")
        print(f"  {name}: reasons {found['rationale']}", flush=True)


@contextmanager
def served(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """YIELDS (Tuple[str, str]): Base URL and model of the server that was named, or of one that runs as long as the block."""
    if not options.start:
        yield options.base_url, options.model
        return
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from services.ollama import running_ollama

    with tempfile.TemporaryDirectory(prefix="s3-llm-") as state, running_ollama(Path(state)) as server:
        yield server.base_url, server.model


def main() -> None:
    """Ask what is not answered, collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=os.environ.get("SYNTHESIZRR_BENCHMARK_DATA"))
    parser.add_argument("--start", action="store_true", help="start Ollama with SmolLM2 by the recipe of the tests")
    parser.add_argument("--base-url", default="http://127.0.0.1:11434/v1")
    parser.add_argument("--model", default="smollm2:135m")
    parser.add_argument("--folder", type=Path, default=cache_folder("s3-llm"), help="project, runs and answers; kept")
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--collect", action="store_true", help="only write the results of what is finished")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder with the data")
    project, data = project_of(options.folder), Path(options.data).resolve()
    if not options.collect:
        with served(options) as (base_url, model):
            write_teacher(project, base_url, model)
            for name in options.only:
                run_task(project, name, data)
    collect(project, data, options.model)


if __name__ == "__main__":
    main()
