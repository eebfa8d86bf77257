"""The registered function `synthesizrr.WeaviateStore.v1`: from the sections of a config to a store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from spacy_synthesizrr.configs import section
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.stores.weaviate.collection import CollectionStore
from spacy_synthesizrr.stores.weaviate.mapping import Mapped
from spacy_synthesizrr.stores.weaviate.settings import Connection, Embedded, Pace, Place, Vectors, Words, check_names
from spacy_synthesizrr.stores.weaviate.store import HOME, WeaviateStore


def make_weaviate_store(
    path: str = "index",
    key: str = "",
    *,
    connection: dict[str, Any] | None = None,
    embedded: dict[str, Any] | None = None,
    vectors: dict[str, Any] | None = None,
    words: dict[str, Any] | None = None,
    pace: dict[str, Any] | None = None,
    tenants: str = "",
) -> WeaviateStore:
    """Make a store in Weaviate. Every section may be left out.

    path (str): A folder on this machine, for the fitted embedder and notes; the project keeps one per index in it.
    key (str): Of the index to open directly, as `index.json` of a run names it; the project sets it itself.
    connection (dict): reach ("auto", "server", "cloud" or "embedded"), url or url_env, grpc_host, grpc_port, api_key_env,
        headers_env (header to name of a variable), timeout in seconds, trust_env (proxies and certificates of the environment).
    embedded (dict): version, binary_path, data_path, port, grpc_port, environment of a server of our own.
    vectors (dict): max_connections, ef_construction, ef, dynamic_ef_min, dynamic_ef_max, dynamic_ef_factor of HNSW; quantizer
        ("none", "rq", "sq", "bq" or "pq").
    words (dict): tokenization, stopwords ("none" or "en"), k1 and b of keyword search.
    pace (dict): batch (passages), uploads, queries (at a time), patience (seconds that a lost server is waited for).
    tenants (str): A name: every index is a tenant of one collection that is called after it. By default each has a collection.
    RETURNS (WeaviateStore): Not connected yet.
    RAISES (ConfigError): For an unknown key or a value that cannot be.
    """
    place = replace(_place(path, connection, embedded, vectors, words, pace), tenants=tenants)
    return WeaviateStore(place, Path(path), key)


def make_weaviate_collection(
    collection: dict[str, Any],
    path: str = "index",
    key: str = "",
    *,
    connection: dict[str, Any] | None = None,
    embedded: dict[str, Any] | None = None,
    pace: dict[str, Any] | None = None,
) -> CollectionStore:
    """Read a collection that is there already; nothing is ever written to it.

    collection (dict): name, text_property; and where there are such: id_property, source_property, document_property,
        number_property, metadata (key to property), vector_name, tenant.
    path (str), key (str), connection (dict), embedded (dict), pace (dict): As for a store of ours.
    RETURNS (CollectionStore): Not connected yet.
    RAISES (ConfigError): For an unknown key or a value that cannot be.
    """
    mapped = section({"store": {"collection": collection}}, "store.collection", Mapped, path="store")
    return CollectionStore(_place(path, connection, embedded, None, None, pace), Path(path), mapped, key)


def _place(path: str, connection: Any, embedded: Any, vectors: Any, words: Any, pace: Any) -> Place:
    if not path:
        raise ConfigError("[store] 'path' is empty. Give a folder, such as: path = \"index\"")
    given: dict[str, Any] = {"connection": connection, "embedded": embedded, "vectors": vectors, "words": words, "pace": pace}
    check_names(connection or {})
    config = {"store": {name: values or {} for name, values in given.items()}}
    own = section(config, "store.embedded", Embedded, path="store")
    if own.data_path is None:
        own = own.model_copy(update={"data_path": str(Path(path) / HOME / "server")})
    return Place(
        section(config, "store.connection", Connection, path="store"),
        own,
        section(config, "store.vectors", Vectors, path="store"),
        section(config, "store.words", Words, path="store"),
        section(config, "store.pace", Pace, path="store"),
    )
