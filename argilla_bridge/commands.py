"""What the commands of the bridge do, as plain functions on a run: push, status, pull, agreement, guidelines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from argilla_bridge.backends import DATASETS
from argilla_bridge.desk import FOLDER, Desk, open_desk
from argilla_bridge.rounds.people import People
from argilla_bridge.rounds.spool import Spool
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import NO_REVIEW, Context
from spacy_synthesizrr.jsonl import read_json, read_jsonl, write_json
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import run_step

PUSHED, PULLED, AGREEMENT = (f"{FOLDER}/{name}.json" for name in ("pushed", "pulled", "agreement"))
AFTER = ("index", "plan", "synthesize", "curate")


def push(ctx: Context, to: Path | None = None) -> bool:
    """Put the accepted rows of a run before the people who review them; without a review nothing happens.

    to (Path): A file to write them to, whatever the config says.
    RETURNS (bool): Whether work was done.
    RAISES (SynthesizrrError): When the place cannot be reached, or is another one's.
    """
    if to is None and not ctx.reviewed:
        return _nothing(ctx, "push")
    desk = open_desk(ctx, to)
    return _step(desk, "push", AFTER, (PUSHED,), lambda: _push(desk))


def _push(desk: Desk) -> dict[str, Any]:
    from argilla_bridge.rounds.pushing import push as put_before_people

    accepted = desk.ctx.folder.file("accepted.jsonl")
    with desk.ledger() as ledger, desk.making(ledger) as making, desk.backend() as backend:
        schema = desk.schema(dimensions=making.dimensions)
        rows = making(read_jsonl(accepted, Candidate.from_dict))
        done = put_before_people(backend, rows, ledger, schema=schema, settings=desk.settings, report=_tell)
    for line in _told(done.to_dict()):
        _tell(line)
    there = done.new + done.changed + done.unchanged
    write_json(desk.ctx.folder.file(PUSHED), {"v": 1, "rows": there, "waiting": done.waiting, **_lasting(done.to_dict())})
    return {"rows": there, "refused": len(done.bad)}


def _lasting(done: Mapping[str, Any]) -> dict[str, Any]:
    """What stays the same when nothing changed and the same is pushed again: later steps look at it."""
    return {name: done[name] for name in ("bad", "places")}


def _told(done: Mapping[str, Any]) -> Iterator[str]:
    counts = [f"{done[name]:,} {name}" for name in ("new", "changed", "unchanged", "removed", "kept", "waiting") if done[name]]
    yield ", ".join(counts) or "no rows"
    if done["answers"]:
        yield f"people gave {done['answers']:,} answers on what was removed; they stay in the ledger and count if the same text comes back"
    for bad in done["bad"][:3]:
        yield f"refused: {bad['id']}: {bad['why']}"
    if len(done["bad"]) > 3:
        yield f"and {len(done['bad']) - 3:,} more that were refused; see {PUSHED}"
    yield from (f"{dataset}: {place}" for dataset, place in done["places"].items())


def pull(ctx: Context, files: Sequence[Path] = ()) -> bool:
    """Read the votes given so far and decide each row by them; ties go before people once more.

    files (Sequence[Path]): Files to read them from, whatever the config says.
    RETURNS (bool): Whether work was done.
    """
    if not files and not ctx.reviewed:
        return _nothing(ctx, "pull")
    from argilla_bridge.rounds.pulling import FILES

    desk = open_desk(ctx, given=files)
    outputs = (PULLED, *(f"{FOLDER}/{name}" for name in FILES))
    # not after push: when that fails, or would remove rows, what people said before can be had all the same
    return _step(desk, "pull", ("curate",), outputs, lambda: _pull(desk))


def _pull(desk: Desk) -> dict[str, Any]:
    from argilla_bridge.rounds.adjudicating import adjudicate
    from argilla_bridge.rounds.checking import check_of
    from argilla_bridge.rounds.exporting import write_datasets
    from argilla_bridge.rounds.pulling import pull as read_votes

    accepted = desk.ctx.folder.file("accepted.jsonl")
    with desk.ledger() as ledger, desk.making(ledger) as making:
        how: dict[str, Any] = {"settings": desk.settings, "report": _tell}
        with desk.reading() as place:
            check = check_of(desk.ctx, making.lookup)
            done = read_votes(place, ledger, accepted, desk.folder, task=desk.task, check=check, **how)
        schema = desk.schema(dimensions=making.dimensions, adjudication=True)
        with desk.backend() as place:
            asked = adjudicate(place, ledger, desk.folder, making=making, schema=schema, **how)
    counts = done.to_dict()
    _tell(", ".join(f"{counts[name]:,} {name}" for name in ("submitted", "drafts", "discarded")) + " answers")
    _tell(", ".join(f"{counts[name]:,} {name}" for name in ("human", "suggestion", "unreviewed", "rejected", "ties")) + " rows")
    if counts["waiting"]:
        _tell(f"people disagree on {counts['waiting']:,} rows, and more of them are to answer before a judge does")
    for dataset, where in asked.places.items():
        _tell(f"{dataset}: {asked.new + asked.changed + asked.unchanged:,} ties wait for a judge: {where}")
    if desk.settings.datasets:
        write_datasets(desk.folder, task=desk.task)
    write_json(desk.ctx.folder.file(PULLED), {"v": 1, **counts})
    return {name: counts[name] for name in ("human", "suggestion", "unreviewed", "rejected", "ties")}


def agreement(ctx: Context) -> bool:
    """Measure how far people agree with each other and with the suggestions, by the votes of the last pull.

    RETURNS (bool): Whether work was done.
    """
    if not ctx.reviewed:
        return _nothing(ctx, "agreement")
    settings = ctx.depends(task=True, settings=("seed",))
    return run_step(ctx.folder, "agreement", after=("pull",), settings=settings, outputs=(AGREEMENT,), body=lambda: _agreement(ctx))


def _agreement(ctx: Context) -> dict[str, Any]:
    from argilla_bridge.measures.agreement import agreement as measure
    from argilla_bridge.measures.judged import read_judged

    labels, exclusive = list(ctx.task.labels), ctx.task.exclusive
    found = measure(read_judged(ctx.folder.file(FOLDER)), labels=labels, exclusive=exclusive, seed=ctx.seed)
    decided = {name: count for name, count in read_json(ctx.folder.file(PULLED)).items() if name != "v"}
    write_json(ctx.folder.file(AGREEMENT), {**found, "decided": decided})
    for line in _agreed(found):
        _tell(line)
    return dict(found["rows"])


def _agreed(found: Mapping[str, Any]) -> Iterator[str]:
    """YIELDS (str): What the report says in words, and the measures that people look at first."""
    from spacy_synthesizrr.report.review import number, sentences, share

    yield from sentences(found)
    measures = found["agreement"]["all"]
    if rows := measures["percent"]["n"]:
        alike, alpha = share(measures["percent"]), number(measures["alpha"])
        yield f"Answers to the {rows:,} rows that several people answered are alike in {alike} %; Krippendorff's alpha: {alpha}."


def status(ctx: Context) -> dict[str, Any]:
    """How far people are.

    RETURNS (dict): Per dataset: place, rows, rows with a vote, and answers per person by status.
    """
    desk, found = open_desk(ctx), {}
    with desk.ledger() as ledger, desk.backend() as backend:
        known = People(ledger, desk.settings)
        for dataset in DATASETS:
            people, answered = Counter[tuple[str, str]](), 0
            with Spool() as seen, Spool() as done:
                rows = sum(map(seen.see, backend.ids(dataset)))  # in a file a row may have several lines
                if not rows:
                    continue
                for vote in backend.votes(dataset):
                    people[known.name(known.number(vote)), vote.status] += 1
                    answered += vote.counts and done.see(vote.row_id)
            names = sorted({name for name, _ in people})
            found[dataset] = {
                "place": backend.place(dataset),
                "rows": rows,
                "answered": answered,
                "people": {name: {state: count for (who, state), count in people.items() if who == name} for name in names},
            }
    return found


def guidelines(ctx: Context) -> str:
    """RETURNS (str): What people read first, in Markdown."""
    return open_desk(ctx).schema().guidelines


def _step(desk: Desk, step: str, after: Sequence[str], outputs: Iterable[str], body: Any) -> bool:
    """Do a step that looks at a place outside of the run, so it is done each time."""
    settings = desk.ctx.depends(task=True, configs=("review",))
    settings["files"]["review"] = [path.as_posix() for path in desk.given or desk.files]
    return run_step(desk.ctx.folder, step, after=after, settings=settings, outputs=list(outputs), body=body, always=True)


def _nothing(ctx: Context, step: str) -> bool:
    """The receipt of a step in a run that nobody reviews; it depends on nothing, so nothing makes it stale."""
    return run_step(ctx.folder, step, after=(), settings={"review": NO_REVIEW}, outputs=(), body=dict)


def _tell(line: str) -> None:
    say(f"  {line}")
