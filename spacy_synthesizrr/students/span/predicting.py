"""What a span student answers: the likeliest span over all windows of the context, where it stands, and how good that is."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.errors import StudentError, require
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.students.span.measures import exact_match, f1
from spacy_synthesizrr.students.span.rows import SpanRow
from spacy_synthesizrr.students.span.settings import EXTRA
from spacy_synthesizrr.students.span.windows import Window, cut_windows
from spacy_synthesizrr.students.transformer.pieces import cut_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spacy_synthesizrr.students.span.model import SpanModel

BLOCK = 64  # rows tokenized at once


@dataclass(frozen=True)
class Answered:
    """What a student answers to one row.

    id (str), line (int | None): Of the row; see `SpanRow`.
    text (str): The answer; empty where the context has no token.
    start (int), end (int): Its first character in the context and the one after its last.
    score (float): How likely the student finds this start and this end in their window, in [0, 1].
    em (float), f1 (float): Against the row's answers; see `measures`.
    """

    id: str
    line: int | None
    text: str
    start: int
    end: int
    score: float
    em: float
    f1: float


@dataclass(frozen=True)
class _Found:
    start: int = 0
    end: int = 0
    score: float = float("-inf")  # its logarithm


def predict(folder: Path, rows: Iterable[SpanRow], *, gpu_id: int = -1) -> Iterator[Answered]:
    """Let a trained student answer.

    folder (Path): Of a student that `train` wrote.
    rows (Iterable[SpanRow]): Streamed.
    gpu_id (int): −1 means the CPU.
    YIELDS (Answered): One for each row, in order.
    RAISES (MissingExtraError): Without torch or transformers.
    RAISES (StudentError): When the folder holds no span student, or there is no such GPU.
    """
    from spacy_synthesizrr.students.span.model import load_trained

    made = load_trained(Path(folder))
    made.model.to(device_of(gpu_id))
    yield from answer(made, rows)


def device_of(gpu_id: int) -> str:
    """RETURNS (str): What torch calls a GPU, or the CPU for −1.

    RAISES (StudentError): When there is no such GPU.
    """
    if gpu_id < 0:
        return "cpu"
    torch = require("torch", EXTRA)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if gpu_id >= count:
        raise StudentError(f"There is no GPU {gpu_id} that torch can use ({count} in all). Train on the CPU with --vars.gpu_id -1.")
    return f"cuda:{gpu_id}"


def answer(made: SpanModel, rows: Iterable[SpanRow]) -> Iterator[Answered]:
    """See `predict`; the model is left as it is read from disk, without dropout."""
    torch = require("torch", EXTRA)
    made.model.eval()
    for block in batched(rows, BLOCK):
        windows = cut_windows(made.tokenizer, [(row.question, row.context) for row in block], made.settings)
        found = [_Found()] * len(block)
        lengths = np.array([len(window.ids) for window in windows], dtype=np.int64)
        for batch in cut_batches(lengths, made.settings.batch_tokens):
            some = [windows[place] for place in batch]
            with torch.no_grad():
                starts, ends = (values.log_softmax(dim=1).cpu().numpy() for values in made.logits(some))
            for window, start, end in zip(some, starts, ends, strict=True):
                best = best_span(window, start, end, made.settings.answer_tokens)
                # of equal ones the first in the context: the order of the batches must not show
                if (best.score, -best.start) > (found[window.row].score, -found[window.row].start):
                    found[window.row] = best
        yield from (_answered(row, one) for row, one in zip(block, found, strict=True))


def best_span(window: Window, starts: NDArray[Any], ends: NDArray[Any], most: int) -> _Found:
    """The likeliest span of a window.

    starts (NDArray), ends (NDArray): Logarithms of the shares of each token, shape (tokens or more,).
    most (int): Tokens of an answer.
    RETURNS (_Found): Its characters and score; nothing where the window has no token of a context.
    """
    places = np.flatnonzero(window.inside)
    if not len(places):
        return _Found()
    scores = starts[places][:, None].astype(np.float64) + ends[places][None, :]
    distance = np.arange(len(places))[None, :] - np.arange(len(places))[:, None]
    scores[(distance < 0) | (distance >= most)] = float("-inf")
    first, last = np.unravel_index(int(scores.argmax()), scores.shape)
    return _Found(int(window.offsets[places[first], 0]), int(window.offsets[places[last], 1]), float(scores[first, last]))


def _answered(row: SpanRow, found: _Found) -> Answered:
    text = row.context[found.start : found.end]
    about = exact_match(text, row.answers), f1(text, row.answers)
    return Answered(row.id, row.line, text, found.start, found.end, float(np.exp(found.score)), *about)


def mean_scores(answers: Sequence[Answered]) -> dict[str, float]:
    """RETURNS (Dict[str, float]): Mean "em" and "f1" of one row or more."""
    return {"em": statistics.fmean(one.em for one in answers), "f1": statistics.fmean(one.f1 for one in answers)}
