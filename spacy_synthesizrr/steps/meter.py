"""What a teacher spends while it works: shown beside the bar, told at the end, and stopped at a cap."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, Candidate
from spacy_synthesizrr.errors import BudgetReached
from spacy_synthesizrr.progress import quiet, say
from spacy_synthesizrr.teachers import told_money, told_spending

if TYPE_CHECKING:
    from tqdm import tqdm

PAUSE = 60.0  # seconds between lines where no bar is shown


class Meter:
    """Watches one arm. For a teacher that tells nothing of what it spends, it only counts rows.

    model (Callable): The teacher.
    bar (tqdm): Counts accepted rows.
    wanted (int): Rows to accept.
    run (str): Whose spending the message about a reached cap points to.
    arm (str): Whose rows these are. then (Sequence[str]): Arms that come afterwards and cost too.
    now (Callable): A clock, in seconds.
    """

    def __init__(
        self,
        model: Any,
        bar: tqdm[Any],
        *,
        wanted: int,
        run: str = "",
        arm: str = "",
        then: Sequence[str] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._bar, self._wanted, self._run = model, bar, wanted, run
        self._arm, self._then, self._now = arm, then, now
        self._finished = self._accepted = 0
        self._last: Mapping[str, Any] = {}
        self._told = now()

    def watch(self, candidate: Candidate) -> None:
        """Count a finished candidate.

        RAISES (BudgetReached): When it was not asked for because a cap is reached. What is in flight is finished and kept first.
            A prompt that is too large for the budget by itself stops nothing.
        """
        self._finished += 1
        self._accepted += candidate.status == ACCEPTED
        if hasattr(self._model, "status"):
            self._last = self._model.status()
            self._bar.set_postfix_str(self._line(), refresh=False)
        self._bar.update(candidate.status == ACCEPTED)
        self._tell()
        if candidate.status == FAILED and candidate.reason == "budget" and self._last.get("reached", "?"):
            self._stop()

    def projected(self) -> float | None:
        """What the run will have cost when this arm is done: what is spent, and for each row that is missing as many requests
        as the rows until now took, at their mean cost.

        RETURNS (float | None): None where the price is not known or nothing was accepted yet.
        """
        new = self._last.get("new", {})
        if self._last.get("cost") is None or not self._accepted:
            return None
        each = new["cost"] / new["requests"] if new["requests"] else 0.0
        missing = max(0, self._wanted - self._accepted) * self._finished / self._accepted
        return float(self._last["cost"] + each * missing)

    def summary(self) -> str:
        """RETURNS (str): What this arm took in this process; empty where nobody counts or nothing was asked."""
        return told_spending(self._last.get("new", {}))

    def _line(self) -> str:
        return status_line(self._last, self.projected(), arm=self._arm, then=self._then)

    def _tell(self) -> None:
        """Where no bar is shown, such as in a log, say a line now and then."""
        if self._now() - self._told < PAUSE or not quiet():
            return
        self._told = self._now()
        about = f"; {self._line()}" if self._last else ""
        say(f"{self._arm or 'rows'}: {self._accepted:,} of {self._wanted:,} accepted{about}")

    def _stop(self) -> None:
        reached = self._last.get("reached", "")
        if hasattr(self._model, "close"):
            self._model.close()
        where = f" --run {self._run}" if self._run else ""
        raise BudgetReached(
            f"The budget is used up: {reached}. All answers until now are kept. Raise the cap in [teacher.budget] and run again: "
            f"the work goes on where it stopped. What was spent: synthesizrr responses ledger{where}"
        )


def status_line(status: Mapping[str, Any], projected: float | None, *, arm: str = "", then: Sequence[str] = ()) -> str:
    """What a teacher does and spends, in short.

    status (Mapping): in_flight, limit, requests, tokens, cost (None where the price is unknown).
    projected (float | None): Money when the arm is done.
    arm (str), then (Sequence[str]): The arm, and those that come after it.
    """
    money = told_money(status["cost"])
    if projected is not None and status["cost"]:
        money += f", about {projected:.4f} when {arm or 'this arm'} is done" + (f" (then {', '.join(then)})" if then else "")
    return f"{status['in_flight']}/{status['limit']} in flight, {status['requests']:,} requests, {status['tokens']:,} tokens, {money}"
