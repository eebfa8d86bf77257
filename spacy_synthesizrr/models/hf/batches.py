"""Prompts in batches of like length, answers in the order of the prompts, and what happens when the memory is too small.

A batch is padded to its longest prompt, so prompts are taken in by windows of a few batches, sorted by length, and put back
in order afterwards. Nothing else is held: memory does not grow with the number of prompts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Deque, Iterable, Iterator, List, Sequence

from spacy_synthesizrr.prompts import Answer, Failure

NO_MEMORY = "the prompt ({} tokens) and an answer of up to {} tokens do not fit into the memory of the device, even alone"


@dataclass(frozen=True)
class Row:
    """A prompt that is ready to be asked.

    request (str): Hash of the request.
    ids (Sequence[int]): Its tokens.
    seed (int): Where its random numbers start; they depend on nothing else.
    """

    request: str
    ids: Sequence[int]
    seed: int


Result = Answer | Failure
Ask = Callable[[List[Row]], List[Result] | None]  # None: out of memory


class Batches:
    """Answers prompts in batches.

    prepare (Callable): Turns a prompt into a Row, or into a Failure at once.
    ask (Callable): Answers the rows of one batch, or returns None when it does not fit into memory.
    batch_size (int): Most rows of a batch.
    read_ahead (int): Batches in a window.
    max_tokens (int): Most tokens of an answer.
    """

    def __init__(self, prepare: Callable[[Any], Row | Failure], ask: Ask, *, batch_size: int, read_ahead: int, max_tokens: int) -> None:
        self._prepare, self._ask = prepare, ask
        self._size, self._window, self._max_tokens = batch_size, batch_size * read_ahead, max_tokens
        self._most: int | None = None  # tokens of a whole batch, once one did not fit

    def answer(self, prompts: Iterable[Iterable[Any]]) -> Iterator[List[Result]]:
        """Answer the prompts of each Doc, lazily and in order; see `HFCausalLM`."""
        held: Deque[List[Any]] = deque()
        rows = 0
        for group in prompts:
            held.append([self._prepare(prompt) for prompt in group])
            rows += sum(isinstance(item, Row) for item in held[-1])
            yield from _finished(held)
            if rows >= self._window or len(held) >= self._window:
                yield from self._drain(held)
                rows = 0
        yield from self._drain(held)

    def _drain(self, held: Deque[List[Any]]) -> Iterator[List[Result]]:
        places = [(group, place) for group in held for place, item in enumerate(group) if isinstance(item, Row)]
        order = sorted(range(len(places)), key=lambda number: len(places[number][0][places[number][1]].ids))
        batches = list(self._cut([(number, places[number][0][places[number][1]]) for number in order]))
        for batch in sorted(batches, key=lambda batch: min(number for number, _ in batch)):  # what must come out first goes first
            for (number, _), result in zip(batch, self.ask([row for _, row in batch]), strict=True):
                group, place = places[number]
                group[place] = result
            yield from _finished(held)
        yield from _finished(held)

    def _cut(self, rows: Sequence[tuple[int, Row]]) -> Iterator[List[tuple[int, Row]]]:
        """Batches of neighbours in a list that is sorted by length."""
        batch: List[tuple[int, Row]] = []
        for item in rows:
            if batch and (len(batch) == self._size or not self._fits(len(batch) + 1, item[1])):
                yield batch
                batch = []
            batch.append(item)
        if batch:
            yield batch

    def _fits(self, count: int, longest: Row) -> bool:
        return self._most is None or count * self._width(longest) <= self._most

    def _width(self, row: Row) -> int:
        return len(row.ids) + self._max_tokens

    def ask(self, rows: List[Row]) -> List[Result]:
        """Answer one batch; one that does not fit into memory is halved, and later ones are made no larger than its halves.

        rows (List[Row]): Not empty.
        RETURNS (List[Answer | Failure]): One per row. A row that does not fit even alone is Failure("too_long").
        """
        found = self._ask(rows)
        if found is not None:
            return found
        if len(rows) == 1:
            return [Failure("too_long", NO_MEMORY.format(len(rows[0].ids), self._max_tokens), request=rows[0].request)]
        tokens = len(rows) * max(self._width(row) for row in rows)
        self._most = min(tokens // 2, self._most or tokens)
        half = len(rows) // 2
        return [*self.ask(rows[:half]), *self.ask(rows[half:])]


def _finished(held: Deque[List[Any]]) -> Iterator[List[Result]]:
    """The first groups, as far as all their prompts have a result."""
    while held and not any(isinstance(item, Row) for item in held[0]):
        yield held.popleft()
