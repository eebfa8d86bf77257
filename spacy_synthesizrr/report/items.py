"""The rows that the page shows, each with where it comes from: plain values that stand in the page as HTML and as JSON alike.

A passage or seed that several rows share is kept once and named by its place. Long texts are cut, in the same way
everywhere, so that a page stays small whatever the rows are; `synthesizrr trace` shows all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, label_key
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.report.rows import mark_copied
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.students.scores import NO_LABEL

TEST = "test"  # in the place of the arm
RIGHT, WRONG = "right", "wrong"  # in the place of the status
BATCH = 40  # rows whose passages are asked for at once
CUTS = (2000, 1200, 700, 400, 200, 80)  # letters of a text; tried until all fits
MOST_BYTES = 7_000_000
TOLD = 160  # letters of one fact
FIELDS = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Item:
    """One row of the page.

    id (str): Of the candidate; of a test row "test:" and its line.
    arm (str): "main", a control, or "test". status (str): Of the candidate; "right" or "wrong" of a test row.
    label (str): Its label set. reason (str): Why it was turned away, or as what a test row was taken.
    fields (Tuple): Name and text of each field, the generated one last.
    passage (int | None), seed (int | None): Places in `Shown`.
    marks (Tuple[Tuple[int, int], ...]): Letters of the passage, from and up to, that the text repeats word for word.
    facts (Tuple): Name and value of whatever else is known.
    history (Tuple[str, ...]): What happened to it, step by step.
    """

    id: str
    arm: str
    status: str
    label: str
    reason: str = ""
    fields: FIELDS = ()
    passage: int | None = None
    seed: int | None = None
    marks: tuple[tuple[int, int], ...] = ()
    facts: FIELDS = ()
    history: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON, what is empty left out."""
        return {name: value for name, value in self.__dict__.items() if value not in ((), "", None)}


@dataclass(frozen=True)
class Shown:
    """Rows with the texts that belong to them.

    passages (Sequence[Tuple[str, str]]): Text and source. seeds (Sequence[FIELDS]): Name and text of each field.
    """

    items: Sequence[Item] = ()
    passages: Sequence[tuple[str, str]] = ()
    seeds: Sequence[FIELDS] = ()

    def cut(self, letters: int) -> Shown:
        """RETURNS (Shown): The same with texts of at most so many letters."""
        items = [
            replace(
                item,
                fields=_cut_fields(item.fields, letters),
                marks=tuple((start, min(end, letters)) for start, end in item.marks if start < letters),
            )
            for item in self.items
        ]
        passages = [(cut(text, letters), source) for text, source in self.passages]
        return Shown(items, passages, [_cut_fields(fields, letters) for fields in self.seeds])

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        return {"items": [item.to_dict() for item in self.items], "passages": self.passages, "seeds": self.seeds}


def cut(text: str, letters: int) -> str:
    """RETURNS (str): A text, or its beginning and an ellipsis."""
    return text if len(text) <= letters else text[:letters].rstrip() + " …"


def _cut_fields(fields: FIELDS, letters: int) -> FIELDS:
    return tuple((name, cut(text, letters)) for name, text in fields)


def fitted(shown: Shown, *, most: int = MOST_BYTES) -> tuple[Shown, int]:
    """Cut texts no more than needed for all of it to fit.

    most (int): Bytes as JSON.
    RETURNS (Tuple[Shown, int]): And the number of letters that texts were cut to.
    """
    for letters in CUTS:
        small = shown.cut(letters)
        if len(inside_script(small.to_dict()).encode()) <= most:
            break
    return small, letters


