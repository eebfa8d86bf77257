"""How large the report gets, and what it takes, by number of rows: it should stay below 10 MB, and its time grow no faster than the rows.

    python benchmarks/report_size.py            # 1,000, 10,000 and 100,000 accepted rows, one process each

Rows, passages (of 2,000 letters) and test rows are made of made-up words; half as many rows are turned away for 12 reasons, as many
again are a control's, and as many test rows of 20 labels are answered. In each size the page is made from files, as `report` does, and
passages are looked up in memory. Writes results/report_size.json.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from spacy_synthesizrr.candidates import Candidate, Event, Passage, Seed
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.report.browse import draw_sample, draw_tested
from spacy_synthesizrr.report.items import Shown, candidates_shown, gold_items
from spacy_synthesizrr.report.page import Samples, make_parts, render

RESULTS = Path(__file__).parent / "results" / "report_size.json"
ROWS, LETTERS, WORDS = (1_000, 10_000, 100_000), 2_000, 60
LABELS = tuple(f"label {number}" for number in range(20))
REASONS = tuple(f"reason_{number}" for number in range(12))
SEEDS = {seed.id: seed for seed in (Seed.make((label,), {"text": f"A seed of {label}."}) for label in LABELS)}
_SYLLABLES = "ba de fi go lu mé ñu ра со 文 <b> &".split()

SPELLINGS = ["".join(random.Random(number).choices(_SYLLABLES, k=1 + number % 4)) for number in range(20_000)]


def text(chance: random.Random, words: int) -> str:
    """Made-up words, some of them of letters that take several bytes, some that look like markup."""
    return " ".join(chance.choices(SPELLINGS, k=words))


def candidates(number: int, *, seed: int, reasons: Sequence[str] = ()) -> Iterator[Candidate]:
    """YIELDS (Candidate): Accepted rows, or rejected ones where there are reasons."""
    chance, seeds = random.Random(seed), list(SEEDS.values())
    for place in range(number):
        one, reason = seeds[place % len(seeds)], chance.choice(reasons) if reasons else ""
        status = "rejected" if reason else "accepted"
        events = (Event("synthesize", "generated"), Event("curate", status, reason, {"score": chance.random()}))
        about = {"similarity": chance.random(), "rank": 1, "fields": {"text": text(chance, WORDS)}, "status": status, "events": events}
        yield Candidate(f"{seed:04x}{place:028x}", "synthesizrr", one.labels, one.id, f"p{place}", **about)


class Texts:
    """Passages, made when they are asked for."""

    task = SimpleNamespace(generated=SimpleNamespace(name="text"))
    seeds = SEEDS

    def known(self, seed_id: str) -> Seed | None:
        """RETURNS (Seed | None): The seed with an id."""
        return self.seeds.get(seed_id)

    def seed(self, seed_id: str) -> Seed:
        """RETURNS (Seed): The same, of one that is there."""
        return self.seeds[seed_id]

    def passages(self, asked: Iterable[Candidate]) -> dict[str, Passage]:
        """RETURNS (dict): One passage for each candidate."""
        ids = {candidate.passage_id or "" for candidate in asked}
        return {one: Passage(one, text(random.Random(one), LETTERS // 4)[:LETTERS], "made up") for one in ids}


def write(folder: Path, number: int) -> dict[str, Path]:
    """Write the files of a run.

    RETURNS (Dict[str, Path]): Folder of each arm.
    """
    arms = {"main": folder, "random": folder / "controls" / "random"}
    for seed, (arm, where) in enumerate(arms.items()):
        write_jsonl(where / "accepted.jsonl", (row.to_dict() for row in candidates(number, seed=seed)))
        away = candidates(number // 2, seed=seed + 10, reasons=REASONS) if arm == "main" else ()
        write_jsonl(where / "rejected.jsonl", (row.to_dict() for row in away))
    chance = random.Random(1)
    labels = ({"line": line, "gold": [chance.choice(LABELS)], "student": [chance.choice(LABELS)]} for line in range(1, number + 1))
    write_jsonl(folder / "answers.jsonl", labels)
    return arms


def page(folder: Path, arms: dict[str, Path], numbers: dict[str, Any]) -> tuple[str, Samples]:
    """Make the page as `report` does.

    numbers (dict): What `collect` would have found.
    """
    tested = draw_tested(read_jsonl(folder / "answers.jsonl", dict), seed=0)
    rows = (LabelledRow({"text": text(random.Random(line), WORDS)}, (LABELS[line % 20],), line) for line in sorted(tested.said))
    items = list(gold_items(rows, tested.said).values())
    drawn = draw_sample(arms, seed=0, labels=len(LABELS), tested=len(items), watch=iter)
    shown = candidates_shown(drawn.rows, Texts())  # type: ignore[arg-type]
    samples = Samples(Shown([*shown.items, *items], shown.passages, shown.seeds), drawn.totals, tested)
    return render(numbers, samples, make_parts(numbers, samples)), samples


def one(number: int) -> None:
    """Make the page of so many rows in this process, and print what it took."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from report_numbers import NUMBERS

    with tempfile.TemporaryDirectory() as name:
        arms = write(Path(name), number)
        written = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        began = time.monotonic()
        made, samples = page(Path(name), arms, NUMBERS)
        seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    found = {"rows": number, "seconds": round(seconds, 1), "before_mb": written, "peak_mb": peak}
    print(json.dumps({**found, "shown": len(samples.shown.items), "page_mb": round(len(made.encode()) / 1e6, 2)}))


def main() -> None:
    """Measure every size in a process of its own."""
    import spacy

    measured = []
    for number in ROWS:
        done = subprocess.run([sys.executable, __file__, str(number)], capture_output=True, text=True, check=True)
        measured.append(json.loads(done.stdout))
        print(done.stdout.strip(), flush=True)
    RESULTS.write_text(json.dumps({"v": 1, "versions": {"spacy": spacy.__version__}, "measured": measured}, indent=2) + "\n")


if __name__ == "__main__":
    one(int(sys.argv[1])) if len(sys.argv) > 1 else main()
