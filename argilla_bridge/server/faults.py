"""What can go wrong between us and an Argilla server, as errors that say what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from spacy_synthesizrr.errors import SynthesizrrError

HIDDEN = "***"
LONGEST = 300  # characters of a server's answer that an error shows


class ServerError(SynthesizrrError):
    """Argilla cannot be reached, or does not let us. Nothing is lost: what it surely keeps is in the ledger."""


class Refused(ServerError):
    """Argilla answered, and said no.

    status (int): Of the answer.
    detail (Any): What it says, as JSON or text.
    """

    def __init__(self, message: str, *, status: int, detail: Any) -> None:
        self.status, self.detail = status, detail
        super().__init__(message)


def spoken(detail: Any, secrets: Iterable[str]) -> str:
    """RETURNS (str): What a server says, on one line, without secrets and not too long; cut last, for half a secret is one too."""
    said = detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
    said = without(" ".join(without(said, secrets).split()), secrets)
    return said if len(said) <= LONGEST else said[:LONGEST] + " …"


def without(text: str, secrets: Iterable[str]) -> str:
    """RETURNS (str): A text that shows no secret, should a server or a library have repeated one."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def detail_of(body: str) -> Any:
    """RETURNS (Any): What stands in the answer of a refusal: the value of "detail", else all of it."""
    try:
        found = json.loads(body)
    except ValueError:
        return body
    return found["detail"] if isinstance(found, dict) and "detail" in found else found
