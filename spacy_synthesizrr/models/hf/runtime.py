"""A transformers model in memory: tokens in, tokens out. This module alone loads torch and transformers (`hf_noise` uses torch).

Both are imported when a model is loaded, not before.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, MutableMapping, Sequence, Tuple

from spacy_synthesizrr.errors import TeacherError, choices, require
from spacy_synthesizrr.models.hf.batches import Row
from spacy_synthesizrr.models.hf.files import EXTRA, ModelFiles
from spacy_synthesizrr.models.hf.noise import Finite, Noise
from spacy_synthesizrr.models.hf.settings import NAME, Sampling
from spacy_synthesizrr.progress import quiet

SMALLER = 'Choose a smaller model, dtype = "bfloat16", or another device.'
SHOWN = 400  # characters of what the libraries say
MEMORY_SIGNS = ("allocate memory", "out of memory", "ALLOC_FAILED")  # in errors that have no class of their own
TOKENS_PER_CHARACTER = 4  # at most, where a character is cut into its bytes


@dataclass(frozen=True)
class Written:
    """What the model wrote for one row.

    text (str): Without end tokens, and without the text that ended it.
    tokens (int): How many it wrote, end tokens not counted.
    ended (bool): Whether it came to an end by itself.
    finite (bool): Whether all its scores were numbers.
    """

    text: str
    tokens: int
    ended: bool
    finite: bool


class Runtime:
    """Tokenizer and model on a device.

    torch (ModuleType), transformers (ModuleType): The libraries.
    tokenizer (PreTrainedTokenizer), model (PreTrainedModel): Loaded.
    """

    def __init__(self, torch: Any, transformers: Any, tokenizer: Any, model: Any) -> None:
        self.torch, self.transformers, self.tokenizer, self.model = torch, transformers, tokenizer, model
        self.ends = _ends(tokenizer, model.generation_config)
        self._pad = next((id for id in (tokenizer.pad_token_id, *self.ends) if id is not None), 0)
        # settings that a model brings along would change answers behind the config's back
        model.generation_config = transformers.GenerationConfig(
            bos_token_id=tokenizer.bos_token_id, eos_token_id=self.ends or None, pad_token_id=self._pad
        )

    def tokens(self, messages: Sequence[Mapping[str, str]], text: str, options: Mapping[str, Any]) -> List[int]:
        """The tokens of a prompt.

        messages (Sequence[Mapping]): For a tokenizer with a chat template.
        text (str): For one without.
        options (Mapping): Variables for the template.
        """
        if not self.tokenizer.chat_template:
            return list(self.tokenizer(text, verbose=False)["input_ids"])
        rendered = self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True, **options)
        return list(self.tokenizer(rendered, add_special_tokens=False, verbose=False)["input_ids"])

    def write(self, rows: Sequence[Row], sampling: Sampling) -> List[Written] | None:
        """Let the model go on with each row.

        RETURNS (List[Written] | None): One per row; None when the batch does not fit into memory.
        """
        try:
            with self.torch.inference_mode():
                return self._write(rows, sampling)
        except (RuntimeError, MemoryError) as error:
            if not self.out_of_memory(error):
                raise
        if self.torch.cuda.is_available():  # outside of the handler, where the error still holds what it could not finish with
            self.torch.cuda.empty_cache()
        return None

    def out_of_memory(self, error: BaseException) -> bool:
        """RETURNS (bool): Whether an error means that memory was too small."""
        return isinstance(error, (self.torch.OutOfMemoryError, MemoryError)) or any(sign in str(error) for sign in MEMORY_SIGNS)

    def _write(self, rows: Sequence[Row], sampling: Sampling) -> List[Written]:
        device, longest = self.model.device, max(len(row.ids) for row in rows)
        ids = self.torch.full((len(rows), longest), self._pad, dtype=self.torch.long)
        mask = self.torch.zeros_like(ids)
        for number, row in enumerate(rows):  # on the left: what is written follows the prompt without a gap
            ids[number, longest - len(row.ids) :] = self.torch.tensor(row.ids)
            mask[number, longest - len(row.ids) :] = 1
        finite, stops = Finite(), _Stops(self, sampling.stop, longest)
        about = self.transformers.GenerationConfig(
            do_sample=False, num_beams=1, max_new_tokens=sampling.max_tokens, repetition_penalty=sampling.repetition_penalty
        )
        out = self.model.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            generation_config=about,
            logits_processor=self.transformers.LogitsProcessorList([finite, *self._choosing(rows, sampling, longest, device)]),
            stopping_criteria=self.transformers.StoppingCriteriaList([stops] if sampling.stop else []),
        )
        broken = finite.broken.tolist()
        new = out[:, longest:].tolist()
        return [self._read(new[number], stops.ended.get(number), sampling, not broken[number]) for number in range(len(rows))]

    def _choosing(self, rows: Sequence[Row], sampling: Sampling, start: int, device: Any) -> Iterator[Any]:
        """What is done to the scores before the highest is taken, in the order of transformers' own sampling."""
        if not sampling.temperature:
            return
        process = self.transformers.generation.logits_process
        if sampling.temperature != 1.0:
            yield process.TemperatureLogitsWarper(float(sampling.temperature))
        if sampling.top_k is not None:
            yield process.TopKLogitsWarper(sampling.top_k)
        if sampling.top_p is not None and sampling.top_p < 1.0:
            yield process.TopPLogitsWarper(sampling.top_p)
        if sampling.min_p:
            yield process.MinPLogitsWarper(sampling.min_p)
        yield Noise([row.seed for row in rows], start, device)

    def _read(self, ids: List[int], stopped: int | None, sampling: Sampling, finite: bool) -> Written:
        end = next((place for place, id in enumerate(ids) if id in self.ends), None)
        if stopped is not None and (end is None or stopped <= end):
            ids = ids[:stopped]
            return Written(_before(self.text(ids), sampling.stop), len(ids), True, finite)
        ids = ids if end is None else ids[:end]
        return Written(self.text(ids), len(ids), end is not None, finite)

    def text(self, ids: Sequence[int]) -> str:
        """RETURNS (str): What tokens say, without special ones."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))


class _Stops:
    """A stopping criterion: notes after how many tokens a row holds one of some texts.

    start (int): Length of the padded prompts.
    """

    def __init__(self, runtime: Runtime, stop: Sequence[str], start: int) -> None:
        self._runtime, self._stop, self._start = runtime, stop, start
        self._look = TOKENS_PER_CHARACTER * max((len(text) for text in stop), default=0)
        self.ended: Dict[int, int] = {}

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """RETURNS (Tensor): Which rows are at their end."""
        written = input_ids.shape[1] - self._start
        for number, ids in enumerate(input_ids[:, max(self._start, input_ids.shape[1] - self._look) :].tolist()):
            if number not in self.ended and any(text in self._runtime.text(ids) for text in self._stop):
                self.ended[number] = written
        done = [number in self.ended for number in range(len(input_ids))]
        return self._runtime.torch.tensor(done, device=input_ids.device)


def _before(text: str, stop: Sequence[str]) -> str:
    """A text up to the first of some others."""
    return text[: min((place for each in stop if (place := text.find(each)) >= 0), default=len(text))]


def _ends(tokenizer: Any, about: Any) -> List[int]:
    """Tokens that end an answer: those of the model, and the tokenizer's, which is the end of a turn where there are turns."""
    given = about.eos_token_id
    listed = given if isinstance(given, list) else [given]
    return sorted({id for id in (*listed, tokenizer.eos_token_id) if id is not None})


