"""A module of the server as an embedder: `synthesizrr.WeaviateVectorizer.v1`.

Passages are sent without vectors then, and the server embeds them as they come; a query is embedded as it is asked. What else
the project embeds (seeds, to see how close passages are to the seeds of each label; dev and test texts, which no passage may
give away) goes through a scratch collection with the same module.

This is one decision in one place: the section [embedder], where it is made for every embedder. The store needs no setting for
it: from the embedder it knows how to make its collection, and the embedder gets its connection from the store. So its id, the
key of an index, and the refusal of another embedder work as they always do.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.configs import section
from spacy_synthesizrr.embedders.base import EMBEDDER_FILE, Embedder
from spacy_synthesizrr.errors import ConfigError, StoreError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.stores.weaviate.connect import Link, connect
from spacy_synthesizrr.stores.weaviate.scratch import check_module, passage_vectors, query_vectors
from spacy_synthesizrr.stores.weaviate.settings import Module, Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTORY = "synthesizrr.WeaviateVectorizer.v1"
MODULES = "weaviate-text2vec-"  # how their recipes begin
PROBE = "The quick brown fox jumps over the lazy dog."
SAME = 0.99  # cosine of the probe to itself below which the model behind the module is another one


class WeaviateVectorizer:
    """What a module of a Weaviate makes of texts.

    module (Module): Which one, and its settings.
    place (Place): Where the server is; the store says it, see `bound`.
    """

    normalised = True

    def __init__(self, module: Module, place: Place | None = None) -> None:
        self.module, self._place = module, place
        self._probe: NDArray[np.float32] | None = None
        self._checked = False

    @property
    def recipe(self) -> str:
        """RETURNS (str): The module, and a hash of its settings."""
        settings = digest(json.dumps(self.module.settings, sort_keys=True, ensure_ascii=False))
        return f"weaviate-{self.module.module}-{settings[:12]}"

    @property
    def id(self) -> str:
        """RETURNS (str): The recipe and the number of dimensions. Services give slightly other numbers each time, so no vector of
        theirs is part of it; that the model is still the same is tried before it is used.

        RAISES (StoreError): Before the fit.
        """
        return f"{self.recipe}-{self.dimensions}"

    @property
    def dimensions(self) -> int:
        """RETURNS (int): Numbers in a vector.

        RAISES (StoreError): Before the fit.
        """
        return len(self._fitted)

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Ask the module about a fixed text; the texts stay unread.

        RAISES (ConfigError): When the server has no such module.
        RAISES (StoreError): When the module fails.
        """
        self._probe = self._ask(lambda link, place: passage_vectors(link, place, self.module, [PROBE]))[0]
        self._checked = True

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of passages, shape (len(texts), dimensions)."""
        self.check()
        found = self._ask(lambda link, place: passage_vectors(link, place, self.module, texts))
        return found if found.shape[1] else np.zeros((len(texts), self.dimensions), dtype=np.float32)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of queries, shape (len(texts), dimensions)."""
        self.check()
        return self._ask(lambda link, place: query_vectors(link, place, self.module, texts, self.dimensions))

    def check(self) -> None:
        """See once whether the model is still the one of the fit.

        RAISES (StoreError): When it is not.
        """
        fitted = self._fitted
        if self._checked:
            return
        now = self._ask(lambda link, place: passage_vectors(link, place, self.module, [PROBE]))[0]
        if now.shape != fitted.shape or float(now @ fitted) < SAME:
            raise StoreError(changed_model(self.module.module, "this index"))
        self._checked = True

    def save(self, folder: Path) -> None:
        """Write embedder.json; where the server is stays with the store."""
        folder.mkdir(parents=True, exist_ok=True)
        about = {"v": 1, "factory": FACTORY, "parameters": self.module.model_dump(), "id": self.id}
        write_json(folder / EMBEDDER_FILE, {**about, "probe": [float(number) for number in self._fitted]})

    def load(self, folder: Path) -> WeaviateVectorizer:
        """RETURNS (WeaviateVectorizer): What `save` wrote; the store binds it to its server."""
        about = read_json(folder / EMBEDDER_FILE, cure="Delete the index and run the step 'index' again.")
        loaded = WeaviateVectorizer(self.module, self._place)
        loaded._probe = np.array(about["probe"], dtype=np.float32)
        return loaded

    def at(self, place: Place) -> WeaviateVectorizer:
        """RETURNS (WeaviateVectorizer): The same at a server."""
        found = WeaviateVectorizer(self.module, place)
        found._probe, found._checked = self._probe, self._checked and place == self._place
        return found

    def _ask(self, ask: Callable[[Link, Place], NDArray[np.float32]]) -> NDArray[np.float32]:
        if self._place is None:
            raise ConfigError(
                f"[embedder] {FACTORY} works with a store in Weaviate alone: its server makes the vectors. Choose such a store "
                "(--vars.store weaviate), or another embedder."
            )
        with contextlib.closing(connect(self._place)) as link:
            check_module(link, self.module)
            return ask(link, self._place)

    @property
    def _fitted(self) -> NDArray[np.float32]:
        if self._probe is None:
            raise StoreError("This embedder has not been fitted. Call fit(texts, seed=…) or load(folder) first.")
        return self._probe


def changed_model(module: str, where: str) -> str:
    """RETURNS (str): What to say when a module does not give the vectors that it gave."""
    return (
        f"The module {module} gives other vectors than when {where} was built: the model behind it has changed. Bring the old model "
        "back, or delete the index and run the step 'index' again."
    )


def bound(embedder: Embedder, place: Place) -> Embedder:
    """RETURNS (Embedder): The embedder; one whose vectors a server makes, at this server."""
    if isinstance(inner := getattr(embedder, "inner", None), WeaviateVectorizer):  # vectors that were brought: queries are embedded
        setattr(embedder, "inner", inner.at(place))  # noqa: B010  (no embedder need have one)
    return embedder.at(place) if isinstance(embedder, WeaviateVectorizer) else embedder


def module_of(embedder: Embedder) -> Module | None:
    """RETURNS (Optional[Module]): The module of the server that an embedder stands for; None for an embedder of this machine."""
    return embedder.module if isinstance(embedder, WeaviateVectorizer) else None


def make_weaviate_vectorizer(module: str, settings: dict[str, Any] | None = None) -> WeaviateVectorizer:
    """Let a module of the server of the store make the vectors.

    module (str): Its name, such as "text2vec-ollama"; the server must run with it.
    settings (dict): Of the module, named as it names them, such as {"apiEndpoint": "http://127.0.0.1:11434", "model": "…"}. Keys of
        services never stand here: the store's headers_env names the variables that hold them.
    RAISES (ConfigError): For a module that embeds no text, or a secret among the settings.
    """
    given = {"embedder": {"module": module, "settings": settings or {}}}
    return WeaviateVectorizer(section(given, "embedder", Module, path="store"))
