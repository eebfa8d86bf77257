"""Where an answer stands in its context: question answering by a span of the text that is asked about."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from spacy_synthesizrr.errors import choices
from spacy_synthesizrr.words import UNSPACED

ANSWERABLE = "answerable"  # stands where rows have their label, in a task with `answer`
Span = tuple[int, int]  # the first character and the one after the last
_INSIDE = re.compile(rf"[^\W{UNSPACED}]")  # what must not go on where a word ends; scripts without blanks have no such ends


def find_answer(answer: str, context: str) -> Span | None:
    """Find an answer in its context, as it is written.

    Where it stands there more than once, the first place at which it is whole words is taken, else the first.

    answer (str), context (str): Texts without blanks around them; the answer is not empty.
    RETURNS (Span | None): None when it does not stand there.
    """
    places = [match.start() for match in re.finditer(f"(?={re.escape(answer)})", context)]
    whole = (place for place in places if _is_whole(context, place, place + len(answer)))
    start = next(whole, places[0] if places else None)
    return None if start is None else (start, start + len(answer))


def _is_whole(context: str, start: int, end: int) -> bool:
    """Whether no word goes on across either end."""
    return not any(
        0 < place < len(context) and _INSIDE.match(context[place - 1]) and _INSIDE.match(context[place]) for place in (start, end)
    )


def written_otherwise(answer: str, context: str) -> str:
    """How a context writes an answer that it has in other letters or with other blanks.

    RETURNS (str): As it stands in the context; empty when it is not there at all.
    """
    words = r"\s+".join(re.escape(word) for word in answer.split())
    found = re.search(words, context, re.IGNORECASE)
    return found.group() if found else ""


def fault_of_labels(labels: Collection[str], *, answer: bool) -> str:
    """What is wrong with the labels of a task.

    answer (bool): Whether the task has `answer`; its one label is `ANSWERABLE` then, which no file names.
    RETURNS (str): In words, with the cure; empty when nothing is.
    """
    if answer:
        return "" if [*labels] == [ANSWERABLE] else "a task with `answer` has no labels: take them out, or take `answer` out"
    if len(labels) >= 2:
        return ""
    return "a classifier needs two labels or more; a task whose answers stand in a text has `answer` in place of labels"


def fault_of_answer(answer: str, origins: Mapping[str, str], *, exclusive: bool) -> str:
    """Why no answers can be marked by the fields of a task.

    answer (str): What the task file says.
    origins (Mapping[str, str]): "seed" or "passage" by name, of the fields that are not generated.
    exclusive (bool): What the task file says, or else True.
    RETURNS (str): In words, with the cure; empty when nothing is wrong.
    """
    if answer not in origins:
        valid = choices(answer, origins) if origins else "There is none."
        return f"answer: '{answer}' is not one of the fields that are not generated. {valid}"
    if len(origins) != 2:
        return f"answer: a task with `answer` has two fields that are not generated, answer and context (here: {', '.join(origins)})"
    if set(origins.values()) != {"seed"}:
        return "answer: answer and context come from the same seed: set `from: seed` for both"
    return "" if exclusive else "answer: a task with `answer` has no labels: take `exclusive: false` out"
