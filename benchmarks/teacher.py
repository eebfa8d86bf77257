"""Clients of chat servers side by side on the same fake server: seconds, CPU, memory, what faults and a kill cost.

    python benchmarks/teacher.py --install                # peers into environments of their own, once
    python benchmarks/teacher.py                          # everything; the figures stand in results/teacher.json
    python benchmarks/teacher.py --only ours,openai --cases latency,kill
    python benchmarks/teacher.py --slow --cases latency   # configurations that take minutes each, too
    python benchmarks/teacher.py --table                  # only print what is there

A row that is measured again takes the place of the one before. `raw` is run in every round of a timed case, and "over raw"
is the median over the rounds of a client's steady time through raw's in the same round. The cases:

latency    1,000 prompts, 64 in flight, log-normal delay with a median of 300 ms
fast-64, fast-256   2,000 prompts, a delay of 30 ms: what counts is CPU per request
faults     as latency, with 5 % status 429, 3 % status 500, 2 % dropped connections, 2 % bodies cut in their JSON
kill       as latency, kill -9 when 400 answers are paid, and started again
scale      100,000 prompts with these faults and 5 s in which every request gets status 429, for this project's model alone
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from clients import CLIENTS, TIMED, Client, install, versions
from measured import Task, killed, timed
from table import table

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "teacher.json"
WORDS = 100  # of a prompt
TALK = "alpha beta gamma delta market goal minister engine river planet school doctor music season price law coast film team budget".split()
DELAY = {"median": 0.3, "sigma": 0.5}
FAULTS = {"busy": 0.05, "broken": 0.03, "dropped": 0.02, "cut": 0.02}
FIGURES = ("wall", "steady", "startup", "cpu", "rss_mb", "processes", "server_cpu")


@dataclass(frozen=True)
class Case:
    """What the clients are put through.

    law (Mapping): Of the server.
    prompts (int), in_flight (int): How many.
    runs (int), slow_runs (int): Of clients that are quick, and of the others.
    limit (float): Seconds that one start may take.
    """

    name: str
    law: Mapping[str, Any]
    prompts: int = 1000
    in_flight: int = 64
    runs: int = 1
    slow_runs: int = 1
    limit: float = 120.0


CASES = (
    Case("latency", DELAY, runs=3, slow_runs=2),
    Case("fast-64", {"median": 0.03}, prompts=2000, runs=5),
    Case("fast-256", {"median": 0.03}, prompts=2000, in_flight=256, runs=5),
    Case("faults", {**DELAY, **FAULTS}, limit=90.0),
    Case("kill", {**DELAY, "tell_at": 400}, limit=45.0),
    Case("scale", {"median": 0.03, **FAULTS, "storm_at": 30_000, "storm": 5.0}, prompts=100_000, limit=600.0),
)


def write_prompts(path: Path, number: int) -> None:
    """Write prompts, each with its number, one JSON string a line."""
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for index in range(number):
            file.write(json.dumps(f"Prompt {index}: {' '.join(rng.choice(TALK) for _ in range(WORDS))}") + "\n")


def run_once(case: Case, client: Client, python: str, scratch: Path) -> dict[str, Any]:
    """RETURNS (Dict): A row of one run, with the load of the machine when it began."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    prompts = scratch / f"{case.prompts}.jsonl"
    if not prompts.is_file():
        write_prompts(prompts, case.prompts)
    task = Task(client, python, prompts, case.in_flight, folder, case.limit * (5 if client.slow else 1))
    load = round(os.getloadavg()[0], 2)
    try:
        if "tell_at" in case.law:
            row = killed(task, case.law, number=case.prompts, journal=client.name == "raw")
        else:
            row = timed(task, case.law, number=case.prompts)
        store = folder / "answers.sqlite"
        return {**row, "kept": kept(store), "load": load} if store.is_file() else {**row, "load": load}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kept(store: Path) -> int:
    """RETURNS (int): Answers in a response store."""
    with closing(sqlite3.connect(store)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0])


def measure(case: Case, clients: Sequence[Client], pythons: Mapping[str, str], scratch: Path) -> Iterator[tuple[Client, dict[str, Any]]]:
    """Run the rounds of a case: in each, one client after the other, so that the machine's moods meet all of them.

    YIELDS (Tuple[Client, Dict]): A client and its summed up row, when its last round is over.
    """
    rows: dict[str, list[dict[str, Any]]] = {client.name: [] for client in clients}
    for number in range(max(case.runs, case.slow_runs)):
        for client in clients:
            if number >= (1 if client.slow else case.runs if client.quick else case.slow_runs):
                continue
            row = run_once(case, client, pythons[client.peer], scratch)
            rows[client.name].append(row)
            print(f"{case.name} {number + 1} {client.name}: {shown(row)}", flush=True)
    for client in clients:
        yield client, summed(case, client, rows[client.name], rows.get("raw", []))


