"""What the loop is worth where everything is known: a simulated teacher and hidden kinds of text, 20 draws, every arm at equal cost.

    python benchmarks/s3_simulated.py --jobs 2      # goes on after any stop
    python benchmarks/s3_simulated.py --collect     # only write what is finished

The made-up task has 4 labels with 6 hidden kinds each (simulated_world.py); the gold rows are of all kinds. The teacher
(simulated_teacher.py) reads the rendered prompt alone. In the case "gap" it writes half of the kinds of each label of itself, in the case
"null" all of them, so that its sampling is the real distribution and there is nothing for a loop to find: then the interval of the loop's
gain over more seed data must include zero, and this script ends with an error if it does not. All arms have the same number of added
rows, calls and training steps. Every draw has words, texts and a teacher of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import simulated_teacher  # noqa: F401  registers the teacher
from cache import cache_folder
from s3_loops import HEAD, Wanted, config_text, do_loop, finished, make_project, of_all, of_loop, publish, table, write, write_rows
from simulated_teacher import NAME, VERBALIZATION
from simulated_world import LABELS, world_of

RESULTS = Path(__file__).parent / "results" / "s3_simulated.json"
CASES = {"gap": 0.5, "null": 1.0}  # share of the kinds of a label that the teacher writes of itself
DRAWS = 20
WRONG = {"wrong_kind": 0.1, "wrong_label": 0.05}


@dataclass(frozen=True)
class Sizes:
    """Rows of each hidden kind in dev (half of them errors, half selection) and test; of each label at the start; training steps."""

    dev: int = 16
    test: int = 40
    start: int = 60
    steps: int = 200
    rounds: int = 2
    per_error: int = 1
    controls: tuple[str, ...] = ("goldgen", "random", "more-seed")


FULL = Sizes()


def configs(sizes: Sizes) -> dict[str, str]:
    """RETURNS (Dict[str, str]): The configs of the benchmark, by file name."""
    loop = {
        # as many rounds in every draw, and the student of the last one, as in the paper: then all arms have as many rows
        "loop": {"rounds": sizes.rounds, "final": "last", "controls": [*sizes.controls]},
        "errors": {"clusters": 0},
        "extrapolate": {"with": "text", "per_error": sizes.per_error},
        "stop": {"patience": sizes.rounds},
    }
    strategy = {"plan": {"mode": "zerogen", "overgenerate": 10.0}, "plan.controls": {"arms": []}}
    return {"loop.simulated.cfg": config_text(loop), "strategy.simulated.cfg": config_text(strategy)}


def make_task(project: Path, case: str, draw: int, sizes: Sizes) -> Wanted:
    """Write the task and the teacher of one draw.

    RETURNS (Wanted): Its loop.
    """
    name = f"{case}-{draw}"
    world, folder = world_of(draw, CASES[case]), project / "tasks" / name
    for part, per_kind in (("dev", sizes.dev), ("test", sizes.test)):
        write_rows(folder / f"{part}.jsonl", world.rows(part, per_kind))
    write_rows(
        folder / "corpus.jsonl", ({"id": str(number), "text": f"{row['text']} " * 2} for number, row in enumerate(world.rows("corpus", 8)))
    )
    write(folder / "task.yml", task_text(name))
    teacher = {"@llm_models": NAME, "world": draw, "covered": CASES[case], **WRONG}
    write(project / "configs" / f"teacher.{name}.cfg", config_text({"teacher": teacher}))
    return Wanted(f"tasks/{name}", name, "simulated", {"strategy": "simulated", "teacher": name, "per_label": sizes.start})


def task_text(name: str) -> str:
    """RETURNS (str): A task file; the corpus is there because a run has one, and no prompt shows it."""
    labels = "\n".join(f"  {label}: {{verbalization: {VERBALIZATION.format(label=label)}}}" for label in LABELS)
    return (
        f"name: {name}\nk_seeds: 1\nlabels:\n{labels}\n"
        'prompt:\n  instruction: "Write a text {verbalization}."\n  instruction_without_document: "Write a text {verbalization}."\n'
        "  min_words: 3\n  max_words: 60\ncorpus: {path: corpus.jsonl, id: id}\ndev: {path: dev.jsonl}\ntest: {path: test.jsonl}\n"
    )


def run_draw(project: Path, case: str, draw: int, sizes: Sizes = FULL) -> dict[str, Any]:
    """RETURNS (dict): The figures of one draw of a case, see `of_loop`."""
    return of_loop(do_loop(project, make_task(project, case, draw, sizes)))


def run_case(project: Path, case: str, draws: Sequence[int], sizes: Sizes = FULL) -> dict[str, Any]:
    """RETURNS (dict): The figures of all draws of a case, see `of_all`."""
    return of_all([run_draw(project, case, draw, sizes) for draw in draws])


def includes_zero(gain: dict[str, Any]) -> bool:
    """RETURNS (bool): Whether an interval includes zero."""
    return bool(gain["low"] <= 0 <= gain["high"])


def collect(project: Path) -> dict[str, Any]:
    """Write and show what is finished.

    RETURNS (dict): Cases.
    """
    cases: dict[str, Any] = {}
    for case in CASES:
        ledgers = [finished(project, make_task(project, case, draw, FULL)) for draw in range(DRAWS)]
        loops = [of_loop(ledger) for ledger in ledgers if ledger]
        if len(loops) > 1:
            cases[case] = {**of_all(loops), "of_each_draw": loops}
    settings = {**asdict(FULL), "draws_wanted": DRAWS, "covered": CASES, "teacher": WRONG, "labels": len(LABELS)}
    notes = [
        "test: accuracy of the bow student of the last round; gains are paired by draw, low and high at 95 % by Student's t over draws",
        "added, calls: of all rounds together, above the start; steps: of each training",
    ]
    publish(RESULTS, {"settings": settings, "notes": notes, "cases": cases})
    print("\n".join([HEAD, *(table(case, about) for case, about in cases.items())]), flush=True)
    return cases


def main() -> int:
    """Run what is not finished.

    RETURNS (int): 1 when the loop seems to gain where there is nothing to gain.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=cache_folder("s3-simulated"), help="project and runs; kept")
    parser.add_argument("--jobs", type=int, default=1, help="draws at a time")
    parser.add_argument("--collect", action="store_true", help="only write the results of what is finished")
    options = parser.parse_args()
    project = make_project(options.folder.expanduser().resolve() / "project", configs(FULL), steps=FULL.steps)
    if not options.collect:
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of the workers: they wait for one another else
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            # draw by draw, so that both cases have as many when we are stopped
            jobs = {(case, draw): pool.submit(run_draw, project, case, draw) for draw in range(DRAWS) for case in CASES}
            for (case, draw), job in jobs.items():
                print(f"{case} {draw}: loop {100 * job.result()['loop']['test']:.1f}", flush=True)
    null = collect(project).get("null")
    if null and not includes_zero(null["gain_of_the_loop_over"]["more-seed"]):
        print(
            "The loop seems to gain over more seed data where there is nothing to gain: something gives it an advantage.", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
