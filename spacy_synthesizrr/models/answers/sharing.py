"""Equal prompts that are on their way at the same time share one answer."""

from __future__ import annotations

from typing import Dict, NamedTuple

from spacy_synthesizrr.prompts import Answer, Failure


class Wanted(NamedTuple):
    """One prompt on its way: its request, the answer where the store has it, and whether an equal one was asked before."""

    request: str
    answer: Answer | None
    shared: bool


class InFlight:
    """Requests that were asked and not answered yet, with how many later prompts wait for the same answer."""

    def __init__(self) -> None:
        self.sharers: Dict[str, int] = {}
        self.results: Dict[str, Answer | Failure] = {}

    def join(self, request: str) -> bool:
        """RETURNS (bool): Whether the request is on its way already; then one more prompt waits for it."""
        if request not in self.sharers:
            return False
        self.sharers[request] += 1
        return True

    def land(self, request: str, result: Answer | Failure) -> None:
        """Keep a result as long as a prompt waits for it."""
        if self.sharers[request]:
            self.results[request] = result
        else:
            del self.sharers[request]

    def share(self, request: str) -> Answer | Failure:
        """RETURNS (Answer | Failure): What an equal prompt before got; answers come in the order of the prompts."""
        result = self.results[request]
        self.sharers[request] -= 1
        if not self.sharers[request]:
            del self.sharers[request], self.results[request]
        return result
