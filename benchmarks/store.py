"""Stores side by side: filling Weaviate and searching it against its own client, and the memory store against libraries.

    python benchmarks/store.py DATA --start                 # starts Weaviate as the tests do (tests/services)
    python benchmarks/store.py DATA                         # uses the server of WEAVIATE_URL
    python benchmarks/store.py DATA --only index,search     # some cases; the results of the others stay

DATA is a folder with news_corpus.jsonl.gz and agnews_train_sample.csv.gz. The vectors are those of a real index (--index: a
folder of the memory store; by default the corpus is indexed with the default embedder, or taken from the cache of
retrieval.py), and queries are news texts. Only figures are written, to results/store.json. Peers that are not installed are
named: pip install hnswlib usearch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from cache import cache_folder
from corpora import HERE, embedder_of, make_task, ready_index
from store_million import in_a_process
from store_parts import Given, bare_fill, news_texts
from store_project import compare
from vector_peers import measure, rate, recall

from spacy_synthesizrr.embedders.base import embed_queries, unit_rows
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.memory import MemoryStore
from spacy_synthesizrr.taskfile import read_task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spacy_synthesizrr.stores.weaviate.store import WeaviateStore

RESULTS = HERE / "results" / "store.json"
K, QUERIES, ROUNDS = 50, 1024, 2
AT_ONCE = (1, 8, 64)
SIZES = (0.25, 0.5, 1.0)  # shares of the corpus, for memory


@dataclass(frozen=True)
class Bench:
    """What all cases share. source (MemoryStore): Passages and vectors. texts (list), queries (ndarray): What is searched for.
    truth (ndarray): Rows of the K nearest of each query. scratch (Path): For files that go at the end."""

    source: MemoryStore
    texts: list[str]
    queries: NDArray[np.float32]
    truth: NDArray[np.int64]
    rows: dict[str, int]
    scratch: Path
    data: Path = Path()

    def on_weaviate(self, key: str, **sections: Any) -> WeaviateStore:
        """RETURNS (WeaviateStore): One on the server that the environment names."""
        from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store

        return make_weaviate_store(str(self.scratch), key, **sections)

    def passages(self, most: int | None = None) -> Iterator[Any]:
        """YIELDS (Passage): The first of the corpus."""
        for number, (passage, _) in enumerate(self.source.iterate()):
            if most is not None and number >= most:
                return
            yield passage


def index_case(bench: Bench) -> dict[str, Any]:
    """Objects per second of `index` against a loop over the client's own batch: same server, schema, properties and vectors."""
    total = bench.source.count()
    found: dict[str, list[float]] = {"bare client": [], "ours": []}
    for number in range(ROUNDS):
        bare = bench.on_weaviate(f"bare{number}")
        began = time.monotonic()
        written = bare_fill(bare, bench.source)
        found["bare client"].append(total / (time.monotonic() - began))
        if written != total:
            raise SystemExit(f"the bare client wrote {written} of {total} objects")
        bare._table.drop()
        bare.close()
        ours = bench.on_weaviate(f"ours{number}")
        began = time.monotonic()
        ours.index(bench.passages(), Given(bench.source))
        found["ours"].append(total / (time.monotonic() - began))
        if number < ROUNDS - 1:
            ours._table.drop()
        ours.close()
    best = {name: max(rates) for name, rates in found.items()}
    return {
        "objects": total,
        "objects_per_second": {name: [round(value) for value in values] for name, values in found.items()},
        "ours_over_bare": round(best["ours"] / best["bare client"], 3),
        "again_seconds": _again(bench),
    }


def _again(bench: Bench) -> float:
    """RETURNS (float): Seconds of indexing what is there already."""
    store = bench.on_weaviate(f"ours{ROUNDS - 1}")
    began = time.monotonic()
    if store.index(bench.passages(), Given(bench.source)).written:
        raise SystemExit("indexing again wrote something")
    store.close()
    return round(time.monotonic() - began, 1)


def _filled(bench: Bench, **sections: Any) -> WeaviateStore:
    store = bench.on_weaviate(f"ours{ROUNDS - 1}", **sections)
    if not store.complete():
        store.index(bench.passages(), Given(bench.source))
    return store


def search_case(bench: Bench) -> dict[str, Any]:
    """Queries per second at 1, 8 and 64 concurrent against the bare client, and recall against exact search."""
    rates: dict[str, dict[str, int]] = {"bare client": {}, "ours": {}}
    for at_once in AT_ONCE:
        store = _filled(bench, pace={"queries": at_once})
        collection = store._table.collection
        rates["bare client"][str(at_once)] = round(rate(_bare_search(collection, at_once), bench.queries, at_once=256))
        ask = lambda some, store=store: store.search([Query("", vector) for vector in some], K)  # noqa: E731
        rates["ours"][str(at_once)] = round(rate(ask, bench.queries, at_once=256))
        hits = store.search([Query("", vector) for vector in bench.queries], K)
        store.close()
    near = np.array([[bench.rows[hit.passage_id] for hit in found] for found in hits])
    worst = {key: round(rates["ours"][key] / rates["bare client"][key], 3) for key in rates["ours"]}
    return {"k": K, "queries_per_second": rates, "ours_over_bare": worst, f"recall_at_{K}": round(recall(near, bench.truth), 4)}


