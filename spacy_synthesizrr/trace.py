"""`trace`: the whole life of one candidate, from the seed that asked for it to the last verdict."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Candidate, Event, Passage, label_key
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.dimensions import read_chosen
from spacy_synthesizrr.errors import RunFolderError, StoreError, SynthesizrrError
from spacy_synthesizrr.jsonl import parse_row
from spacy_synthesizrr.labelled import run_seeds
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.students.arms import MAIN

# From the first file that a candidate stands in to the last; the last one found tells the whole history.
FILES = (
    "planned.jsonl", "generated.jsonl", "synthesized.jsonl", "turned_away.jsonl", "accepted.jsonl", "rejected.jsonl",
    "review/reviewed.jsonl", "review/turned_away.jsonl",
)  # fmt: skip
ROW_ID = re.compile(r'^\{"v": \d+, "id": "([^"]*)"')
CHOICES = 5


@dataclass(frozen=True)
class Found:
    """Where a candidate stands: the arm of the run, the latest version of the row, and the lines that hold it."""

    arm: str
    candidate: Candidate
    places: tuple[str, ...]


def trace(ctx: Context, prefix: str) -> str:
    """Tell the life of the candidate whose id starts with some digits.

    prefix (str): The id, or as many of its first digits as make it the only one.
    RETURNS (str): Text of many lines. A candidate that stands in several arms is told once for each.
    RAISES (SynthesizrrError): When no candidate, or more than one, has such an id; the text names the nearest.
    """
    found, seeds = find(ctx.folder.path, prefix), run_seeds(ctx)
    with contextlib.closing(open_store(ctx)) as store:
        lookup = Lookup(ctx.task, store, seeds, read_chosen(ctx.folder.path))
        return "\n\n".join("\n".join(_life(row, lookup)) for row in found)


def find(folder: Path, prefix: str) -> list[Found]:
    """Look a candidate up in all files of a run; the files are streamed.

    RETURNS (List[Found]): One per arm that holds it, the main one first.
    """
    prefix = prefix.strip().lower()
    if not prefix:
        raise SynthesizrrError("Give the id of a candidate, or its first digits; every row of accepted.jsonl and rejected.jsonl has one.")
    rows: dict[str, tuple[Candidate, list[str]]] = {}
    matches: set[str] = set()
    nearest: list[str] = []
    for path, number, found, line in _lines(folder):
        if found.startswith(prefix):
            candidate = parse_row(line, Candidate.from_dict, path=path, number=number)
            arm = _arm(folder, path)
            rows[arm] = (candidate, [*rows.get(arm, (candidate, []))[1], f"{path.relative_to(folder).as_posix()}:{number}"])
            matches.add(found)
            if len(matches) > CHOICES:
                break
        elif not matches and found.startswith(_bar(nearest, prefix)):
            nearest = _nearest({*nearest, found}, prefix)
    if len(matches) == 1:
        return [Found(arm, candidate, tuple(places)) for arm, (candidate, places) in rows.items()]
    raise _no_single(prefix, matches, nearest)


def _lines(folder: Path) -> Iterator[tuple[Path, int, str, str]]:
    """Every line of every candidate file with its id, unparsed: a run may have millions."""
    for arm in (folder, *sorted(path for path in (folder / "controls").glob("*") if path.is_dir())):
        for path in (arm / name for name in FILES):
            if not path.is_file():
                continue
            with path.open(encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    yield path, number, _id(line, path, number), line


def _id(line: str, path: Path, number: int) -> str:
    match = ROW_ID.match(line)
    return match.group(1) if match else parse_row(line, lambda row: str(row["id"]), path=path, number=number)


def _arm(folder: Path, path: Path) -> str:
    inside = path.relative_to(folder).parts
    return inside[1] if inside[0] == "controls" else MAIN


def _nearest(ids: Iterable[str], prefix: str) -> list[str]:
    """The ids that agree with the prefix for longest, the nearest first."""
    return sorted(ids, key=lambda found: (-len(os.path.commonprefix([found, prefix])), found))[:CHOICES]


def _bar(nearest: Sequence[str], prefix: str) -> str:
    """The start that an id must have to be among the nearest."""
    return prefix[: len(os.path.commonprefix([nearest[-1], prefix])) + 1] if len(nearest) == CHOICES else ""


def _no_single(prefix: str, matches: set[str], nearest: Sequence[str]) -> SynthesizrrError:
    if matches:
        shown = ", ".join(sorted(matches)[:CHOICES]) + (", …" if len(matches) > CHOICES else "")
        return SynthesizrrError(f"More than one candidate has an id that starts with '{prefix}': {shown}. Give more digits.")
    if nearest:
        return SynthesizrrError(f"No candidate has an id that starts with '{prefix}'. The nearest are: {', '.join(nearest)}.")
    return SynthesizrrError("This run has no candidates yet. Run the step 'plan' first.")


def _life(found: Found, lookup: Lookup) -> Iterator[str]:
    candidate = found.candidate
    yield f"Candidate {candidate.id}"
    facts = {
        "status": f"{candidate.status} ({candidate.reason})" if candidate.reason else candidate.status,
        "arm": found.arm,
        "labels": candidate.key,
        "strategy": f"{candidate.strategy}, draw {candidate.draw}" + (", from the reserve" if candidate.reserve else ""),
        "request": candidate.request,
        "stands in": ", ".join(found.places),
    }
    yield from (f"  {name:<10} {value}" for name, value in facts.items() if value)
    yield from ("", *_seed(lookup, candidate.seed_id, "Seed"))
    if candidate.rationales:
        yield from ("", "Written from", *(line for name in candidate.rationales for line in _value(lookup, name)))
    if candidate.passage_id:
        closeness = {"rank": candidate.rank, "similarity": candidate.similarity, "margin": candidate.margin}
        known = ", ".join(f"{name} {_short(value)}" for name, value in closeness.items() if value is not None)
        yield from ("", *_passage(lookup, candidate.passage_id, "Passage", known))
    for number, shot in enumerate(candidate.shots, 1):
        yield from ("", *_seed(lookup, shot.seed_id, f"Shot {number}: seed"))
        if shot.passage_id:
            yield from _passage(lookup, shot.passage_id, f"Shot {number}: passage", "")
    yield from ("", "Events", *(line for event in candidate.events for line in _event(event)))
    if not candidate.events:
        yield "  planned; nothing has happened to it yet"
    for name, text in candidate.fields.items():
        yield from ("", f"Field '{name}'" + (" (generated)" if name == lookup.task.generated.name else ""), *_indented(text))


def _seed(lookup: Lookup, seed_id: str, title: str) -> Iterator[str]:
    seed = lookup.known(seed_id)
    if seed is None:
        yield f"{title} {seed_id} (not among the task's seeds any more)"
        return
    taken = f"; taken for {label_key(seed.predicted)}" if seed.predicted else ""
    yield f"{title} {seed_id} ({seed.origin}; {label_key(seed.labels)}{taken})"
    for name, text in seed.fields.items():
        yield from _indented(text if len(seed.fields) == 1 else f"{name}: {text}")


def _value(lookup: Lookup, value_id: str) -> Iterator[str]:
    try:
        value = lookup.value(value_id)
    except RunFolderError as error:
        yield f"  {value_id} ({error})"
        return
    yield f"  {printable(f'{value.header}: {value.text}')} ({value_id})"


def _passage(lookup: Lookup, passage_id: str, title: str, known: str) -> Iterator[str]:
    try:
        passage: Passage = lookup.store.get([passage_id])[0]
    except StoreError as error:
        yield f"{title} {passage_id} (its text is not to be had: {error})"
        return
    place = f"document {passage.document}, piece {passage.number}" if passage.document else ""
    about = [part for part in (f"source {passage.source}" if passage.source else "", place, known) if part]
    yield f"{title} {passage_id} ({printable('; '.join(about))})"
    yield from _indented(passage.text)


def _event(event: Event) -> Iterator[str]:
    yield f"  {event.step:<11} {event.status}" + (f": {event.reason}" if event.reason else "")
    yield from (f"              {printable(f'{name}: {_short(value)}')}" for name, value in event.detail.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _indented(text: str) -> list[str]:
    return [f"  {printable(line)}" for line in text.splitlines()] or ["  (empty)"]


def printable(text: str) -> str:
    """A text without the control characters that could repaint a terminal; they are spelled out."""
    return "".join(letter if letter.isprintable() or letter == "\t" else letter.encode("unicode_escape").decode() for letter in text)
