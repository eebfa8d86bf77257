"""The files of a local transformers model: which they are, that nothing in them can run code, and what tells them from others.

Weights are safetensors or GGUF. Pickled weights (.bin, .pt …) are refused, because reading a pickle can run any program
that its author put in; they are not even downloaded. Code that lies beside a model is never run either.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import ConfigError, TeacherError, choices, require
from spacy_synthesizrr.fingerprints import fingerprint_file
from spacy_synthesizrr.models.hf.gguf import read_metadata
from spacy_synthesizrr.models.hf.settings import NAME

EXTRA = "transformers"
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
ABOUT = (".json", ".jinja", ".txt", ".model", ".tiktoken")  # configuration, tokenizer, chat template
DOWNLOADED = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
WHY_NOT = "Reading pickled weights can run any program that their author put in, so they are never loaded."
CURE = "Choose another revision or model that comes as safetensors, or a GGUF file; or let its author convert it."
# under which names configurations keep the length of the context
_LENGTHS = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "seq_length", "n_ctx")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelFiles:
    """The files of one model.

    folder (Path): Where they lie.
    weights (Tuple[str, ...]): Names of the files with weights.
    gguf (bool): Whether those are one GGUF file, which also holds configuration and tokenizer.
    """

    folder: Path
    weights: Tuple[str, ...]
    gguf: bool

    def digest(self) -> str:
        """What tells this model from others: a hash over all bytes that are loaded, wherever they lie.

        Nothing less would do: another training of the same model has files of the same names, sizes and headers, and it may
        differ in a few rows only. It takes about a second per GB; in the hub's cache the weights' hashes are known already.
        """
        about = [] if self.gguf else [path.name for path in sorted(self.folder.iterdir()) if path.suffix in ABOUT and path.is_file()]
        names = sorted({*about, *self.weights})
        return digest("model", *(part for name in names for part in (name, _sha256(self.folder / name))))

    def context_length(self) -> int | None:
        """RETURNS (int | None): Tokens of prompt and answer together; None where the model does not say."""
        if self.gguf:
            about = read_metadata(self.folder / self.weights[0])
            return _length(about.get(f"{about.get('general.architecture')}.context_length"))
        about = self.read("config.json")
        parts = (about, about.get("text_config") or {})
        return next((found for part in parts for key in _LENGTHS if (found := _length(part.get(key)))), None)

    def read(self, name: str) -> Dict[str, Any]:
        """RETURNS (Dict[str, Any]): A JSON file of the folder; empty where there is none, and for GGUF.
        RAISES (ConfigError): When it holds no JSON object.
        """
        path = self.folder / name
        if self.gguf or not path.is_file():
            return {}
        return _json(path)


def _length(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _json(path: Path) -> Dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON ({error}). Get the model again.") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no JSON object. Get the model again.")
    return found


def _sha256(path: Path) -> str:
    """The hub's cache holds links to files that are called by the SHA-256 of what is in them, where they are large."""
    target = path.resolve().name if path.is_symlink() else ""
    return target if _SHA256.fullmatch(target) else fingerprint_file(path)


def is_hub_name(model: str) -> bool:
    """RETURNS (bool): Whether a model that is no file or folder here could be one of the hub, ACCOUNT/NAME."""
    return bool(_HUB_NAME.fullmatch(model)) and not model.endswith(".gguf")


def check_name(model: str, gguf_file: str | None) -> None:
    """Look at what lies on this machine. Asks no network.

    RAISES (ConfigError): When nothing of that name can be there, or what is there cannot be used.
    """
    if not isinstance(model, str) or not model.strip():
        raise ConfigError(f"{NAME}: model is empty. Give a folder, a GGUF file, or the name of a model of the Hugging Face hub.")
    if gguf_file is not None and (not gguf_file.endswith(".gguf") or Path(gguf_file).name != gguf_file):
        raise ConfigError(f"{NAME}: gguf_file = '{gguf_file}' must be the name of a .gguf file, without a folder.")
    path = Path(model).expanduser()
    if path.exists():
        local_files(path, gguf_file)
    elif not is_hub_name(model):
        raise ConfigError(
            f"{NAME}: model = '{model}' is not there (looked from {Path.cwd()}). Give a folder, a GGUF file, or the name of a model "
            "of the Hugging Face hub, ACCOUNT/NAME."
        )


