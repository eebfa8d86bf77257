"""Review with people of whom everything is known: do the measures find what was planted, and what are votes worth to a student?

    python benchmarks/review.py DATA --start      # starts Argilla as the tests do (tests/services)
    python benchmarks/review.py DATA              # a server that runs: ARGILLA_API_URL, ARGILLA_API_KEY, ANN_KEY and BOB_KEY

DATA is a folder with agnews_train_sample.csv.gz. Its noisy labels, wrong in a fifth of the rows, are the suggestions, its labels the
truth. Rows go to Argilla by `push`, a share of them blind; ann (95 % right) and bob (80 % right) answer every row over the API and
copy a suggestion that they see in 30 % of the rows; `pull` and `agreement` know nothing of the truth. Students learn from the
suggestions, the votes and the truth, and are tested on rows that nobody reviewed. Only figures are written, to results/review.json.
What was planted and has no interval counts as missed. The intervals of "gain" cover the training seeds alone: the rows, the answers
and the test set are one sample.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import json
import os
import platform
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

from corpora import HERE
from review_people import Person, Row, drawn_score, planted, respond, side_by_side
from review_students import STEPS, students

from argilla_bridge.measures.agreement import agreement
from argilla_bridge.measures.judged import Judged, read_judged
from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.pulling import pull
from argilla_bridge.rounds.pushing import push
from argilla_bridge.rows import SUBMITTED, Vote, content_id
from argilla_bridge.schema import review_schema
from argilla_bridge.server.backend import ArgillaBackend, open_argilla
from argilla_bridge.settings import ReviewSettings, ServerSettings
from argilla_bridge.showing.making import is_blind, review_rows
from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed, digest
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.stores.base import Store
from spacy_synthesizrr.taskfile import TaskSpec, read_task

RESULTS = HERE / "results" / "review.json"
PEOPLE = (Person("ann", 0.95, 0.3), Person("bob", 0.8, 0.3))
BLIND, SEED = 0.25, 0
SETTINGS = {
    "backend": "argilla",
    "overlap": 1.0,
    "overlap_submitted": 2,
    "blind": BLIND,
    "vectors": False,
    "seed": SEED,
    "workspace": "argilla",
}


def read_rows(data: Path, number: int, held_out: int) -> tuple[list[Row], list[Row]]:
    """RETURNS (Tuple[List[Row], List[Row]]): Rows for review, which have a noisy label, and others for testing; no text is in both."""
    with gzip.open(data / "agnews_train_sample.csv.gz", "rt", encoding="utf-8", newline="") as file:
        lines = list({line["text"]: line for line in csv.DictReader(file)}.values())
    rng = random.Random(SEED)
    rng.shuffle(lines)
    noisy = [line for line in lines if line["noisy_label"]][:number]
    chosen = {line["text"] for line in noisy}
    others = [line for line in lines if line["text"] not in chosen][:held_out]
    return [_row(line, rng) for line in noisy], [_row(line, rng) for line in others]


def _row(line: dict[str, str], rng: random.Random) -> Row:
    right = line["noisy_label"] == line["label"]
    return Row(content_id({"text": line["text"]}), line["text"], line["label"], line["noisy_label"], drawn_score(rng, right=right))


def candidates(rows: Sequence[Row], seed: Seed) -> Iterator[Candidate]:
    """YIELDS (Candidate): Rows as if they were synthetic."""
    for row in rows:
        event = Event("curate", ACCEPTED, detail={"label_score": row.score})
        made = Candidate(digest("benchmark", row.id), "benchmark", (row.suggestion,), seed.id, None, fields={"text": row.text})
        yield made.after(event)


def shown_rows(backend: ArgillaBackend) -> dict[str, tuple[str, bool]]:
    """RETURNS (Dict): Id of each row → the server's id of it, and whether it shows a suggestion."""
    dataset = next(id for name, (id, _) in backend._at.items() if name == "overlap")
    shown: dict[str, tuple[str, bool]] = {}
    offset = 0
    while True:
        asked = {"offset": offset, "limit": 500, "include": "suggestions"}
        page = backend.link.call("GET", f"/datasets/{dataset}/records", params=asked)["items"]
        if not page:
            return shown
        shown |= {record["external_id"]: (record["id"], bool(record["suggestions"])) for record in page}
        offset += len(page)


