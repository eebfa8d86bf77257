"""Question and context as the tokens that an encoder takes: one window, or several that overlap where the context is long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.answer_spans import Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spacy_synthesizrr.students.span.settings import SpanSettings

QUESTION, CONTEXT = 0, 1  # numbers of the two texts in a tokenizer's pair
NOTHING = 0  # the token that stands for "the answer is not here": the first, which is a special one


@dataclass(frozen=True)
class Window:
    """A question and some of its context.

    row (int): Whose it is.
    ids (Sequence[int]), types (Sequence[int]): Numbers of the tokens and their segments.
    offsets (NDArray[int64]): Of each token, shape (tokens, 2): its first character in the context and the one after its last.
    inside (NDArray[bool]): Which tokens are of the context.
    """

    row: int
    ids: Sequence[int]
    types: Sequence[int]
    offsets: NDArray[np.int64]
    inside: NDArray[np.bool_]

    def target(self, span: Span) -> tuple[int, int] | None:
        """Where a span of characters stands among the tokens.

        RETURNS (Tuple[int, int] | None): Its first and last token, the smallest that hold it; None when it is not whole in this window.
        """
        start, end = span
        first = np.flatnonzero(self.inside & (self.offsets[:, 0] <= start) & (self.offsets[:, 1] > start))
        last = np.flatnonzero(self.inside & (self.offsets[:, 0] < end) & (self.offsets[:, 1] >= end))
        return (int(first[-1]), int(last[0])) if len(first) and len(last) else None


def cut_questions(tokenizer: Any, questions: Sequence[str], most: int) -> list[str]:
    """RETURNS (List[str]): Questions of so many tokens at most, cut where a token ends."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    found = []
    for question, encoding in zip(questions, tokenizer.encode_batch(list(questions), add_special_tokens=False), strict=True):
        found.append(question if len(encoding.ids) <= most else question[: encoding.offsets[most - 1][1]])
    return found


def cut_windows(tokenizer: Any, pairs: Sequence[tuple[str, str]], settings: SpanSettings) -> list[Window]:
    """Tokenize questions with their contexts.

    tokenizer (tokenizers.Tokenizer): Its truncation is set here.
    pairs (Sequence[Tuple[str, str]]): Question and context of each row.
    RETURNS (List[Window]): In the order of the rows; each has one or more.
    """
    questions = cut_questions(tokenizer, [question for question, _ in pairs], settings.question_tokens)
    tokenizer.no_padding()
    tokenizer.enable_truncation(settings.max_length, stride=settings.overlap, strategy="only_second")
    encodings = tokenizer.encode_batch([(question, context) for question, (_, context) in zip(questions, pairs, strict=True)])
    return [_window(row, part) for row, whole in enumerate(encodings) for part in (whole, *whole.overflowing)]


def _window(row: int, encoding: Any) -> Window:
    inside = np.array([number == CONTEXT for number in encoding.sequence_ids], dtype=bool)
    return Window(row, encoding.ids, encoding.type_ids, np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2), inside)