_loaded: MutableMapping[Tuple[str, str, str], Runtime] = weakref.WeakValueDictionary()


def load(files: ModelFiles, digest: str, *, dtype: str, device: str) -> Runtime:
    """Load a model, or share one that is in memory already.

    digest (str): See `ModelFiles.digest`.
    dtype (str): "auto": as the model was saved, GGUF as float32.
    device (str): "auto": the first GPU, else the CPU.
    RETURNS (Runtime): It is in memory for as long as somebody holds it.
    RAISES (MissingExtraError): Without torch and transformers.
    RAISES (TeacherError): When it cannot be loaded.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # prompts come one at a time; and it warns when Python forks later
    torch, transformers = require("torch", EXTRA), require("transformers", EXTRA)
    place = _device(torch, device)
    key = (digest, dtype, place)
    if (found := _loaded.get(key)) is None:
        found = _loaded[key] = _load(torch, transformers, files, dtype, place)
    return found


def _device(torch: Any, device: str) -> str:
    """RAISES (TeacherError): For a device that this machine does not have."""
    there = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    there += ["mps"] if torch.backends.mps.is_available() else []
    if device == "auto":
        return "cuda:0" if "cuda:0" in there else there[-1]
    wanted = "cuda:0" if device == "cuda" else device
    if wanted not in there:
        raise TeacherError(f"{NAME}: this machine has no device '{device}' that torch can use. {choices(device, ['auto', *there])}")
    return wanted


def _load(torch: Any, transformers: Any, files: ModelFiles, dtype: str, device: str) -> Runtime:
    require("accelerate", EXTRA)
    own: Dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    own |= {"gguf_file": files.weights[0]} if files.gguf else {}
    kind = "float32" if files.gguf and dtype == "auto" else dtype
    damaged = require("safetensors", EXTRA).SafetensorError
    how = {"dtype": kind if kind == "auto" else getattr(torch, kind), "device_map": {"": device}}
    try:
        with _bars(transformers):
            tokenizer = transformers.AutoTokenizer.from_pretrained(files.folder, **own)
            how |= _unpacked(transformers) if files.gguf else {"use_safetensors": True}
            model = transformers.AutoModelForCausalLM.from_pretrained(files.folder, **how, **own)
    except (OSError, ValueError, KeyError, RuntimeError, MemoryError, ImportError, damaged) as error:
        raise TeacherError(f"{NAME}: {files.folder} cannot be loaded on {device}: {_why(error)}") from error
    return Runtime(torch, transformers, tokenizer, model.eval())


def _unpacked(transformers: Any) -> Dict[str, Any]:
    """How to load GGUF: with its weights unpacked, which needs no programs fetched from the hub to compute with packed ones."""
    require("gguf", EXTRA)
    config = getattr(transformers, "GgufConfig", None)  # since transformers 5.24 or a little earlier; before, all were unpacked
    return {} if config is None else {"quantization_config": config(dequantize=True)}


def _why(error: BaseException) -> str:
    said = " ".join(str(error).split())
    if "trust_remote_code" in said or "custom code" in said:
        return (
            "it wants to run code that lies beside it, and that is never done. "
            "Choose a model whose architecture this version of transformers knows, or update transformers."
        )
    cure = SMALLER if "memory" in said.lower() or isinstance(error, MemoryError) else "Is it a causal language model, and whole?"
    return f"{type(error).__name__}: {said[:SHOWN]} {cure}"


@contextlib.contextmanager
def _bars(transformers: Any) -> Iterator[None]:
    """No bars of transformers where they would only fill a log."""
    logging = transformers.utils.logging
    hide = quiet() and logging.is_progress_bar_enabled()
    if hide:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if hide:
            logging.enable_progress_bar()
