"""The news corpus as an index of the memory store, by one embedder or another; made once, kept in a cache folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.corpus import PassageSettings, read_passages
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.embedders.fast import make_fast_embedder
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.stores.memory import MemoryStore
from spacy_synthesizrr.tables import BadRow
from spacy_synthesizrr.taskfile import TaskSpec

HERE = Path(__file__).parent
CORPUS = "news_corpus.jsonl.gz"


def make_task(folder: Path, data: Path, *, corpus: str = CORPUS, task: str = "agnews") -> Path:
    """Put the task file and a link to the corpus into a folder; the data stay where they are.

    RETURNS (Path): The task file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "corpus.jsonl.gz"
    if not link.exists():
        link.symlink_to((data / corpus).resolve())
    for name in ("seeds", "dev", "test", "rest"):
        (folder / f"{name}.jsonl").touch()
    path = folder / "task.yml"
    path.write_text((HERE / "tasks" / f"{task}.yml").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def passages_of(task: TaskSpec) -> Iterator[Passage]:
    """YIELDS (Passage): Of a task's corpus, cut as in configs/store.memory.cfg."""

    def turn_away(bad: BadRow) -> None:
        """Short pieces are no part of what is measured."""

    return read_passages(task, PassageSettings(min_words=20, max_words=200), lang="en", on_bad=turn_away)


def embedder_of(name: str) -> Embedder:
    """name (str): "lsa", the default of the project, or the folder of an ONNX model."""
    return make_lsa_embedder() if name == "lsa" else make_fast_embedder(folder=name)


def ready_index(folder: Path, task: TaskSpec, embedder: Embedder) -> tuple[MemoryStore, dict[str, Any]]:
    """Open the index in a folder, or build it.

    RETURNS (Tuple[MemoryStore, dict]): The index; passages, dimensions, and the seconds of a build that was needed.
    """
    store, about = MemoryStore(folder), {}
    if not store.complete():
        began = time.monotonic()
        store.index(passages_of(task), embedder)
        about["index_seconds"] = round(time.monotonic() - began, 1)
    return store, {"passages": store.count(), "dimensions": store.embedder.dimensions, "embedder": store.embedder.id, **about}
