"""What goes wrong between us and a server, in words that say what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator

from spacy_synthesizrr.errors import StoreError

HIDDEN = "***"
LONGEST = 400  # characters of what a server said
_STATUS = re.compile(r"Unexpected status code: (\d+)")
_LIMIT = "query maximum results exceeded"
BUSY = "read-only due to: UpdateVectorIndexConfigs"  # for a moment, while another writer describes the collection
_LATER = (408, 425, 429)  # it was too slow, or is too busy
_FINAL = ("INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED")  # of the gRPC port


def faults() -> tuple[type[Exception], ...]:
    """RETURNS (Tuple[Type]): What the client raises when a server, or the way to it, fails."""
    import grpc
    import httpx
    from weaviate.exceptions import WeaviateBaseError

    return (WeaviateBaseError, httpx.HTTPError, grpc.RpcError, OSError)


@contextlib.contextmanager
def plainly(doing: str, where: str, *, secrets: Iterable[str] = ()) -> Iterator[None]:
    """Turn what the client raises into errors of ours.

    doing (str): What is being done, such as "searching".
    where (str): The server, for people.
    secrets (Iterable[str]): Never shown, should a server repeat them.
    RAISES (StoreError): Says what failed and what to do.
    """
    try:
        yield
    except faults() as error:
        raise StoreError(explained(error, doing, where, secrets=secrets)) from error


def explained(error: Exception, doing: str, where: str, *, secrets: Iterable[str] = ()) -> str:
    """RETURNS (str): What failed, what the server said, what to do."""
    said = hidden(" ".join(str(error).split()), secrets)[:LONGEST]
    return f"Weaviate at {where} failed while {doing}: {said or type(error).__name__}. {_cure(error, said)}"


def hidden(text: str, secrets: Iterable[str]) -> str:
    """RETURNS (str): A text without the secrets that are in it."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    return text


def status_of(error: Exception) -> int:
    """RETURNS (int): The HTTP status that an error carries, 0 where it carries none."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status
    found = _STATUS.search(str(error))
    return int(found.group(1)) if found else 0


def forbidden(error: Exception) -> bool:
    """RETURNS (bool): Whether the server says that we have no right to this."""
    said = str(error).lower()
    return status_of(error) in (401, 403) or "forbidden" in said or "unauthorized" in said


def refused(error: Exception) -> bool:
    """RETURNS (bool): Whether the server will say the same however often it is asked."""
    status = status_of(error)
    if BUSY in str(error):
        return False
    return forbidden(error) or (400 <= status < 500 and status not in _LATER) or _code(error) in _FINAL or _LIMIT in str(error)


def _code(error: Exception) -> str:
    """RETURNS (str): What the gRPC port answered, by name; the client tells it only in what its errors come from."""
    code = getattr(error.__cause__ or error.__context__ or error, "code", None)
    return str(getattr(code(), "name", "")) if callable(code) else ""


def _cure(error: Exception, said: str) -> str:
    if forbidden(error):
        return "Check the key: it may not have the right to do this."
    if _LIMIT in said:
        return "Ask for fewer hits, or raise QUERY_MAXIMUM_RESULTS of the server."
    if "read-only" in said.lower() or "readonly" in said.lower():
        return "Its disk is probably full: free some, then restart it."
    return "Check that it runs and what its log says, then run the step again: it goes on where it stopped."
