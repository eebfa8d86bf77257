"""A ReviewSchema as a dataset of Argilla, and whether one that is there can take its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from argilla_bridge.schema import FieldShape, QuestionShape, ReviewSchema, VectorShape
from argilla_bridge.server.connect import Link

if TYPE_CHECKING:
    import argilla as rg

KINDS = {"label": "label_selection", "multi_label": "multi_label_selection", "text": "text"}
FEWEST_VISIBLE, MOST_VISIBLE = 3, 50  # labels that are shown without a click; the server wants the first, the screen the second


@dataclass(frozen=True)
class Held:
    """What a dataset of the server consists of, each as the server tells it."""

    fields: tuple[Mapping[str, Any], ...]
    questions: tuple[Mapping[str, Any], ...]
    metadata: tuple[Mapping[str, Any], ...]
    vectors: tuple[Mapping[str, Any], ...]

    def question_ids(self) -> dict[str, str]:
        """RETURNS (Dict[str, str]): Name of a question → its id."""
        return {each["name"]: str(each["id"]) for each in self.questions}

    def question_kinds(self) -> dict[str, str]:
        """RETURNS (Dict[str, str]): Name of a question → "label_selection", "multi_label_selection", "text" or another of Argilla's."""
        return {each["name"]: str(each["settings"]["type"]) for each in self.questions}

    def metadata_kinds(self) -> dict[str, str]:
        """RETURNS (Dict[str, str]): Name of a property → "terms", "float" or "integer"."""
        return {each["name"]: str(each["settings"]["type"]) for each in self.metadata}

    def vector_sizes(self) -> dict[str, int]:
        """RETURNS (Dict[str, int]): Name of a vector → numbers in it."""
        return {each["name"]: int(each["dimensions"]) for each in self.vectors}


def read_held(link: Link, dataset_id: str) -> Held:
    """RETURNS (Held): What a dataset consists of."""
    paths = ("datasets/{}/fields", "datasets/{}/questions", "me/datasets/{}/metadata-properties", "datasets/{}/vectors-settings")
    return Held(*(tuple(link.call("GET", "/" + path.format(dataset_id))["items"]) for path in paths))


def to_settings(schema: ReviewSchema) -> rg.Settings:
    """RETURNS (Settings): What the SDK creates a dataset from."""
    import argilla as rg

    return rg.Settings(
        guidelines=schema.guidelines or None,
        fields=[rg.TextField(each.name, title=each.title, use_markdown=each.markdown, required=each.required) for each in schema.fields],
        questions=[_question(each) for each in schema.questions],
        metadata=[_metadata(each.kind, each.name, each.title) for each in schema.metadata],
        vectors=[rg.VectorField(each.name, title=each.title, dimensions=each.dimensions) for each in schema.vectors],
        distribution=rg.TaskDistribution(min_submitted=schema.min_submitted),
    )


def differences(schema: ReviewSchema, held: Held) -> list[str]:
    """What keeps a dataset from taking rows of a schema, and its answers from counting for it.

    RETURNS (List[str]): In words; empty when it fits.
    """
    ours, theirs = {each.name: each for each in schema.fields}, {each["name"]: each for each in held.fields}
    found = _names("field", ours, theirs)
    found += [
        f"field '{name}' is {_other_field(ours[name], theirs[name])}"
        for name in ours
        if name in theirs and _other_field(ours[name], theirs[name])
    ]
    asked, there = {each.name: each for each in schema.questions}, {each["name"]: each for each in held.questions}
    found += _names("question", asked, there)
    found += [said for name in asked if name in there for said in _other_question(asked[name], there[name])]
    return found + _other_numbers(schema, held)


def complete(link: Link, dataset_id: str, schema: ReviewSchema, held: Held) -> bool:
    """Give a dataset the filters and vectors that it lacks, which Argilla allows at any time.

    RETURNS (bool): Whether there was something to add.
    """
    properties = [each for each in schema.metadata if each.name not in held.metadata_kinds()]
    vectors = [each for each in schema.vectors if each.name not in held.vector_sizes()]
    for each in properties:
        about = {"name": each.name, "title": each.title, "settings": {"type": each.kind}, "visible_for_annotators": True}
        link.call("POST", f"/datasets/{dataset_id}/metadata-properties", json=about)
    for vector in vectors:
        about = {"name": vector.name, "title": vector.title, "dimensions": vector.dimensions}
        link.call("POST", f"/datasets/{dataset_id}/vectors-settings", json=about)
    return bool(properties or vectors)


def _question(shape: QuestionShape) -> Any:
    import argilla as rg

    about: dict[str, Any] = {"title": shape.title, "description": shape.description or None, "required": shape.required}
    if shape.kind == "text":
        return rg.TextQuestion(shape.name, use_markdown=False, **about)
    many = len(shape.labels) >= FEWEST_VISIBLE
    visible = max(FEWEST_VISIBLE, min(len(shape.labels), MOST_VISIBLE)) if many else None
    kind = rg.LabelQuestion if shape.kind == "label" else rg.MultiLabelQuestion
    return kind(shape.name, labels=list(shape.labels), visible_labels=visible, **about)


def _metadata(kind: str, name: str, title: str) -> Any:
    """Terms without a list of values, which could not be changed later."""
    import argilla as rg

    kinds = {"terms": rg.TermsMetadataProperty, "float": rg.FloatMetadataProperty, "integer": rg.IntegerMetadataProperty}
    return kinds[kind](name, title=title, visible_for_annotators=True)


def _names(what: str, ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    missing, other = [name for name in ours if name not in theirs], [name for name in theirs if name not in ours]
    return [f"it has no {what} '{name}'" for name in missing] + [f"it has a {what} '{name}' that this task has not" for name in other]


def _other_field(ours: FieldShape, theirs: Mapping[str, Any]) -> str:
    settings = theirs["settings"]
    if settings["type"] != "text":
        return f"of the type '{settings['type']}', not text"
    if bool(settings.get("use_markdown")) != ours.markdown:
        return "not rendered as Markdown" if ours.markdown else "rendered as Markdown"
    if theirs["required"] and not ours.required:
        return "required there"
    return ""


def _other_question(ours: QuestionShape, theirs: Mapping[str, Any]) -> list[str]:
    settings = theirs["settings"]
    if settings["type"] != KINDS[ours.kind]:
        return [f"question '{ours.name}' is of the type '{settings['type']}', not '{KINDS[ours.kind]}'"]
    labels = [each["value"] for each in settings.get("options") or ()]
    lacks, more = [name for name in ours.labels if name not in labels], [name for name in labels if name not in ours.labels]
    found = [f"question '{ours.name}' has no answer {', '.join(map(repr, lacks))}"] if lacks else []
    found += [f"question '{ours.name}' has the answers {', '.join(map(repr, more))}, which this task has not"] if more else []
    return found + (
        [f"question '{ours.name}' is {'' if theirs['required'] else 'not '}required there"] if theirs["required"] != ours.required else []
    )


def _other_numbers(schema: ReviewSchema, held: Held) -> list[str]:
    kinds, sizes = held.metadata_kinds(), held.vector_sizes()
    found = [
        f"filter '{each.name}' is of the type '{kinds[each.name]}', not '{each.kind}'"
        for each in schema.metadata
        if kinds.get(each.name, each.kind) != each.kind
    ]
    return found + [_sizes(each, sizes[each.name]) for each in schema.vectors if sizes.get(each.name, each.dimensions) != each.dimensions]


def _sizes(ours: VectorShape, theirs: int) -> str:
    return f"vector '{ours.name}' has {theirs} dimensions, not {ours.dimensions}: it is of another embedder"
