"""Memory of export and training by number of rows: shards are written and streamed, so it should stay flat.

    python benchmarks/students_million.py            # 100,000 and 1,000,000 rows of 20 made-up words, one process each

Words follow Zipf's law over 50,000 spellings. One pass over the rows, bag of words. Writes results/students_million.json.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy
import spacy

from spacy_synthesizrr.fingerprints import size
from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.job import Job
from spacy_synthesizrr.students.rows import StudentRow
from spacy_synthesizrr.students.train import train_student

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "students_million.json"
ROWS, WORDS, LENGTH, BATCH = (100_000, 1_000_000), 50_000, 20, 256
TASK = StudentTask(("even", "odd"), True, "en")


def rows(number: int) -> Iterator[StudentRow]:
    """YIELDS (StudentRow): Texts whose first word says their label."""
    chance = numpy.random.default_rng(0)
    for i in range(number):
        words = chance.zipf(1.2, LENGTH) % WORDS
        label = TASK.labels[int(words[0]) % 2]
        yield StudentRow(f"r{i}", f"{label} " + " ".join(f"w{word}" for word in words), (label,))


def one(number: int) -> None:
    """Export and train in this process, and print what it took."""
    with tempfile.TemporaryDirectory() as name:
        folder, nlp = Path(name), spacy.blank("en")
        began = time.monotonic()
        write_docs(rows(number), folder / "train.spacy", nlp=nlp, labels=TASK.labels)
        write_docs(rows(500), folder / "dev.spacy", nlp=nlp, labels=TASK.labels)
        exported, export_mb = time.monotonic() - began, _peak()
        config = read_student_config(HERE.parent / "configs" / "student.bow.cfg", TASK)
        config["training"]["batcher"]["size"], config["training"]["eval_frequency"] = BATCH, 100
        job = Job("main", 0, number // BATCH // 100 * 100 + 1, folder / "train.spacy", folder / "dev.spacy", folder / "model", "rows")
        trained = train_student(job, config, task=TASK, has_dev=True)
        found = {"rows": number, "export_s": round(exported, 1), "export_peak_mb": export_mb, "train_s": trained.seconds}
        found |= {"steps": trained.steps, "dev": trained.dev, "peak_mb": _peak(), "set_mb": round(size(folder / "train.spacy") / 1e6, 1)}
        print(json.dumps({**found, "student_mb": round(size(job.folder) / 1e6, 1)}))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Every size in a process of its own."""
    found = []
    for number in ROWS:
        done = subprocess.run([sys.executable, __file__, str(number)], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        print(found[-1], flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    one(int(sys.argv[1])) if len(sys.argv) > 1 else main()
