"""Which student to take: every kind on the same rows, beside scikit-learn and SetFit.

    python benchmarks/students.py DATA --prepare                      # only write the sets
    python benchmarks/students.py DATA --kinds bow ensemble reduce    # train and test what is not finished
    python benchmarks/students.py DATA --kinds transformer --encoder FOLDER --gpu 0 --jobs 4
    python benchmarks/students.py DATA --collect                      # the table of what is finished

DATA is a folder with agnews_train_sample.csv.gz, sarcasm_headlines_*.csv*, sst2_*.csv and news_corpus.jsonl.gz. Three draws of rows
of each kind and size, one training seed each. What is finished is not repeated; only figures go to results/students.json. Times
count only from runs with `--alone`, one at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cache import cache_folder
from students_peers import PEERS
from students_sets import DRAWS, SIZES, SOURCES, make_sets, make_synthesized
from students_table import publish

HERE = Path(__file__).parent
KINDS = ("bow", "ensemble", "reduce", "transformer", "frozen", *PEERS)


@dataclass(frozen=True)
class Case:
    """One training. data, rows, student (str): What of what, and by whom. size (int): Rows. draw (int): Also the seed."""

    draw: int
    data: str
    rows: str
    size: int
    student: str

    @property
    def key(self) -> str:
        """RETURNS (str): Name of its file."""
        return f"{self.data}-{self.rows}-{self.size}-{self.student}-{self.draw}"


def cases(kinds: list[str], sizes: list[int], draws: int) -> list[Case]:
    """RETURNS (List[Case]): Draw by draw, so that all have as many draws when we are stopped."""
    return [
        Case(draw, data, rows, size, student)
        for draw in range(draws)
        for size in sizes
        for data, source in SOURCES.items()
        for rows in source.kinds
        for student in kinds
    ]


def prepare(data: Path, folder: Path) -> None:
    """Write the sets that are not there."""
    for name, source in SOURCES.items():
        for draw in range(DRAWS):
            sets = folder / "sets" / f"{name}-{draw}"
            if not (sets / f"gold-{SIZES[-1]}.jsonl").exists():
                make_sets(data, sets, name, draw)
            if "synthesized" in source.kinds and not (sets / f"synthesized-{SIZES[-1]}.jsonl").exists():
                make_synthesized(data, sets, folder / "work", draw)


def read_set(path: Path) -> tuple[list[str], list[str]]:
    """RETURNS (Tuple[List[str], List[str]]): Texts and labels."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def run_case(case: Case, folder: Path, *, encoder: str, gpu_id: int, alone: bool) -> dict[str, Any]:
    """Train and test one student; its figures are a file of their own, so that runs side by side are in nobody's way."""
    sets = folder / "sets" / f"{case.data}-{case.draw}"
    train, dev, test = (read_set(sets / f"{name}.jsonl") for name in (f"{case.rows}-{case.size}", "dev", "test"))
    work = folder / "work" / case.key
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    if case.student in PEERS:
        found = PEERS[case.student](train, test, seed=case.draw, encoder=encoder, folder=work)
    else:
        from students_ours import train_ours

        found = train_ours(case.student, train, dev, test, seed=case.draw, encoder=encoder, gpu_id=gpu_id, folder=work)
    shutil.rmtree(work)
    found = {**case.__dict__, **found, "rows_there": len(train[0]), "alone": alone}
    path = folder / "done" / f"{case.key}{'.alone' if alone else ''}.json"
    path.parent.mkdir(exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(json.dumps(found), encoding="utf-8")
    half.replace(path)
    return found


def run(options: argparse.Namespace) -> None:
    """Run the cases that are not finished, several at a time."""
    mark = ".alone" if options.alone else ""
    wanted = [case for case in cases(options.kinds, options.sizes, options.draws) if case.data in options.only]
    wanted = [case for case in wanted if not (options.folder / "done" / f"{case.key}{mark}.json").exists()]
    about = {"encoder": options.encoder, "gpu_id": options.gpu, "alone": options.alone}
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(run_case, case, options.folder, **about): case for case in wanted}
        for number, one in enumerate(as_completed(running), start=1):
            found = one.result()
            print(f"{number}/{len(running)} {running[one].key}: {100 * found['test']:.1f} in {found['seconds']:.0f} s", flush=True)


def main() -> None:
    """Prepare, run what is not finished, collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folder", type=Path, default=cache_folder("students"), help="sets and what is finished; kept")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["bow", "ensemble", "reduce", "scikit-learn"])
    parser.add_argument("--sizes", nargs="+", type=int, choices=SIZES, default=list(SIZES))
    parser.add_argument("--only", nargs="+", choices=list(SOURCES), default=list(SOURCES), help="data sets")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--encoder", default="", help="folder of the pretrained encoder, for transformer, frozen and SetFit")
    parser.add_argument("--gpu", type=int, default=-1)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--alone", action="store_true", help="for times: nothing else runs on this machine")
    parser.add_argument("--prepare", action="store_true", help="only write the sets")
    parser.add_argument("--collect", action="store_true", help="only write the results of what is finished")
    options = parser.parse_args()
    options.folder = options.folder.expanduser().resolve()
    if not options.collect:
        prepare(options.data.resolve(), options.folder)
        if options.prepare:
            return
        run(options)
    publish(options.folder / "done", HERE / "results" / "students.json")


if __name__ == "__main__":
    main()
