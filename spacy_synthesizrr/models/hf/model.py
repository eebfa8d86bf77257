"""`synthesizrr.HFCausalLM.v1`: a causal language model of transformers in this process, as a spacy-llm model.

No server, no key, no money. Prompts are answered in batches; each ends as an `Answer` or as a `Failure`. The answer to a
prompt comes from the prompt, its draw and the configured seed, and not from its neighbours: see `models.hf.model.noise`. What is
left of them is rounding: a longer neighbour means more padding, and sums come out differently in their last digits. Of 24
answers of a small model, all were the same in batches of 1, 4, 8, 16 and 24 in float32; in bfloat16, which keeps 3 digits,
10 were the same in batches of 1 and 8. With `batch_size = 1` there are no neighbours.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Iterable, List

from jinja2 import TemplateError

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import ConfigError, TeacherError
from spacy_synthesizrr.models.answers.budget import Price
from spacy_synthesizrr.models.answers.responses import request_hash
from spacy_synthesizrr.models.chat.wire import messages_of
from spacy_synthesizrr.models.hf import runtime as hf_runtime
from spacy_synthesizrr.models.hf.batches import Batches, Result, Row
from spacy_synthesizrr.models.hf.files import ModelFiles, check_name, find_files
from spacy_synthesizrr.models.hf.runtime import Runtime, Written
from spacy_synthesizrr.models.hf.settings import NAME, Sampling, check_device, check_dtype, check_number, read_sampling
from spacy_synthesizrr.prompts import Answer, Failure, Prompt

METHOD = 1  # how tokens are drawn; another method would give other answers
NOT_FINITE = 'the model computed scores that are no numbers. Try dtype = "float32" or "bfloat16"'


class HFCausalLM:
    """A local model as a teacher. Loads nothing before the first prompt.

    model (str): A folder, a GGUF file, or a name of the hub.
    """

    copies = False
    writes_without_passage = True
    by_rule = False
    lazy = True
    identity_is_whole = True
    price = Price(0.0, 0.0)

    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        gguf_file: str | None,
        system: str | None,
        template_options: Dict[str, Any],
        sampling: Sampling,
        batch_size: int,
        read_ahead: int,
        device: str,
        dtype: str,
        context_length: int | None,
    ) -> None:
        self.model_name, self.revision, self.gguf_file = model, revision, gguf_file
        self.system, self.template_options, self.sampling = system, template_options, sampling
        self.batch_size, self.read_ahead, self.device, self.dtype = batch_size, read_ahead, device, dtype
        self._context_length = context_length
        self._made_in = os.getpid()
        self._runtime: Runtime | None = None

    def __repr__(self) -> str:
        """RETURNS (str): Model and device."""
        return f"HFCausalLM({self.model_name!r} on {self.device!r})"

    def __getstate__(self) -> Dict[str, Any]:
        """RETURNS (dict): The settings; weights stay behind."""
        return {**self.__dict__, "_runtime": None}

    @property
    def name(self) -> str:
        """RETURNS (str): For people: the hub's name, or that of the folder or file."""
        path = Path(self.model_name).expanduser()
        return path.resolve().name if path.exists() else self.model_name

    @cached_property
    def files(self) -> ModelFiles:
        """RETURNS (ModelFiles): Downloaded first, where the model is a name of the hub."""
        return find_files(self.model_name, revision=self.revision, gguf_file=self.gguf_file)

    @cached_property
    def digest(self) -> str:
        """RETURNS (str): See `ModelFiles.digest`."""
        return self.files.digest()

    @property
    def identity(self) -> str:
        """RETURNS (str): All that shapes an answer beside messages and draw, as JSON: what is in the model's files (weights,
        tokenizer, template, defaults), type of numbers, sampling, system prompt. Where the files lie, device and batches do not
        count: they change rounding only.
        """
        about = {"files": self.digest, "dtype": self.dtype, "sampling": asdict(self.sampling), "method": METHOD}
        return json.dumps({**about, "system": self.system, "template_options": self.template_options}, sort_keys=True, ensure_ascii=False)

    @cached_property
    def context_length(self) -> int | None:
        """RETURNS (int | None): Tokens of prompt and answer together, as set or as the model says."""
        return self._context_length or self.files.context_length()

    def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        """Answer the prompts of each Doc, lazily and in order.

        prompts (Iterable[Iterable[str]]): Prompts per Doc; a plain string counts as one user message.
        YIELDS (List[Answer | Failure]): One per prompt.
        RAISES (TeacherError): When the model cannot be had or loaded.
        RAISES (MissingExtraError): Without the extra [transformers].
        """
        self._check_process()
        batches = Batches(
            self._prepare, self._ask, batch_size=self.batch_size, read_ahead=self.read_ahead, max_tokens=self.sampling.max_tokens
        )
        yield from batches.answer(prompts)

    def close(self, *, grace: float | None = None) -> None:
        """Give the memory back. The model can be used again; it is loaded anew then.

        grace (float): Nothing is in flight between two calls, so it does not matter.
        """
        self._runtime = None

    def _check_process(self) -> None:
        parent = multiprocessing.parent_process()
        if parent is not None and parent.pid == self._made_in:
            raise TeacherError(
                f"{NAME} cannot be used with n_process > 1: each process would load the model again. "
                f"Use n_process = 1; {self.batch_size} prompts are answered at a time anyway (batch_size)."
            )

    def _running(self) -> Runtime:
        if self._runtime is None:
            limit = self.context_length
            if limit is not None and limit <= self.sampling.max_tokens:
                raise ConfigError(
                    f"{NAME}: max_tokens = {self.sampling.max_tokens} leaves no room for a prompt in the model's context of "
                    f"{limit} tokens. Set a smaller max_tokens under parameters."
                )
            self._runtime = hf_runtime.load(self.files, self.digest, dtype=self.dtype, device=self.device)
        return self._runtime

    @cached_property
    def _sampling(self) -> Sampling:
        return self.sampling.completed(self.files.read("generation_config.json"))

    def _prepare(self, prompt: Any) -> Row | Failure:
        """Tokens, request and seed of a prompt."""
        runtime, limit = self._running(), self.context_length
        messages = messages_of(prompt, self.system)
        text = f"{self.system}\n\n{prompt}" if self.system else str(prompt)
        try:
            request = request_hash(prompt, identity=self.identity)
            ids = runtime.tokens(messages, text, self.template_options)
        except UnicodeEncodeError as error:
            return Failure("refused", f"the prompt holds characters that cannot be encoded: {error}")
        except TemplateError as error:
            return Failure("refused", f"the model's chat template does not take these messages: {error}", request=request)
        room = len(ids) if limit is None else limit - self.sampling.max_tokens
        if len(ids) > room:
            said = f"the prompt has {len(ids)} tokens; {limit} of context less max_tokens = {self.sampling.max_tokens} leave {room}"
            return Failure("too_long", said, request=request)
        draw = prompt.draw if isinstance(prompt, Prompt) else 0
        parts = (part for message in messages for part in (message["role"], message["content"]))
        return Row(request, ids, int(digest("seed", str(self.sampling.seed), str(draw), *parts)[:16], 16))

    def _ask(self, rows: List[Row]) -> List[Result] | None:
        written = self._running().write(rows, self._sampling)
        return None if written is None else [self._result(row, found) for row, found in zip(rows, written, strict=True)]

    def _result(self, row: Row, written: Written) -> Result:
        if not written.finite:
            return Failure("malformed", NOT_FINITE, request=row.request)
        if not written.ended:
            return Failure("truncated", f"the answer reached its token limit ({self.sampling.max_tokens})", request=row.request)
        if not written.text.strip():
            return Failure("empty", "the model wrote nothing", request=row.request)
        counted = {"prompt_tokens": len(row.ids), "answer_tokens": written.tokens}
        return Answer(written.text, model=self.name, request=row.request, finish="stop", **counted)