def shown(row: Mapping[str, Any]) -> str:
    """RETURNS (str): A row in few words."""
    names = ("wall", "steady", "startup", "cpu", "rss_mb", "right", "requests", "paid_again", "peak", "ended")
    return ", ".join(f"{name} {row[name]}" for name in names if name in row)


def summed(case: Case, client: Client, runs: Sequence[Mapping[str, Any]], raw: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """RETURNS (Dict): Medians of the runs, steady time over raw's, and the runs themselves."""
    row: dict[str, Any] = {"about": client.about, "prompts": case.prompts, "in_flight": case.in_flight, "law": dict(case.law)}
    row |= {name: round(median(run[name] for run in runs), 3) for name in FIGURES if name in runs[0]}
    if case.name in TIMED and raw:
        ratios = [run["steady"] / other["steady"] for run, other in zip(runs, raw, strict=False) if other["steady"]]
        row["over_raw"] = round(median(ratios), 3)
    return {**row, "runs": list(runs)}


def machine() -> dict[str, Any]:
    """RETURNS (Dict): Where it was measured."""
    model = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {"cores": os.cpu_count(), "processor": model, "memory_gb": round(memory / 2**20), "system": platform.platform(terse=True)}


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).is_file() else []


def chosen(options: argparse.Namespace) -> tuple[list[Case], list[Client]]:
    """RETURNS (Tuple[List[Case], List[Client]]): What the command line asks for."""
    names = {"cases": [case.name for case in CASES], "only": [client.name for client in CLIENTS]}
    wanted = {key: [name for name in getattr(options, key).split(",") if name] for key in names}
    for key, known in names.items():
        if unknown := set(wanted[key]) - set(known):
            raise SystemExit(f"--{key}: unknown {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    cases = [case for case in CASES if case.name in (wanted["cases"] or names["cases"])]
    clients = [client for client in CLIENTS if client.name in wanted["only"] or (not wanted["only"] and (options.slow or not client.slow))]
    return cases, clients


def prepare(clients: Sequence[Client], known: dict[str, Any], *, may_install: bool) -> dict[str, str]:
    """Find or make the environments.

    known (Dict): The results; versions and peers that cannot be installed are noted there.
    may_install (bool): Whether missing ones are installed; otherwise they are missing, with that reason.
    RETURNS (Dict[str, str]): Peer → its Python.
    """
    pythons = {}
    for peer in dict.fromkeys(client.peer for client in clients):
        python, reason = install(peer, may_install=may_install)
        name = peer or "spacy-synthesizrr"
        if python:
            pythons[peer] = python
            known["versions"][name] = versions(peer, python)
            known["missing"].pop(name, None)
        else:
            known["missing"][name] = reason
            print(f"{name} is left out: {reason}")
    return pythons


def main() -> None:
    """Measure what is asked for, and write it down case by case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="clients, with commas between")
    parser.add_argument("--cases", default="", help="cases, with commas between")
    parser.add_argument("--slow", action="store_true", help="also configurations that take minutes")
    parser.add_argument("--install", action="store_true", help="install the peers that are missing, and do nothing else")
    parser.add_argument("--table", action="store_true", help="print the table, and do nothing else")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    empty: dict[str, Any] = {"machine": {}, "versions": {}, "missing": {}, "cases": {}}
    known = json.loads(options.results.read_text(encoding="utf-8")) if options.results.is_file() else empty
    cases, clients = chosen(options)
    if not options.table:
        pythons = prepare(clients, known, may_install=options.install)
        if not options.install:
            run_all(cases, [client for client in clients if client.peer in pythons], pythons, known, options.results)
    print(table(known))


def run_all(cases: Sequence[Case], clients: Sequence[Client], pythons: Mapping[str, str], known: dict[str, Any], results: Path) -> None:
    """Measure, and write the results after each case."""
    known["machine"] = machine()
    raw = next(client for client in CLIENTS if client.name == "raw")
    with tempfile.TemporaryDirectory(prefix="teacher-benchmark-") as scratch:
        for case in cases:
            here = [client for client in clients if case.name in client.cases]
            if here and raw not in here and case.name in TIMED:
                here = [raw, *here]
            for client, row in measure(case, here, {**pythons, "": pythons.get("") or install("")[0]}, Path(scratch)):
                known["cases"].setdefault(case.name, {})[client.name] = row
            results.parent.mkdir(exist_ok=True)
            results.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
