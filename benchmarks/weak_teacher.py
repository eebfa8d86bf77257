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
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from filelock import FileLock, Timeout

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "weak_teacher.json"
DRAWS, SEEDS, PER_LABEL, DEV, TEST = 3, 10, 50, 25, 500  # all but the first: rows per label
IN_FLIGHT = 4  # as many as Ollama answers at a time
STEPS = ("index", "plan", "synthesize", "curate", "measure", "export", "train", "evaluate")
PARAMETERS = {"temperature": 0.7, "max_tokens": 100, "seed": 0}
STUDENT_STEPS = 200  # the same for all arms, however many rows they have


@dataclass(frozen=True)
class Strategy:
    """One run per draw.

    mode (str): Of the project's [plan].
    shots (int): Per prompt.
    margin (bool): Whether passages are chosen by margin, or by rank alone.
    controls (Sequence[str]): Arms beside it that cost no calls.
    """

    mode: str
    shots: int
    margin: bool
    controls: Sequence[str] = ()

    def config(self) -> str:
        """RETURNS (str): configs/strategy.NAME.cfg."""
        ranks = "ranks = [3, 50]\npair_ranks = [1, 2]\n" if self.mode == "retricl" else ""
        return (
            f'[plan]\nmode = "{self.mode}"\nshots = {self.shots}\nhits = 50\n{ranks}overgenerate = 4.0\n\n'
            # long prompts take the time
            f"[plan.context]\nmax_tokens = 130\n\n[plan.margin]\non = {json.dumps(self.margin)}\n\n"
            f"[plan.controls]\narms = {json.dumps([*self.controls])}\n"
        )


# the cheap ones first
STRATEGIES = {
    "zero-shot-margin": Strategy("zero-shot", 0, True, ("seed-only", "gold", "retrieve-only")),
    "fewgen": Strategy("fewgen", 3, False),
    "zero-shot": Strategy("zero-shot", 0, False, ("retrieve-only",)),
    "retricl-margin": Strategy("retricl", 3, True, ("retrieve-only",)),
    "retricl": Strategy("retricl", 3, False, ("retrieve-only",)),
    "non-retricl-margin": Strategy("non-retricl", 3, True),
}
# arm of the table → strategy, arm of that run
ARMS = {
    "seed-only": ("zero-shot-margin", "seed-only"),
    "retrieve-only, by rank": ("zero-shot", "retrieve-only"),
    "retrieve-only, by margin": ("zero-shot-margin", "retrieve-only"),
    "FewGen, 3 shots": ("fewgen", "main"),
    "refine zero-shot, by rank": ("zero-shot", "main"),
    "refine zero-shot, by margin": ("zero-shot-margin", "main"),
    "Non-RetrICL, 3 shots, by margin": ("non-retricl-margin", "main"),
    "RetrICL, 3 pairs, by rank": ("retricl", "main"),
    "RetrICL, 3 pairs, by margin": ("retricl-margin", "main"),
    "retrieve-only of RetrICL, by rank": ("retricl", "retrieve-only"),
    "retrieve-only of RetrICL, by margin": ("retricl-margin", "retrieve-only"),
    "gold": ("zero-shot-margin", "gold"),
}


@dataclass(frozen=True)
class Scratch:
    """Where the work is done, outside the checkout."""

    folder: Path

    @property
    def project(self) -> Path:
        """RETURNS (Path): A project as `synthesizrr init` makes it."""
        return self.folder / "project"

    @property
    def answers(self) -> Path:
        """RETURNS (Path): The response store of all runs."""
        return self.folder / "answers.sqlite"

    def run(self, draw: int, strategy: str) -> Path:
        """RETURNS (Path): The run folder of a strategy."""
        return self.project / "runs" / f"draw{draw}-{strategy}"


def default_folder() -> Path:
    """RETURNS (Path): In the cache of the tests, which holds the server too."""
    return Path(os.environ.get("SYNTHESIZRR_CACHE") or "~/.cache/spacy-synthesizrr-tests").expanduser() / "weak-teacher"


def call(*words: str, cwd: Path) -> None:
    """Run a command of the project, showing what it prints."""
    subprocess.run([sys.executable, "-m", "spacy_synthesizrr", *words], cwd=cwd, check=True)


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


def finished(scratch: Scratch, draw: int, strategy: str) -> bool:
    """RETURNS (bool): Whether a run went to its end."""
    return (scratch.run(draw, strategy) / "receipts" / "evaluate.json").is_file()


def seconds_of(scratch: Scratch) -> dict[str, float]:
    """RETURNS (Dict[str, float]): How long each request took that was answered."""
    with tempfile.TemporaryDirectory(prefix="weak-teacher-") as folder:
        out = Path(folder) / "answers.jsonl"
        call("responses", "export", str(out), "--file", str(scratch.answers), cwd=scratch.project)
        with out.open(encoding="utf-8") as file:
            return {row["request"]: row["seconds"] for row in map(json.loads, file) if row["seconds"] is not None}


def cost_of(run: Path, seconds: Mapping[str, float]) -> dict[str, Any]:
    """What the teacher's part of a run takes by itself, whether it was asked now or for an earlier run.

    An answer that was cut is not kept: it counts with all the tokens that it may have, and with the mean of the others otherwise.
    """
    rows = [json.loads(line) for line in (run / "generated.jsonl").read_text(encoding="utf-8").splitlines()]
    details = [row["events"][-1]["detail"] for row in rows]
    answered = [detail for detail in details if detail.get("answer_tokens")]
    cut = len(rows) - len(answered)
    prompt, times = [detail["prompt_tokens"] for detail in answered], [seconds[detail["request"]] for detail in answered]
    answer = sum(detail["answer_tokens"] for detail in answered)
    return {
        "calls": len(rows),
        "prompt_tokens": round(mean(prompt) * len(rows)),
        "answer_tokens": answer + cut * PARAMETERS["max_tokens"],
        "tokens_per_answer": round(answer / len(answered), 1),
        # each waits while up to IN_FLIGHT are answered together
        "seconds": round(mean(times) * len(rows) / IN_FLIGHT),
    }


