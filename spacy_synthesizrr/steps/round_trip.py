"""A teacher that answers in a later run: the requests of all arms go out together, then the step ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from spacy_synthesizrr.errors import WaitsForAnswers
from spacy_synthesizrr.progress import say


class RoundTrip:
    """One pass over the arms of a run. It changes nothing for a teacher that answers now.

    Such a teacher has `defers = True` and the methods of `models.batch.model.Batch`.
    """

    def __init__(self) -> None:
        self._first: Any = None

    def join(self, model: Any) -> float | None:
        """Take the teacher of an arm in: it writes into the same file as those of the arms before.

        RETURNS (float | None): Which share more than needed it wants to be asked; None for a teacher that answers now.
        """
        if not getattr(model, "defers", False):
            return None
        if self._first is None:
            self._first = model
            model.hold()
            model.take_in(say)
        else:
            model.follow(self._first)
        return float(model.extra)

    @contextmanager
    def arm(self) -> Iterator[None]:
        """An arm that waits does not keep the next one from asking."""
        try:
            yield
        except WaitsForAnswers:
            if self._first is None:
                raise

    def __enter__(self) -> RoundTrip:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let the file appear, tell what to do next, and end the step when something waits.

        RAISES (WaitsForAnswers): When requests wait for answers.
        RAISES (BudgetReached): When nothing waits, and a cap keeps requests from being written.
        """
        if self._first is None:
            return
        if error is not None:
            self._first.drop()
            self._first.close()
            return
        for line in self._first.release():
            say(line)
        self._first.close()
        if (reason := self._first.reason()) is not None:
            raise reason
