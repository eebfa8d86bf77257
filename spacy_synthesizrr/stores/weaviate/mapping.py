"""How a collection that somebody else made is read as passages: which property is what, and what can be asked of it."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.errors import ConfigError, StoreError, choices
from spacy_synthesizrr.stores.asking import FIELDS, Condition, Filter
from spacy_synthesizrr.stores.weaviate.settings import Module

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from weaviate.collections.classes.config import CollectionConfig, PropertyConfig

NUMBERS, TEXTS, BOOLS = ("int", "number", "int[]", "number[]"), ("text", "text[]"), ("boolean", "boolean[]")
DATES = ("date", "date[]")
IDS = ("text", "int", "uuid")
OF_PROPERTIES = ("properties", "vectorizeClassName")  # settings of a module that say what of an object is embedded


class Mapped(Settings):
    """What a config says of a collection: the names of its properties.

    name (str): Of the collection. text_property (str): The text. id_property (str): The id; by default that of the object.
    source_property, document_property, number_property (str): Where a passage comes from.
    metadata (dict): Keys of the metadata to properties.
    vector_name (str): Which of several vectors. tenant (str): Which tenant.
    """

    name: str
    text_property: str
    id_property: str | None = None
    source_property: str | None = None
    document_property: str | None = None
    number_property: str | None = None
    metadata: dict[str, str] = {}
    vector_name: str | None = None
    tenant: str | None = None

    def properties(self) -> list[str]:
        """RETURNS (List[str]): All properties that are read, each once."""
        named = (self.text_property, self.id_property, self.source_property, self.document_property, self.number_property)
        return list(dict.fromkeys([name for name in named if name is not None] + list(self.metadata.values())))

    def property_of(self, field: str) -> str | None:
        """RETURNS (Optional[str]): The property behind a field of a condition."""
        return getattr(self, f"{field}_property") if field in FIELDS else self.metadata.get(field)

    def passage(self, object_id: str, properties: Mapping[str, Any]) -> Passage:
        """RETURNS (Passage): What an object says."""

        def text(name: str | None) -> str:
            value = properties.get(name) if name is not None else None
            return "" if value is None else str(plain(value))

        number = properties.get(self.number_property) if self.number_property is not None else None
        return Passage(
            text(self.id_property) or object_id,
            text(self.text_property),
            text(self.source_property),
            text(self.document_property),
            int(number or 0),
            {key: plain(properties[name]) for key, name in self.metadata.items() if properties.get(name) is not None},
        )


def plain(value: Any) -> Any:
    """RETURNS (Any): A value as JSON knows it: dates and ids as text."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat()  # so that text compares as times do
    if isinstance(value, uuid.UUID):
        return str(value)
    return [plain(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Layout:
    """What a collection really has.

    mapped (Mapped): What the config says. properties (Mapping[str, PropertyConfig]): Of the collection, by name.
    vector (Optional[str]): Name of the vector that is searched; None for one without a name.
    distance (str): How vectors are compared; empty when there is no vector.
    module (Optional[Module]): Of the server that makes the vectors; None where they were brought, or by a module that embeds more
        than texts.
    """

    mapped: Mapped
    properties: Mapping[str, PropertyConfig]
    vector: str | None
    distance: str
    module: Module | None

    @classmethod
    def read(cls, mapped: Mapped, config: CollectionConfig) -> Layout:
        """Check what a config says against a collection.

        RAISES (ConfigError): For a property, vector or tenant that is not there; with those that are.
        """
        properties = {each.name: each for each in config.properties}
        for needed in mapped.properties():
            if needed not in properties:
                raise ConfigError(f"[store.collection] {mapped.name} has no property '{needed}'. {choices(needed, properties)}")
        if config.multi_tenancy_config.enabled != (mapped.tenant is not None):
            cure = "Name one: tenant = …" if config.multi_tenancy_config.enabled else "Leave tenant out."
            raise ConfigError(f"[store.collection] {mapped.name} {'has' if mapped.tenant is None else 'has no'} tenants. {cure}")
        own = mapped.id_property
        if own is not None and (kind := properties[own].data_type.value) not in IDS:
            raise ConfigError(
                f"[store.collection] the property '{own}' of {mapped.name} holds values of type {kind}, which cannot be looked up as ids. "
                f"Name one of type {', '.join(IDS)}, or leave id_property out: then the ids of the objects are taken."
            )
        for name, kinds, what in ((mapped.text_property, TEXTS[:1], "text"), (mapped.number_property, NUMBERS[:2], "numbers")):
            if name is not None and properties[name].data_type.value not in kinds:
                raise ConfigError(f"[store.collection] the property '{name}' of {mapped.name} holds no {what}.")
        return cls(mapped, properties, *_vector(mapped, config))

    def exact(self, name: str) -> bool:
        """RETURNS (bool): Whether a filter by this property compares whole values."""
        found = self.properties[name]
        if not found.index_filterable:
            return False
        return found.data_type.value not in TEXTS or (found.tokenization is not None and found.tokenization.value == "field")

    def asked(self, wanted: bool) -> Any:
        """RETURNS (Any): What to ask the client for, so that vectors come or stay away."""
        return ([self.vector] if self.vector is not None else True) if wanted else False

    def vector_of(self, found: Any) -> NDArray[np.float32] | None:
        """RETURNS (Optional[ndarray]): The vector of an object, of length 1 (or 0); None when it has none or none was asked for."""
        vector = (found.vector or {}).get(self.vector or "default")
        return unit_rows(np.array([vector], dtype=np.float32))[0] if vector else None

    def as_read(self, filter: Filter) -> Filter:
        """RETURNS (Filter): The same, with dates as passages of this collection hold them."""

        def read(condition: Condition) -> Condition:
            name = self.mapped.property_of(condition.field)
            if name is None or self.properties[name].data_type.value not in DATES:
                return condition
            values = tuple(plain(to_date(str(value))) if _is_date(value) else value for value in condition.values)
            return replace(condition, value=values if isinstance(condition.value, tuple) else values[0])

        return Filter(filter.exclude, tuple(map(read, filter.where)))

    def check(self, condition: Condition) -> str | None:
        """The property behind a condition.

        RETURNS (Optional[str]): None when nothing is mapped to the field.
        RAISES (StoreError): When the collection cannot compare it.
        """
        name = self.mapped.property_of(condition.field)
        if name is None:
            return None
        if not self.exact(name):
            raise StoreError(
                f"The filter {condition} cannot be asked of the collection {self.mapped.name}: its property '{name}' is cut into words, or "
                "not indexed for filters. Leave the filter out, or let the property be made with tokenization 'field'."
            )
        kind = self.properties[name].data_type.value
        wanted = {bool: BOOLS, str: (*TEXTS, *DATES), int: NUMBERS, float: ("number", "number[]")}
        for value in condition.values:
            if kind not in wanted[type(value)] or (kind in DATES and not _is_date(value)):
                raise StoreError(f"The filter {condition} compares with {value!r}, but the property '{name}' holds values of type {kind}.")
        return name


def to_date(text: str) -> datetime.datetime:
    """RETURNS (datetime): A time; without a zone it is one of UTC."""
    found = datetime.datetime.fromisoformat(f"{text[:-1]}+00:00" if text[-1:] in "Zz" else text)  # Python 3.10 knows no Z
    return found if found.tzinfo is not None else found.replace(tzinfo=datetime.timezone.utc)


def _is_date(value: Any) -> bool:
    try:
        to_date(value)
    except (ValueError, TypeError):
        return False
    return True


def _vector(mapped: Mapped, config: CollectionConfig) -> tuple[str | None, str, Module | None]:
    named = config.vector_config or {}
    if mapped.vector_name is not None and mapped.vector_name not in named:
        raise ConfigError(f"[store.collection] {mapped.name} has no vector '{mapped.vector_name}'. {choices(mapped.vector_name, named)}")
    if mapped.vector_name is None and len(named) > 1:
        raise ConfigError(f"[store.collection] {mapped.name} has several vectors. Name one: vector_name = … {choices('', named)}")
    name = mapped.vector_name or next(iter(named), None)
    index: Any = named[name].vector_index_config if name is not None else config.vector_index_config
    distance = getattr(index, "distance_metric", None)
    made: Any = named[name].vectorizer if name is not None else config.vectorizer_config
    return name, "" if distance is None else str(getattr(distance, "value", distance)), _module(made)


def _module(made: Any) -> Module | None:
    """RETURNS (Optional[Module]): Which module embeds texts for a collection, as the collection says."""
    name = str(getattr(made.vectorizer, "value", made.vectorizer)) if made is not None else "none"
    if not name.startswith("text2vec-"):
        return None
    settings = {key: value for key, value in made.model.items() if key not in OF_PROPERTIES}
    return Module.model_construct(module=name, settings=settings)