def _bare_search(collection: Any, at_once: int) -> Callable[[NDArray[np.float32]], Any]:
    from weaviate.classes.query import MetadataQuery

    def ask(vector: NDArray[np.float32]) -> Any:
        return collection.query.near_vector(
            vector.tolist(), limit=K, return_metadata=MetadataQuery(distance=True), return_properties=["passage_id"]
        ).objects

    def search(some: NDArray[np.float32]) -> Any:
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(ask, some))

    return search


def memory_case(bench: Bench) -> dict[str, Any]:
    """Peak memory of a process that fills Weaviate, at several sizes of the corpus."""
    found = {}
    for share in SIZES:
        most = round(share * bench.source.count())
        command = [sys.executable, __file__, "--child", str(most), "--index", bench.source.location]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[str(most)] = json.loads(done.stdout.splitlines()[-1])
    return {"peak_mb_by_passages": found}


def child(most: int, index: Path) -> None:
    """Index the first passages and tell the peak memory of this process."""
    source = MemoryStore(index)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(source, [], np.zeros((0, 1), np.float32), np.zeros((0, 1), np.int64), {}, Path(scratch))
        store = bench.on_weaviate(f"memory{most}")
        store.index(bench.passages(most), Given(source))
        store._table.drop()
        store.close()
    print(json.dumps(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))


def exact_case(bench: Bench) -> dict[str, Any]:
    """The memory store beside numpy, hnswlib and usearch on the same vectors."""
    folder = bench.scratch / "exact"
    store = MemoryStore(folder)
    began = time.monotonic()
    store.index(bench.passages(), Given(bench.source))
    about: dict[str, Any] = {"index_seconds": round(time.monotonic() - began, 1)}
    for at_once in (1, 64):
        ask = lambda some: store.search([Query("", vector) for vector in some], K)  # noqa: E731
        about[f"queries_per_second_by_{at_once}"] = round(rate(ask, bench.queries, at_once=at_once))
    hits = store.search([Query("", vector) for vector in bench.queries], K)
    near = np.array([[bench.rows[hit.passage_id] for hit in found] for found in hits])
    about["recall"] = round(recall(near, bench.truth), 4)
    vectors = np.load(folder / "vectors.npy")
    return {"k": K, "vectors": len(vectors), "memory store": about, **measure(vectors, bench.queries, bench.truth)}


def million_case(bench: Bench) -> dict[str, Any]:
    """The memory store at 10^6 vectors."""
    return in_a_process(bench.source.location, bench.texts[:256])


def project_case(bench: Bench) -> dict[str, Any]:
    """The project from index to accepted rows, on both stores."""
    return compare(bench.data, bench.scratch)


CASES: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "index": index_case,
    "search": search_case,
    "memory": memory_case,
    "exact": exact_case,
    "million": million_case,
    "project": project_case,
}


@contextlib.contextmanager
def server(start: bool) -> Iterator[str]:
    """YIELDS (str): Version of Weaviate: one that runs as long as the block, or that of the environment."""
    if not start:
        if not os.environ.get("WEAVIATE_URL"):
            raise SystemExit("Set WEAVIATE_URL, or let the script start a server: --start")
        yield "see WEAVIATE_URL"
        return
    sys.path.insert(0, str(HERE.parent / "tests"))
    from services.weaviate import running_weaviate

    with tempfile.TemporaryDirectory(prefix="store-bench-") as state, running_weaviate(Path(state)) as running:
        os.environ |= {"WEAVIATE_URL": running.url, "WEAVIATE_GRPC_PORT": str(running.grpc_port)}
        yield running.version


def prepare(data: Path, index: Path, scratch: Path) -> tuple[Bench, dict[str, Any]]:
    """RETURNS (Tuple[Bench, dict]): The passages, queries and true hits; what the index is."""
    task = read_task(make_task(cache_folder("retrieval") / "corpus", data))
    source, about = ready_index(index, task, embedder_of("lsa"))
    texts = news_texts(data / "agnews_train_sample.csv.gz", QUERIES)
    queries = unit_rows(embed_queries(source.embedder, texts))
    rows = {passage.id: row for row, (passage, _) in enumerate(source.iterate())}
    hits = source.search([Query("", vector) for vector in queries], K)
    truth = np.array([[rows[hit.passage_id] for hit in found] for found in hits])
    return Bench(source, texts, queries, truth, rows, scratch, data), about


def main() -> None:
    """Run the cases that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--start", action="store_true", help="start Weaviate by the recipe of the tests")
    parser.add_argument("--index", type=Path, default=cache_folder("retrieval") / "index" / "lsa", help="a folder of the memory store")
    parser.add_argument("--only", default=",".join(CASES), help="which cases")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        return child(options.child, options.index)
    if options.data is None:
        parser.error("name the folder with the data")
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {"cases": {}}
    with server(options.start) as version, tempfile.TemporaryDirectory(prefix="store-bench-") as scratch:
        bench, about = prepare(options.data.resolve(), options.index.expanduser().resolve(), Path(scratch))
        for name in options.only.split(","):
            found = CASES[name](bench)
            print(name, json.dumps(found, indent=1), flush=True)
            results["cases"][name] = {"index": about, "weaviate": version, **found}
            results["versions"] = versions()
            results["machine"] = {"python": platform.python_version(), "system": platform.platform(terse=True), "cores": os.cpu_count()}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
