"""Where a pretrained model lies: a folder, an installed package that carries one, or the cache of the Hugging Face hub."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spacy_synthesizrr.embedders.sentence_layout import LOADED, WEIGHTS
from spacy_synthesizrr.errors import ConfigError, require

EXTRA = "transformers"
CONFIG, MODULES = "config.json", "modules.json"
NO_MODEL = 'Give the folder of a model, or its name in the Hugging Face hub, such as "sentence-transformers/all-MiniLM-L6-v2".'


@contextlib.contextmanager
def loading(folder: Path, *, section: str = "embedder", what: str = "model") -> Iterator[None]:
    """Tell what the libraries say of a model that they cannot load.

    section (str), what (str): Of the config file, and what it names, for the error.
    RAISES (ConfigError): In place of whatever they raise.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, TypeError) as error:
        raise ConfigError(f"[{section}] The {what} in {folder} cannot be loaded: {' '.join(str(error).split())[:600]}") from error


def model_folder(names: str | Sequence[str], revision: str | None, *, section: str = "embedder", cached: bool = False) -> Path:
    """Find a model; by its name in the hub it is downloaded where it is not in the hub's cache.

    names (str | Sequence[str]): A folder, an importable package with a model in it (which is not imported), or a name in the hub;
        of several the first that is on this machine, else the first that can be downloaded.
    revision (str): Of a model of the hub: a branch, tag or commit.
    section (str): Of the config file, for errors.
    cached (bool): Take a model from the hub's cache without asking the hub whether there is a newer one.
    RETURNS (Path): Its folder.
    RAISES (MissingExtraError): When a name is one of the hub and the hub's package is not installed.
    RAISES (ConfigError): When there is no such model.
    """
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        folder = Path(name).expanduser()
        found = folder if folder.is_dir() else package_folder(name)
        if found is not None:
            return found
    of_hub = [name for name in given if name.count("/") == 1 and not name.startswith((".", "/", "~"))]
    if not of_hub:
        raise ConfigError(f"[{section}] There is no model {_named(given)}. {NO_MODEL}")
    return _from_hub(given, of_hub, revision, section=section, cached=cached)


def package_folder(name: str) -> Path | None:
    """The model inside an installed package, by the package's name; no code of it runs.

    RETURNS (Path | None): The folder with the model's config.json, nearest to the package's own; None where there is none.
    """
    try:
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except ValueError:  # a module that was made by hand
        spec = None
    places = [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
    return next((folder for place in places for folder in _inside(place) if _is_model(folder)), None)


def _inside(place: Path) -> Iterator[Path]:
    yield place
    yield from sorted(folder for folder in place.iterdir() if folder.is_dir())


def _is_model(folder: Path) -> bool:
    return (folder / CONFIG).is_file() or (folder / MODULES).is_file()


def _from_hub(given: Sequence[str], names: Sequence[str], revision: str | None, *, section: str, cached: bool) -> Path:
    hub = require("huggingface_hub", EXTRA)
    wanted: dict[str, Any] = {"revision": revision, "allow_patterns": [f"*{suffix}" for suffix in LOADED]}
    tries = [(name, {"local_files_only": True}) for name in names if cached] + [(name, {}) for name in names]
    why: Exception | None = None
    for name, how in tries:
        try:
            folder = Path(hub.snapshot_download(name, **wanted, **how))
        except Exception as error:  # whatever the hub and the network raise
            why = error
            continue
        if not how or (_is_model(folder) and any(folder.rglob(f"*{WEIGHTS}"))):  # what others left in the cache may be half of it
            return folder
    raise ConfigError(
        f"[{section}] The model {_named(given)} is neither a folder here, nor in the hub's cache, nor can it be downloaded "
        f"({' '.join(str(why).split())[:300]}). {NO_MODEL} Where the network is closed, bring the folder."
    ) from why


def _named(names: Sequence[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
