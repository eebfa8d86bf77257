"""Pushing and pulling rows beside the bare SDK: rows per second and memory, on the same server in the same run.

    python benchmarks/review_speed.py --start [--rows 10000] [--rounds 3]     # starts Argilla as the tests do (tests/services)
    python benchmarks/review_speed.py                            # a server that runs: ARGILLA_API_URL, ARGILLA_API_KEY

Both send the same made-up rows (a text, a passage, metadata, a suggestion; with --vectors N two vectors of N numbers too) to datasets
with the same questions, taking turns, each in a process of its own. "bare" is `records.log` of a list of records, and reading them
back; "ours" is `push` with its ledger, pushing again, and `pull`. Before either reads, one person has answered every row, which is not
timed. "load" is that of the machine over the last quarter of an hour: where it is more than the cores, compare the two and not with other
runs. Only figures are written, to results/review_speed.json: all rounds, and rates by their median.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from corpora import HERE

from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.pulling import pull
from argilla_bridge.rounds.pushing import push
from argilla_bridge.rows import ReviewRow, Suggestion, content_id
from argilla_bridge.schema import ReviewSchema, review_schema
from argilla_bridge.settings import ReviewSettings, ServerSettings
from argilla_bridge.showing.marking import escaped
from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, digest
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.taskfile import TaskSpec, read_task

RESULTS = HERE / "results" / "review_speed.json"
ROUNDS = 3
SETTINGS = ReviewSettings(backend="argilla", overlap=0.0)
BATCH = 256  # of both
WORDS = (
    "the a of to market match team wins loses opens minister court rocket probe phone oil shares league cup says new old big late".split()
)


def texts(number: int, task: TaskSpec) -> Iterator[Candidate]:
    """YIELDS (Candidate): Made-up rows of 30 words."""
    labels = list(task.labels)
    for place in range(number):
        rng = random.Random(place)
        text = f"Row {place}: {' '.join(rng.choices(WORDS, k=30))}."
        made = Candidate(digest("speed", str(place)), "benchmark", (rng.choice(labels),), "seed", None, fields={"text": text})
        yield made.after(Event("curate", ACCEPTED, detail={"label_score": round(rng.random(), 4)}))


def review_row(made: Candidate, vectors: int) -> ReviewRow:
    """What `review_rows` would make, without a store: a passage of 120 words, metadata, vectors."""
    rng = random.Random(made.id)
    fields = {**made.fields, "passage": " ".join(rng.choices(WORDS, k=120))}
    metadata = {"strategy": "benchmark", "planned_label": made.key, "candidate": made.id, "blind": "no", "rank": 3, "copy_rate": 0.25}
    numbers = {name: [round(rng.random(), 6) for _ in range(vectors)] for name in ("text_vector", "passage_vector") if vectors}
    score = float(made.events[-1].detail["label_score"])
    suggestion = Suggestion(made.labels, score, "benchmark")
    shown = {name: escaped(text) for name, text in fields.items()}
    return ReviewRow(content_id(fields), made.id, shown, {**metadata, "priority": 1 - score}, numbers, suggestion, 1 - score)


def schema(task: TaskSpec, vectors: int) -> ReviewSchema:
    """RETURNS (ReviewSchema): Of both datasets."""
    return review_schema(task, SETTINGS, dimensions={"text_vector": vectors, "passage_vector": vectors} if vectors else {})


def answer(dataset: str, number: int) -> None:
    """The owner answers every row with the label that is suggested."""
    import argilla as rg

    client = rg.Argilla(timeout=60, retries=5)
    there, owner = client.datasets(dataset, workspace=SETTINGS.workspace), client.me.id
    records: list[Any] = []
    for record in there.records(with_suggestions=True, with_responses=False):
        for said in list(record.suggestions):
            record.responses.add(rg.Response("label", said.value, user_id=owner, status="submitted"))
            records.append(record)
    if len(records) != number:
        raise SystemExit(f"{len(records)} of {number} rows have a suggestion to answer with")
    there.records.log(records, batch_size=BATCH)


def answered(dataset: str, number: int) -> None:
    """The same in another process, whose memory is none of ours."""
    subprocess.run([sys.executable, __file__, "--answer", dataset, "--rows", str(number)], check=True, stdout=subprocess.DEVNULL)


def ours(name: str, number: int, vectors: int, folder: Path) -> dict[str, float]:
    """RETURNS (Dict): Seconds of push, push again and pull."""
    from argilla_bridge.server.backend import open_argilla

    task, seconds = read_task(HERE / "tasks" / "agnews.yml"), {}
    write_jsonl(folder / "accepted.jsonl", (made.to_dict() for made in texts(number, task)))
    backend = open_argilla(ServerSettings(batch_size=BATCH), SETTINGS, run=name)
    with contextlib.closing(backend), Ledger.open(folder / "ledger.sqlite") as ledger:
        for step in ("push", "push_again"):
            began = time.monotonic()
            rows = (review_row(made, vectors) for made in texts(number, task))
            done = push(backend, rows, ledger, schema=schema(task, vectors), settings=SETTINGS)
            seconds[step] = time.monotonic() - began
            if (done.new, done.unchanged) != ((number, 0) if step == "push" else (0, number)):
                raise SystemExit(f"{step}: {done}")
        answered(backend.name("main"), number)
        began = time.monotonic()
        pulled = pull(backend, ledger, folder / "accepted.jsonl", folder, task=task, settings=SETTINGS)
        seconds["pull"] = time.monotonic() - began
    if (pulled.submitted, pulled.human, pulled.strays) != (number, number, 0):
        raise SystemExit(f"pull: {pulled}")
    return seconds


def bare(name: str, number: int, vectors: int, folder: Path) -> dict[str, float]:
    """RETURNS (Dict): Seconds of `records.log`, and of reading all records with their responses."""
    import argilla as rg

    from argilla_bridge.server.shapes import to_settings

    task, seconds = read_task(HERE / "tasks" / "agnews.yml"), {}
    client = rg.Argilla(timeout=60, retries=5)
    dataset = rg.Dataset(name, workspace=SETTINGS.workspace, settings=to_settings(schema(task, vectors)), client=client)
    dataset.create()
    began = time.monotonic()
    records = []
    for row in (review_row(made, vectors) for made in texts(number, task)):
        said = rg.Suggestion("label", row.suggestion.labels[0], score=row.suggestion.score, agent="benchmark") if row.suggestion else None
        about: dict[str, Any] = {"fields": dict(row.fields), "metadata": dict(row.metadata), "vectors": dict(row.vectors)}
        records.append(rg.Record(id=row.id, suggestions=[said] if said else [], **about))
    dataset.records.log(records, batch_size=BATCH)
    seconds["push"] = time.monotonic() - began
    del records
    answered(name, number)
    began = time.monotonic()
    if sum(len(list(record.responses)) for record in dataset.records(with_responses=True, with_suggestions=False)) != number:
        raise SystemExit("the bare SDK did not read all its answers")
    return {**seconds, "pull": time.monotonic() - began}


def one(who: str, number: int, vectors: int) -> None:
    """One side in this process; prints its figures."""
    with tempfile.TemporaryDirectory(prefix="review-speed-") as folder:
        side = {"ours": ours, "bare": bare}[who]
        seconds = side(f"speed-{who}-{uuid.uuid4().hex[:8]}", number, vectors, Path(folder))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": {name: round(value, 2) for name, value in seconds.items()}, "memory_mb": memory}))


def measured(number: int, vectors: int, rounds: int) -> dict[str, Any]:
    """RETURNS (dict): All rounds of both, taking turns; rates, and ours over the bare SDK, by the median of the rounds of each."""
    found: dict[str, list[dict[str, Any]]] = {"bare": [], "ours": []}
    for turn in range(rounds):
        for who in ("bare", "ours") if turn % 2 == 0 else ("ours", "bare"):
            command = [sys.executable, __file__, "--one", who, "--rows", str(number), "--vectors", str(vectors)]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[who].append({**json.loads(said.splitlines()[-1]), "load": round(os.getloadavg()[2], 1)})
            print(who, found[who][-1], flush=True)
    middle = {who: {step: median(run["seconds"][step] for run in runs) for step in runs[0]["seconds"]} for who, runs in found.items()}
    rates = {who: {step: round(number / seconds) for step, seconds in steps.items()} for who, steps in middle.items()}
    over = {step: round(middle["bare"][step] / middle["ours"][step], 3) for step in ("push", "pull")}
    return {"rows": number, "vectors": vectors, "rounds": found, "rows_per_second": rates, "ours_over_bare": over}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", action="store_true", help="start Argilla by the recipe of the tests")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--vectors", type=int, default=0, help="numbers in each of two vectors")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of both, in turns; each has its own datasets")
    parser.add_argument("--one", choices=("ours", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer:
        return answer(options.answer, options.rows)
    if options.one:
        return one(options.one, options.rows, options.vectors)
    with contextlib.ExitStack() as stack:
        if options.start:
            sys.path.insert(0, str(HERE.parent / "tests"))
            from services.argilla import running_argilla

            state = stack.enter_context(tempfile.TemporaryDirectory(prefix="review-speed-"))
            argilla = stack.enter_context(running_argilla(Path(state)))
            os.environ |= {"ARGILLA_API_URL": argilla.url, "ARGILLA_API_KEY": argilla.owner.key}
        found = measured(options.rows, options.vectors, options.rounds)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {"cases": {}}
    known["cases"][f"{options.rows} rows, vectors of {options.vectors}"] = found
    known["machine"] = {"python": platform.python_version(), "system": platform.platform(terse=True), "versions": versions()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(found["rows_per_second"], found["ours_over_bare"])


if __name__ == "__main__":
    main()
