"""A collection that is there and a config that says something else of words or vectors: what a server can change is changed,
and of the rest people are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.stores.weaviate.faults import faults, status_of
from spacy_synthesizrr.stores.weaviate.table import Table

if TYPE_CHECKING:
    from weaviate.collections.classes.config import CollectionConfig

VECTOR = "default"
CHANGEABLE, FIXED = ("ef", "dynamic_ef_min", "dynamic_ef_max", "dynamic_ef_factor"), ("ef_construction", "max_connections")
ANEW = "delete the index (synthesizrr index delete) and run the step 'index' again"


def follow(table: Table) -> None:
    """Bring the settings of a collection to what the config says. What only costs time or memory and cannot be changed is told.

    table (Table): There or not.
    RAISES (StoreError): When its texts are cut into words in another way, so that keyword search would find other passages.
    """
    config = refuse_other_words(table)
    if config is None:
        return
    index: Any = config.vector_config[VECTOR].vector_index_config if config.vector_config and VECTOR in config.vector_config else None
    changes = _words(table, config) | ({} if index is None else _vectors(table, index))
    if changes:
        table.patiently("changing the settings of a collection", lambda: table.collection.config.update(**changes))
    if index is not None:
        _tell_of_the_rest(table, index)


def _config(table: Table) -> CollectionConfig | None:
    try:
        return table.collection.config.get()
    except faults() as error:
        if status_of(error) == 404:
            return None
        raise


def refuse_other_words(table: Table) -> CollectionConfig | None:
    """RETURNS (Optional[CollectionConfig]): What the collection is made with; None when there is none.

    RAISES (StoreError): When its texts are cut into words in another way.
    """
    config = table.patiently("reading the description of a collection", lambda: _config(table))
    wanted = table.place.words.tokenization
    for each in () if config is None else config.properties:
        if each.name == "text" and each.tokenization is not None and each.tokenization.value != wanted:
            raise StoreError(
                f'{table.where} was made with tokenization = "{each.tokenization.value}", and [store.words] says "{wanted}": it cannot be '
                f"changed any more. Set it back, or {ANEW}."
            )
    return config


def _words(table: Table, config: CollectionConfig) -> dict[str, Any]:
    from weaviate.classes.config import Reconfigure, StopwordsPreset

    words, there = table.place.words, config.inverted_index_config
    if (words.stopwords, words.k1, words.b) == (there.stopwords.preset.value, there.bm25.k1, there.bm25.b):
        return {}
    preset = StopwordsPreset.EN if words.stopwords == "en" else StopwordsPreset.NONE
    return {"inverted_index_config": Reconfigure.inverted_index(bm25_b=words.b, bm25_k1=words.k1, stopwords_preset=preset)}


def _vectors(table: Table, index: Any) -> dict[str, Any]:
    from weaviate.classes.config import Reconfigure

    wanted = {name: getattr(table.place.vectors, name) for name in CHANGEABLE}
    if all(getattr(index, name, value) == value for name, value in wanted.items()):
        return {}
    update = Reconfigure.Vectors.update(name=VECTOR, vector_index_config=Reconfigure.VectorIndex.hnsw(**wanted))
    return {"vector_config": update}


def _tell_of_the_rest(table: Table, index: Any) -> None:
    settings = table.place.vectors
    quantizer = "none" if index.quantizer is None else type(index.quantizer).__name__.removeprefix("_").removesuffix("Config").lower()
    there = {**{name: getattr(index, name, None) for name in FIXED}, "quantizer": quantizer}
    other = [f"{name} = {value!r}" for name, value in there.items() if value is not None and value != getattr(settings, name)]
    if other:
        say(
            f"{table.where} was made with {', '.join(other)}. [store.vectors] says something else, and that holds for new collections "
            f"alone: to make this one anew, {ANEW}."
        )