def find_files(model: str, *, revision: str | None = None, gguf_file: str | None = None) -> ModelFiles:
    """The files of a model, from the hub where they are not on this machine.

    model (str): A folder, a GGUF file, or a name of the hub.
    revision (str | None): Of the hub: a branch, tag or commit.
    gguf_file (str | None): The file to take where there are several, or safetensors too.
    RAISES (ConfigError): When they cannot be used.
    RAISES (TeacherError): When they cannot be had.
    """
    check_name(model, gguf_file)
    path = Path(model).expanduser()
    return local_files(path if path.exists() else _download(model, revision, gguf_file), gguf_file)


def local_files(path: Path, gguf_file: str | None = None) -> ModelFiles:
    """The files of a model on this machine; see `find_files`."""
    if path.is_file():
        if path.suffix != ".gguf":
            raise ConfigError(
                f"{NAME}: model = '{path}' is a file that is no .gguf. Give the folder that holds the model. {_pickled([path])}"
            )
        return ModelFiles(path.parent, (path.name,), True)
    names = {file.name for file in path.iterdir() if file.is_file()}
    if gguf_file is None and (weights := tuple(_safetensors(path, names))):
        _check_folder(path, names)
        return ModelFiles(path, weights, False)
    found = sorted(name for name in names if name.endswith(".gguf"))
    if gguf_file is None and len(found) > 1:
        raise ConfigError(f"{NAME}: {path} holds {len(found)} GGUF files. Choose one with gguf_file. {choices('', found)}")
    if gguf_file is not None and gguf_file not in found:
        raise ConfigError(f"{NAME}: {path} holds no '{gguf_file}'. {choices(gguf_file, found)}")
    if not found:
        looked = f"neither {SINGLE}, nor {INDEX}, nor a .gguf file"
        raise ConfigError(f"{NAME}: {path} holds no weights that can be loaded ({looked}). {_pickled(path.iterdir())}{CURE}")
    return ModelFiles(path, (gguf_file or found[0],), True)


def _safetensors(folder: Path, names: set[str]) -> Iterator[str]:
    if SINGLE in names:
        yield SINGLE
    elif INDEX in names:
        shards = sorted({str(name) for name in dict(_json(folder / INDEX).get("weight_map") or {}).values()})
        if missing := [name for name in shards if name not in names]:
            raise ConfigError(f"{NAME}: {folder} lacks {', '.join(missing[:5])}, which {INDEX} names. Get the model again.")
        yield from shards


def _check_folder(folder: Path, names: set[str]) -> None:
    if "config.json" not in names:
        raise ConfigError(f"{NAME}: {folder} has weights and no config.json. Give the whole folder of the model.")
    if "adapter_config.json" in names:
        raise ConfigError(f"{NAME}: {folder} holds an adapter. Merge it into its model, save that, and give the folder.")


def _pickled(paths: Any) -> str:
    found: List[str] = sorted(path.name for path in paths if path.suffix in PICKLES)
    return f"There are pickled weights ({', '.join(found[:3])}). {WHY_NOT} " if found else ""


def _download(name: str, revision: str | None, gguf_file: str | None) -> Path:
    """Take a model from the hub, or from the hub's cache where HF_HUB_OFFLINE is set or the network is away."""
    hub = require("huggingface_hub", EXTRA)
    weights = [gguf_file] if gguf_file else ["model*.safetensors"]
    try:
        return Path(hub.snapshot_download(name, revision=revision, allow_patterns=[*DOWNLOADED, *weights], ignore_patterns=["*/*"]))
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())[:300]
        raise TeacherError(
            f"{NAME}: '{name}' is neither a folder here nor can it be had from the Hugging Face hub ({type(error).__name__}: {said}). "
            "Check name and revision; a model behind a licence needs `hf auth login` or HF_TOKEN; on a machine without network, "
            f"copy the folder there and set model to its path, or run `hf download {name}` beforehand."
        ) from error
