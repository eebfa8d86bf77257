"""How an index lies in Weaviate: one collection, whose properties we name, and whose description says what it holds.

    text        the passage, searched by its words         passage_id, source, document   as they are, to filter by
    number      of the passage in its document             row      its place in the corpus, from 0
    stored      everything but the text, as JSON           content  hash of all, to see what is there already
    deleted     out of search, kept for rows made before   meta_…   the metadata, one property per key and kind

Text comes out of Weaviate as it went in, but filters drop blanks at its ends: `filterable` keeps those that matter.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import NAMESPACE, Passage, digest
from spacy_synthesizrr.jsonl import dumps
from spacy_synthesizrr.stores.asking import kind_of
from spacy_synthesizrr.stores.weaviate.settings import Module, Place

if TYPE_CHECKING:
    from weaviate.collections.classes.config import Property, _VectorConfigCreate
    from weaviate.collections.classes.config_vector_index import VectorIndexConfigCreate

FORMAT = 1
PREFIX = "Synthesizrr"
MOST_KEYS = 200  # of metadata that can be filtered by; each is an index of the server
ROW, DELETED, CONTENT, STORED, ID = "row", "deleted", "content", "stored", "passage_id"
KINDS = {str: "text", float: "number", bool: "bool"}
Kinds = Mapping[str, tuple[str, ...]]


def collection_name(key: str) -> str:
    """RETURNS (str): The name of the collection of an index; keys that are no plain words get a hash."""
    plain = re.sub(r"[^0-9A-Za-z]", "_", key)[:100]
    return f"{PREFIX}_{plain}" if plain == key else f"{PREFIX}_{plain}_{digest(key)[:8]}"


def object_id(passage_id: str) -> str:
    """RETURNS (str): The UUID of a passage's object: its id where that is one, as ours are, else made from it."""
    try:
        if str(uuid.UUID(passage_id)) == passage_id:
            return passage_id
    except ValueError:
        pass
    return str(uuid.uuid5(NAMESPACE, digest("weaviate", passage_id)))


@dataclass(frozen=True)
class State:
    """What the description of a collection says about it.

    key (str): Hash of passages, embedder and seed. complete (bool): Whether all of it is there.
    embedder (Mapping): What `describe` says of the embedder that made the vectors.
    passages, equal_ids, equal_texts (int): Counts. fingerprint (str): Of the passages.
    deleted (int): Passages that were deleted since.
    tail (int): Passages written last that a server may lose when it is killed while we write.
    module (str): Of the server that makes the vectors; empty where we bring them.
    kinds (Mapping[str, Tuple[str]]): Keys of the metadata with the kinds of their values.
    """

    key: str
    embedder: Mapping[str, Any]
    passages: int
    fingerprint: str
    equal_ids: int = 0
    equal_texts: int = 0
    deleted: int = 0
    tail: int = 0
    complete: bool = False
    kinds: Kinds = field(default_factory=dict)
    module: str = ""

    def to_text(self) -> str:
        """RETURNS (str): The description."""
        return dumps({"synthesizrr": FORMAT, **self.__dict__})

    @classmethod
    def from_text(cls, text: str | None) -> State | None:
        """RETURNS (Optional[State]): None for the description of a collection that is not ours, or of another release."""
        try:
            row = json.loads(text or "")
            if row.pop("synthesizrr") != FORMAT:
                return None
            row["kinds"] = {key: tuple(kinds) for key, kinds in row["kinds"].items()}
            return cls(**row)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def but(self, **changes: Any) -> State:
        """RETURNS (State): The same with some changes."""
        return replace(self, **changes)


def kinds_of(value: Any) -> dict[str, Any]:
    """Sort a value of the metadata by what it can be compared with.

    RETURNS (dict): "text", "number" or "bool" to the value; for a list "texts", "numbers" or "bools" to its items.
    """
    if not isinstance(value, (list, tuple)):
        kind = kind_of(value)
        return {} if kind is None or not _fits(value) else {KINDS[kind]: filterable(value)}
    found: dict[str, list[Any]] = {}
    for item in value:
        kind = kind_of(item)
        if kind is not None and _fits(item):
            found.setdefault(f"{KINDS[kind]}s", []).append(filterable(item))
    return found


def _fits(value: Any) -> bool:
    return not isinstance(value, int) or abs(value) < 1 << 1000  # a number is a float there


