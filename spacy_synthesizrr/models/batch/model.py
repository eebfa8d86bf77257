"""`synthesizrr.Batch.v1`: a teacher that answers later. Prompts become a file of requests in the format of the OpenAI Batch API;
whatever answers such files, from a provider's batch service to `vllm run-batch` or a script, is the teacher. Its files of answers
are read into the response store by a later run, which goes on from there.

Answers are found by the same request hash as those of `synthesizrr.ChatCompletions.v1`: with the same base_url, model, system
prompt and parameters, a run may begin with one of the two and end with the other, and pays nothing twice.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Dict, Iterable, List

from spacy_synthesizrr.errors import ConfigError, SynthesizrrError, TeacherError
from spacy_synthesizrr.models.answers.budget import Budget, Price, make_budget
from spacy_synthesizrr.models.answers.ledger import Purpose
from spacy_synthesizrr.models.answers.memory import named_store
from spacy_synthesizrr.models.answers.prices import priced
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.batch.answers import check
from spacy_synthesizrr.models.batch.exchange import Exchange, Rules
from spacy_synthesizrr.models.batch.files import URL
from spacy_synthesizrr.models.chat.endpoint import Endpoint, make_endpoint
from spacy_synthesizrr.models.chat.shape import Shape, make_shape

NAME = "synthesizrr.Batch.v1"
FOLDER, ANSWERS = "batch", "answers.sqlite"
logger = logging.getLogger("spacy_synthesizrr")


class Batch:
    """Files of requests and answers as a teacher. Uses no network.

    A call takes in the answers that lie in the folder, hands out what is known, and writes the rest to one file, which appears
    when the call ends. `hold` and `follow` let several models write one file together.

    shape (Shape): How a prompt becomes a request.
    endpoint (Endpoint | None): The server that the answers count as coming from.
    extra (float): How many more requests a caller should have written than it needs, as a share: some rows get turned away, and
        each round trip takes long. What is answered and not needed is kept.
    """

    owns_store = True
    defers = True
    copies = False
    writes_without_passage = True
    by_rule = False
    lazy = True

    def __init__(
        self,
        shape: Shape,
        endpoint: Endpoint | None,
        *,
        budget: Budget,
        rules: Rules,
        extra: float,
        folder: str | None,
        responses: str | None,
        context_length: int | None,
    ) -> None:
        self.shape, self.endpoint, self.extra, self.context_length = shape, endpoint, extra, context_length
        self._budget, self._rules, self._folder, self._responses = budget, rules, folder, responses
        self._store: ResponseStore | None = None
        self._purpose = Purpose()
        self._exchange: Exchange | None = None
        self._held = False
        self._made_in = os.getpid()

    def __repr__(self) -> str:
        """RETURNS (str): Model and endpoint."""
        return f"Batch({self.shape.account!r})"

    def __getstate__(self) -> Dict[str, Any]:
        """RETURNS (dict): The settings; open files stay behind."""
        return {**self.__dict__, "_exchange": None, "_held": False}

    @property
    def name(self) -> str:
        """RETURNS (str): For people."""
        return self.shape.model

    @property
    def identity(self) -> str:
        """RETURNS (str): All that shapes an answer beside messages and draw, as JSON; the same as a chat server's."""
        return self.shape.identity

    @property
    def account(self) -> str:
        """RETURNS (str): Whom the money goes to, in the ledger."""
        return self.shape.account

    @property
    def price(self) -> Price:
        """RETURNS (Price): Per million tokens, as far as it is known."""
        return self._budget.price

    def remember(self, store: ResponseStore, *, scope: str = "", stage: str = "", round: int = 0) -> None:
        """Use a response store, unless the config names one.

        store (ResponseStore): Where answers go; the files lie in the folder "batch" beside it, unless the config names another.
        scope (str), stage (str), round (int): On whose account requests are counted, see `ledger.Purpose`. Caps hold per scope.
        """
        self.close()
        self._exchange = None
        self._store, self._purpose = store, Purpose(scope, stage=stage, round=round)

    def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        """Answer the prompts of each Doc from the store, in order, and write the others down.

        prompts (Iterable[Iterable[str]]): Prompts per Doc; a plain string counts as one user message.
        YIELDS (List[Answer | Failure]): One per prompt: Failure("missing") names the file in which it waits; Failure("budget")
            was not written because of a cap; other failures were answered with an error and are not asked again.
        RAISES (TeacherError): When answers say that no request can succeed, or n_process > 1.
        """
        if not self._held:
            self.take_in(_log)
        exchange, purpose = self._running(), self._purpose
        try:
            groups = iter(prompts)
            group = next(groups, None)
            while group is not None:
                found = [exchange.ask(_as_text(prompt), stage=purpose.stage, round=purpose.round) for prompt in group]
                group = next(groups, None)
                if group is None:  # before the last answer goes out: the caller may never come back for the end
                    self._end_call()
                yield found
        finally:
            self._end_call()

    def take_in(self, tell: Callable[[str], None]) -> None:
        """Read the files of answers in the folder.

        tell (Callable): Gets a line for people for every file, and for its lines that cannot be used.
        RAISES (TeacherError): When answers say that no request can succeed.
        """
        exchange = self._running()
        taken = exchange.refresh()
        for one in taken:
            for line in one.lines():
                tell(line)
        check(exchange.index, taken)

    def hold(self) -> None:
        """From now on, let no file appear before `close` or `release`."""
        self._held = True

    def follow(self, first: Batch) -> None:
        """Write into the files of another model, which holds them; it must have the same settings."""
        self._exchange, self._held = first._running(), True

    def release(self) -> List[str]:
        """Let the file appear that `hold` has kept back.

        RETURNS (List[str]): For people: which files wait, what they take, what to do.
        """
        self._held = False
        exchange = self._running()
        exchange.publish()
        return exchange.report()

    def drop(self) -> None:
        """Forget what was written since `hold`."""
        self._held = False
        if self._exchange is not None:
            self._exchange.drop()

    def reason(self) -> SynthesizrrError | None:
        """RETURNS (SynthesizrrError | None): Why the work cannot go on now; None when every prompt had its answer."""
        return None if self._exchange is None else self._exchange.reason()

    def close(self, *, grace: float | None = None) -> None:
        """Let the file of requests appear, unless it is held. The model can be used again.

        grace (float): Nothing is in flight; it is here for callers that close any teacher.
        """
        self._end_call()
        if self._exchange is not None and not self._held and self._exchange.store is not self._store:
            self._exchange.store.close()  # its own; it opens again when needed

    def _end_call(self) -> None:
        if not self._held and self._exchange is not None:
            self._exchange.publish()

    def _running(self) -> Exchange:
        parent = multiprocessing.parent_process()
        if parent is not None and parent.pid == self._made_in:
            raise TeacherError(f"{NAME} cannot be used with n_process > 1: each process would write files of its own. Use n_process = 1.")
        if self._exchange is None:
            store = self._open_store()
            folder = Path(self._folder) if self._folder else store.path.parent / FOLDER
            self._exchange = Exchange(self.shape, self._budget, store, folder, rules=self._rules, purpose=self._account_for())
        return self._exchange

    def _account_for(self) -> Purpose:
        return Purpose(self._purpose.scope, self.account)

    def _open_store(self) -> ResponseStore:
        if self._responses:
            return named_store(self._responses)
        if self._store is not None:
            return self._store
        if self._folder:
            return ResponseStore(Path(self._folder) / ANSWERS)
        raise TeacherError(f'{NAME}: nobody said where files of requests and answers should lie. Set: folder = "batch"')


