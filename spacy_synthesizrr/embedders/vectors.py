"""`synthesizrr.SpacyVectors.v1`: the mean of the word vectors of an installed spaCy pipeline.

Only the tokenizer and the vectors of the pipeline are used; none of its components is loaded.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.embedders.base import EMBEDDER_FILE, unit_rows
from spacy_synthesizrr.errors import ConfigError, InputError, StoreError, choices
from spacy_synthesizrr.jsonl import read_json, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from spacy.language import Language

FACTORY = "synthesizrr.SpacyVectors.v1"


class SpacyVectors:
    """Word vectors of a pipeline.

    pipeline (str): Its package, or its folder.
    """

    normalised, pretrained = True, True

    def __init__(self, pipeline: str) -> None:
        self.pipeline = pipeline
        self._stored: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_nlp"}  # another process loads it itself

    @functools.cached_property
    def recipe(self) -> str:
        """RETURNS (str): Name and version of the pipeline.

        RAISES (ConfigError): When it is not installed.
        """
        meta = read_json(_place(self.pipeline) / "meta.json")
        return f"spacy-vectors-{meta['lang']}_{meta['name']}-{meta['version']}"

    @property
    def id(self) -> str:
        """RETURNS (str): The recipe, and a hash of the vectors.

        RAISES (StoreError): Before the fit.
        """
        return str(self._known("name"))

    @property
    def dimensions(self) -> int:
        """RETURNS (int): Numbers in a vector.

        RAISES (StoreError): Before the fit.
        """
        return int(self._known("dimensions"))

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Load the pipeline; the texts stay unread.

        RAISES (ConfigError): When it is not installed or has no vectors.
        """
        self._stored = {}
        self._stored = _about(self._nlp, self.recipe)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Shape (len(texts), dimensions), rows of length 1; a text without a known word is a zero row."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        nlp = self._nlp
        with nlp.memory_zone():  # or the vocabulary would remember every word that it has met
            for row, text in enumerate(texts):
                vectors[row] = nlp.tokenizer(text).vector
        return unit_rows(vectors)

    def save(self, folder: Path) -> None:
        """Write embedder.json; the pipeline stays where it is."""
        folder.mkdir(parents=True, exist_ok=True)
        about = {"v": 1, "factory": FACTORY, "parameters": {"pipeline": self.pipeline}, "name": self.id, "dimensions": self.dimensions}
        write_json(folder / EMBEDDER_FILE, about)

    def load(self, folder: Path) -> SpacyVectors:
        """RETURNS (SpacyVectors): What `save` wrote; the pipeline is loaded, and compared with it, when the first text comes."""
        about = read_json(folder / EMBEDDER_FILE, cure="Delete the index and run the step 'index' again.")
        loaded = SpacyVectors(self.pipeline)
        loaded._stored = {name: about[name] for name in ("name", "dimensions")}
        return loaded

    def _known(self, name: str) -> Any:
        if not self._stored:
            raise StoreError("This embedder has not been fitted. Call fit(texts, seed=…) or load(folder) first.")
        return self._stored[name]

    @functools.cached_property
    def _nlp(self) -> Language:
        nlp = _load(self.pipeline)
        if self._stored and (now := _about(nlp, self.recipe)) != self._stored:
            raise StoreError(
                f"This index was built with the vectors {self._stored['name']}, but the pipeline '{self.pipeline}' that is installed now "
                f"has {now['name']}. Install the old version, or delete the index and run the step 'index' again."
            )
        return nlp


def _place(pipeline: str) -> Path:
    """RETURNS (Path): The folder of a pipeline with its meta.json."""
    from spacy.util import get_installed_models, get_package_path, is_package

    path = get_package_path(pipeline) if is_package(pipeline) else Path(pipeline)
    if not (path / "meta.json").is_file():
        installed = sorted(get_installed_models())
        cure = choices(pipeline, installed) if installed else "None is installed; get one with: python -m spacy download en_core_web_md"
        raise ConfigError(f"[embedder] There is no pipeline '{pipeline}', neither as a package nor as a folder. {cure}")
    return path


def _load(pipeline: str) -> Language:
    """Load a pipeline without its components."""
    import spacy

    try:
        nlp = spacy.load(pipeline, exclude=read_json(_place(pipeline) / "meta.json")["pipeline"])
    except (OSError, ValueError, KeyError, InputError) as error:  # what spaCy says of models
        raise ConfigError(f"[embedder] The pipeline '{pipeline}' cannot be loaded: {' '.join(str(error).split())}") from error
    if not nlp.vocab.vectors.data.size:
        raise ConfigError(
            f"[embedder] The pipeline '{pipeline}' has no word vectors. Take one that has, such as en_core_web_md "
            "(python -m spacy download en_core_web_md), or another embedder."
        )
    return nlp


def _about(nlp: Language, recipe: str) -> dict[str, Any]:
    vectors = nlp.vocab.vectors
    state = hashlib.sha256(np.ascontiguousarray(vectors.data).data)
    state.update(np.array(sorted(vectors.key2row.items()), dtype=np.uint64).tobytes())
    state.update(repr([getattr(vectors, name) for name in ("mode", "minn", "maxn", "hash_count", "hash_seed", "bow", "eow")]).encode())
    return {"name": f"{recipe}-{state.hexdigest()[:16]}", "dimensions": int(vectors.data.shape[1])}


def make_spacy_vectors(pipeline: str) -> SpacyVectors:
    """Make an embedder of the word vectors of a spaCy pipeline.

    pipeline (str): An installed package such as "en_core_web_md", or the folder of a pipeline.
    RETURNS (SpacyVectors): Not fitted.
    RAISES (ConfigError): When the name is empty.
    """
    if not pipeline:
        raise ConfigError("[embedder] 'pipeline' is empty. Name an installed pipeline with vectors, such as \"en_core_web_md\".")
    return SpacyVectors(pipeline)
