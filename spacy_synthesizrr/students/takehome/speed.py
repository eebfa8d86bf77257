"""How fast and how large a student is, on this machine and now. Other work on the machine slows it down."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.students.takehome.machine import count_parameters, machine

if TYPE_CHECKING:
    from spacy.language import Language

WARM_UP = 10  # texts that are read before the clock runs
REPEATS = 3  # whole measurements, of which the median counts
ALONE, STREAMED = 200, 2000  # most texts one at a time, and through nlp.pipe
SECONDS = 5.0  # about as long as one measurement may take; a slow student is measured on fewer texts


@dataclass(frozen=True)
class Speed:
    """What was measured.

    p50_ms (float), p95_ms (float): Milliseconds for one text by itself: half of the texts took less, 95 % took less.
    docs_per_second (float): Through nlp.pipe, in batches of `batch_size`.
    alone (int), streamed (int): Texts that each was measured on. words (float): Mean number of tokens of those streamed.
    parameters (int): Numbers that were learned. bytes (int): Of the folder.
    machine (dict): See `machine`.
    """

    p50_ms: float
    p95_ms: float
    docs_per_second: float
    batch_size: int
    alone: int
    streamed: int
    words: float
    repeats: int
    parameters: int
    bytes: int
    machine: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        return asdict(self)


def measure_speed(nlp: Language, texts: Sequence[str], *, size: int, clock: Callable[[], float] = time.perf_counter) -> Speed:
    """Time a student on texts that it will meet in use, with its tokenizer.

    texts (Sequence[str]): At least one; the more there are, the more even the sample.
    size (int): Bytes of the student's folder.
    clock (Callable): Seconds.
    RAISES (ValueError): Without any text.
    """
    if not texts:
        raise ValueError("Speed is measured on texts; there are none.")
    numbers = itertools.count()
    each = _warm_up(nlp, fresh(spaced(texts, WARM_UP), numbers), clock)
    alone = spaced(texts, min(ALONE, _within(each)))
    streamed = spaced(texts, min(STREAMED, _within(each)))
    latencies = [_latencies(nlp, fresh(alone, numbers), clock) for _ in range(REPEATS)]
    rates = [len(streamed) / _stream(nlp, fresh(streamed, numbers), clock) for _ in range(REPEATS)]
    return Speed(
        p50_ms=statistics.median(1000 * quantile(run, 0.5) for run in latencies),
        p95_ms=statistics.median(1000 * quantile(run, 0.95) for run in latencies),
        docs_per_second=statistics.median(rates),
        batch_size=int(nlp.batch_size),
        alone=len(alone),
        streamed=len(streamed),
        words=statistics.fmean(len(nlp.make_doc(text)) for text in streamed),
        repeats=REPEATS,
        parameters=count_parameters(nlp),
        bytes=size,
        machine=machine(nlp),
    )


def _within(each: float) -> int:
    """RETURNS (int): Texts that take about `SECONDS` together, when one takes so long."""
    return max(1, int(SECONDS / each)) if each > 0 else max(ALONE, STREAMED)


def spaced(texts: Sequence[str], number: int) -> list[str]:
    """RETURNS (List[str]): At most so many texts, evenly from all, since files are often sorted by label."""
    number = min(number, len(texts))
    return [texts[place * len(texts) // number] for place in range(number)]


def fresh(texts: Sequence[str], numbers: Iterator[int]) -> list[str]:
    """Texts that nobody has read yet: each gets a number at its end. A student may keep what it made of a text (one with a frozen
    encoder does), and then a text that was read before would cost nothing.
    """
    return [f"{text} {next(numbers)}" for text in texts]


def quantile(values: Sequence[float], share: float) -> float:
    """RETURNS (float): The smallest value that at least this share of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _warm_up(nlp: Language, texts: Sequence[str], clock: Callable[[], float]) -> float:
    """RETURNS (float): Seconds per text; the first one, which loads what is loaded late, counts only where it is alone."""
    return statistics.fmean(_latencies(nlp, texts, clock)[-max(1, len(texts) - 1) :])


def _latencies(nlp: Language, texts: Sequence[str], clock: Callable[[], float]) -> list[float]:
    found = []
    for text in texts:
        start = clock()
        nlp(text)
        found.append(clock() - start)
    return found


def _stream(nlp: Language, texts: Sequence[str], clock: Callable[[], float]) -> float:
    start = clock()
    for _ in nlp.pipe(texts):
        pass
    return max(clock() - start, 1e-9)
