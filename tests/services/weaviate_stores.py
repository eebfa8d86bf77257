"""Stores of the project on a running Weaviate, for tests: each with a collection of its own, all of them closed and deleted afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from services.weaviate import Weaviate
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store
from spacy_synthesizrr.stores.weaviate.store import WeaviateStore

_numbers = count()


def store_on(server: Weaviate, folder: Path, key: str = "", **sections: Any) -> WeaviateStore:
    """A store with the settings that reach a server.

    folder (Path): Of the store on this machine.
    sections (dict): More sections of the config, such as pace={"batch": 10}.
    """
    connection = {"url": server.url, "grpc_port": server.grpc_port, **sections.pop("connection", {})}
    return make_weaviate_store(str(folder), key, connection=connection, **sections)


@contextmanager
def stores_on(server: Weaviate, folder: Path, **sections: Any) -> Iterator[Callable[[], WeaviateStore]]:
    """While the block runs: a function that makes stores, each empty and of its own.

    YIELDS (Callable): Makes a store.
    """
    with ExitStack() as stack:

        def make() -> WeaviateStore:
            store = store_on(server, folder, f"test{next(_numbers)}", **sections)
            stack.callback(_end, store)
            return store

        yield make


def _end(store: WeaviateStore) -> None:
    store._table.drop()
    store.close()
