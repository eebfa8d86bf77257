"""The page of a loop: its ledger through one template, and new rows beside the labelled rows that they were written after."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Candidate, label_key
from spacy_synthesizrr.jsonl import atomic
from spacy_synthesizrr.loop.finished import Asked, Round, finished_rounds, start_of
from spacy_synthesizrr.loop.ledger import make_ledger
from spacy_synthesizrr.loop.parents import Parent
from spacy_synthesizrr.loop.parts import findings, make_parts, tiles
from spacy_synthesizrr.loop.settings import LOOP
from spacy_synthesizrr.loop.split import ERROR
from spacy_synthesizrr.loop.told import cautions
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.report.items import FIELDS, Shown, cut
from spacy_synthesizrr.report.view import Table, commanded, decimals
from spacy_synthesizrr.students.scores import NO_LABEL

PAGE = "index.html"
SHOWN = 8  # rows of a round
LETTERS = 700  # of a text
WRITTEN = {"how": "with"}  # options that have another name in a config


@dataclass(frozen=True)
class Beside:
    """A new row and its parent.

    label (str): Of both. taken (str): What the student before said of the parent, where it was wrong.
    parent (FIELDS), addition (FIELDS): Name and text of each field. line (int): Of the parent, in the user's file.
    command (str): Shows the whole way of the row.
    """

    label: str
    taken: str
    parent: FIELDS
    line: int
    addition: FIELDS
    told: str
    command: str


@dataclass(frozen=True)
class Sampled:
    """Some of a round's new rows.

    title (str): The round. own (bool): Whether of the loop itself.
    total (int): How many there are.
    """

    title: str
    own: bool
    total: int
    pairs: Sequence[Beside]


def write_page(folder: Path, ledger: Mapping[str, Any] | None = None) -> Path:
    """Write index.html.

    folder (Path): runs/NAME of a loop.
    ledger (Mapping): What `make_ledger` said of it, where that is known; it is read anew otherwise.
    RETURNS (Path): The page.
    RAISES (RunFolderError): When not even its start is finished.
    """
    page = render(folder, ledger or make_ledger(folder))
    with atomic(folder / PAGE) as file:
        file.write(page)
    return folder / PAGE


def render(folder: Path, ledger: Mapping[str, Any]) -> str:
    """RETURNS (str): One HTML document that asks for nothing from outside and runs no script."""
    from spacy_synthesizrr.report.page import HERE, environment

    rounds = [entry["run"] for arm in ledger["arms"] for entry in arm["rounds"]]
    report = folder.parent / ledger["run"] / "report" / PAGE
    page = environment().get_template("loop.jinja").render(
        name=ledger["loop"],
        summary=_summary(ledger),
        report=f"../{ledger['run']}/report/{PAGE}" if report.is_file() else "",
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        tiles=tiles(ledger),
        findings=findings(ledger),
        cautions=list(cautions(ledger)),
        parts=make_parts(ledger),
        pairs=sample_pairs(folder),
        asked=asked_table(ledger),
        times=times_table(folder),
        commands=[commanded("rows", rounds[0]), commanded("trace ID", rounds[0])] if rounds else [],
        version=versions().get("spacy-synthesizrr", ""),
        shown=Shown(),
        run=ledger["loop"],
    )  # fmt: skip
    return page.strip() + "\n"


def _summary(ledger: Mapping[str, Any]) -> str:
    settings = ledger["settings"]
    rounds = len(ledger["arms"][0]["rounds"])
    told = [
        f"from the run {ledger['run']}",
        f"extrapolation with {settings['extrapolate']['how']}",
    ]
    told.append(f"{rounds} {'round' if rounds == 1 else 'rounds'}")
    told += [f"ended: {ledger['stopped']}"] if ledger["stopped"] else []
    return " · ".join(told)


def asked_table(ledger: Mapping[str, Any]) -> Table:
    """RETURNS (Table): Every option of the loop with its value."""
    options = ((section, key, value) for section, keys in ledger["settings"].items() for key, value in keys.items())
    rows = tuple((f"[{section}] {WRITTEN.get(key, key)}", _word(value)) for section, key, value in options)
    return Table("The loop", ("option", "value"), (("run", ledger["run"]), *rows), words=(1,))


def times_table(folder: Path) -> Table:
    """RETURNS (Table): Seconds that each round took, of asking and of training; they depend on the machine, so the ledger has none."""
    asked = Asked.read(folder)
    rounds = [one for one in (start_of(asked), *(one for arm in asked.arms for one in finished_rounds(asked, arm))) if one]
    parts = (("synthesize",), ("train",), ())
    rows = tuple((one.folder.path.name, *(decimals(one.seconds(*steps), 1) for steps in parts)) for one in rounds)
    return Table("Seconds", ("round", "asking", "training", "all steps"), rows)


def _word(value: Any) -> str:
    """RETURNS (str): A value as it stands in a config; pairs of labels with an arrow."""
    if isinstance(value, list):
        return ", ".join(" → ".join(one) if isinstance(one, list) else str(one) for one in value) or "none"
    return "none" if value == "" else value if isinstance(value, str) else json.dumps(value)


def sample_pairs(folder: Path) -> list[Sampled]:
    """RETURNS (List[Sampled]): New rows of every round that has parents, drawn with the loop's seed; kinds of errors take turns."""
    asked = Asked.read(folder)
    start = start_of(asked)
    found = []
    for arm in asked.arms:
        before = start
        for one in finished_rounds(asked, arm):
            if before is not None and (sampled := _sampled(one, before)):
                found.append(sampled)
            before = one
    return found


def _sampled(one: Round, before: Round) -> Sampled | None:
    parents = one.parents()
    rows = [(row, parents[row.seed_id]) for row in (one.candidates("accepted.jsonl") if parents else ()) if row.seed_id in parents]
    if not rows:
        return None
    said = {answer.line: answer.predicted for answer in before.joined(ERROR)}
    kinds: dict[tuple[tuple[str, ...], ...], list[tuple[Candidate, Parent]]] = {}
    for row, parent in random.Random(f"{one.arm} {one.number}").sample(rows, len(rows)):
        kinds.setdefault((parent.seed.labels, said.get(parent.line, ())), []).append((row, parent))
    turns = max(map(len, kinds.values()))
    order = [own[turn] for turn in range(turns) for own in kinds.values() if turn < len(own)]
    pairs = [_beside(one, row, parent, said.get(parent.line)) for row, parent in order[:SHOWN]]
    return Sampled(f"{one.arm}, round {one.number}", one.arm == LOOP, len(rows), pairs)


def _beside(one: Round, row: Candidate, parent: Parent, said: tuple[str, ...] | None) -> Beside:
    wrong = said is not None and set(said) != set(parent.seed.labels)
    names = [spec.name for spec in one.asked.task.fields]
    carried, texts = parent.seed.fields, row.fields
    new = [name for name in names if texts.get(name) != carried.get(name)] or [one.asked.task.generated.name]
    return Beside(
        label_key(row.labels),
        (label_key(said or ()) or NO_LABEL) if wrong else "",
        tuple((name, cut(carried.get(name, ""), LETTERS)) for name in names),
        parent.line,
        tuple((name, cut(texts.get(name, ""), LETTERS)) for name in new),
        "from a passage" if row.passage_id else "",
        commanded(f"trace {row.id[:12]}", f"{one.asked.folder.name}/{one.folder.path.name}"),
    )
