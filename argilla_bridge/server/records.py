"""A ReviewRow as a record of Argilla, and the responses on one as Votes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from argilla_bridge.rows import DISCARDED, REJECT, STATUSES, UNUSABLE, ReviewRow, Suggestion, Vote
from argilla_bridge.schema import ABOUT, CORRECTED, LABEL, REASON, VERDICT
from argilla_bridge.server.shapes import Held

_NO_AGENT = re.compile(r"[^a-zA-Z0-9_:./\s-]+")  # argilla-server 2.8: api/schemas/v1/suggestions.py, AGENT_REGEX
LONGEST_AGENT = 200
# OpenSearch keeps no longer term: Lucene, IndexWriter.MAX_TERM_LENGTH, in bytes of UTF-8
LONGEST_TERM = 32_766


def encoded(row: ReviewRow, held: Held, responses: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """A record as the server reads it.

    responses (Sequence[Mapping]): Answers to go with it, one per person; without any, those that are there stay.
    RETURNS (bytes): JSON.
    RAISES (ValueError): When the server could not keep it; says why. It is found out here, because the server writes a batch to its
        database before it finds out that it cannot search for it.
    """
    _check_fields(row, held)
    _check_metadata(row.metadata, held.metadata_kinds())
    _check_vectors(row.vectors, held.vector_sizes())
    record = {
        "external_id": row.id,
        "fields": dict(row.fields),
        "metadata": dict(row.metadata),
        "vectors": {name: [float(number) for number in vector] for name, vector in row.vectors.items()},
        "suggestions": _suggestions(row.suggestion, held),
        **({"responses": [*responses]} if responses else {}),
    }
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("there is half a character in it (a lone surrogate), which UTF-8 has not") from None


def votes_of(record: Mapping[str, Any], held: Held, names: Mapping[str, str], dataset: str) -> Iterator[Vote]:
    """All that people said of a record.

    record (Mapping): As the server tells it, with its responses.
    names (Mapping[str, str]): Id of a person → what to call them; who is not there keeps the id.
    YIELDS (Vote): One per person.
    """
    order, about = _order(held), str((record.get("metadata") or {}).get(ABOUT) or "")
    for response in record.get("responses") or ():
        if response["status"] in STATUSES:
            person = str(response["user_id"])
            vote = _vote(record["external_id"], names.get(person, person), response, order, dataset)
            yield replace(vote, about=about, person=person)


def _vote(row_id: str, user: str, response: Mapping[str, Any], order: Mapping[str, int], dataset: str) -> Vote:
    said = {name: each.get("value") for name, each in (response.get("values") or {}).items()}
    chosen = said.get(LABEL)
    labels = [chosen] if isinstance(chosen, str) else list(chosen or ())
    verdict = said.get(VERDICT) or ""
    if UNUSABLE in labels and VERDICT not in said:
        labels, verdict = [], REJECT
    if response["status"] == DISCARDED:
        labels = []  # the page sends the suggestion along, which was chosen already
    return Vote(
        row_id=row_id,
        user=user,
        status=response["status"],
        labels=tuple(sorted(labels, key=lambda label: order.get(label, len(order)))),
        verdict=verdict,
        text=(said.get(CORRECTED) or "").strip(),
        reason=(said.get(REASON) or "").strip(),
        updated_at=moment(response.get("updated_at") or ""),
        dataset=dataset,
    )


def moment(said: str) -> str:
    """RETURNS (str): A time of the server, which leaves out that it is UTC, as ISO 8601 with an offset."""
    if not said:
        return ""
    when = datetime.fromisoformat(said.replace("Z", "+00:00"))
    return (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).isoformat(timespec="microseconds")


def _order(held: Held) -> dict[str, int]:
    """The place of each label in its question: people choose several in any order."""
    options = [each["settings"].get("options") or () for each in held.questions if each["name"] == LABEL]
    return {option["value"]: place for each in options for place, option in enumerate(each)}


def _suggestions(suggestion: Suggestion | None, held: Held) -> list[dict[str, Any]]:
    """None for a row without labels: Argilla takes no empty list of them."""
    question, kind = held.question_ids().get(LABEL), held.question_kinds().get(LABEL)
    if suggestion is None or not suggestion.labels or question is None:
        return []
    found: dict[str, Any] = {"question_id": question, "type": "model"}
    if kind == "label_selection":
        if len(suggestion.labels) != 1:
            raise ValueError(f"its suggestion has {len(suggestion.labels)} labels, and the question takes one")
        found |= {"value": suggestion.labels[0], "score": suggestion.score}
    else:
        scores = None if suggestion.score is None else [suggestion.score] * len(suggestion.labels)  # it wants one for each
        found |= {"value": list(suggestion.labels), "score": scores}
    agent = agent_name(suggestion.agent)
    return [{**found, "agent": agent} if agent else found]


def agent_name(name: str) -> str:
    """RETURNS (str): A name of a teacher in the letters that Argilla takes; empty when nothing is left of it."""
    kept = " ".join(_NO_AGENT.sub("-", name).split())[:LONGEST_AGENT].strip(" -")
    return kept if re.search(r"[a-zA-Z0-9]", kept) else ""


def _check_fields(row: ReviewRow, held: Held) -> None:
    known = {each["name"]: each for each in held.fields}
    for name, text in row.fields.items():
        if name not in known:
            raise ValueError(f"the dataset has no field '{name}'")
        if not isinstance(text, str):
            raise ValueError(f"its field '{name}' is no text but {type(text).__name__}")
    missing = [name for name, each in known.items() if each["required"] and name not in row.fields]
    if missing:
        raise ValueError(f"it has no field '{missing[0]}'")


def _check_metadata(metadata: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    for name, value in metadata.items():
        if name not in kinds:
            raise ValueError(f"the dataset has no filter '{name}'")
        problem = _problem(value, kinds[name])
        if problem:
            raise ValueError(f"its filter '{name}' is {problem}")


def _problem(value: Any, kind: str) -> str:
    if kind == "terms":
        terms = value if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(term, str) for term in terms):
            return f"no text but {type(value).__name__}"
        return "too long" if any(len(term.encode("utf-8", "surrogatepass")) > LONGEST_TERM for term in terms) else ""
    if kind == "integer":
        return "" if isinstance(value, int) and not isinstance(value, bool) else f"no whole number but {value!r}"
    return "" if isinstance(value, float) and math.isfinite(value) else f"no finite number with a point but {value!r}"


def _check_vectors(vectors: Mapping[str, Sequence[float]], sizes: Mapping[str, int]) -> None:
    for name, vector in vectors.items():
        if name not in sizes:
            raise ValueError(f"the dataset has no vector '{name}'")
        if len(vector) != sizes[name]:
            raise ValueError(f"its vector '{name}' has {len(vector)} numbers, not {sizes[name]}")
        if not all(math.isfinite(number) for number in vector):
            raise ValueError(f"its vector '{name}' has a number that is not finite")
