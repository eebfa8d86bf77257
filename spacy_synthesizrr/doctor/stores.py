"""The store of a config: which it is, whether it can be reached, what lies in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.configs import build
from spacy_synthesizrr.doctor.findings import Finding, from_error
from spacy_synthesizrr.doctor.machine import US, version
from spacy_synthesizrr.errors import InputError, SynthesizrrError
from spacy_synthesizrr.fingerprints import size
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.stores.base import brings_passages
from spacy_synthesizrr.stores.memory import MemoryStore
from spacy_synthesizrr.stores.opening import NOTE
from spacy_synthesizrr.stores.survey import Held, survey
from spacy_synthesizrr.stores.weaviate.collection import CollectionStore
from spacy_synthesizrr.stores.weaviate.home import NOTES
from spacy_synthesizrr.stores.weaviate.schema import PREFIX
from spacy_synthesizrr.stores.weaviate.settings import Place, address
from spacy_synthesizrr.stores.weaviate.store import WeaviateStore

PART = "store"
SECONDS = 5.0  # that a server is waited for
MOST = 8  # indexes or modules that are listed
EMBEDS = "text2vec-"
NEEDS = {  # what a registered embedder cannot do without: packages, extra
    "synthesizrr.FastEmbed.v1": (("fastembed",), "embed"),
    "synthesizrr.SentenceTransformers.v1": (("torch", "transformers"), "transformers"),
}


def look_at_store(config: Mapping[str, Any], path: Path, *, key: str = "") -> list[Finding]:
    """Look at the store and the embedder of a config.

    config (Mapping): As it was read. path (Path): Of the file.
    key (str): Of the index that a run uses, if it has one.
    """
    try:
        store = build(_hurried(config), "store", path=path)
    except SynthesizrrError as error:
        return [from_error(PART, str(path), error)]
    with contextlib.closing(store):
        if isinstance(store, MemoryStore):
            found = _in_memory(store, key)
        elif isinstance(store, (WeaviateStore, CollectionStore)):
            found = _in_weaviate(store, key, str((config.get("embedder") or {}).get("module") or ""))
        else:
            found = [Finding(PART, type(store).__name__, "unknown", "a store of another package")]
    if "embedder" not in config and brings_passages(store):
        return found
    return [*found, _embedder(config, path)]


def _hurried(config: Mapping[str, Any]) -> dict[str, Any]:
    """RETURNS (dict): A config whose server is waited for a moment only."""
    block = config.get("store")
    if not isinstance(block, Mapping) or "Weaviate" not in str(block.get("@misc", "")):
        return dict(config)
    connection, pace = dict(block.get("connection") or {}), dict(block.get("pace") or {})
    connection["timeout"] = min(SECONDS, float(connection.get("timeout") or SECONDS))
    return {**config, "store": {**block, "connection": connection, "pace": {**pace, "patience": 0.0}}}


def _embedder(config: Mapping[str, Any], path: Path) -> Finding:
    block = config.get("embedder") or {}
    name, model = str(block.get("@misc", "")), str(block.get("model", ""))
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


def _in_memory(store: MemoryStore, key: str) -> list[Finding]:
    folder = Path(store.location)
    if not folder.is_dir():
        nothing = Finding(PART, "memory", "ok", f"{folder}: nothing there yet; the step `index` makes it")
        return [nothing, *(_indexes([], key) if key else ())]
    if not os.access(folder, os.W_OK):
        return [Finding(PART, "memory", "broken", f"{folder} cannot be written", "Give it to your user, or set [store] path.")]
    return [Finding(PART, "memory", "ok", f"{folder}, {size(folder) / 2**20:,.1f} MB"), *_indexes(survey(store), key)]


def _in_weaviate(store: WeaviateStore | CollectionStore, key: str, module: str) -> list[Finding]:
    if version("weaviate-client") is None:
        return [Finding(PART, "Weaviate", "missing", "weaviate-client not installed", f"pip install '{US}[weaviate]'")]
    found: list[Finding] = []
    try:
        reach = store.place.reach
        found += [Finding(PART, "Weaviate", "ok", f"{reach}: {_how(store.place, reach)}"), *_names(store.place, reach)]
        if reach == "embedded":
            return [*found, _binary(store.place), *_built_here(store, key)]
        return found + _at_server(store, key, module)
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


def _at_server(store: WeaviateStore | CollectionStore, key: str, module: str) -> list[Finding]:
    """module (str): Of the server, with which the config embeds; empty for none."""
    from spacy_synthesizrr.stores.weaviate.connect import connect

    with contextlib.closing(connect(store.place)) as link:
        about = link.client.get_meta()
        modules = about.get("modules") or {}
        found = [Finding(PART, "server", "ok", f"version {about['version']}, answers on HTTP and gRPC, {_modules(modules)}")]
        if module and module not in modules:
            cure = f"Start the server with ENABLE_MODULES={module}, or choose another [embedder]."
            found.append(Finding(PART, "module", "missing", f"the server has no {module}", cure))
    if isinstance(store, CollectionStore):
        return [*found, Finding(PART, "collection", "ok", f"{store.location}: {store.count():,} objects; only read")]
    return found + _indexes(survey(store), key)


def _modules(names: Iterable[str]) -> str:
    """RETURNS (str): The modules of a server that embed texts; there are dozens that do other things."""
    embedding = sorted(name.removeprefix(EMBEDS) for name in names if name.startswith(EMBEDS))
    more = f" and {len(embedding) - MOST} more" if len(embedding) > MOST else ""
    return f"{EMBEDS}: {', '.join(embedding[:MOST])}{more}" if embedding else "no module that embeds"


def _built_here(store: WeaviateStore | CollectionStore, key: str) -> list[Finding]:
    """RETURNS (List[Finding]): What the folder on this machine says of indexes while the server does not run."""
    found = []
    for path in sorted(store.notes.parent.parent.glob("*/about.json")):
        about, note = _read(path), _read(path.parent / NOTES / NOTE)
        name = path.parent.name.removeprefix(f"{PREFIX}_")
        count = f"{note['passages']:,} passages" if "passages" in note else "passages not counted"
        detail = f"{count}, {about.get('embedder', {}).get('id')}, as noted here; the server counts when it runs"
        found.append(Finding(PART, f"index {name[:12]}", "ok", detail + (", of this run" if name == key else ""), needed=name == key))
    return found[:MOST] or [Finding(PART, "indexes", "ok", "none yet")]


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(read_json(path))
    except (InputError, TypeError, ValueError):
        return {}


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


def _indexes(found: list[Held], key: str) -> list[Finding]:
    """RETURNS (List[Finding]): One per index; that of the run first and needed, when it is not whole."""
    ordered = sorted(found, key=lambda held: held.key != key)
    shown = [_index(held, held.key == key) for held in ordered[:MOST]]
    if key and key not in {held.key for held in found}:
        cure = "Run the step again: synthesizrr index --run NAME"
        shown.insert(0, Finding(PART, f"index {key[:12]}", "missing", "the run's index is gone", cure))
    if len(ordered) > MOST:
        shown.append(Finding(PART, "indexes", "ok", f"and {len(ordered) - MOST:,} more: synthesizrr index ls"))
    return shown or [Finding(PART, "indexes", "ok", "none yet")]


def _index(held: Held, of_run: bool) -> Finding:
    name = f"index {held.key[:12]}"
    gone = f" ({held.deleted:,} deleted)" if held.deleted else ""
    detail = f"{held.passages:,} passages{gone}, {held.embedder.get('id', 'embedder unknown')}" + (", of this run" if of_run else "")
    if held.whole:
        return Finding(PART, name, "ok", detail, needed=of_run)
    cure = "Run the step `index` again: it goes on where it stopped. Or remove it: synthesizrr index delete --key " + held.key
    return Finding(PART, name, "broken", f"not whole: {detail}", cure, needed=of_run)
