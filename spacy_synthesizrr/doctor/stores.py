"""The store of a config: which it is, whether it can be reached, what lies in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.configs import build
from spacy_synthesizrr.doctor.findings import Finding, from_error
from spacy_synthesizrr.doctor.indexes import AGAIN, PART, built_here, indexes
from spacy_synthesizrr.doctor.machine import US, version
from spacy_synthesizrr.errors import SynthesizrrError
from spacy_synthesizrr.fingerprints import size
from spacy_synthesizrr.stores.base import Store, brings_passages
from spacy_synthesizrr.stores.memory import MemoryStore
from spacy_synthesizrr.stores.opening import check_store_config
from spacy_synthesizrr.stores.survey import survey
from spacy_synthesizrr.stores.weaviate.collection import CollectionStore
from spacy_synthesizrr.stores.weaviate.settings import Place, address
from spacy_synthesizrr.stores.weaviate.store import WeaviateStore

SECONDS = 5.0  # that a server is waited for
MOST = 8  # modules that are listed
NOTHING: Mapping[str, Any] = {}
EMBEDS = "text2vec-"
VECTORIZER, LEARNS = "synthesizrr.WeaviateVectorizer.v1", "synthesizrr.LsaEmbedder.v1"
NEEDS = {  # what a registered embedder cannot do without: packages, extra
    "synthesizrr.FastEmbed.v1": (("fastembed",), "embed"),
    "synthesizrr.SentenceTransformers.v1": (("torch", "transformers"), "transformers"),
}


def look_at_store(config: Mapping[str, Any], path: Path, *, of_run: Mapping[str, Any] = NOTHING) -> list[Finding]:
    """Look at the store and the embedder of a config.

    config (Mapping): As it was read. path (Path): Of the file.
    of_run (Mapping): What the `index.json` of a run says of the index that it uses; empty when there is none.
    """
    try:
        check_store_config(dict(config), path)
    except SynthesizrrError as error:
        return [from_error(PART, str(path), error)]
    try:
        store = build(_hurried(config), "store", path=path)
    except SynthesizrrError as error:
        return [from_error(PART, str(path), error)]
    with contextlib.closing(store):
        if isinstance(store, MemoryStore):
            found = _in_memory(store, of_run)
        elif isinstance(store, (WeaviateStore, CollectionStore)):
            found = _in_weaviate(store, of_run, config)
        else:
            found = [Finding(PART, type(store).__name__, "unknown", "a store of another package")]
    if "embedder" not in config and brings_passages(store):
        return found
    return [*found, _embedder(config, path, store)]


def _hurried(config: Mapping[str, Any]) -> dict[str, Any]:
    """RETURNS (dict): A config whose server is waited for a moment only."""
    block = config.get("store")
    if not isinstance(block, Mapping) or "Weaviate" not in str(block.get("@misc", "")):
        return dict(config)
    connection, pace = dict(block.get("connection") or {}), dict(block.get("pace") or {})
    connection["timeout"] = min(SECONDS, float(connection.get("timeout") or SECONDS))
    return {**config, "store": {**block, "connection": connection, "pace": {**pace, "patience": 0.0}}}


def _embedder(config: Mapping[str, Any], path: Path, store: Store) -> Finding:
    block = config.get("embedder") or {}
    name, model = str(block.get("@misc", "")), str(block.get("model", ""))
    if name == VECTORIZER and isinstance(store, MemoryStore):
        cure = "Use it with synthesizrr.WeaviateStore.v1, or choose another [embedder]."
        return Finding(PART, "embedder", "broken", f"{name} embeds in a Weaviate, and this store has none", cure)
    if name == LEARNS and brings_passages(store):
        cure = "Name the pretrained one that made the vectors, such as synthesizrr.FastEmbed.v1."
        return Finding(PART, "embedder", "broken", f"{name} learns from a corpus: it did not make the vectors that are there", cure)
    packages, extra = NEEDS.get(name, ((), ""))
    gone = [package for package in packages if version(package) is None]
    if gone:
        return Finding(PART, "embedder", "missing", f"{name} needs {', '.join(gone)}", f"pip install '{US}[{extra}]'")
    try:
        embedder = build(dict(config), "embedder", path=path)
        if packages and model and not Path(model).expanduser().is_dir():  # to say more it would look for the model in the network
            return Finding(PART, "embedder", "ok", f"{name} with {model}, which is downloaded when it is first needed")
        return Finding(PART, "embedder", "ok", str(embedder.recipe))
    except SynthesizrrError as error:
        return from_error(PART, "embedder", error)


def _in_memory(store: MemoryStore, of_run: Mapping[str, Any]) -> list[Finding]:
    folder = Path(store.location)
    unfit = _unfit("memory", folder)
    if unfit:
        return unfit
    if not folder.is_dir():
        nothing = Finding(PART, "memory", "ok", f"{folder}: nothing there yet; the step `index` makes it")
        return [nothing, *(indexes(store, [], of_run) if of_run else ())]
    found = Finding(PART, "memory", "ok", f"{folder}, {size(folder) / 2**20:,.1f} MB")
    return [found, *indexes(store, survey(store), of_run)]


def _unfit(name: str, folder: Path) -> list[Finding]:
    """RETURNS (List[Finding]): What keeps us from writing in a folder, which may have to be made first."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        return [Finding(PART, name, "broken", f"{there} is a file, no folder", "Set [store] path to a folder, or move the file away.")]
    if not os.access(there, os.W_OK | os.X_OK):
        return [Finding(PART, name, "broken", f"{there} cannot be written", "Give it to your user, or set [store] path.")]
    return []


