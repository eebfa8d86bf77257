"""`llm_synthesizrr`: spacy-llm's `llm` component, with one call of the model for the whole stream.

spacy-llm asks batch by batch and waits for the last answer of each, so a concurrent model idles at the end of every
batch. Here a model that streams is called once: prompts are rendered when it takes them, Docs come out when their
answers are there, in order, and memory holds only the Docs in flight. A model that does not stream is asked batch by
batch, as in spacy-llm.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Deque, Iterable, List, NamedTuple, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch
from spacy.vocab import Vocab
from spacy_llm.cache import BatchCache
from spacy_llm.pipeline.llm import LLMWrapper
from spacy_llm.ty import supports_sharding, validate_type_consistency

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.extensions import PASSAGES, RESULT
from spacy_synthesizrr.models.answers.streaming import streams

logger = logging.getLogger("spacy_synthesizrr")
logger.addHandler(logging.NullHandler())

Handler = Callable[[str, Any, List[Doc], Exception], None]


class _Asked(NamedTuple):
    """A Doc on its way: itself, its prompts, and what the task gets beside the answers."""

    doc: Doc
    prompts: List[Any]
    shards: Any


class _Flight:
    """The Docs that were taken in and have not come out, and who answers for errors."""

    def __init__(self, name: str, component: Any, handle: Handler) -> None:
        self.asked: Deque[_Asked] = deque()
        self.outside: Exception | None = None  # of an earlier component, or raised by the handler itself: not ours to handle
        self._name, self._component, self._handle = name, component, handle

    def take(self, docs: Iterator[Doc]) -> Doc | None:
        """The next Doc of the stream, None at its end."""
        try:
            return next(docs, None)
        except Exception as error:
            self.outside = error
            raise

    def report(self, docs: List[Doc], error: Exception) -> None:
        """Give Docs to the error handler."""
        try:
            self._handle(self._name, self._component, docs, error)
        except Exception as raised:
            self.outside = raised
            raise


class SynthesisComponent(LLMWrapper):
    """spacy-llm's LLMWrapper with a lazy `pipe`. It keeps contexts, user data, error handlers and `save_io`."""

    @property
    def model(self) -> Any:
        """RETURNS (Callable): The model that is asked; it may be replaced, for example by one that remembers answers."""
        return self._model

    @model.setter
    def model(self, model: Any) -> None:
        """model (Callable): Asked from the next Doc on; an error handler, `save_io` and the task stay as they are."""
        self._model = model

    def _check_sharding(self) -> None:
        """No warning about a missing context length: our tasks never cut a Doc into shards."""

    def __call__(self, doc: Doc) -> Doc:
        """doc (Doc): Processed alone."""
        return next(self._pipe_all(iter([doc]), _raise))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Ask the model for a stream of Docs.

        stream (Iterable[Doc]): Docs.
        batch_size (int): Docs per call of a model that does not stream; others get all Docs in one call.
        YIELDS (Doc): Docs in order. A Doc whose prompts cannot be rendered, or whose answers cannot be parsed, goes to the
            error handler alone; an error of the model goes there with the Docs in flight, and the rest of the stream goes on.
        """
        handle: Handler = self.get_error_handler()
        if streams(self._model):
            yield from self._pipe_all(iter(stream), handle)
        else:
            for batch in minibatch(stream, batch_size):  # type: ignore[no-untyped-call]
                yield from self._pipe_all(iter(list(batch)), handle)

    def _pipe_all(self, docs: Iterator[Doc], handle: Handler) -> Iterator[Doc]:
        flight = _Flight(self._name, self, handle)
        ended = False
        while not ended:
            try:
                yield from self._flow(docs, flight)
                ended = True
            except Exception as error:  # spaCy's contract: the handler decides; the default one raises
                if error is flight.outside:
                    raise
                # A model that fails before it takes any prompt would fail for ever: the next Doc goes with the error.
                lost = [item.doc for item in flight.asked] or [doc for doc in [flight.take(docs)] if doc is not None]
                flight.asked.clear()
                flight.report(lost, error)
                ended = not lost

    def _flow(self, docs: Iterator[Doc], flight: _Flight) -> Iterator[Doc]:
        """One lazy call of the model. Each Doc is parsed alone when its answers are there: a task that is given the whole
        stream may keep every Doc of it, and one answer that it cannot parse would end the rest.
        """
        prompts = self._ask(docs, flight)
        for response in self._model(prompts):
            yield from self._land(flight, response)
        while flight.asked or next(prompts, None) is not None:  # the model gave fewer answers than it was asked for
            yield from self._land(flight, ())

    def _land(self, flight: _Flight, response: Iterable[Any]) -> Iterator[Doc]:
        """The oldest Doc with its answers, unless it cannot be parsed. Answers that nobody asked for are dropped."""
        if not flight.asked:
            return
        item = flight.asked.popleft()
        try:
            doc = self._parse(item, [response] if isinstance(response, str) else list(response))
        except Exception as error:
            return flight.report([item.doc], error)
        yield doc

    def _parse(self, item: _Asked, response: List[Any]) -> Doc:
        doc: Doc | None = next(iter(self._task.parse_responses(iter([item.shards]), iter([response]))), None)
        if doc is None:
            raise RuntimeError(f"The task of '{self._name}' gave fewer Docs than it took. It must give one for each.")
        if doc is not item.doc:
            _carry_over(item.doc, doc)
        if self._save_io:
            self._keep_io(doc, item.prompts, response)
        return doc

    def _ask(self, docs: Iterator[Doc], flight: _Flight) -> Iterator[List[Any]]:
        """Take Docs as the model takes their prompts."""
        sharding = supports_sharding(self._task)
        context_length: int | None = getattr(self._model, "context_length", None)
        while (doc := flight.take(docs)) is not None:
            try:
                if sharding:
                    prompts, shards = next(iter(self._task.generate_prompts([doc], context_length)))
                else:
                    prompts, shards = [next(iter(self._task.generate_prompts([doc])))], doc
            except Exception as error:  # one Doc that cannot be asked about keeps the others
                flight.report([doc], error)
                continue
            item = _Asked(doc, list(prompts), list(shards) if sharding else shards)
            flight.asked.append(item)
            yield item.prompts

    def _keep_io(self, doc: Doc, prompts: Sequence[Any], answers: Sequence[Any]) -> None:
        """Keep what spacy-llm keeps, under the same keys."""
        io = doc.user_data.setdefault("llm_io", {}).setdefault(self._name, {})
        if supports_sharding(self._task):
            io["prompt"], io["response"] = [str(prompt) for prompt in prompts], [str(answer) for answer in answers]
        else:
            io["prompt"], io["response"] = str(prompts[0]), str(answers[0]) if answers else ""


def _raise(name: str, component: Any, docs: List[Doc], error: Exception) -> None:
    raise error


def _carry_over(old: Doc, new: Doc) -> None:
    """A task may return a new Doc: it keeps the context and the data of the old one, its own data first."""
    new.user_data = {**old.user_data, **new.user_data}
    new._context = old._context


@Language.factory(
    "llm_synthesizrr",
    requires=[f"doc._.{PASSAGES}"],
    assigns=[f"doc._.{RESULT}"],
    default_config={
        "task": {"@llm_tasks": "synthesizrr.Refine.v1"},
        "model": {"@llm_models": "synthesizrr.Extractive.v1"},
        "cache": None,
        "save_io": False,
        "validate_types": True,
    },
)
def make_llm_synthesizrr(
    nlp: Language,
    name: str,
    *,
    task: Any | None,
    model: Callable[..., Any],
    cache: Any | None,
    save_io: bool,
    validate_types: bool,
) -> SynthesisComponent:
    """Make the component `llm_synthesizrr`.

    nlp (Language): The pipeline.
    name (str): Name of the component.
    task (LLMTask): `synthesizrr.Refine.v1` by default, or any task of spacy-llm.
    model (Callable): `synthesizrr.Extractive.v1` by default, which copies sentences and is no LLM; any spacy-llm model.
    cache (Cache): Only there to be refused with a path: spacy-llm's cache returns another Doc's answer.
    save_io (bool): Keep prompts and answers in `doc.user_data["llm_io"]`.
    validate_types (bool): Check that task and model fit.
    RETURNS (SynthesisComponent): The component.
    RAISES (ConfigError): Without a task, or for a cache with a path.
    """
    if task is None:
        raise ConfigError(f'[components.{name}] has no task. Set one, such as: @llm_tasks = "synthesizrr.Refine.v1"')
    if (path := getattr(cache, "_path", None)) is not None:
        raise ConfigError(
            f"[components.{name}.cache] path = '{path}' cannot be used: that cache knows a Doc by the sum of its words and "
            "not by its passages, so it gives one candidate the answer of another. Set path = null; answers of this project "
            "are kept per prompt by models.responses.Remembering."
        )
    if validate_types:
        validate_type_consistency(task, model)
    return _component(nlp.vocab, name, task, model, save_io)


def _component(vocab: Vocab, name: str, task: Any, model: Any, save_io: bool) -> SynthesisComponent:
    unused = BatchCache(path=None, batch_size=1, max_batches_in_mem=1)
    return SynthesisComponent(name, vocab=vocab, task=task, model=model, cache=unused, save_io=save_io)
