"""The datasets of a run moved to another label set: rows and answers are copied into new ones, and the old ones stay as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from argilla_bridge.backends import DATASETS, BadRow
from argilla_bridge.relabel import Plan, next_name, relabelling
from argilla_bridge.rows import DRAFT, REJECT, SUBMITTED, UNUSABLE, ReviewRow, Suggestion
from argilla_bridge.schema import LABEL, VERDICT, ReviewSchema, VectorShape
from argilla_bridge.server.backend import ENDINGS, ArgillaBackend, own_note, write_note
from argilla_bridge.server.paging import PAGE, records
from argilla_bridge.server.sending import Sending
from argilla_bridge.server.shapes import Held, read_held
from spacy_synthesizrr.errors import InputError

# in what a dataset notes of itself: where it comes from, whether all of it is there, and the rows that were refused
NOTE = "relabelled"
MOST_NOTED = 1_000  # refused rows; of more it is not noted that all is there, and the next time all are sent


@dataclass
class Relabelled:
    """What became of the datasets of a run.

    name (str): The new [review] dataset.
    rows (int), answers (int): Moved.
    waiting (int): Answers that could not be moved; what else was said with one is a draft of that person.
    bad (List[BadRow]): Rows that the server refused.
    """

    name: str
    rows: int = 0
    answers: int = 0
    waiting: int = 0
    bad: list[BadRow] = field(default_factory=list)


def plan_of(backend: ArgillaBackend, new: tuple[str, ...], renames: Mapping[str, str]) -> Plan:
    """RETURNS (Plan): From the labels that the main dataset has to new ones.
    RAISES (InputError): When there is no dataset of that name, it has no labels, or a rename names none.
    """
    there = backend.link.dataset(backend.base, backend.workspace_id)
    if there is None:
        raise InputError(f"Argilla at {backend.link.url} has no dataset '{backend.base}'.", cure="There is nothing to relabel: push.")
    return relabelling(_labels(read_held(backend.link, there["id"]), backend.base), new, renames)


def relabel(backend: ArgillaBackend, plan: Plan, schemas: Mapping[str, ReviewSchema]) -> Relabelled:
    """Make the new datasets. Cut off, it goes on where it was; once whole, it only tries again the rows that were refused.

    backend (ArgillaBackend): With the name of the old ones.
    plan (Plan): See `plan_of`.
    schemas (Mapping[str, ReviewSchema]): Of "main", "overlap" and "adjudication", with the new labels.
    RETURNS (Relabelled): The name to set as [review] dataset, and what was moved.
    """
    done = Relabelled(_new_name(backend))
    target = ArgillaBackend(backend.link, backend.review, backend.workspace_id, done.name, backend.run_id)
    for dataset in DATASETS:
        old = backend.link.dataset(backend.name(dataset), backend.workspace_id)
        if old is not None and old["status"] == "ready":
            _move(old, target, dataset, plan, schemas[dataset], done)
    return done


def _new_name(backend: ArgillaBackend) -> str:
    """The next version, or the one that was begun from these datasets before."""
    there = backend.link.call("GET", "/me/datasets", params={"workspace_id": backend.workspace_id})["items"]
    own = next((each["id"] for each in there if each["name"] == backend.base), None)
    begun = [each["name"] for each in there if own and _note(each).get("from") == own]
    return begun[0] if begun else next_name(backend.base, {each["name"].removesuffix(end) for each in there for end in ENDINGS.values()})


def _move(old: Mapping[str, Any], target: ArgillaBackend, dataset: str, plan: Plan, schema: ReviewSchema, done: Relabelled) -> None:
    link = target.link
    held = read_held(link, old["id"])
    vectors = tuple(VectorShape(each["name"], each["title"], each["dimensions"]) for each in held.vectors)
    id = target.open(dataset, replace(schema, vectors=vectors))
    note = _note(link.call("GET", f"/datasets/{id}"))
    # a row that came there since is left alone: people may have answered it anew
    again = set(note.get("refused", ())).difference(target.ids(dataset)) if note.get("whole") else None
    if again is not None and not again:
        return
    _write_note(target, id, {**note, "from": old["id"], "whole": again is not None})
    answers: dict[str, int] = {}

    def kept(ids: Sequence[str]) -> None:
        done.rows += len(ids)
        done.answers += sum(answers.pop(row, 0) for row in ids)

    sending = Sending(link, id, read_held(link, id), kept)
    bad = sending.send(_rows(old["id"], held, plan, sending, answers, done, again))
    done.bad += bad
    _write_note(target, id, {"from": old["id"], "whole": len(bad) <= MOST_NOTED, "refused": [row.id for row in bad][:MOST_NOTED]})


def _rows(
    old_id: str, held: Held, plan: Plan, sending: Sending, answers: dict[str, int], done: Relabelled, only: Collection[str] | None
) -> Iterator[ReviewRow]:
    """YIELDS (ReviewRow): Rows of the old dataset, all or some; their answers go into `sending`, and how many were moved into `answers`."""
    labels = {each["name"]: str(each["id"]) for each in held.questions}.get(LABEL, "")
    kinds = sending.held.metadata_kinds()
    # what a page of records holds beside the texts is asked for here alone: votes need neither suggestions nor vectors
    for record in records(sending.link, old_id, include="responses,suggestions,vectors", page=PAGE // 5):
        row = record.get("external_id")
        if not row or (only is not None and row not in only):
            continue
        moved = [answer for each in record.get("responses") or () if (answer := moved_answer(each, plan)) is not None]
        sending.responses[row] = [answer.body for answer in moved if answer.body["values"] or answer.body["status"] != DRAFT]
        answers[row] = sum(not answer.waits for answer in moved)
        done.waiting += sum(answer.waits for answer in moved)
        yield ReviewRow(
            id=row,
            candidate_id=str((record.get("metadata") or {}).get("candidate", "")),
            fields={name: text for name, text in record["fields"].items() if text is not None},
            metadata={name: value for name, value in (record.get("metadata") or {}).items() if name in kinds},
            vectors=record.get("vectors") or {},
            suggestion=_suggestion(record, labels, plan),
        )


@dataclass(frozen=True)
class MovedAnswer:
    """An answer as it goes into the new dataset.

    body (dict): For the server. waits (bool): Whether its person has to answer again.
    """

    body: dict[str, Any]
    waits: bool


def moved_answer(response: Mapping[str, Any], plan: Plan) -> MovedAnswer | None:
    """Move what one person said of one row. One that turns the row away stays so, whatever label it had.

    response (Mapping): As the server tells it.
    RETURNS (MovedAnswer | None): None when nothing is left of a draft.
    """
    values, status = dict(response.get("values") or {}), response["status"]
    chosen = (values.get(LABEL) or {}).get("value")
    labels = [chosen] if isinstance(chosen, str) else list(chosen or ())
    moved = [*(plan.labels([label for label in labels if label != UNUSABLE]) or ()), *(label for label in labels if label == UNUSABLE)]
    rejects = (values.get(VERDICT) or {}).get("value") == REJECT
    if labels and not moved and rejects and isinstance(chosen, str):
        moved = [plan.new[0]]  # the question is a required one, and what it says of a row that is turned away does not count
    if labels and moved:
        values[LABEL] = {"value": moved[0] if isinstance(chosen, str) else moved}
    elif labels:
        del values[LABEL]
    waits = bool(labels) and not moved and not rejects and status == SUBMITTED
    status = DRAFT if waits else status
    if not values and status == DRAFT and not waits:
        return None
    return MovedAnswer({"user_id": response["user_id"], "status": status, "values": values}, waits)


def _suggestion(record: Mapping[str, Any], question_id: str, plan: Plan) -> Suggestion | None:
    """The suggestion under the new labels; of a list of scores, which are all the same, the first."""
    for each in record.get("suggestions") or ():
        if str(each["question_id"]) == question_id:
            labels = plan.labels([each["value"]] if isinstance(each["value"], str) else each["value"])
            score = each["score"][0] if isinstance(each["score"], list) else each["score"]
            return Suggestion(labels, score, each.get("agent") or "") if labels else None
    return None


def _labels(held: Held, name: str) -> tuple[str, ...]:
    for each in held.questions:
        if each["name"] == LABEL and each["settings"].get("options"):
            return tuple(option["value"] for option in each["settings"]["options"])
    raise InputError(f"The dataset '{name}' has no question '{LABEL}' with labels.", cure="It was not made by push.")


def _note(dataset: Mapping[str, Any]) -> dict[str, Any]:
    return dict(own_note(dataset).get(NOTE) or {})


def _write_note(target: ArgillaBackend, id: str, note: Mapping[str, Any]) -> None:
    there = target.link.call("GET", f"/datasets/{id}")
    write_note(target.link, there, {**own_note(there), NOTE: note})
