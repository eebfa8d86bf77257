"""Dimensions: what the texts of a label can be made from, besides the label.

A dimension has a name and values, of which each row's prompt shows some. Reasons (S3, Wang et al. 2023, §2.3) are one such dimension,
with a list per label; style, length or place (AttrPrompt, Yu et al. 2023) are others, most with one list for all labels. Values stand in
the strategy's config, or in a YAML file for people to edit:

    rationale:
      sport:
        - a match that turned in its last minute
    style: [dry, excited]

A plan keeps the values that it was made from, so that its rows mean the same whatever becomes of that file.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import ROW_VERSION, digest
from spacy_synthesizrr.errors import InputError, choices
from spacy_synthesizrr.jsonl import atomic, read_jsonl, write_jsonl
from spacy_synthesizrr.words import comparable
from spacy_synthesizrr.yaml_lines import Lines, load_yaml, plain

CHOSEN = "rationales.jsonl"  # in a run folder: the values that its plan was made from
ALL = ""  # stands for the label where all labels share a list
ID_DIGITS = 16
Lists = Mapping[str, tuple[str, ...]]  # label → values; ALL → values


@dataclass(frozen=True)
class Value:
    """One value of a dimension.

    id (str): Hash of the others but the header; planned rows hold it.
    dimension (str), header (str): Name, and what announces it in a prompt.
    text (str): The value.
    label (str): Whose; empty for all.
    """

    id: str
    dimension: str
    header: str
    text: str
    label: str = ALL

    def to_dict(self) -> dict[str, str]:
        """RETURNS (dict): What a prompt needs."""
        return {"dimension": self.dimension, "header": self.header, "text": self.text}


@dataclass(frozen=True)
class Dimension:
    """A dimension with its values.

    per_row (int): Values that the prompt of a row shows.
    lists (Mapping[str, Tuple[str, ...]]): Values by label, or one list for all labels; none is shorter than `per_row`.
    """

    name: str
    header: str
    per_row: int
    lists: Lists

    @property
    def size(self) -> int:
        """RETURNS (int): Number of values, over all labels."""
        return sum(map(len, self.lists.values()))

    def values(self) -> Iterator[Value]:
        """YIELDS (Value): All of them, in their order."""
        for label in self.lists:
            yield from self._of(label)

    def draw(self, rng: random.Random, labels: Sequence[str]) -> list[Value]:
        """Draw the values of a row without replacement. With several labels their lists take turns, beginning with one at random.

        rng (random.Random): Seeded for this row.
        labels (Sequence[str]): Of the row.
        """
        if ALL in self.lists:
            return rng.sample(self._of(ALL), self.per_row)
        drawn = [rng.sample(self._of(label), self.per_row) for label in labels]
        rng.shuffle(drawn)
        return [drawn[place % len(drawn)][place // len(drawn)] for place in range(self.per_row)]

    def _of(self, label: str) -> list[Value]:
        return [
            Value(digest("value", self.name, label, text)[:ID_DIGITS], self.name, self.header, text, label) for text in self.lists[label]
        ]


def read_values(path: Path, *, known: Mapping[str, int], labels: Iterable[str]) -> dict[str, Lists]:
    """Read the values of dimensions from a file that people may have edited.

    path (Path): YAML; each dimension is a list, or a mapping from label to list.
    known (Mapping[str, int]): The dimensions that must be there, and how many values a row takes of each.
    labels (Iterable[str]): Of the task.
    RAISES (InputError): With file, line and cure for the first thing that is wrong.
    """
    data = load_yaml(path)
    page = _Page(path, Lines(data), tuple(labels))
    if not isinstance(data, dict):
        raise page.fault((), "This is no mapping from dimensions to values.", "Write such as `style: [dry, excited]`.")
    for name in data:
        if name not in known:
            cure = f"{choices(name, known)} Or say what it is: [plan.dimensions.{name}] in the strategy's config."
            raise page.fault((name,), f"'{name}' is no dimension of the strategy.", cure)
    for name in known:
        if name not in data:
            cure = "Write them there; or remove the file, and `synthesizrr rationales` asks the teacher (what it answered before is free)."
            raise page.fault((), f"There are no values of '{name}'.", cure)
    return {name: page.lists(name, plain(data[name]), known[name]) for name in known}


@dataclass(frozen=True)
class _Page:
    """A file while it is checked."""

    path: Path
    lines: Lines
    labels: tuple[str, ...]

    def fault(self, place: tuple[Any, ...], said: str, cure: str) -> InputError:
        return InputError(said, path=self.path, line=self.lines.of(place), cure=cure)

    def lists(self, name: str, given: Any, per_row: int) -> Lists:
        if not isinstance(given, dict):
            return {ALL: self._texts((name,), given, per_row)}
        for label in given:
            if label not in self.labels:
                raise self.fault((name, label), f"'{label}' is no label of the task.", choices(label, self.labels))
        for label in self.labels:
            if label not in given:
                raise self.fault((name,), f"'{name}' has no values for the label '{label}'.", "Add some, or give one list for all labels.")
        return {label: self._texts((name, label), given[label], per_row) for label in self.labels}

    def _texts(self, place: tuple[Any, ...], given: Any, per_row: int) -> tuple[str, ...]:
        where = " of ".join(f"'{part}'" for part in reversed(place))
        if not isinstance(given, list):
            raise self.fault(place, f"The values of {where} are no list.", "Write each on a line of its own, after a dash.")
        seen: dict[str, str] = {}
        for number, text in enumerate(given):
            if not isinstance(text, str) or not text.strip():
                cure = "Put it into quotes, or remove the line." if text not in (None, "") else "Write something there, or remove the line."
                raise self.fault((*place, number), f"This value of {where} is no text: {text!r}.", cure)
            if comparable(text) in seen:
                raise self.fault((*place, number), f"This value of {where} stands there twice: {text!r}.", "Remove one of them.")
            seen[comparable(text)] = " ".join(text.split())
        if len(seen) < per_row:
            cure = "Add some, or lower `per_row` in the strategy's config."
            raise self.fault(place, f"{where} has {len(seen)} values, and every row takes {per_row}.", cure)
        return tuple(seen.values())


def shared_values(lists: Lists) -> dict[str, tuple[str, ...]]:
    """Values that several labels have: a text that is written from one fits each of them (AttrPrompt filters these, Yu et al. 2023).

    RETURNS (Dict[str, Tuple[str, ...]]): Value → its labels. Values count as equal by `comparable`.
    """
    found: dict[str, tuple[str, list[str]]] = {}
    for label, texts in lists.items():
        for text in texts:
            found.setdefault(comparable(text), (text, []))[1].append(label)
    return {text: tuple(labels) for text, labels in found.values() if len(labels) > 1}


def without_shared(lists: Lists, *, least: int) -> tuple[Lists, list[str]]:
    """Leave out what several labels share, from all of them.

    least (int): Values that each label needs: a shared one stays where a label would have fewer without it.
    RETURNS (Tuple[Lists, List[str]]): The other values, and those that were left out.
    """
    kept = {label: {comparable(text): text for text in texts} for label, texts in lists.items()}
    gone = []
    for text, labels in shared_values(lists).items():
        if all(len(kept[label]) > least for label in labels):
            gone.append(text)
            for label in labels:
                del kept[label][comparable(text)]
    return {label: tuple(texts.values()) for label, texts in kept.items()}, gone


def write_values(path: Path, found: Mapping[str, Lists], *, about: str) -> None:
    """Write values for people to edit.

    about (str): What stands above them, line by line.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    rows = {name: [*lists[ALL]] if ALL in lists else {label: [*texts] for label, texts in lists.items()} for name, lists in found.items()}
    with atomic(path) as file:
        file.write("".join(f"# {line}\n" for line in about.splitlines()) + "\n")
        yaml.dump(rows, file)


def write_chosen(path: Path, dimensions: Iterable[Dimension]) -> None:
    """Write the values that a plan is made from."""
    write_jsonl(path, ({"v": ROW_VERSION, **asdict(value)} for dimension in dimensions for value in dimension.values()))


def read_chosen(folder: Path) -> list[Value]:
    """RETURNS (List[Value]): The values that the plan of a run folder was made from; none where it needs none."""
    path = folder / CHOSEN
    return list(read_jsonl(path, _value)) if path.is_file() else []


def _value(row: Mapping[str, Any]) -> Value:
    return Value(row["id"], row["dimension"], row["header"], row["text"], row.get("label", ALL))
