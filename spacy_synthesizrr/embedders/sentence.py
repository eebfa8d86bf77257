"""`synthesizrr.SentenceTransformers.v1`: a sentence-transformers model by its name or folder, with torch.

Nothing is loaded or downloaded before the recipe or a text is asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.embedders.base import EMBEDDER_FILE, unit_rows
from spacy_synthesizrr.embedders.folders import NO_MODEL, model_folder
from spacy_synthesizrr.embedders.sentence_layout import Layout, check_pooling, read_layout
from spacy_synthesizrr.embedders.sentence_model import Run, load_model
from spacy_synthesizrr.errors import ConfigError, StoreError
from spacy_synthesizrr.jsonl import read_json, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTORY = "synthesizrr.SentenceTransformers.v1"
QUERY, PASSAGE = ("query",), ("document", "passage", "corpus")  # names of prompts


class SentenceEmbedder:
    """A pretrained model; the parameters are those of `make_sentence_transformers`."""

    pretrained = True

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters
        self._dimensions = 0

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_run", "_layout")}  # loaded there again

    @property
    def normalised(self) -> bool:
        """RETURNS (bool): Whether vectors are brought to length 1."""
        return bool(self.parameters["normalise"])

    @functools.cached_property
    def recipe(self) -> str:
        """RETURNS (str): A hash of the model's files, its name where it is one of the hub, and what is done with them.

        RAISES (ConfigError): When there is no such model.
        """
        return self._recipe_now()

    def _recipe_now(self) -> str:
        layout, given = self._layout, self.parameters
        cut = given["max_tokens"] or layout.max_tokens or 0
        prefixes = [f"{kind}={prefix!r}" for kind, prefix in self._prefixes.items() if prefix]
        name = [] if Path(given["model"]).expanduser().is_dir() else [given["model"]]
        parts = ["sentence", *name, layout.digest(), "+".join(layout.pooling), f"t{cut}", "unit" if self.normalised else "raw", *prefixes]
        return "-".join(parts)

    @property
    def id(self) -> str:
        """RETURNS (str): The recipe and the number of dimensions.

        RAISES (StoreError): Before the fit.
        """
        return f"{self.recipe}-{self.dimensions}"

    @property
    def dimensions(self) -> int:
        """RETURNS (int): Numbers in a vector.

        RAISES (StoreError): Before the fit.
        """
        if not self._dimensions:
            raise StoreError("This embedder has not been fitted. Call fit(texts, seed=…) or load(folder) first.")
        return self._dimensions

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Load the model; the texts stay unread.

        RAISES (MissingExtraError): When a package is not installed.
        RAISES (ConfigError): When the model cannot be found or loaded.
        """
        self._dimensions = 0
        self.recipe = self._recipe_now()
        self._dimensions = self._run(["a"], "").shape[1]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of passages, shape (len(texts), dimensions)."""
        return self._embed(texts, "passage")

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of queries, shape (len(texts), dimensions)."""
        return self._embed(texts, "query")

    def save(self, folder: Path) -> None:
        """Write embedder.json; the model stays where it is."""
        folder.mkdir(parents=True, exist_ok=True)
        about = {"v": 1, "factory": FACTORY, "parameters": self.parameters, "recipe": self.recipe, "dimensions": self.dimensions}
        write_json(folder / EMBEDDER_FILE, about)

    def load(self, folder: Path) -> SentenceEmbedder:
        """RETURNS (SentenceEmbedder): What `save` wrote; the model is loaded, and compared with it, when the first text comes."""
        about = read_json(folder / EMBEDDER_FILE, cure="Delete the index and run the step 'index' again.")
        loaded = SentenceEmbedder(**self.parameters)
        loaded.recipe, loaded._dimensions = about["recipe"], about["dimensions"]
        return loaded

    def _embed(self, texts: Sequence[str], kind: str) -> NDArray[np.float32]:
        dimensions = self.dimensions
        vectors = self._run(texts, self._prefixes[kind]) if texts else np.zeros((0, dimensions), dtype=np.float32)
        return unit_rows(vectors) if self.normalised else np.ascontiguousarray(vectors, dtype=np.float32)

    @functools.cached_property
    def _layout(self) -> Layout:
        layout, pooling = read_layout(model_folder(self.parameters["model"], self.parameters["revision"])), self.parameters["pooling"]
        if pooling is None:
            return layout
        if layout.foreign:
            raise ConfigError(f"[embedder] 'pooling' cannot be set for this model, which {layout.foreign}. Take it out.")
        return Layout(**{**layout.__dict__, "pooling": (pooling,)})

    @property
    def _prefixes(self) -> dict[str, str]:
        """RETURNS (dict): What stands before a query and a passage: as the config says, else as the model does."""
        given, named = self.parameters, {"query": QUERY, "passage": PASSAGE}
        return {
            kind: self._layout.prompt(names) if given[f"{kind}_prefix"] is None else given[f"{kind}_prefix"]
            for kind, names in named.items()
        }

    @functools.cached_property
    def _run(self) -> Run:
        """Loads the model; refuses it when it is not the one of the fit."""
        if self._dimensions and (now := self._recipe_now()) != self.recipe:
            raise StoreError(
                f"This index was built with the embedder {self.recipe}, but the model '{self.parameters['model']}' is {now} now: its files "
                "have changed. Put the old files back, or delete the index and run the step 'index' again."
            )
        given = self.parameters
        return load_model(self._layout, max_tokens=given["max_tokens"], batch=given["batch"], device=given["device"])


def make_sentence_transformers(
    model: str,
    pooling: str | None = None,
    normalise: bool = True,
    query_prefix: str | None = None,
    passage_prefix: str | None = None,
    max_tokens: int | None = None,
    batch: int = 32,
    device: str = "auto",
    revision: str | None = None,
) -> SentenceEmbedder:
    """Make an embedder of a sentence-transformers model; needs the extra `transformers`.

    model (str): Its folder, its name in the Hugging Face hub, or the name of an installed Python package that carries it.
    pooling (str): "mean", "cls", "max", "lasttoken", "mean_sqrt_len_tokens" or "weightedmean"; by default as the model says, and
        "mean" where it is a transformer that says nothing.
    normalise (bool): Bring vectors to length 1.
    query_prefix (str), passage_prefix (str): Put before each text; by default the model's own prompts. "" for none.
    max_tokens (int): Where texts are cut; by default as the model says.
    batch (int): Most texts that are computed at once.
    device (str): Of torch, such as "cpu" or "cuda:1"; "auto" takes a GPU where there is one.
    revision (str): Of a model of the hub: a branch, tag or commit.
    RETURNS (SentenceEmbedder): Not fitted.
    RAISES (ConfigError): When a parameter cannot be.
    """
    if not model:
        raise ConfigError(f"[embedder] 'model' is empty. {NO_MODEL}")
    if pooling is not None:
        check_pooling(pooling)
    for name, value in (("batch", batch), ("max_tokens", max_tokens)):
        if value is not None and value < 1:
            raise ConfigError(f"[embedder] '{name}' must be 1 or more (was: {value}).")
    return SentenceEmbedder(
        model=model, pooling=pooling, normalise=normalise, query_prefix=query_prefix, passage_prefix=passage_prefix,
        max_tokens=max_tokens, batch=batch, device=device, revision=revision,
    )  # fmt: skip
