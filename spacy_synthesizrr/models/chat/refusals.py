"""What it means when a server says no: to this prompt, to all of them, or only now."""

from __future__ import annotations

import re
from typing import List, Literal, Tuple

# answered · prompt: this prompt gets no answer · unaccepted: the request as it stands is refused · load: too much at a time ·
# fault: may pass · suspect: the set-up is wrong, or a gateway dislikes this one prompt · setup: no request can succeed ·
# unreachable: nothing was sent
Verdict = Literal["answered", "prompt", "unaccepted", "load", "fault", "suspect", "setup", "unreachable"]

LOAD = (408, 429, 502, 503, 504, 529)
SUSPECTS = (403, 404, 405)
NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance", "insufficient_credits")
_NO_CREDIT = re.compile(
    r"insufficient (?:quota|credits?|balance|funds)|credit balance is too low|exceeded your current quota", re.IGNORECASE
)
_LATER = re.compile(r"(?:try again|retry) (?:in|after)", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context[_ ](?:length|window|size)|maximum context|too many tokens|(?:prompt|input) is too long|string too long"
    r"|exceed\w* (?:the )?(?:max|context|model)|longer than the (?:model|maximum)",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content[-_ ]?(?:filter|policy|management|moderation)|moderation_blocked|flagged", re.IGNORECASE)


def kind_of_error(status: int, said: str, codes: List[str], *, waits: bool) -> Tuple[str, Verdict, str]:
    """Read a refusal.

    status (int): HTTP status, or the one inside an error object.
    said (str): What the server said. codes (List[str]): Words by which it names the kind of error, in lower case.
    waits (bool): Whether it says when to come back.
    RETURNS (Tuple[str, Verdict, str]): Kind of failure, whom it concerns, and the cure where that is everybody.
    """
    filtered = any(_FILTERED.search(text) for text in (*codes, said))
    if status == 401:
        return "refused", "setup", "Check that the variable that api_key_env or headers_env names holds a valid key for this server."
    if status == 402 or (status == 429 and _out_of_credit(said, codes) and not waits):
        return "refused", "setup", "The account has no credit left. Answers until now are kept; add credit and run again."
    if status in SUSPECTS or 300 <= status < 400:
        return ("refused", "prompt", "") if filtered else ("refused", "suspect", _CURES.get(status, _REDIRECT))
    if status == 429:
        return "rate_limited", "load", ""
    if status in (408, 504):
        return "timeout", "load", ""
    if status in (409, 425) or status >= 500:
        return "server_error", "load" if status in LOAD else "fault", ""
    if status == 413 or any(_TOO_LONG.search(text) for text in (*codes, said)):
        return "too_long", "prompt", ""
    return ("refused", "prompt", "") if filtered else ("refused", "unaccepted", "")


_CURES = {
    403: "Check that the key that api_key_env or headers_env names may use this model here.",
    404: "Check base_url (most servers want it to end in /v1) and the name of the model.",
    405: "Check base_url (most servers want it to end in /v1) and the name of the model.",
}
_REDIRECT = "The server redirects, and redirects are not followed, because they would carry the key. Set base_url to the final address."


def _out_of_credit(said: str, codes: List[str]) -> bool:
    """Whether more money is needed. Ordinary rate limits name the billing page too, but also when to come back."""
    return not _LATER.search(said) and (any(code in NO_CREDIT for code in codes) or bool(_NO_CREDIT.search(said)))


def cure_of_no_connection(detail: str) -> str:
    """RETURNS (str): What to do when no connection comes about, by what the system said."""
    if "open files" in detail:
        return "This process may open no more files: raise its limit (ulimit -n), or lower max_in_flight."
    if "ertificate" in detail:
        return "Its certificate is not trusted here: correct base_url, or give Python the certificate (SSL_CERT_FILE)."
    if "DNS" in detail or "resolve" in detail or "Name or service" in detail:
        return "The name of this server is not known here: correct base_url, or look at the network."
    return "Start the server, or correct base_url."