def _in_weaviate(store: WeaviateStore | CollectionStore, of_run: Mapping[str, Any], config: Mapping[str, Any]) -> list[Finding]:
    if version("weaviate-client") is None:
        return [Finding(PART, "Weaviate", "missing", "weaviate-client not installed", f"pip install '{US}[weaviate]'")]
    found: list[Finding] = _unfit("folder", store.notes)
    try:
        reach = store.place.reach
        found += [Finding(PART, "Weaviate", "ok", f"{reach}: {_how(store.place, reach)}"), *_names(store.place, reach)]
        if reach == "embedded":
            return [*found, _binary(store.place), *built_here(store, of_run)]
        return found + _at_server(store, of_run, config)
    except SynthesizrrError as error:
        return [*found, from_error(PART, "server" if found else "Weaviate", error)]


def _how(place: Place, reach: str) -> str:
    """RETURNS (str): What made us look there."""
    if reach == "embedded":
        return f"${place.connection.url_env} is not set" if place.url is None else 'reach = "embedded"'
    by = "[store.connection] url" if place.connection.url else f"${place.connection.url_env}"
    return f"{_shown(place)} (by {by})"


def _shown(place: Place) -> str:
    return address(place.url or "", cloud=True).url  # never with a user or password


def _names(place: Place, reach: str) -> list[Finding]:
    """RETURNS (List[Finding]): Which of the variables that hold secrets are set."""
    named = {} if reach == "embedded" else dict.fromkeys(place.connection.headers_env.values(), True)
    if place.connection.api_key_env is not None and reach != "embedded":
        named[place.connection.api_key_env] = reach == "cloud"
    found = []
    for name, needed in named.items():
        is_set = bool(os.environ.get(name, "").strip())
        cure = f"export {name}=…" if needed else ""
        detail = "is set" if is_set else "is not set" + ("" if needed else ", which a server without keys does not need")
        found.append(Finding(PART, f"${name}", "ok" if is_set or not needed else "missing", detail, "" if is_set else cure))
    return found


def _at_server(store: WeaviateStore | CollectionStore, of_run: Mapping[str, Any], config: Mapping[str, Any]) -> list[Finding]:
    from spacy_synthesizrr.stores.weaviate.connect import connect

    module = str((config.get("embedder") or {}).get("module") or "")
    with contextlib.closing(connect(store.place)) as link:
        about = link.client.get_meta()
        modules = about.get("modules") or {}
        found = [Finding(PART, "server", "ok", f"version {about['version']}, answers on HTTP and gRPC, {_modules(modules)}")]
        if module and module not in modules:
            cure = f"Start the server with ENABLE_MODULES={module}, or choose another [embedder]."
            found.append(Finding(PART, "module", "missing", f"the server has no {module}", cure))
    if isinstance(store, CollectionStore):
        return found + _collection(store, of_run, named="embedder" in config)
    return found + indexes(store, survey(store), of_run)


def _collection(store: CollectionStore, of_run: Mapping[str, Any], *, named: bool) -> list[Finding]:
    """named (bool): Whether the config names an embedder; else it must be the module that made the vectors."""
    count = store.count()
    if not count:
        return [Finding(PART, "collection", "broken", f"{store.location} is empty", "Fill it, or name another one in [store.collection].")]
    found = [Finding(PART, "collection", "ok", f"{store.location}: {count:,} objects; only read")]
    if not named:
        try:
            found.append(Finding(PART, "embedder", "ok", f"{store.own_embedder().recipe}, by the server"))
        except SynthesizrrError as error:
            found.append(from_error(PART, "embedder", error))
    if of_run and not store.at(str(of_run["key"])).complete():
        found.append(Finding(PART, "index", "missing", "the embedder that this run tried on it is not here", AGAIN))
    return found


def _modules(names: Iterable[str]) -> str:
    """RETURNS (str): The modules of a server that embed texts; there are dozens that do other things."""
    embedding = sorted(name.removeprefix(EMBEDS) for name in names if name.startswith(EMBEDS))
    more = f" and {len(embedding) - MOST} more" if len(embedding) > MOST else ""
    return f"{EMBEDS}: {', '.join(embedding[:MOST])}{more}" if embedding else "no module that embeds"


def _binary(place: Place) -> Finding:
    """RETURNS (Finding): Whether a server of our own could start; it is not started."""
    from spacy_synthesizrr.stores.weaviate.connect import require_client
    from spacy_synthesizrr.stores.weaviate.embedded import DATA, binaries

    require_client()
    from weaviate.embedded import EmbeddedOptions

    folder = Path(place.embedded.binary_path or EmbeddedOptions().binary_path).expanduser()
    there = list(binaries(folder)) if folder.is_dir() else []
    data = Path(place.embedded.data_path or DATA)
    state = f"data in {data}, {size(data) / 2**20:,.1f} MB" if data.is_dir() else f"no data yet in {data}"
    wanted = place.embedded.version
    if (wanted in there) if wanted else there:
        return Finding(PART, "server", "ok", f"binary of version {wanted or there[-1]} in {folder}; {state}; it starts with every step")
    cure = (
        "It is downloaded from github.com when a step first needs it. Where that is closed, put the binary there by hand (docs/stores.md), "
        "or start a server and set $WEAVIATE_URL (docs/services.md), or use --vars.store memory."
    )
    return Finding(PART, "server", "missing", f"no binary{f' of version {wanted}' if wanted else ''} in {folder}; {state}", cure)