def _as_text(prompt: Any) -> str:
    return prompt if isinstance(prompt, str) else str(prompt)


def _log(line: str) -> None:
    logger.info("%s", line)


def make_batch(
    model: str,
    base_url: str | None = None,
    system: str | None = None,
    parameters: Dict[str, Any] | None = None,
    extra_body: Dict[str, Any] | None = None,
    price: Dict[str, Any] | None = None,
    budget: Dict[str, Any] | None = None,
    folder: str | None = None,
    extra: float = 0.3,
    max_retries: int = 2,
    max_requests_per_file: int = 50_000,
    max_bytes_per_file: int = 200_000_000,
    url: str = URL,
    context_length: int | None = None,
    responses: str | None = None,
    endpoint_identity: str | None = None,
) -> Batch:
    """Make a teacher that works with files of requests and answers. Nothing is written here.

    model (str): The name of the model, as whoever answers knows it.
    base_url (str | None): Of the server that answers, such as "https://api.openai.com/v1". Nothing is sent there; answers of a chat
        server with the same address are shared.
    system (str | None), parameters (Dict[str, Any] | None), extra_body (Dict[str, Any] | None): As in synthesizrr.ChatCompletions.v1.
    price (Dict[str, Any] | None): input_per_million, output_per_million: the price of a batch, which is often lower.
    budget (Dict[str, Any] | None): max_cost, max_tokens, max_requests, for a whole run. A request that could break a cap is not written.
    folder (str | None): Where the files lie; by default "batch" beside the response store.
    extra (float): Share of requests that is asked beyond what is needed, because some rows get turned away and each round trip takes
        long; 0 asks for none.
    max_retries (int): How often a request is written again after an error that may pass.
    max_requests_per_file (int), max_bytes_per_file (int): Limits of the provider; more requests go to further files.
    url (str): What stands as url in every line.
    context_length (int | None): Of the model, in tokens; tasks that cut need it.
    responses (str | None): File of the response store; runs may share it.
    endpoint_identity (str | None): Takes the place of scheme, host and path of base_url in request hashes.
    RETURNS (Batch): The model.
    RAISES (ConfigError): For settings that cannot be used.
    """
    if not base_url and not endpoint_identity:
        raise ConfigError(
            f'{NAME}: say whose answers these are: base_url = "https://api.openai.com/v1", or for a model without a server a name of '
            'your own: endpoint_identity = "vllm offline"'
        )
    endpoint = make_endpoint(base_url, identity=endpoint_identity, teacher=NAME) if base_url else None
    where = endpoint.identity if endpoint else str(endpoint_identity)
    shape = make_shape(where, model, system=system, parameters=parameters, extra_body=extra_body, name=NAME)
    known = priced(price, model=model, url=endpoint.url if endpoint else "", where=NAME)
    caps = make_budget(budget, known, answer_limit=shape.limit, local=endpoint is not None and endpoint.local, name=NAME)
    whole = {"max_retries": (max_retries, 0), "max_requests_per_file": (max_requests_per_file, 1)}
    for key, (value, lowest) in {**whole, "max_bytes_per_file": (max_bytes_per_file, 1), "extra": (extra, 0)}.items():
        if isinstance(value, bool) or not lowest <= value < float("inf"):
            raise ConfigError(f"{NAME}: {key} = {value!r} must be a number from {lowest}.")
    if not url.startswith("/"):
        raise ConfigError(f"{NAME}: url = {url!r} must be a path such as {URL}.")
    rules = Rules(max_retries, max_requests_per_file, max_bytes_per_file, url)
    return Batch(shape, endpoint, budget=caps, rules=rules, extra=extra, folder=folder, responses=responses, context_length=context_length)
