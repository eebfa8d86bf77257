"""Vectors of texts that are no passages, made by a module of the server: in a scratch collection, which goes afterwards.

A server embeds what is written into a collection and what is asked of one, and gives only the former back. So passages are
written and read again. For a query the collection holds the unit vectors of all axes: their cosines to it are its numbers.

Each call has a collection of its own, so that several processes keep out of each other's way. What a killed one left behind
goes with a later call.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.errors import ConfigError, StoreError, choices
from spacy_synthesizrr.jsonl import dumps
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.stores.weaviate.connect import Link
from spacy_synthesizrr.stores.weaviate.faults import explained, faults, forbidden
from spacy_synthesizrr.stores.weaviate.finding import cosine
from spacy_synthesizrr.stores.weaviate.objects import FETCHED, Objects
from spacy_synthesizrr.stores.weaviate.schema import PREFIX, made_by
from spacy_synthesizrr.stores.weaviate.settings import Module, Place
from spacy_synthesizrr.stores.weaviate.writing import ATTEMPTS, MODULE_BATCH, PAUSE, insert

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMED = f"{PREFIX}Scratch"
ABANDONED = 86_400.0  # seconds after which nobody can still be at work in a scratch collection
TEXT, AXIS = "text", "axis"


def check_module(link: Link, module: Module) -> None:
    """RAISES (ConfigError): When the server does not have a module; names those that it has."""
    with contextlib.suppress(*faults()):
        there = sorted(name for name in link.client.get_meta().get("modules") or {} if name.startswith("text2vec-"))
        if module.module not in there:
            cure = f"{choices(module.module, there)} " if there else ""
            raise ConfigError(
                f"Weaviate at {link.where} has no module '{module.module}'. {cure}Start it with ENABLE_MODULES={module.module}, or name "
                "another embedder in [embedder]."
            )


def passage_vectors(link: Link, place: Place, module: Module, texts: Sequence[str]) -> NDArray[np.float32]:
    """The vectors that passages with these texts get.

    RETURNS (ndarray): Shape (texts, dimensions), rows of length 1; zeros for an empty text. No columns when all are empty.
    RAISES (StoreError): When we may not make a collection, or the module fails; says what it said.
    """
    from weaviate.classes.data import DataObject

    wanted = [text for text in dict.fromkeys(texts) if text]
    if not wanted:
        return np.zeros((len(texts), 0), dtype=np.float32)
    rows = {str(uuid.uuid4()): text for text in wanted}
    found: dict[str, Any] = {}
    with scratch(link, place, module) as table:
        _write(table, [DataObject(properties={TEXT: text}, uuid=name) for name, text in rows.items()])
        for part in batched(rows, FETCHED):
            with table.speaking("reading vectors"):
                read = table.collection.query.fetch_objects_by_ids(part, limit=len(part), include_vector=True, return_properties=[]).objects
            found.update({rows[str(each.uuid)]: each.vector["default"] for each in read})
    vectors = np.zeros((len(texts), len(found[wanted[0]])), dtype=np.float32)
    for row, text in enumerate(texts):
        if text:
            vectors[row] = found[text]
    return unit_rows(vectors)


def query_vectors(link: Link, place: Place, module: Module, texts: Sequence[str], dimensions: int) -> NDArray[np.float32]:
    """The vectors that queries for these texts get: modules may treat them otherwise than passages.

    RETURNS (ndarray): Shape (texts, dimensions), rows of length 1; zeros for a text of blanks.
    RAISES (StoreError): As for passages.
    """
    from weaviate.classes.data import DataObject
    from weaviate.classes.query import MetadataQuery

    wanted = [text for text in dict.fromkeys(texts) if text.strip()]
    found: dict[str, NDArray[np.float32]] = {}
    if wanted:
        with scratch(link, place, module) as table:
            axes = np.eye(dimensions, dtype=np.float32).tolist()
            _write(table, [DataObject(properties={AXIS: axis}, vector=row) for axis, row in enumerate(axes)])
            asked = MetadataQuery(distance=True)

            def numbers(text: str) -> NDArray[np.float32]:
                with table.speaking("embedding a query"):
                    near = table.collection.query.near_text(text, limit=dimensions, return_metadata=asked, return_properties=[AXIS])
                vector = np.zeros(dimensions, dtype=np.float32)
                for each in near.objects:
                    vector[int(each.properties[AXIS])] = cosine(each)
                return vector

            found = dict(zip(wanted, table.together(numbers, wanted), strict=True))
    nothing = np.zeros(dimensions, dtype=np.float32)
    return unit_rows(np.array([found.get(text, nothing) for text in texts], dtype=np.float32).reshape(len(texts), dimensions))


@contextlib.contextmanager
def scratch(link: Link, place: Place, module: Module) -> Iterator[Objects]:
    """A collection that lives as long as the block.

    YIELDS (Objects): Empty, with the properties "text", which the module embeds, and "axis".
    RAISES (StoreError): When it cannot be made.
    """
    from weaviate.classes.config import Configure, DataType, Property, VectorDistances

    _clear_abandoned(link)
    name = f"{NAMED}_{uuid.uuid4().hex}"
    try:
        link.client.collections.create(
            name,
            description=dumps({"synthesizrr": "scratch", "made": time.time()}),
            properties=[
                Property(name=TEXT, data_type=DataType.TEXT, vectorize_property_name=False, index_filterable=False, index_searchable=False),
                Property(name=AXIS, data_type=DataType.INT, index_filterable=False, skip_vectorization=True),
            ],
            vector_config=made_by(module, Configure.VectorIndex.flat(distance_metric=VectorDistances.COSINE)),
        )
    except faults() as error:
        raise StoreError(_not_made(error, link, place, module)) from error
    try:
        yield Objects(link, name, place)
    finally:
        with contextlib.suppress(*faults()):  # it goes later then, see above
            link.client.collections.delete(name)


def _not_made(error: Exception, link: Link, place: Place, module: Module) -> str:
    if not forbidden(error):
        return explained(error, f"making a scratch collection for {module.module}", link.where, secrets=link.secrets)
    return (
        f"The key in {place.connection.api_key_env} may not make collections in Weaviate at {link.where}. To compare seeds, dev and test "
        f"texts with passages, its module {module.module} must embed them, which takes a scratch collection that is deleted at once. Let "
        f"the key create, read, write and delete collections named {NAMED}_*, or name the embedder that made the vectors in [embedder], so "
        "that it works here."
    )


def _write(table: Objects, objects: Sequence[Any]) -> None:
    def send(batch: list[Any]) -> None:
        left, said = batch, ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE * 2 ** (attempt - 1))
            failed, _ = insert(table, left)
            if not failed:
                return
            left, said = [each for each, _ in failed], failed[0][1]
        raise StoreError(f"Weaviate at {table.link.where} could not embed {len(left):,} texts of {len(batch):,}. It said: {said}")

    table.together(send, list(batched(objects, MODULE_BATCH)))


def _clear_abandoned(link: Link) -> None:
    with contextlib.suppress(*faults()):
        for name, about in link.client.collections.list_all().items():
            if name.startswith(f"{NAMED}_") and time.time() - _made(about.description) > ABANDONED:
                link.client.collections.delete(name)


def _made(description: str | None) -> float:
    """RETURNS (float): When a scratch collection was made; never for what is none."""
    try:
        return float(json.loads(description or "")["made"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