def figures(scratch: Scratch, draw: int, strategy: str, arm: str, seconds: Mapping[str, float]) -> dict[str, Any]:
    """What stands in a finished run about one arm, without a single text."""
    run = scratch.run(draw, strategy)
    read = lambda name: json.loads((run / name).read_text(encoding="utf-8"))  # noqa: E731
    found = next(row for row in read("evaluation.json")["arms"] if row["name"] == arm)
    if not found["run"]:
        return {"why": found["why"]}
    about = {"test": found["test"], "rows": found["rows"], "steps": found["steps"]}
    about["per_label_f"] = {label: round(scores["f"], 3) for label, scores in found["per_label"].items()}
    if arm != "main":
        return about
    total = read("funnel.json")["total"]
    away = {name: total[name] for name in ("sent", "answered", "failed", "rejected", "accepted", "short")}
    return {**about, **cost_of(run, seconds), "funnel": away}


def collect(scratch: Scratch, model: str) -> dict[str, Any]:
    """RETURNS (Dict): The whole table from what is finished; arms that are not are named as such."""
    draws = range(DRAWS)
    seconds = seconds_of(scratch) if scratch.answers.is_file() else {}
    arms: dict[str, Any] = {}
    for label, (strategy, arm) in ARMS.items():
        rows = {str(draw): figures(scratch, draw, strategy, arm, seconds) for draw in draws if finished(scratch, draw, strategy)}
        arms[label] = {"strategy": strategy, "arm": arm, "draws": rows, **summary([row for row in rows.values() if "test" in row])}
    whole = [draw for draw in draws if all(finished(scratch, draw, strategy) for strategy in STRATEGIES)]
    settings = {"draws": DRAWS, "seeds_per_label": SEEDS, "rows_per_label": PER_LABEL, "test_rows_per_label": TEST, "in_flight": IN_FLIGHT}
    return {
        "draws_done": len(whole),
        "draws_wanted": DRAWS,
        "settings": {**settings, "model": model, "parameters": PARAMETERS, "student_steps": STUDENT_STEPS},
        "notes": [
            "test: accuracy of the bow student, mean and sd over 5 training seeds; all arms train for the same number of steps",
            "calls, tokens: what the arm takes by itself, though arms of one draw share answers to equal prompts",
            f"seconds: mean time of an answered request × calls / {IN_FLIGHT}, on a machine that did other work too: an upper bound",
            "gold: the student on all other labelled rows, for the same number of steps",
        ],
        "arms": arms,
        "versions": versions_of(scratch),
        "machine": {"python": platform.python_version(), "system": platform.platform(terse=True), "cores": os.cpu_count()},
    }


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over the draws that there are."""
    if not rows:
        return {"state": "not run yet"}
    scores = [row["test"]["mean"] for row in rows]
    found: dict[str, Any] = {"state": f"{len(rows)} of {DRAWS} draws", "test": round(mean(scores), 4)}
    found["sd_over_draws"] = round(stdev(scores), 4) if len(scores) > 1 else None
    names = ("rows", "calls", "prompt_tokens", "answer_tokens", "seconds")
    return found | {name: round(mean(row[name] for row in rows)) for name in names if name in rows[0]}


def versions_of(scratch: Scratch) -> dict[str, str]:
    """RETURNS (Dict[str, str]): Of the packages that the first finished run was made with."""
    for path in sorted(scratch.project.glob("runs/*/receipts/evaluate.json")):
        return dict(json.loads(path.read_text(encoding="utf-8"))["versions"])
    return {}


def table(results: Mapping[str, Any]) -> str:
    """RETURNS (str): Markdown. Gains are over seed-only of the same draws."""
    lines = ["| arm | draws | accuracy | rows | calls | tokens in / out | seconds | not accepted |", "|---|---|---|---|---|---|---|---|"]
    for name, arm in results["arms"].items():
        if "test" not in arm:
            lines.append(f"| {name} | 0 | {arm['state']} | | | | | |")
            continue
        spread = "" if arm["sd_over_draws"] is None else f" ± {100 * arm['sd_over_draws']:.1f}"
        row = [name, len(arm["draws"]), f"{100 * arm['test']:.1f}{spread}", arm["rows"]]
        if "calls" in arm:
            row += [arm["calls"], f"{arm['prompt_tokens']:,} / {arm['answer_tokens']:,}", arm["seconds"], reasons(arm["draws"].values())]
        lines.append("| " + " | ".join(str(cell) for cell in [*row, *[""] * (8 - len(row))]) + " |")
    return "\n".join(lines)


def reasons(rows: Any) -> str:
    """RETURNS (str): Failures and rejections of all draws together, the most frequent first."""
    counts: dict[str, int] = {}
    for row in rows:
        for found in (row["funnel"]["failed"], *row["funnel"]["rejected"].values()):
            for reason, count in found.items():
                counts[reason] = counts.get(reason, 0) + count
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items(), key=lambda item: -item[1])) or "none"


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
    parser.add_argument("--folder", type=Path, default=default_folder(), help="project, runs and answers; kept")
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
