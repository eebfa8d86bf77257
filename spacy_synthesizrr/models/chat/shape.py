"""What shapes an answer beside messages and draw. A chat server and batch files share it, and with it they share answers: what
one of them was paid for, the other does not ask again.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.models.answers.responses import request_hash
from spacy_synthesizrr.models.chat.endpoint import check_no_secrets
from spacy_synthesizrr.models.chat.wire import LIMIT_KEYS, request_body

OURS = ("model", "messages", "stream", "n")  # keys of the body that cannot be set by hand


@dataclass(frozen=True)
class Shape:
    """How every prompt of a teacher becomes a request.

    endpoint (str): What tells its server from others; see `endpoint.Endpoint.identity`.
    model (str): The server's name for the model.
    system (str | None): System prompt.
    parameters (Mapping[str, Any]): Sampling parameters.
    extra_body (Mapping[str, Any]): Further keys of the request.
    """

    endpoint: str
    model: str
    system: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def identity(self) -> str:
        """RETURNS (str): All that shapes an answer beside messages and draw, as JSON."""
        about = {"endpoint": self.endpoint, "model": self.model, "system": self.system}
        return json.dumps({**about, "parameters": self.parameters, "extra_body": self.extra_body}, sort_keys=True, ensure_ascii=False)

    @property
    def account(self) -> str:
        """RETURNS (str): Whom the money goes to, in the ledger."""
        return f"{self.model} at {self.endpoint}"

    @property
    def limit(self) -> int | None:
        """RETURNS (int | None): Most tokens of one answer, where the parameters say so."""
        given = [values.get(key) for values in (self.parameters, self.extra_body) for key in LIMIT_KEYS]
        return min((limit for limit in given if limit is not None), default=None)

    def hash_of(self, prompt: str) -> str:
        """RETURNS (str): The request hash of a prompt."""
        return request_hash(prompt, identity=self.identity)

    def body_of(self, prompt: str) -> bytes:
        """RETURNS (bytes): What is sent for a prompt."""
        return request_body(prompt, model=self.model, system=self.system, parameters=self.parameters, extra=self.extra_body)


def make_shape(
    endpoint: str,
    model: str,
    *,
    system: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    extra_body: Mapping[str, Any] | None = None,
    name: str,
) -> Shape:
    """Check what a config says about requests.

    name (str): The registered name of the teacher, for errors.
    RETURNS (Shape): The checked shape.
    RAISES (ConfigError): For an empty model, for a secret, for a key that cannot be set by hand, and for a limit that is none.
    """
    if not isinstance(model, str) or not model.strip():
        raise ConfigError(f"{name}: model is empty. Give the server's name for the model.")
    for where, values in (("parameters", parameters or {}), ("extra_body", extra_body or {})):
        check_no_secrets(values, where, name=name)
        for key in OURS:
            if key in values:
                raise ConfigError(f"{name}: {where} may not set '{key}': this model sets it. Take it out.")
    limits = [value for values in (parameters or {}, extra_body or {}) for key in LIMIT_KEYS if (value := values.get(key)) is not None]
    if any(isinstance(value, bool) or not isinstance(value, int) or value < 1 for value in limits):
        raise ConfigError(f"{name}: the most tokens of an answer must be a whole number from 1 (was: {limits}).")
    seeds = [value for values in (parameters or {}, extra_body or {}) if (value := values.get("seed")) is not None]
    if any(isinstance(value, bool) or not isinstance(value, int) for value in seeds):
        raise ConfigError(f"{name}: seed must be a whole number (was: {seeds}).")
    given = ({key: value for key, value in (values or {}).items() if value is not None} for values in (parameters, extra_body))
    return Shape(endpoint, model, system, *given)  # null is how a config says "not set"
