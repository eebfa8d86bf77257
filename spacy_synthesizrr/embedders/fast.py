"""`synthesizrr.FastEmbed.v1`: a pretrained sentence model through ONNX, by its name in fastembed or from a local folder.

Nothing is loaded or downloaded before the first fit or text.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.embedders.base import EMBEDDER_FILE, unit_rows
from spacy_synthesizrr.embedders.onnx import EXTRA, MODEL, POOLS, TOKENIZER, OnnxModel, fingerprint
from spacy_synthesizrr.errors import ConfigError, StoreError, choices, require
from spacy_synthesizrr.jsonl import read_json, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTORY = "synthesizrr.FastEmbed.v1"
PROBE = "The ferry reached the island before the storm."
COMPANY = ("A choir in the harbour sang an old song .", "1, 2, 3: prices fell!", "No penalty , said the keeper .")  # as short
SAME = 0.999  # cosine of the probe's vectors by one model on two machines, or with two releases of a library
ALONE = 1e-3  # part of its length by which a vector may differ in company
SIGNS = 64  # numbers of the probe's vector whose signs are part of the id of a model by name
Run = Callable[[Sequence[str], int], "NDArray[np.float32]"]


class FastEmbedder:
    """A pretrained model; the parameters are those of `make_fast_embedder`."""

    pretrained = True

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters
        self._probe: NDArray[np.float32] | None = None
        self._stored_id = ""

    def __getstate__(self) -> dict[str, Any]:
        return {
            key: value for key, value in self.__dict__.items() if key not in ("_run", "_batch")
        }  # another process loads the model itself

    @property
    def normalised(self) -> bool:
        """RETURNS (bool): Whether vectors are brought to length 1."""
        return bool(self.parameters["normalise"])

    @functools.cached_property
    def recipe(self) -> str:
        """RETURNS (str): The model and all that shapes a vector; a local model is named by the hash of its files.

        RAISES (ConfigError): When a file of a local model is missing.
        """
        given = self.parameters
        name = f"fastembed-{given['model']}"
        if given["folder"]:
            hashed = fingerprint([Path(given["folder"]) / file for file in (MODEL, TOKENIZER)])
            name = f"onnx-{hashed}-{given['pooling']}-t{given['max_tokens'] or 0}"
        prefixes = [f"{kind}={given[f'{kind}_prefix']!r}" for kind in ("query", "passage") if given[f"{kind}_prefix"]]
        return "-".join([name, "unit" if self.normalised else "raw", *prefixes])

    @property
    def id(self) -> str:
        """RETURNS (str): The recipe, the number of dimensions, and for a model by name, whose files nobody has hashed, the signs of what
        it says about a fixed text: another machine, whose arithmetic differs in the last digits, must give the same id.

        RAISES (StoreError): Before the fit.
        """
        signs = np.packbits(self._fitted[:SIGNS] > 0).tobytes()
        if self._stored_id:
            return self._stored_id
        return f"{self.recipe}-{self.dimensions}" + ("" if self.parameters["folder"] else f"-{signs.hex()}")

    @property
    def dimensions(self) -> int:
        """RETURNS (int): Numbers in a vector.

        RAISES (StoreError): Before the fit.
        """
        return len(self._fitted)

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Load the model and ask it about a fixed text; the texts stay unread.

        RAISES (MissingExtraError): When a package is not installed.
        RAISES (ConfigError): When the model cannot be found or loaded.
        """
        self._probe, self._stored_id = None, ""
        self.recipe  # noqa: B018  (names a file that is missing)
        self._probe = self._run([PROBE], 1)[0]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of passages, shape (len(texts), dimensions)."""
        return self._embed(texts, self.parameters["passage_prefix"])

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of queries, shape (len(texts), dimensions)."""
        return self._embed(texts, self.parameters["query_prefix"])

    def save(self, folder: Path) -> None:
        """Write embedder.json; the model stays where it is."""
        folder.mkdir(parents=True, exist_ok=True)
        probe = [float(number) for number in self._fitted]
        about = {"v": 1, "factory": FACTORY, "parameters": self.parameters, "id": self.id, "recipe": self.recipe, "probe": probe}
        write_json(folder / EMBEDDER_FILE, about)

    def load(self, folder: Path) -> FastEmbedder:
        """RETURNS (FastEmbedder): What `save` wrote; the model is loaded, and compared with it, when the first text comes."""
        about = read_json(folder / EMBEDDER_FILE, cure="Delete the index and run the step 'index' again.")
        loaded = FastEmbedder(**self.parameters)
        loaded.recipe = about["recipe"]
        loaded._probe, loaded._stored_id = np.array(about["probe"], dtype=np.float32), about["id"]
        return loaded

    def _embed(self, texts: Sequence[str], prefix: str) -> NDArray[np.float32]:
        fitted = self._fitted
        vectors = self._run([prefix + text for text in texts], self._batch) if texts else np.zeros((0, len(fitted)), dtype=np.float32)
        return unit_rows(vectors) if self.normalised else np.ascontiguousarray(vectors, dtype=np.float32)

    @property
    def _fitted(self) -> NDArray[np.float32]:
        if self._probe is None:
            raise StoreError("This embedder has not been fitted. Call fit(texts, seed=…) or load(folder) first.")
        return self._probe

    @functools.cached_property
    def _batch(self) -> int:
        """RETURNS (int): Texts at once. 1 for a model that rounds the numbers of a whole batch together, as dynamically quantized ones
        do: there, a vector depends on the other texts (by a cosine of 0.98, as measured), and batches save no time.
        """
        alone, beside = self._run([PROBE], 1)[0], self._run([PROBE, *COMPANY], 1 + len(COMPANY))[0]
        same = np.linalg.norm(alone - beside) <= ALONE * np.linalg.norm(alone)
        return int(self.parameters["batch"]) if same else 1

    @functools.cached_property
    def _run(self) -> Run:
        """Loads the model; refuses it when it is not the one of the fit."""
        given = self.parameters
        if given["folder"]:
            model = OnnxModel(Path(given["folder"]), pooling=given["pooling"], max_tokens=given["max_tokens"], threads=given["threads"])
            run: Run = model.embed
        else:
            run = _named(given["model"], cache=given["cache"], threads=given["threads"])
        if self._probe is not None:
            now = run([PROBE], 1)
            if now.shape[1:] != self._probe.shape or float(unit_rows(now)[0] @ unit_rows([self._probe])[0]) < SAME:
                raise StoreError(
                    f"The model of the embedder {self.recipe} gives other vectors than when this index was built: its files have changed. "
                    "Put the old files back, or delete the index and run the step 'index' again."
                )
        return run


