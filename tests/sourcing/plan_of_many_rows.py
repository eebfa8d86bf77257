"""Plan and write many rows over an index on disk; print rows and peak memory in kB. Run by test_plan_memory.py.

Usage: plan_of_many_rows.py FOLDER SEEDS   (SEEDS 0: build the index)
"""

import hashlib
import resource
import sys
from pathlib import Path

import numpy as np
from given_store import TEXT, make_task

from spacy_synthesizrr.candidates import Passage, Seed
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.sourcing.plan import plan
from spacy_synthesizrr.sourcing.randomly import RandomPlan, draw_passages
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.stores.memory import MemoryStore

PASSAGES, HITS, LABELS = 8000, 100, "abcd"


class Noise:
    """A random but fixed vector per text."""

    id, recipe, dimensions, normalised = "noise", "noise", 8, False

    def fit(self, texts, *, seed):
        pass

    def embed(self, texts):
        states = (int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") for text in texts)
        return np.array([np.random.Generator(np.random.PCG64(state)).normal(size=8) for state in states], dtype=np.float32)

    def save(self, folder):
        folder.mkdir(exist_ok=True)
        (folder / "embedder.json").write_text("{}")


def main(folder: Path, count: int) -> None:
    store = MemoryStore(folder / "index", Noise())
    if not count:
        store.index((Passage(id=f"00000000-0000-0000-0000-{n:012}", text=f"{n} {TEXT}") for n in range(PASSAGES)), Noise())
        return
    seeds = [Seed.make((LABELS[n % 4],), {"text": f"seed {n}"}) for n in range(count)]
    every = {"low": 0, "high": 1}
    settings = PlanSettings.model_validate(
        {
            "mode": "non-retricl",
            "shots": 3,
            "hits": HITS,
            "ranks": (1, HITS),
            "window": every,
            "margin": {"keep": 1},
            "quotas": {"per_passage": 10**6, "per_document": 10**6},
            "overgenerate": 1,
        }
    )
    per_label = count * HITS // len(LABELS)
    made = plan(seeds, store, task=make_task(*LABELS), settings=settings, per_label=per_label, seed=0)
    rows = write_jsonl(folder / f"planned.{count}.jsonl", (row.to_dict() for row in made.candidates()))
    other = RandomPlan(made, draw_passages(made, store))
    write_jsonl(folder / f"random.{count}.jsonl", (row.to_dict() for row in other.candidates()))
    print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # noqa: T201


main(Path(sys.argv[1]), int(sys.argv[2]))
