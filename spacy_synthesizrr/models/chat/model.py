"""`synthesizrr.ChatCompletions.v1`: any server that speaks the chat completions protocol, as a spacy-llm model.

Many requests are in flight at a time, as many as the server bears; each ends as an `Answer` or as a `Failure`; every answer is
on disk before it is handed on; a cap on requests, tokens or money holds before it is exceeded.

**Who owns the response store.** This model does (`owns_store = True`). Answers arrive out of order, and each must be written
when it arrives, long before its turn comes; a wrapper that sees only ordered results would write too late. So
`models.answers.memory.remember` gives the store to this model instead of wrapping it in `Remembering`. Its path may stand in the
config (`responses`, shared by runs); otherwise it is the one that `remember` brings (the run's); without either it is a
temporary file that lives as long as the model.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import shutil
import tempfile
import threading
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterable

from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.budget import Budget, Price, make_budget
from spacy_synthesizrr.models.answers.commits import Commits
from spacy_synthesizrr.models.answers.forks import renew_after_fork
from spacy_synthesizrr.models.answers.memory import named_store
from spacy_synthesizrr.models.answers.prices import priced
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.chat.admission import Admission
from spacy_synthesizrr.models.chat.attempts import Attempts
from spacy_synthesizrr.models.chat.endpoint import NAME, Endpoint, make_endpoint
from spacy_synthesizrr.models.chat.http import HttpClient, proxy_for
from spacy_synthesizrr.models.chat.pace import Pace
from spacy_synthesizrr.models.chat.scheduler import Scheduler
from spacy_synthesizrr.models.chat.settings import read_settings
from spacy_synthesizrr.models.chat.shape import Shape, make_shape
from spacy_synthesizrr.models.chat.verdicts import Verdicts

logger = logging.getLogger("spacy_synthesizrr")
GRACE = 5.0  # seconds for requests in flight when Python ends


class ChatCompletions:
    """A chat server as a teacher. Makes no network call before the first prompt.

    endpoint (Endpoint): Where it is.
    shape (Shape): How a prompt becomes a request.
    """

    owns_store = True
    copies = False
    writes_without_passage = True
    by_rule = False
    lazy = True

    def __init__(
        self,
        endpoint: Endpoint,
        shape: Shape,
        *,
        budget: Budget,
        settings: Dict[str, Any],
        context_length: int | None,
        responses: str | None,
    ) -> None:
        self.endpoint, self.shape, self.context_length = endpoint, shape, context_length
        self.settings, self._budget, self._responses = settings, budget, responses
        self._store: ResponseStore | None = None
        self._own: ResponseStore | None = None  # temporary
        self._purpose = ledger.Purpose()
        self._made_in = os.getpid()
        self._scheduler: Scheduler | None = None
        self._finalizer: Any = None
        self._runs_in = 0
        self._lock = threading.Lock()  # two threads may ask for the first time at once
        renew_after_fork(self)

    def __repr__(self) -> str:
        """RETURNS (str): Model and address. Secrets are not even known before the first prompt."""
        return f"ChatCompletions({self.shape.model!r} at {self.endpoint.url!r})"

    def __getstate__(self) -> Dict[str, Any]:
        """RETURNS (dict): The settings; connections, threads and secrets stay behind."""
        return {**self.__dict__, "_scheduler": None, "_own": None, "_finalizer": None, "_runs_in": 0, "_lock": None}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())
        renew_after_fork(self)

    @property
    def name(self) -> str:
        """RETURNS (str): For people."""
        return self.shape.model

    @property
    def identity(self) -> str:
        """RETURNS (str): All that shapes an answer beside messages and draw, as JSON. How it is asked for (pace, caps, timeouts,
        port, headers) does not count.
        """
        return self.shape.identity

    @property
    def price(self) -> Price:
        """RETURNS (Price): Per million tokens, as far as it is known."""
        return self._budget.price

    @property
    def account(self) -> str:
        """RETURNS (str): Whom the money goes to, in the ledger."""
        return self.shape.account

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
            admission = self._scheduler.attempts.admission
            budget, in_flight, limit = admission.budget, admission.in_flight, admission.pace.allowed
        about = {"in_flight": in_flight, "limit": limit, "reached": budget.reached}
        return {**about, **budget.sums(budget.spent), "new": budget.sums(budget.new)}

    def close(self, *, grace: float | None = None) -> None:
        """Let requests in flight finish, write their answers, close connections. The model can be used again.

        grace (float): Seconds; as long as one request can take by default.
        """
        with self._lock:
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
        with self._lock:
            if self._scheduler is None or self._runs_in != os.getpid():  # a fork inherits no threads
                self._scheduler, self._runs_in = self._start(), os.getpid()
                self._finalizer = weakref.finalize(self, _end, self._scheduler, self._runs_in)
            return self._scheduler

    def _start(self) -> Scheduler:
        secrets = self.endpoint.secrets()
        if secrets and self.endpoint.exposed:
            logger.warning("%s: %s go unencrypted over the network to %s. Use https://", NAME, " and ".join(secrets), self.endpoint.url)
        store = named_store(self._responses) if self._responses else self._store
        if store is None:  # an empty store counts as false
            self._own = store = _temporary_store() if self._own is None else self._own
        ledger.prepare(store)
        purpose = replace(self._purpose, account=self.account)
        budget = self._budget.starting(ledger.spent(store, purpose.scope))
        answered = ledger.has_answers(store, self.identity)
        commits = Commits(store, identity=self.identity, purpose=purpose, elsewhere=budget.others)
        settings = dict(self.settings)
        headers = {**self.endpoint.headers, **secrets}
        url, model, proxy = self.endpoint.url, self.shape.model, None if self.endpoint.local else proxy_for(self.endpoint.url)

        def attempts(finish: Any, stop: Any) -> Attempts:
            rng = random.Random()  # pauses only: clients that start together must not come back together
            timeouts = {name: settings[name] for name in ("connect_timeout", "read_timeout")}
            rates = {name: settings[name] for name in ("requests_per_minute", "tokens_per_minute")}
            return Attempts(
                HttpClient(url, headers, **timeouts, proxy=proxy),
                Admission(Pace(settings["max_in_flight"], rng), budget, **rates),
                commits,
                Verdicts(NAME, url, answered=answered, most=settings["max_in_flight"], max_retries=settings["max_retries"]),
                model=model,
                secrets=secrets,
                rng=rng,
                finish=finish,
                stop=stop,
            )

        return Scheduler(
            attempts,
            store=store,
            commits=commits,
            hash_of=self.shape.hash_of,
            body_of=self.shape.body_of,
            window=settings["read_ahead"] * settings["max_in_flight"],
        )


def _end(scheduler: Scheduler, process: int) -> None:
    if process == os.getpid():  # a fork has none of the threads that this would wait for
        scheduler.close(grace=GRACE)


def _temporary_store() -> ResponseStore:
    folder = tempfile.mkdtemp(prefix="synthesizrr-")
    store = ResponseStore(Path(folder) / "answers.sqlite")
    weakref.finalize(store, _remove, folder, os.getpid())
    return store


def _remove(folder: str, process: int) -> None:
    if process == os.getpid():  # a fork that ends must leave it to its parent
        shutil.rmtree(folder, ignore_errors=True)


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
    endpoint = make_endpoint(base_url, api_key_env=api_key_env, headers=headers, headers_env=headers_env, identity=endpoint_identity)
    shape = make_shape(endpoint.identity, model, system=system, parameters=parameters, extra_body=extra_body, name=NAME)
    spend = make_budget(
        budget,
        priced(price, model=model, url=endpoint.url, where=NAME),
        answer_limit=shape.limit,
        local=endpoint.local,
        name=NAME,
    )
    return ChatCompletions(
        endpoint,
        shape,
        budget=spend,
        settings=read_settings(requests or {}),
        context_length=context_length,
        responses=responses,
    )
