"""`synthesizrr.ChatCompletions.v1`: any server that speaks the chat completions protocol, as a spacy-llm model.

Many requests are in flight at a time, as many as the server bears; each ends as an `Answer` or as a `Failure`; every answer is
on disk before it is handed on; a cap on requests, tokens or money holds before it is exceeded.

**Who owns the response store.** This model does (`owns_store = True`). Answers arrive out of order, and each must be written
when it arrives, long before its turn comes; a wrapper that sees only ordered results would write too late. So
`models.memory.remember` gives the store to this model instead of wrapping it in `Remembering`. Its path may stand in the
config (`responses`, shared by runs); otherwise it is the one that `remember` brings (the run's); without either it is a
temporary file that lives as long as the model.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterable

from spacy_synthesizrr.errors import ConfigError, TeacherError
from spacy_synthesizrr.models import ledger
from spacy_synthesizrr.models.admission import Admission
from spacy_synthesizrr.models.budget import Budget, Price, make_budget
from spacy_synthesizrr.models.commits import Commits
from spacy_synthesizrr.models.endpoint import NAME, Endpoint, check_no_secrets, make_endpoint, scrub
from spacy_synthesizrr.models.http import HttpClient, proxy_for
from spacy_synthesizrr.models.pace import Pace
from spacy_synthesizrr.models.prices import priced
from spacy_synthesizrr.models.requests import Requests
from spacy_synthesizrr.models.responses import ResponseStore, request_hash
from spacy_synthesizrr.models.scheduler import Scheduler
from spacy_synthesizrr.models.settings import read_settings
from spacy_synthesizrr.models.wire import LIMIT_KEYS, request_body

OURS = ("model", "messages", "stream", "n")  # keys of the body that cannot be set by hand
GRACE = 5.0  # seconds for requests in flight when Python ends


class ChatCompletions:
    """A chat server as a teacher. Makes no network call before the first prompt.

    endpoint (Endpoint): Where it is.
    model (str): The server's name for the model.
    """

    owns_store = True
    copies = False
    writes_without_passage = True
    by_rule = False
    lazy = True

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        system: str | None,
        parameters: Dict[str, Any],
        extra_body: Dict[str, Any],
        budget: Budget,
        settings: Dict[str, Any],
        context_length: int | None,
        responses: str | None,
    ) -> None:
        self.endpoint, self.model_name, self.context_length = endpoint, model, context_length
        self.system, self.parameters, self.extra_body = system, parameters, extra_body
        self.settings, self._budget, self._responses = settings, budget, responses
        self._store: ResponseStore | None = None
        self._purpose = ledger.Purpose()
        self._made_in = os.getpid()
        self._scheduler: Scheduler | None = None
        self._finalizer: Any = None
        self._runs_in = 0

    def __repr__(self) -> str:
        """RETURNS (str): Model and address. Secrets are not even known before the first prompt."""
        return f"ChatCompletions({self.model_name!r} at {self.endpoint.url!r})"

    def __getstate__(self) -> Dict[str, Any]:
        """RETURNS (dict): The settings; connections, threads and secrets stay behind."""
        return {**self.__dict__, "_scheduler": None, "_finalizer": None, "_runs_in": 0}

    @property
    def name(self) -> str:
        """RETURNS (str): For people."""
        return self.model_name

    @property
    def identity(self) -> str:
        """RETURNS (str): All that shapes an answer beside messages and draw, as JSON. How it is asked for (pace, caps, timeouts,
        port, headers) does not count.
        """
        about = {"endpoint": self.endpoint.identity, "model": self.model_name, "system": self.system}
        return json.dumps({**about, "parameters": self.parameters, "extra_body": self.extra_body}, sort_keys=True, ensure_ascii=False)

    @property
    def price(self) -> Price:
        """RETURNS (Price): Per million tokens, as far as it is known."""
        return self._budget.price

    @property
    def account(self) -> str:
        """RETURNS (str): Whom the money goes to, in the ledger."""
        return f"{self.model_name} at {self.endpoint.identity}"

    def remember(self, store: ResponseStore, *, scope: str = "", stage: str = "", round: int = 0) -> None:
        """Use a response store, unless the config names one.

        store (ResponseStore): Where answers go.
        scope (str), stage (str), round (int): On whose account requests are counted, see `ledger.Purpose`. Caps hold per scope.
        """
        self.close()
        self._store, self._purpose = store, ledger.Purpose(scope, stage=stage, round=round)

    def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        """Answer the prompts of each Doc, lazily and in order.

        prompts (Iterable[Iterable[str]]): Prompts per Doc; a plain string counts as one user message.
        YIELDS (List[Answer | Failure]): One per prompt. Once a cap is reached, those that were not sent are Failure("budget").
        RAISES (TeacherError): When no request can succeed: the key, the model or the address is wrong.
        """
        yield from self._running().run(prompts)

    def status(self) -> Dict[str, Any]:
        """What goes on, for a line on the screen.

        RETURNS (dict): in_flight, limit, requests, tokens, cost (None where the price is unknown), reached (the cap, or ""), and
            new: the same three sums since this model began to ask. The others count the whole run.
        """
        budget, in_flight, limit = self._budget, 0, self.settings["max_in_flight"]
        if self._scheduler is not None:
            admission = self._scheduler.requests.admission
            budget, in_flight, limit = admission.budget, admission.in_flight, admission.pace.allowed
        about = {"in_flight": in_flight, "limit": limit, "reached": budget.reached}
        return {**about, **budget.sums(budget.spent), "new": budget.sums(budget.new)}

    def close(self, *, grace: float | None = None) -> None:
        """Let requests in flight finish, write their answers, close connections. The model can be used again.

        grace (float): Seconds; as long as one request can take by default.
        """
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None and self._runs_in == os.getpid():
            self._finalizer.detach()
            scheduler.close(grace=self.settings["connect_timeout"] + self.settings["read_timeout"] if grace is None else grace)

    def _running(self) -> Scheduler:
        parent = multiprocessing.parent_process()
        if parent is not None and parent.pid == self._made_in:
            raise TeacherError(
                f"{NAME} cannot be used with n_process > 1: each process would keep limits and caps of its own. "
                f"Use n_process = 1; {self.settings['max_in_flight']} requests are in flight at a time anyway (max_in_flight)."
            )
        if self._scheduler is None or self._runs_in != os.getpid():  # a fork inherits no threads
            self._scheduler, self._runs_in = self._start(), os.getpid()
            self._finalizer = weakref.finalize(self, self._scheduler.close, grace=GRACE)
        return self._scheduler

    def _start(self) -> Scheduler:
        secrets = self.endpoint.secrets()
        store = ResponseStore(self._responses) if self._responses else self._store
        if store is None:  # an empty store counts as false
            store = _temporary_store()
        ledger.prepare(store)
        purpose = replace(self._purpose, account=self.account)
        budget = self._budget.starting(ledger.spent(store, purpose.scope, purpose.account))
        commits = Commits(store, identity=self.identity, purpose=purpose)
        settings = dict(self.settings)
        headers = {**self.endpoint.headers, **secrets}
        url, model, proxy = self.endpoint.url, self.model_name, None if self.endpoint.local else proxy_for(self.endpoint.url)

        def requests(finish: Any, stop: Any) -> Requests:
            rng = random.Random()  # pauses only: clients that start together must not come back together
            timeouts = {name: settings[name] for name in ("connect_timeout", "read_timeout")}
            rates = {name: settings[name] for name in ("requests_per_minute", "tokens_per_minute")}
            return Requests(
                HttpClient(url, headers, **timeouts, proxy=proxy),
                Admission(Pace(settings["max_in_flight"], rng), budget, **rates),
                commits,
                model=model,
                max_retries=settings["max_retries"],
                rng=rng,
                hide=lambda text: scrub(text, secrets),
                finish=finish,
                stop=stop,
            )

        identity, system, parameters, extra = self.identity, self.system, self.parameters, self.extra_body
        return Scheduler(
            requests,
            store=store,
            commits=commits,
            hash_of=lambda prompt: request_hash(prompt, identity=identity),
            body_of=lambda prompt: request_body(prompt, model=model, system=system, parameters=parameters, extra=extra),
            window=settings["read_ahead"] * settings["max_in_flight"],
        )


def _temporary_store() -> ResponseStore:
    folder = tempfile.TemporaryDirectory(prefix="synthesizrr-")
    store = ResponseStore(Path(folder.name) / "answers.sqlite")
    weakref.finalize(store, folder.cleanup)
    return store


def make_chat_completions(
    base_url: str,
    model: str,
    api_key_env: str | None = None,
    headers: Dict[str, str] | None = None,
    headers_env: Dict[str, str] | None = None,
    system: str | None = None,
    parameters: Dict[str, Any] | None = None,
    extra_body: Dict[str, Any] | None = None,
    price: Dict[str, Any] | None = None,
    budget: Dict[str, Any] | None = None,
    requests: Dict[str, Any] | None = None,
    context_length: int | None = None,
    responses: str | None = None,
    endpoint_identity: str | None = None,
) -> ChatCompletions:
    """Make a teacher that is a chat server: OpenAI, vLLM, Ollama, llama.cpp, a gateway. No network call is made here.

    base_url (str): Such as "http://127.0.0.1:11434/v1".
    model (str): The server's name for the model.
    api_key_env (str | None): Name of the environment variable whose value is sent as `Authorization: Bearer …`.
    headers (Dict[str, str] | None): Other headers. Secrets are refused, here and in base_url.
    headers_env (Dict[str, str] | None): Header → name of the environment variable with its value.
    system (str | None): System prompt.
    parameters (Dict[str, Any] | None): Sampling parameters as the server knows them: temperature, max_tokens, response_format … A
        seed is counted up by the draw.
    extra_body (Dict[str, Any] | None): Further keys of the request, for one server.
    price (Dict[str, Any] | None): input_per_million, output_per_million; or table = true for the price table of the extra
        [prices]. A server on this machine costs nothing; elsewhere a price that is not given is unknown.
    budget (Dict[str, Any] | None): max_cost, max_tokens, max_requests, for a whole run.
    requests (Dict[str, Any] | None): max_in_flight (64), read_ahead (64, times max_in_flight), requests_per_minute,
        tokens_per_minute, connect_timeout (10 s), read_timeout (300 s, to the last byte), max_retries (8).
    context_length (int | None): Of the model, in tokens; tasks that cut need it.
    responses (str | None): File of the response store; runs may share it. See the module's docstring.
    endpoint_identity (str | None): Takes the place of scheme, host and path in request hashes, such as a name that stays when
        the server moves.
    RETURNS (ChatCompletions): The model.
    RAISES (ConfigError): For whatever can be seen to be wrong without asking the server.
    """
    if not isinstance(model, str) or not model.strip():
        raise ConfigError(f"{NAME}: model is empty. Give the server's name for the model.")
    endpoint = make_endpoint(base_url, api_key_env=api_key_env, headers=headers, headers_env=headers_env, identity=endpoint_identity)
    for where, values in (("parameters", parameters or {}), ("extra_body", extra_body or {})):
        check_no_secrets(values, where)
        for key in OURS:
            if key in values:
                raise ConfigError(f"{NAME}: {where} may not set '{key}': this model sets it. Take it out.")
    limits = [value for values in (parameters or {}, extra_body or {}) for key in LIMIT_KEYS if (value := values.get(key)) is not None]
    if any(isinstance(value, bool) or not isinstance(value, int) or value < 1 for value in limits):
        raise ConfigError(f"{NAME}: the most tokens of an answer must be a whole number from 1 (was: {limits}).")
    spend = make_budget(
        budget,
        priced(price, model=model, url=endpoint.url, where=NAME),
        answer_limit=min(limits, default=None),
        local=endpoint.local,
        name=NAME,
    )
    return ChatCompletions(
        endpoint,
        model,
        system=system,
        parameters=dict(parameters or {}),
        extra_body=dict(extra_body or {}),
        budget=spend,
        settings=read_settings(requests or {}),
        context_length=context_length,
        responses=responses,
    )