def inside_script(value: Any) -> str:
    """RETURNS (str): JSON that can stand inside a `<script>` of a page: nothing in it ends the element or begins another."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


@dataclass
class _Places:
    """Texts that are kept once."""

    found: dict[str, int] = field(default_factory=dict)

    def of(self, key: str) -> int:
        return self.found.setdefault(key, len(self.found))


def candidates_shown(rows: Iterable[tuple[str, Candidate]], lookup: Lookup) -> Shown:
    """Look up what belongs to each candidate; the store is asked in batches.

    rows (Iterable): Arm and candidate.
    """
    passage_places, seed_places = _Places(), _Places()
    items: list[Item] = []
    texts: dict[int, tuple[str, str]] = {}
    for batch in batched(rows, BATCH):
        passages = lookup.passages([replace(candidate, shots=()) for _, candidate in batch])
        for arm, candidate in batch:
            passage, seed = passages.get(candidate.passage_id or ""), lookup.known(candidate.seed_id)
            item = _item(arm, candidate, lookup.task.generated.name, passage.text if passage else None)
            if passage:
                place = passage_places.of(passage.id)
                texts[place] = (passage.text, " · ".join(part for part in (passage.source, passage.document) if part))
                item = replace(item, passage=place)
            items.append(replace(item, seed=seed_places.of(seed.id)) if seed else item)
    seeds = [tuple(lookup.seed(id).fields.items()) for id in seed_places.found]
    return Shown(items, [texts[place] for place in sorted(texts)], seeds)


def _item(arm: str, candidate: Candidate, generated: str, passage: str | None) -> Item:
    text = candidate.fields.get(generated, "")
    fields = tuple((key, value) for key, value in candidate.fields.items() if key != generated) + ((generated, text),)
    marks, copied = _marks(text, passage) if passage is not None else ((), None)
    return Item(
        id=candidate.id,
        arm=arm,
        status=candidate.status,
        label=candidate.key,
        reason="" if candidate.status == ACCEPTED else candidate.reason or "unknown",
        fields=fields,
        marks=marks,
        facts=tuple(_facts(candidate, copied)),
        history=tuple(_told(event) for event in candidate.events),
    )


def _marks(text: str, passage: str) -> tuple[tuple[tuple[int, int], ...], float]:
    pieces, copied = mark_copied(text, passage)
    marks, at = [], 0
    for piece in pieces:
        if piece.copied:
            marks.append((at, at + len(piece.text)))
        at += len(piece.text)
    return tuple(marks), copied


def _facts(candidate: Candidate, copied: float | None) -> Iterator[tuple[str, str]]:
    for name, value in (("similarity", candidate.similarity), ("margin", candidate.margin)):
        if value is not None:
            yield name, f"{value:.3f}"
    if candidate.rank is not None:
        yield "rank", str(candidate.rank)
    if copied is not None:
        yield "words copied", f"{100 * copied:.0f} %"
    if candidate.shots:
        yield "shots", str(len(candidate.shots))
    if candidate.weight != 1.0:
        yield "weight", f"{candidate.weight:.3g}"
    for event in candidate.events:
        if event.step != "synthesize":
            yield from ((name.replace("_", " "), value) for name, value in _details(event.detail))


def _details(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What an event says besides its reason; what is inside something else gets both names."""
    for name, value in detail.items():
        if isinstance(value, Mapping):
            yield from ((f"{name} {inner}", text) for inner, text in _details(value))
        elif value not in (None, "", [], ()):
            yield name, f"{value:.3g}" if isinstance(value, float) else cut(" ".join(str(value).split()), TOLD)


def _told(event: Event) -> str:
    reason = f", {event.reason.replace('_', ' ')}" if event.reason else ""
    details = "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in _details(event.detail) if name != "request")
    return f"{event.step}: {event.status}{reason}" + (f" ({details})" if details else "")


def gold_items(rows: Iterable[LabelledRow], said: Mapping[int, tuple[str, ...]]) -> dict[int, Item]:
    """The test rows that the student read in a way that is to be shown.

    rows (Iterable[LabelledRow]): Those of the test file.
    said (Mapping[int, Tuple[str, ...]]): Line → what the student says of it.
    RETURNS (Dict[int, Item]): By line.
    """
    found: dict[int, Item] = {}
    for row in rows:
        if row.line in said:
            gold, student = label_key(row.labels) or NO_LABEL, label_key(said[row.line]) or NO_LABEL
            status, reason = (RIGHT, "") if gold == student else (WRONG, f"taken for {student}")
            facts = (("gold label", gold), ("student's label", student), ("line of the test file", f"{row.line:,}"))
            found[row.line] = Item(f"{TEST}:{row.line}", TEST, status, gold, reason, tuple(row.fields.items()), facts=facts)
    return found