def filterable(value: Any) -> Any:
    """What stands for a value in the index of a filter: equal values have equal ones, and their order is the same.

    Numbers are floats. The server drops blanks at both ends of a text, so a mark is put there; it is the smallest character.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return float(value) if _fits(value) else math.copysign(math.inf, value)
    start = "\0" if value[:1] == "\0" or value[:1].isspace() else ""
    end = "\0" if value[-1:] == "\0" or value[-1:].isspace() else ""
    return f"{start}{value}{end}"


def meta_property(key: str, kind: str) -> str:
    """RETURNS (str): The property of a key and a kind; keys that are no plain small words get a hash."""
    plain = re.sub(r"[^0-9a-z]", "_", key.lower())[:100]
    return f"meta_{plain}_{kind}" if plain == key else f"meta_{plain}_{digest(key)[:8]}_{kind}"


def add_kinds(kinds: dict[str, set[str]], passages: Iterable[Passage]) -> None:
    """Note which keys and kinds the metadata of some passages have."""
    for passage in passages:
        for key, value in passage.meta.items():
            if key in kinds or len(kinds) < MOST_KEYS:
                found = kinds_of(value)
                if found:
                    kinds.setdefault(key, set()).update(found)


def to_properties(passage: Passage, row: int, content: str, kinds: Kinds) -> dict[str, Any]:
    """RETURNS (dict): The properties of a passage's object."""
    whole = passage.to_dict()
    del whole["text"]
    found: dict[str, Any] = {
        "text": passage.text,
        ID: passage.id,
        "source": filterable(passage.source),
        "document": filterable(passage.document),
        "number": float(passage.number),
        ROW: row,
        STORED: dumps(whole),
        CONTENT: content,
        DELETED: False,
    }
    for key in kinds:
        for kind, value in kinds_of(passage.meta.get(key)).items():
            found[meta_property(key, kind)] = value
    return found


def to_passage(properties: Mapping[str, Any]) -> Passage:
    """RETURNS (Passage): The passage, just as it was."""
    return Passage.from_dict({**json.loads(properties[STORED]), "text": properties["text"]})


def content_of(line: bytes) -> str:
    """RETURNS (str): A hash of a passage by the line that it is in JSON."""
    return hashlib.blake2b(line, digest_size=12).hexdigest()


def all_properties(place: Place, kinds: Kinds) -> Iterator[Property]:
    """YIELDS (Property): What a collection is made with."""
    from weaviate.classes.config import DataType, Property, Tokenization

    words = Tokenization(place.words.tokenization)
    yield Property(
        name="text",
        data_type=DataType.TEXT,
        tokenization=words,
        index_filterable=False,
        index_searchable=True,
        vectorize_property_name=False,
    )
    for name in (ID, "source", "document"):
        yield column(name, "text")
    yield column("number", "number")
    yield Property(name=ROW, data_type=DataType.INT, index_filterable=True, index_range_filters=True)
    for name in (STORED, CONTENT):
        yield Property(name=name, data_type=DataType.TEXT, index_filterable=False, index_searchable=False, skip_vectorization=True)
    yield column(DELETED, "bool")
    for key, found in kinds.items():
        for kind in found:
            yield column(meta_property(key, kind), kind, about=key[:200])


def column(name: str, kind: str, *, about: str | None = None) -> Property:
    """RETURNS (Property): A property to filter by: "text", "number" or "bool", with an "s" for several."""
    from weaviate.classes.config import DataType, Property, Tokenization

    types = {
        "text": DataType.TEXT,
        "texts": DataType.TEXT_ARRAY,
        "number": DataType.NUMBER,
        "numbers": DataType.NUMBER_ARRAY,
        "bool": DataType.BOOL,
        "bools": DataType.BOOL_ARRAY,
    }
    is_text = kind.startswith("text")
    return Property(
        name=name,
        data_type=types[kind],
        description=about,
        index_filterable=True,
        index_searchable=False if is_text else None,
        tokenization=Tokenization.FIELD if is_text else None,
        index_range_filters=True if kind == "number" else None,
        skip_vectorization=True,
    )


def vector_config(place: Place, module: Module | None) -> _VectorConfigCreate:
    """RETURNS (_VectorConfigCreate): Vectors that we bring, or that a module makes of the text; HNSW by cosine; no quantization
    but the one asked for.
    """
    from weaviate.classes.config import Configure, VectorDistances

    settings, quantizers = place.vectors, Configure.VectorIndex.Quantizer
    index = Configure.VectorIndex.hnsw(
        distance_metric=VectorDistances.COSINE,
        max_connections=settings.max_connections,
        ef_construction=settings.ef_construction,
        ef=settings.ef,
        dynamic_ef_min=settings.dynamic_ef_min,
        dynamic_ef_max=settings.dynamic_ef_max,
        dynamic_ef_factor=settings.dynamic_ef_factor,
        quantizer=getattr(quantizers, settings.quantizer)(),
    )
    return Configure.Vectors.self_provided(vector_index_config=index) if module is None else made_by(module, index)


def made_by(module: Module, index: VectorIndexConfigCreate) -> _VectorConfigCreate:
    """RETURNS (_VectorConfigCreate): Vectors that any module of the server makes of the property "text", and of nothing else."""
    from weaviate.classes.config import Configure

    given = {**module.settings, "vectorizeClassName": False}
    return Configure.Vectors.custom(module_name=module.module, module_config=given, source_properties=["text"], vector_index_config=index)