def make_hf_causal_lm(
    model: str,
    revision: str | None = None,
    gguf_file: str | None = None,
    system: str | None = None,
    parameters: Dict[str, Any] | None = None,
    template_options: Dict[str, Any] | None = None,
    batch_size: int = 8,
    read_ahead: int = 4,
    device: str = "auto",
    dtype: str = "auto",
    context_length: int | None = None,
) -> HFCausalLM:
    """Make a teacher that is a transformers model in this process. Nothing is loaded or downloaded here.

    model (str): A folder with safetensors, a .gguf file, or a name of the Hugging Face hub, ACCOUNT/NAME. Pickled weights are
        refused, code that comes with a model is never run.
    revision (str | None): Of the hub: a branch, tag or commit.
    gguf_file (str | None): Name of the GGUF file to take, where a folder or the hub holds several.
    system (str | None): System prompt.
    parameters (Dict[str, Any] | None): seed (0), max_tokens (512), temperature, top_p, top_k, min_p, repetition_penalty, stop.
        What is not set is as the model's generation_config.json says, else temperature 1 and nothing cut.
    template_options (Dict[str, Any] | None): Variables for the model's chat template, such as {"enable_thinking": false}.
    batch_size (int): Most prompts that are answered at a time; halved where memory is too small.
    read_ahead (int): Batches that are sorted by length together.
    device (str): "auto" (a GPU, where there is one), "cpu", "cuda", "cuda:1" …, "mps".
    dtype (str): "auto" (as the model was saved; GGUF as float32), "float32", "bfloat16", "float16".
    context_length (int | None): In tokens, where the model does not say or says too much.
    RETURNS (HFCausalLM): The model.
    RAISES (ConfigError): For whatever can be seen to be wrong without loading it.
    """
    check_name(model, gguf_file)
    check_device(device)
    check_dtype(dtype)
    for name, value in (("batch_size", batch_size), ("read_ahead", read_ahead)):
        check_number(name, value, 1)
    if context_length is not None:
        check_number("context_length", context_length, 2)
    return HFCausalLM(
        model,
        revision=revision,
        gguf_file=gguf_file,
        system=system,
        template_options=dict(template_options or {}),
        sampling=read_sampling(parameters or {}),
        batch_size=batch_size,
        read_ahead=read_ahead,
        device=device,
        dtype=dtype,
        context_length=context_length,
    )