def _named(name: str, *, cache: str | None, threads: int | None) -> Run:
    """Load a model by its name in fastembed, which downloads it when it is not in the cache."""
    fastembed = require("fastembed", EXTRA)
    names = [about["model"] for about in fastembed.TextEmbedding.list_supported_models()]
    if name.lower() not in map(str.lower, names):
        raise ConfigError(f"[embedder] fastembed knows no model '{name}'. {choices(name, names)} For any other model give its folder.")
    try:
        model = fastembed.TextEmbedding(name, cache_dir=cache, threads=threads)
    except Exception as error:  # whatever the download or ONNX Runtime raise
        raise ConfigError(
            f"The model '{name}' can be neither found in fastembed's cache nor downloaded ({' '.join(str(error).split())}). Where the "
            f"network is closed, bring a folder with {MODEL} and {TOKENIZER} and give it as [embedder] folder."
        ) from error

    def run(texts: Sequence[str], batch: int) -> NDArray[np.float32]:
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found = np.array(list(model.embed([texts[place] for place in order], batch_size=batch)), dtype=np.float32)
        return found[np.argsort(order)]

    return run


def make_fast_embedder(
    model: str = "",
    folder: str = "",
    pooling: str | None = None,
    normalise: bool = True,
    query_prefix: str = "",
    passage_prefix: str = "",
    max_tokens: int | None = None,
    batch: int = 32,
    threads: int | None = None,
    cache: str | None = None,
) -> FastEmbedder:
    """Make an embedder of a pretrained model; needs the extra `embed`.

    model (str): Its name in fastembed, such as "BAAI/bge-small-en-v1.5"; it is downloaded when it is first needed.
    folder (str): Or a folder with `model.onnx` and `tokenizer.json`.
    pooling (str): With a folder: "mean" (default), "cls", "last", or "none" for a model that pools itself.
    normalise (bool): Bring vectors to length 1.
    query_prefix (str), passage_prefix (str): Put before each text, such as "query: " and "passage: " for the E5 models.
    max_tokens (int): With a folder: where texts are cut; by default as tokenizer.json says.
    batch (int): Most texts that are computed at once; a dynamically quantized model computes one at a time.
    threads (int): Of the processor; all by default.
    cache (str): Where fastembed keeps its models; by default where FASTEMBED_CACHE_PATH says.
    RETURNS (FastEmbedder): Not fitted.
    RAISES (ConfigError): When the parameters do not fit each other.
    """
    if bool(model) == bool(folder):
        raise ConfigError(
            "[embedder] needs one of 'model', such as \"BAAI/bge-small-en-v1.5\", and 'folder' with model.onnx and tokenizer.json."
        )
    if model and (pooling is not None or max_tokens is not None):
        raise ConfigError("[embedder] 'pooling' and 'max_tokens' hold for a folder; a model by name brings its own.")
    if pooling is not None and pooling not in POOLS:
        raise ConfigError(f'[embedder] pooling = "{pooling}" is unknown. {choices(pooling, POOLS)}')
    for name, value in (("batch", batch), ("max_tokens", max_tokens), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigError(f"[embedder] '{name}' must be 1 or more (was: {value}).")
    return FastEmbedder(
        model=model, folder=folder, pooling=(pooling or "mean") if folder else None, normalise=normalise, query_prefix=query_prefix,
        passage_prefix=passage_prefix, max_tokens=max_tokens, batch=batch, threads=threads, cache=cache,
    )  # fmt: skip
