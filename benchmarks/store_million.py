"""The memory store at a million vectors: windows of sentences of a real corpus, embedded by the default embedder.

A process of its own, because peak memory is among the figures: store.py calls it.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from vector_peers import PEERS, rate, recall

from spacy_synthesizrr.candidates import Passage, passage_id
from spacy_synthesizrr.embedders.base import embed_queries, unit_rows
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.sentences import split_sentences
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.memory import MemoryStore

NUMBER, K = 1_000_000, 50
LONGEST = 4  # sentences of a window
CHECKED = 32  # queries compared with numpy
ROUNDS = 3


def windows(source: MemoryStore) -> Iterator[Passage]:
    """YIELDS (Passage): Windows of one to some sentences, all of one length before those of the next."""
    for length in range(1, LONGEST + 1):
        for passage, _ in source.iterate():
            sentences = split_sentences(passage.text)
            for start in range(len(sentences) - length + 1):
                text, document = " ".join(sentences[start : start + length]), f"{passage.id}/{length}"
                yield Passage(passage_id(passage.source, document, start, text), text, passage.source, document, start)


def measure(source: MemoryStore, texts: list[str], folder: Path, number: int = NUMBER) -> dict[str, Any]:
    """RETURNS (dict): Seconds to index, size on disk, queries per second beside numpy on the same vectors, peak memory."""
    store, began = MemoryStore(folder), time.monotonic()
    store.index(islice(windows(source), number), make_lsa_embedder())
    seconds, peak = time.monotonic() - began, _peak()
    queries = unit_rows(embed_queries(store.embedder, texts))
    ask = lambda some: store.search([Query("", vector) for vector in some], K)  # noqa: E731
    ask(queries[:1])
    peak_after_search = _peak()
    find = PEERS["numpy, blocks of a matrix product"].build(np.load(folder / "vectors.npy", mmap_mode="r"))
    both = {"memory store": ask, "numpy": functools.partial(find, k=K)}
    rounds = [  # in turns, because the machine does other work too and may drop pages of the file in between
        {f"{name}, by {size}": rate(search, queries, at_once=size) for size in (1, 64) for name, search in both.items()}
        for _ in range(ROUNDS)
    ]
    rows = {passage.id: row for row, (passage, _) in enumerate(store.iterate())}
    near = np.array([[rows[hit.passage_id] for hit in found] for found in ask(queries[:CHECKED])])
    return {
        "k": K,
        "vectors": store.count(),
        "dimensions": int(queries.shape[1]),
        "index_seconds": round(seconds),
        "vectors_mb": round((folder / "vectors.npy").stat().st_size / 2**20),
        "peak_mb_indexing": peak,
        "peak_mb_searching": peak_after_search,
        "queries_per_second": {name: round(max(each[name] for each in rounds), 2) for name in rounds[0]},
        "recall": round(recall(near, find(queries[:CHECKED], K)), 4),
    }


def in_a_process(index: str, texts: list[str]) -> dict[str, Any]:
    """RETURNS (dict): What `measure` found.

    index (str): Folder of the memory store whose passages are cut.
    texts (list): Queries.
    """
    with tempfile.TemporaryDirectory(prefix="store-million-") as scratch:
        asked = Path(scratch) / "queries.json"
        asked.write_text(json.dumps(texts), encoding="utf-8")
        done = subprocess.run([sys.executable, __file__, index, str(asked), scratch], check=True, stdout=subprocess.PIPE, text=True)
        return dict(json.loads(done.stdout.splitlines()[-1]))


def _peak() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("index", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--number", type=int, default=NUMBER)
    options = parser.parse_args()
    texts = json.loads(options.queries.read_text(encoding="utf-8"))
    print(json.dumps(measure(MemoryStore(options.index), texts, options.scratch / "store", options.number)))


if __name__ == "__main__":
    main()
