"""What a very weak teacher is worth: SmolLM2-135M on AG News, each way of sourcing and prompting as the accuracy of a student.

    python benchmarks/weak_teacher.py DATA --start                        # starts Ollama as the tests do (tests/services)
    python benchmarks/weak_teacher.py DATA --base-url URL --model NAME    # a chat server that runs already
    python benchmarks/weak_teacher.py --collect                           # only gather what is finished

DATA (or $SYNTHESIZRR_BENCHMARK_DATA) is a folder with news_corpus.jsonl.gz and agnews_train_sample.csv.gz. Every draw of the
seeds is a task of its own and every strategy a run of the project; all runs share one response store. The project lies in a
cache folder (--folder), so the benchmark goes on after any stop: what is answered is not asked again, what is finished is not
repeated, and several processes may share the work. results/weak_teacher.json beside this script is written anew after each
run; only figures stand in it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cache import cache_folder
from filelock import FileLock, Timeout
from weak_results import collect, table
from weak_runs import (
    DEV,
    DRAWS,
    IN_FLIGHT,
    PARAMETERS,
    PER_LABEL,
    SEEDS,
    STEPS,
    STRATEGIES,
    STUDENT_STEPS,
    TEST,
    Scratch,
    call,
    finished,
)

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "weak_teacher.json"


def make_project(scratch: Scratch) -> None:
    """`synthesizrr init` with our strategies and student."""
    scratch.folder.mkdir(parents=True, exist_ok=True)
    if not (scratch.project / "project.yml").is_file():
        call("init", str(scratch.project), cwd=scratch.folder)
    configs = scratch.project / "configs"
    for name, strategy in STRATEGIES.items():
        write(configs / f"strategy.weak-{name}.cfg", strategy.config())
    student = (configs / "student.bow.cfg").read_text(encoding="utf-8")
    for old, new in (("max_epochs = 25", "max_epochs = 0"), ("max_steps = 400", f"max_steps = {STUDENT_STEPS}")):
        if old not in student:
            raise SystemExit(f"configs/student.bow.cfg has no line {old!r} any more; correct this script.")
        student = student.replace(old, new)
    write(configs / "student.weak.cfg", student)


def write_teacher(scratch: Scratch, name: str, base_url: str, model: str) -> None:
    """A teacher's config for one run: the next server may have another port, and several processes may share the work."""
    settings = {"base_url": base_url, "model": model, "responses": str(scratch.answers)}
    sections = {
        "teacher": {"@llm_models": "synthesizrr.ChatCompletions.v1", **settings},
        "teacher.parameters": PARAMETERS,
        "teacher.requests": {"max_in_flight": IN_FLIGHT, "read_timeout": 1800},
    }
    lines = [
        line for head, values in sections.items() for line in (f"[{head}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items()), "")
    ]
    write(scratch.project / "configs" / f"teacher.{name}.cfg", "\n".join(lines))


def write(path: Path, text: str) -> None:
    """Write a file unless it says so already."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def make_task(scratch: Scratch, draw: int, data: Path) -> Path:
    """Cut seeds, dev and test of one draw; the corpus is linked, not copied."""
    task = scratch.project / "tasks" / f"draw{draw}"
    if not (task / "task.yml").is_file():
        sizes = ("--per-label", SEEDS, "--dev", DEV, "--test", TEST, "--seed", draw)
        call("seeds", "draw", str(data / "agnews_train_sample.csv.gz"), str(task), *map(str, sizes), cwd=scratch.project)
        (task / "corpus.jsonl.gz").symlink_to(data / "news_corpus.jsonl.gz")
        write(task / "task.yml", (HERE / "tasks" / "agnews_brief.yml").read_text(encoding="utf-8"))
    return task


def run_strategy(scratch: Scratch, draw: int, name: str, data: Path, server: tuple[str, str]) -> None:
    """All steps of one run; those that are done return at once."""
    base_url, model = server
    task, run = make_task(scratch, draw, data), scratch.run(draw, name).name
    write_teacher(scratch, run, base_url, model)
    chosen = {"strategy": f"weak-{name}", "teacher": run, "student": "weak", "per-label": PER_LABEL, "seed": 0}
    options = [part for key, value in chosen.items() for part in (f"--{key}", str(value))]
    call("prepare", "--task", task.relative_to(scratch.project).as_posix(), "--run", run, *options, cwd=scratch.project)
    for step in STEPS:
        call(step, "--run", run, cwd=scratch.project)


def publish(scratch: Scratch, model: str) -> None:
    """Write the results and show them."""
    results = collect(scratch, model)
    RESULTS.parent.mkdir(exist_ok=True)
    half = RESULTS.with_suffix(f".{os.getpid()}.half")
    half.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    half.replace(RESULTS)
    print(table(results), flush=True)


@contextmanager
def teacher(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """YIELDS (Tuple[str, str]): base_url and model of the server that was named, or of one that runs as long as the block."""
    if not options.start:
        yield options.base_url, options.model
        return
    sys.path.insert(0, str(HERE.parent / "tests"))
    from services.ollama import running_ollama

    with tempfile.TemporaryDirectory(prefix="weak-teacher-") as state, running_ollama(Path(state)) as server:
        yield server.base_url, server.model


@contextmanager
def alone(scratch: Scratch, draw: int, strategy: str) -> Iterator[bool]:
    """YIELDS (bool): Whether no other process has this run in work, so that several may share the benchmark."""
    lock = FileLock(scratch.folder / f"{scratch.run(draw, strategy).name}.lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        yield False
    else:
        with held:
            yield True


def main() -> None:
    """Run what is not finished, draw by draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=os.environ.get("SYNTHESIZRR_BENCHMARK_DATA"))
    parser.add_argument("--start", action="store_true", help="start Ollama with SmolLM2 by the recipe of the tests")
    parser.add_argument("--base-url", default="http://127.0.0.1:11434/v1", help="of a chat server that runs already")
    parser.add_argument("--model", default="smollm2:135m", help="its name for the model")
    parser.add_argument("--folder", type=Path, default=cache_folder("weak-teacher"), help="project, runs and answers; kept")
    parser.add_argument("--draws", default=",".join(map(str, range(DRAWS))), help="which draws, such as 0,2")
    parser.add_argument("--only", default=",".join(STRATEGIES), help="which strategies, in this order")
    parser.add_argument("--collect", action="store_true", help="only write the results of what is finished")
    options = parser.parse_args()
    scratch = Scratch(options.folder.expanduser().resolve())
    if options.collect:
        return publish(scratch, options.model)
    if options.data is None:
        parser.error("name the folder with the data")
    jobs = [(int(draw), name) for draw in options.draws.split(",") for name in options.only.split(",")]
    make_project(scratch)
    with teacher(options) as server:
        for draw, name in jobs:
            with alone(scratch, draw, name) as mine:
                if mine and not finished(scratch, draw, name):
                    run_strategy(scratch, draw, name, options.data.resolve(), server)
                    publish(scratch, server[1])
    publish(scratch, options.model)


if __name__ == "__main__":
    main()