def answer(
    url: str, person: Person, key: str, there: Mapping[str, tuple[str, bool]], rows: Mapping[str, Row], labels: Sequence[str]
) -> int:
    """A person answers all rows as the server shows them.

    there (Mapping): See `shown_rows`.
    RETURNS (int): Answers.
    """
    import httpx

    with httpx.Client(base_url=f"{url}/api/v1", headers={"X-Argilla-Api-Key": key}, timeout=600) as client:

        def post(items: list[dict[str, Any]]) -> None:
            said = client.post("/me/responses/bulk", json={"items": items}).raise_for_status().json()
            if refused := [one["error"] for one in said["items"] if one.get("error")]:
                raise SystemExit(f"Argilla refused answers: {refused[0]}")

        answers = ((id, person.answer(rows[row], labels, shown=seen, seed=SEED)) for row, (id, seen) in sorted(there.items()))
        return respond(post, answers)


def answer_for_them(backend: ArgillaBackend, rows: Mapping[str, Row], labels: Sequence[str]) -> None:
    """The same answers of the same people, sent by the owner on their behalf with `records.log`: many records per request, where the
    page's way makes the server refresh its index for each answer.
    """
    import argilla as rg

    client = backend.link.client
    dataset = client.datasets(backend.name("overlap"), workspace=SETTINGS["workspace"])
    ids = {person.name: client.users(person.name).id for person in PEOPLE}
    records = []
    for record in dataset.records(with_suggestions=True, with_responses=False):
        shown = len(list(record.suggestions)) > 0
        for person in PEOPLE:
            label = person.answer(rows[record.id], labels, shown=shown, seed=SEED)
            record.responses.add(rg.Response("label", label, user_id=ids[person.name], status="submitted"))
        records.append(record)
    dataset.records.log(records)


def review(task: TaskSpec, rows: Sequence[Row], keys: Sequence[str], folder: Path) -> dict[str, Any]:
    """Push, answer, pull and measure, on a real server.

    RETURNS (dict): What `push` and `pull` did, and what `agreement` measured.
    """
    settings, seed = ReviewSettings(**SETTINGS), Seed.make((rows[0].truth,), {"text": "An example."})
    write_jsonl(folder / "accepted.jsonl", (made.to_dict() for made in candidates(rows, seed)))
    lookup = Lookup(task, cast(Store, None), [seed])  # without passages nobody asks a store
    backend = open_argilla(ServerSettings(), settings, run=f"benchmark-{digest(str(folder))[:8]}")
    with contextlib.closing(backend), Ledger.open(folder / "ledger.sqlite") as ledger:
        made = review_rows(
            read_jsonl(folder / "accepted.jsonl", Candidate.from_dict),
            task=task,
            settings=settings,
            lookup=lookup,
            embedder=None,
            agent="noisy",
        )
        pushed = push(backend, made, ledger, schema=review_schema(task, settings, dimensions={}), settings=settings, report=print)
        by_id = {row.id: row for row in rows}
        if keys:
            there = shown_rows(backend)
            with ThreadPoolExecutor(len(PEOPLE)) as pool:  # people work at the same time
                one = partial(answer, backend.link.url, there=there, rows=by_id, labels=list(task.labels))
                sent = pool.map(one, PEOPLE, keys)
                print(*sent, "answers", flush=True)
        else:
            answer_for_them(backend, by_id, list(task.labels))
        pulled = {}
        for ties in ("suggestion", "drop"):
            out, about = folder / ties, ReviewSettings(**SETTINGS, ties=ties)
            pulled[ties] = pull(backend, ledger, folder / "accepted.jsonl", out, task=task, settings=about).to_dict()
    found = agreement(read_judged(folder / "drop"), labels=list(task.labels))
    counts = {name: value for name, value in pushed.to_dict().items() if isinstance(value, int)}
    return {"push": counts, "pull": pulled, "agreement": found}


