"""Who is to blame: one prompt, the moment, or the whole set-up. Decides what is asked again and what ends everything.

No clock and no server here: times are given, so that every rule can be tried without waiting.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Dict

from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.models.chat.replies import Result
from spacy_synthesizrr.prompts import Failure

RETRIED = ("rate_limited", "timeout", "server_error", "malformed", "empty")
PATIENCE = {"empty": 1, "malformed": 3, "timeout": 2}  # retries, where fewer than usual: each attempt may have been paid
LOST = 4  # retries after replies that got lost on the way, which may have been paid too
FIRST_BAD = 5  # requests in a row that the server does not take, none answered ever: the set-up is wrong, not the prompts
LOST_CONNECTIONS = 3  # attempts at a server that was never reached
AWAY = 600.0  # seconds to wait for a server that was reached before; attempts that send nothing cost nothing
BRAKE = 20  # prompts in a row, or the limit in flight where that is more, that all failed after their retries
LONGEST_WAIT = 300.0  # seconds; a server that asks for more is not waited for


@dataclass
class Tries:
    """What one prompt has been through: failures by kind, and replies that got lost."""

    kinds: Counter[str] = field(default_factory=Counter)
    lost: int = 0

    @property
    def total(self) -> int:
        """RETURNS (int): Attempts that failed."""
        return self.kinds.total()


class Verdicts:
    """Judges results as they come in.

    name (str): Of the teacher; url (str): its address; both for errors.
    answered (bool): Whether this server has ever answered a request like these, in an earlier run too.
    most (int): Requests in flight at most.
    max_retries (int): Per prompt.
    """

    def __init__(self, name: str, url: str, *, answered: bool, most: int, max_retries: int) -> None:
        self._who, self._max_retries = f"{name}: {url}", max_retries
        self._brake = max(BRAKE, most)
        self.answered = answered
        self._here = False  # reached by this process
        self._suspects = self._unaccepted = self._connections = 0
        self._failed: Counter[str] = Counter()  # kinds of prompts that ended without an answer since the last answer
        self._details: Dict[str, str] = {}
        self._away_since: float | None = None

    def begin(self) -> None:
        """Count anew, for a new call of the model."""
        self._here = False
        self._suspects = self._unaccepted = self._connections = 0
        self._failed.clear()
        self._away_since = None

    def judge(self, result: Result) -> None:
        """Look at one attempt.

        RAISES (TeacherError): When no request can succeed: what the server said, and the cure.
        """
        if result.verdict == "unreachable":
            self._connections += 1
            if not self._here and self._connections > LOST_CONNECTIONS:
                raise self._end(result)
            return
        self._here = True
        self._away_since = None
        if result.verdict == "answered":
            self.answered = True
            self._suspects = self._unaccepted = 0
            self._failed.clear()
        elif result.verdict == "setup":
            raise self._end(result)
        elif result.verdict == "suspect":
            self._suspects += 1
            if not self.answered or self._suspects >= self._brake:
                raise self._end(result)
        elif result.verdict == "unaccepted":
            self._unaccepted += 1
            if not self.answered and self._unaccepted >= FIRST_BAD:
                raise self._end(result, "No request was accepted: check the model and [teacher.parameters] against what this server takes.")
        if result.wait is not None and result.wait > LONGEST_WAIT and result.verdict == "load":
            raise self._end(result, f"It asks to come back in {_spell(result.wait)}. All answers until now are kept: run again then.")

    def again(self, result: Result, tries: Tries, now: float) -> bool:
        """Count a failure; RETURNS (bool): Whether to ask the same again.

        now (float): Seconds on one clock.
        """
        failure = result.outcome
        if not isinstance(failure, Failure) or failure.kind not in RETRIED or result.verdict in ("prompt", "suspect", "unaccepted"):
            return False
        if result.verdict == "unreachable" and self._here:
            self._away_since = now if self._away_since is None else self._away_since
            return now - self._away_since < AWAY
        tries.kinds[failure.kind] += 1
        tries.lost += result.paid and failure.kind == "server_error"
        patience = PATIENCE.get(failure.kind, self._max_retries)
        return tries.total <= self._max_retries and tries.kinds[failure.kind] <= patience and tries.lost <= LOST

    def away(self, now: float) -> float:
        """RETURNS (float): Seconds for which the server, reached before, has not been there; 0 when it is."""
        return 0.0 if self._away_since is None else now - self._away_since

    def ended(self, failure: Failure) -> None:
        """A prompt has ended without an answer, after all retries.

        RAISES (TeacherError): When so many in a row did that asking on would only cost. What concerns prompts one by one
            (refusals, cut answers) counts only as long as nothing was ever answered: a stretch of prompts may be like that.
        """
        if failure.kind not in RETRIED and self.answered:
            return
        self._failed[failure.kind] += 1
        self._details[failure.kind] = failure.detail
        if self._failed.total() >= self._brake:
            (kind, count), total = self._failed.most_common(1)[0], self._failed.total()
            raise TeacherError(
                f"{self._who} gave no answer to {total} prompts in a row ({kind} {count}): {self._details[kind]}. "
                "Asking on would only cost. What was answered is kept; look at the server and at [teacher.parameters], and run again."
            )

    def _end(self, result: Result, cure: str = "") -> TeacherError:
        detail = result.outcome.detail if isinstance(result.outcome, Failure) else ""
        return TeacherError(f"{self._who} answered: {detail}. {cure or result.cure}")


def _spell(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.0f} minutes"
