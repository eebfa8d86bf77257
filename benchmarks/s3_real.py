"""What the loop is worth on real text, offline: every error is a query, and the passages that it finds are added. 5 draws, equal arms.

    python benchmarks/s3_real.py DATA --jobs 2      # goes on after any stop
    python benchmarks/s3_real.py DATA --without --draws 2    # the same without [extrapolate] neighbours
    python benchmarks/s3_real.py DATA --collect     # only write what is finished

DATA is a folder with agnews_train_sample.csv.gz, imdb_train_5k.jsonl.gz, rte_train.jsonl, rte_test.jsonl and news_corpus.jsonl.gz. The
teacher is the extractive one, which copies sentences: labels are right as far as what lies near an error has its label. AG News has
100, 500 and 2,000 gold rows, half of which are errors and half selection; IMDb has errors, selection and test from three parts, and its
other rows without their labels as corpus; RTE is a pair task, for which a student of word counts is no better than chance. Each draw has
seeds, dev and test rows of its own. All arms have the same calls and training steps, and at most as many added rows as the loop.
s3_llm.py asks a real LLM. Only figures are written, to results/s3_real.json.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from cache import cache_folder
from s3_judge import right_labels, rows_of
from s3_loops import ARMS, HEAD, Wanted, config_text, do_loop, finished, inside, interval, make_project, of_all, of_loop, publish, table
from s3_sets import CASES, SEEDS, make_task

from spacy_synthesizrr.context import RUNS, Context

RESULTS = Path(__file__).parent / "results" / "s3_real.json"
DRAWS, PER_LABEL, STEPS, ROUNDS, PER_ERROR = 5, 100, 200, 2, 2
NEIGHBOURS = 9
WITH, WITHOUT = "near", "real"  # loops in which labelled rows are asked about every passage, and in which nobody is
LOOPS = {
    name: {
        "loop": {"rounds": ROUNDS, "final": "last", "controls": ["goldgen", "random", "more-seed"]},
        "extrapolate": {"with": "retrieval", "per_error": PER_ERROR, "neighbours": count},
        "stop": {"patience": ROUNDS},
    }
    for name, count in ((WITH, NEIGHBOURS), (WITHOUT, None))
}
STRATEGY = {
    "plan": {"preset": "synthesizrr", "mode": "zero-shot", "hits": 300, "ranks": [1, 300], "overgenerate": 20.0},
    "plan.controls": {"arms": []},
}


def project_of(folder: Path) -> Path:
    """RETURNS (Path): The project, with our configs."""
    configs = {f"loop.{name}.cfg": config_text(loop) for name, loop in LOOPS.items()} | {"strategy.s3.cfg": config_text(STRATEGY)}
    for name, case in CASES.items():
        teacher = {"@llm_models": "synthesizrr.Extractive.v1", "sentences": case.sentences}
        configs[f"teacher.{name}.cfg"] = config_text({"teacher": teacher})
    return make_project(folder.expanduser().resolve() / "project", configs, steps=STEPS)


def wanted(name: str, draw: int, loop: str = WITH) -> Wanted:
    """RETURNS (Wanted): The loop of one draw of a case."""
    run = f"{name}-{draw}"
    return Wanted(f"tasks/{run}", run, loop, {"strategy": "s3", "teacher": name, "per_label": PER_LABEL, "seed": draw})


def run_draw(project: Path, name: str, draw: int, data: Path, loop: str) -> dict[str, Any]:
    """RETURNS (dict): The figures of one draw of a case, see `of_loop`."""
    make_task(project, name, data, draw)
    return of_loop(do_loop(project, wanted(name, draw, loop)))


def labels_of(project: Path, name: str, draw: int, data: Path, loop: str) -> dict[str, Any]:
    """RETURNS (dict): Per arm the share of its rows whose label is right, and `by`: how that is known; see `right_labels`. The start's
    rows are those that all arms share; the others' are additions alone, of all rounds.
    """
    one = wanted(name, draw, loop)
    with inside(project):
        right, by = right_labels(name, data, draw, Context.open(one.run))
        if right is None:
            return {}
        folder = RUNS / one.name
        found = {arm: [row for path in sorted(folder.glob(f"{arm}-[0-9]*/accepted.jsonl")) for row in rows_of(path)] for arm in ARMS}
        return {"by": by, "start": right(rows_of(folder / "start" / "accepted.jsonl")), **{arm: right(rows) for arm, rows in found.items()}}


def collect(project: Path, data: Path) -> None:
    """Write and show what is finished."""
    asked, not_asked = (_cases(project, data, loop) for loop in (WITH, WITHOUT))
    settings = {"draws_wanted": DRAWS, "seeds_per_label": SEEDS, "rows_per_label_at_the_start": PER_LABEL, "training_steps": STEPS}
    settings |= {
        "rounds": ROUNDS,
        "per_error": PER_ERROR,
        "neighbours": NEIGHBOURS,
        "teacher": "extractive",
        "gold_rows": {name: CASES[name].dev for name in CASES},
    }
    notes = [
        "test: accuracy of the bow student of the last round; gains are paired by draw, low and high at 95 % by Student's t over draws",
        "added, calls: of all rounds together, above the start; means over draws",
        "right_labels: share of additions (start: of its rows) whose label is right, by a classifier of words trained on other gold rows "
        "(judge), or by the gold label of the passage's own text (gold); means over draws, and the loop's above each control's",
    ]
    publish(RESULTS, {"settings": settings, "notes": notes, "cases": asked, "without_neighbours": not_asked})
    for title, cases in ((f"{NEIGHBOURS} neighbours are asked", asked), ("nobody is asked", not_asked)):
        print("\n".join([title, HEAD, *(table(name, about) for name, about in cases.items())]), flush=True)


def _cases(project: Path, data: Path, loop: str) -> dict[str, Any]:
    cases: dict[str, Any] = {}
    for name in CASES:
        draws = [(draw, ledger) for draw in range(DRAWS) if (ledger := finished(project, wanted(name, draw, loop)))]
        loops = [of_loop(ledger) for _, ledger in draws]
        if loops:
            labels = [labels_of(project, name, draw, data, loop) for draw, _ in draws]
            cases[name] = {**of_all(loops), "right_labels": mean_labels(labels), "right_labels_of_each_draw": labels, "of_each_draw": loops}
    return cases


def mean_labels(draws: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """RETURNS (dict): Of `labels_of` over draws: means, and the loop's above each control's with an interval over draws."""
    if not draws or not draws[0]:
        return {}
    arms = [arm for arm in ("start", *ARMS) if all(one[arm] is not None for one in draws)]
    found: dict[str, Any] = {"by": draws[0]["by"], **{arm: round(fmean(one[arm] for one in draws), 4) for arm in arms}}
    gaps = {arm: [one["loop"] - one[arm] for one in draws] for arm in arms if arm in ARMS[1:]}
    return found | {"loop_above": {arm: {"mean": round(fmean(each), 4), **interval(each)} for arm, each in gaps.items()}}


def run_all(project: Path, data: Path, *, jobs: int, only: Sequence[str], draws: int, loop: str) -> None:
    """Run what is not finished, draw by draw, so that all cases have as many when we are stopped."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of the workers: they wait for one another else
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        work = {(name, draw): pool.submit(run_draw, project, name, draw, data, loop) for draw in range(draws) for name in only}
        for (name, draw), job in work.items():
            if error := job.exception():  # a case that cannot be run is no reason to leave the others
                print(f"{name} {draw}: {type(error).__name__}: {error}", flush=True)
                continue
            print(f"{name} {draw}: " + ", ".join(f"{arm} {100 * row['test']:.1f}" for arm, row in job.result().items()), flush=True)


def main() -> None:
    """Run, collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=os.environ.get("SYNTHESIZRR_BENCHMARK_DATA"))
    parser.add_argument("--folder", type=Path, default=cache_folder("s3-real"), help="project and runs; kept")
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--jobs", type=int, default=1, help="draws at a time")
    parser.add_argument("--without", action="store_true", help="ask no neighbours about passages, to see what that is worth")
    parser.add_argument("--collect", action="store_true", help="only write the results of what is finished")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder with the data")
    project, data = project_of(options.folder), Path(options.data).resolve()
    if not options.collect:
        how = WITHOUT if options.without else WITH
        run_all(project, data, jobs=options.jobs, only=options.only, draws=options.draws, loop=how)
    collect(project, data)


if __name__ == "__main__":
    main()