def coverage(rows: Sequence[Row], labels: Sequence[str], times: int) -> dict[str, Any]:
    """The same without a server, again and again with other answers and other blind rows: how often the intervals hold.

    RETURNS (dict): Times, share over all measures, and the measure that holds least often.
    """
    held: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for seed in range(1, times + 1):
        settings = ReviewSettings(**{**SETTINGS, "seed": seed})
        found = agreement((_judged(row, settings, labels, seed) for row in rows), labels=labels, seed=seed)
        for one in side_by_side(planted(rows, PEOPLE, labels, blind=BLIND), found):
            held[one["what"]] += one["inside"]
            tried[one["what"]] += 1
    worst = min(tried, key=lambda name: held[name] / tried[name], default="")
    return {
        "times": times,
        "share": round(sum(held.values()) / max(1, sum(tried.values())), 4),
        "least": {"what": worst, "share": round(held[worst] / max(1, tried[worst]), 4)},
    }


def _judged(row: Row, settings: ReviewSettings, labels: Sequence[str], seed: int) -> Judged:
    shown = not is_blind(row.id, settings)
    votes = (Vote(row.id, person.name, SUBMITTED, (person.answer(row, labels, shown=shown, seed=seed),)) for person in PEOPLE)
    return Judged(tuple(votes), (row.suggestion,), row.score, shown)


@contextlib.contextmanager
def server(start: bool) -> Iterator[Sequence[str]]:
    """YIELDS (Sequence[str]): The keys of ann and bob; the owner's is in the environment."""
    if not start:
        yield [os.environ[name] for name in ("ANN_KEY", "BOB_KEY")]
        return
    sys.path.insert(0, str(HERE.parent / "tests"))
    from services.argilla import running_argilla

    with tempfile.TemporaryDirectory(prefix="review-") as state, running_argilla(Path(state)) as argilla:
        os.environ |= {"ARGILLA_API_URL": argilla.url, "ARGILLA_API_KEY": argilla.owner.key}
        yield [argilla.ann.key, argilla.bob.key]


def table(results: dict[str, Any]) -> str:
    """RETURNS (str): Planted and measured as a Markdown table."""
    lines = ["| what | planted | measured | from | to | rows | inside |", "|---|---|---|---|---|---|---|"]
    for one in results["planted"]:
        value, low, high = ("none" if one[name] is None else f"{one[name]:.3f}" for name in ("value", "low", "high"))
        held = "yes" if one["inside"] else "**no**"
        lines.append(f"| {one['what']} | {one['planted']:.3f} | {value} | {low} | {high} | {one['n']} | {held} |")
    return "\n".join(lines)


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=os.environ.get("SYNTHESIZRR_BENCHMARK_DATA"))
    parser.add_argument("--start", action="store_true", help="start Argilla by the recipe of the tests")
    parser.add_argument("--by-owner", action="store_true", help="the owner sends the answers of both, much faster")
    parser.add_argument("--rows", type=int, default=2000, help="rows for review")
    parser.add_argument("--test", type=int, default=4000, help="held-out rows")
    parser.add_argument("--seeds", type=int, default=5, help="training seeds per student; 0 trains none")
    parser.add_argument("--again", type=int, default=200, help="repetitions without a server, for how often the intervals hold")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder with the data")
    task = read_task(HERE / "tasks" / "agnews.yml")
    rows, tested = read_rows(options.data, options.rows, options.test)
    labels = list(task.labels)
    with tempfile.TemporaryDirectory(prefix="review-run-") as scratch:
        folder = Path(scratch)
        with server(options.start) as keys:
            results = review(task, rows, () if options.by_owner else keys, folder)
        results["planted"] = side_by_side(planted(rows, PEOPLE, labels, blind=BLIND), results["agreement"])
        print(table(results), flush=True)
        results["coverage"] = coverage(rows, labels, options.again)
        print(results["coverage"], flush=True)
        results["students"] = students(task, rows, tested, folder, options.seeds) if options.seeds else {}
    about = {
        "rows": len(rows),
        "test_rows": len(tested),
        "blind": BLIND,
        "seed": SEED,
        "by_owner": options.by_owner,
        "people": [vars(person) for person in PEOPLE],
    }
    machine = {"python": platform.python_version(), "system": platform.platform(terse=True), "versions": versions()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**about, **results, "steps": STEPS, "machine": machine}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
