"""What is asked of a store: by what to search, and which passages may be found. Every store answers the same way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.errors import ConfigError, choices

Mode = Literal["vector", "keyword", "hybrid"]
Op = Literal["==", "!=", "<", "<=", ">", ">=", "in"]
Value = str | int | float | bool
OPS: tuple[str, ...] = get_args(Op)
FIELDS = ("source", "document", "number")  # fields of a passage; any other name is a key of its metadata
LEAST, TIMES = 100, 4  # candidates of a search that cuts them down afterwards: 4 per hit, 100 or more

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda found, value: found == value,
    "<": lambda found, value: found < value,
    "<=": lambda found, value: found <= value,
    ">": lambda found, value: found > value,
    ">=": lambda found, value: found >= value,
}


@dataclass(frozen=True)
class Condition:
    """What a field of a passage must be.

    Numbers are compared as numbers and text as text by its code points, so dates belong into the form 2026-03-01. Values of
    different kinds (text, numbers, true or false) are never equal, and none is smaller. A list in the metadata stands for
    each of its items: one that fits is enough. `!=` is the opposite of `==`; it alone passes a passage without the field.

    field (str): "source", "document", "number", or a key of the metadata.
    op (str): "==", "!=", "<", "<=", ">", ">=" or "in".
    value (Any): What to compare with; for "in" several.
    RAISES (ConfigError): For another operator, or a value that it cannot compare.
    """

    field: str
    op: Op
    value: Value | tuple[Value, ...]

    def __post_init__(self) -> None:
        if self.op not in OPS:
            raise ConfigError(f"The filter {self} has no operator '{self.op}'. {choices(None, OPS)}")
        if not self.field:
            raise ConfigError(f"The filter {self} names no field. Give 'source', 'document', 'number' or a key of the metadata.")
        if isinstance(self.value, tuple) != (self.op == "in"):
            kind = "takes a list of values" if self.op == "in" else "takes one value; for a list of them write 'in'"
            raise ConfigError(f"The filter {self} is wrong: '{self.op}' {kind}.")
        if self.value == ():
            raise ConfigError(f"The filter {self} passes nothing: its list is empty.")
        for value in self.values:
            if kind_of(value) is None:
                raise ConfigError(
                    f"The filter {self} compares with {value!r}, which is neither text nor a finite number nor true or false."
                )
            if isinstance(value, bool) and self.op not in ("==", "!=", "in"):
                raise ConfigError(f"The filter {self} is wrong: nothing is smaller or larger than {value}.")

    def __str__(self) -> str:
        return f"{self.field} {self.op} {list(self.value) if isinstance(self.value, tuple) else repr(self.value)}"

    @property
    def values(self) -> tuple[Value, ...]:
        """RETURNS (Tuple): The value or values."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    def holds(self, passage: Passage) -> bool:
        """RETURNS (bool): Whether the passage is so."""
        found = getattr(passage, self.field) if self.field in FIELDS else passage.meta.get(self.field)
        return self.holds_for(found)

    def holds_for(self, found: Any) -> bool:
        """found (Any): What stands in the field; None where it is missing."""
        items = found if isinstance(found, (list, tuple)) else (found,)
        if self.op == "!=":
            return not any(self._fits(item, "==") for item in items)
        return any(self._fits(item, "==" if self.op == "in" else self.op) for item in items)

    def _fits(self, item: Any, op: str) -> bool:
        kind = kind_of(item)
        return kind is not None and any(kind is kind_of(value) and _COMPARE[op](item, value) for value in self.values)


def kind_of(value: Any) -> type | None:
    """RETURNS (type): str, float (for every number) or bool; None for what cannot be compared."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, str):
        return str
    return float if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)) else None


@dataclass(frozen=True)
class Filter:
    """Which passages may be found.

    exclude (FrozenSet[str]): Ids of passages that may not; unknown ids are fine.
    where (Tuple[Condition, ...]): What must hold of a passage, all of it.
    """

    exclude: frozenset[str] = frozenset()
    where: tuple[Condition, ...] = ()

    def passes(self, passage: Passage) -> bool:
        """RETURNS (bool): Whether the passage may be found."""
        return passage.id not in self.exclude and all(condition.holds(passage) for condition in self.where)


@dataclass(frozen=True)
class Search:
    """How to search.

    The passages that pass the filter stand in the order of their score, best first; `min_similarity` ends the list;
    `per_document` takes out of it what a document gives too much; then the first k are hits. With `diversity` the first
    `fetch` are candidates, of which k are chosen one by one.

    mode (str): "vector": by cosine. "keyword": by BM25. "hybrid": by both, see `fusion`.
    alpha (float): Share of the vector search in a hybrid one: 1 is vector search alone, 0 keyword search alone.
    min_similarity (float): Hits with a smaller score of the mode are no hits; None for no such limit.
    diversity (float): Maximal marginal relevance, see `diversity`: 1 looks at the score alone, 0 at the hits before alone.
    fetch (int): Candidates: the hits of each half of a hybrid search, and those that diversity chooses from. By default
        four per hit, 100 or more; and where `per_document` leaves too few hits, twice as many until there are enough.
    per_document (int): Most hits of one document; a passage without a document is one by itself.
    RAISES (ConfigError): For a value out of range.
    """

    mode: Mode = "vector"
    alpha: float = 0.5
    min_similarity: float | None = None
    diversity: float | None = None
    fetch: int | None = None
    per_document: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ConfigError(f"There is no search by mode '{self.mode}'. {choices(self.mode, get_args(Mode))}")
        for name in ("alpha", "diversity"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name} must lie between 0 and 1 (was: {value}).")
        if self.min_similarity is not None and not math.isfinite(self.min_similarity):
            raise ConfigError(f"min_similarity must be a finite number (was: {self.min_similarity}).")
        for name in ("fetch", "per_document"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be 1 or more (was: {value}).")

    def candidates(self, k: int) -> int:
        """RETURNS (int): How many passages each ranking must give at first so that k hits come out."""
        if self.mode != "hybrid" and self.diversity is None and self.per_document is None:
            return k
        return max(k, self.fetch or max(LEAST, TIMES * k))


BY_VECTOR = Search()


def check_k(k: int) -> None:
    """RAISES (ConfigError): When k is no number of hits."""
    if k < 1:
        raise ConfigError(f"k must be 1 or more (was: {k}).")


def document_of(passage: Passage) -> str:
    """RETURNS (str): What hits of one document have in common; a passage without a document is one by itself."""
    return f"{passage.source}\0{passage.document or passage.id}"


def read_search(values: Mapping[str, Any]) -> tuple[Search, Filter]:
    """Make a search and its filter of what a config says: the fields of `Search`, and `where`.

    RAISES (ConfigError): Names the key or value that is wrong.
    """
    names = [field.name for field in fields(Search)]
    for key in values:
        if key not in (*names, "where"):
            raise ConfigError(f"A search has no '{key}'. {choices(key, [*names, 'where'])}")
    return Search(**{key: value for key, value in values.items() if key != "where"}), Filter(where=conditions(values.get("where", ())))


def conditions(rows: Iterable[tuple[str, str, Any]]) -> tuple[Condition, ...]:
    """Make conditions of what a config says.

    rows (Iterable): Field, operator and value of each.
    RAISES (ConfigError): Names the one that is wrong.
    """
    return tuple(Condition(field, op, tuple(value) if isinstance(value, list) else value) for field, op, value in rows)  # type: ignore[arg-type]
