"""The network of a span student: a pretrained encoder of transformers and two numbers for each token, that the answer starts or ends there.

It is saved as transformers saves it, so that `AutoModelForQuestionAnswering` reads it too. Weights are safetensors; nothing is pickled.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.embedders.folders import loading, model_folder
from spacy_synthesizrr.embedders.sentence_layout import read_layout
from spacy_synthesizrr.errors import ConfigError, StudentError, require
from spacy_synthesizrr.fingerprints import new_folder
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.students.job import RECORD
from spacy_synthesizrr.students.span.settings import EXTRA, SPAN, SpanSettings
from spacy_synthesizrr.students.span.windows import NOTHING, Window
from spacy_synthesizrr.students.transformer.loading import OPTIONS, check_kind, longest, quietly, set_dropout
from spacy_synthesizrr.students.transformer.pieces import padded

if TYPE_CHECKING:
    from numpy.typing import NDArray

ABOUT, TOKENIZER = "span.json", "tokenizer.json"  # in the folder of a student
FAR = -1e9  # a logit that no token of a context has


@dataclass
class SpanModel:
    """A span student in memory.

    model (PreTrainedModel): Of transformers, in torch; float32.
    tokenizer (tokenizers.Tokenizer): Truncation is set before each use.
    saved (PreTrainedTokenizerFast): The same as transformers saves it.
    settings (SpanSettings): How it reads.
    """

    model: Any
    tokenizer: Any
    saved: Any
    settings: SpanSettings

    def logits(self, windows: Sequence[Window]) -> tuple[Any, Any]:
        """Run the network; whether gradients are kept is up to the caller.

        RETURNS (Tuple[Tensor, Tensor]): Of start and end, shape (windows, longest window); tokens that are neither of the context nor
            the one that stands for "not here" are out of the question.
        """
        torch = require("torch", EXTRA)
        device = next(self.model.parameters()).device
        ids = [window.ids for window in windows]
        inputs = {"input_ids": padded(ids, self.saved.pad_token_id or 0), "attention_mask": padded([[1] * len(row) for row in ids], 0)}
        if "token_type_ids" in self.saved.model_input_names:
            inputs["token_type_ids"] = padded([window.types for window in windows], 0)
        out = self.model(**{name: torch.from_numpy(values).to(device) for name, values in inputs.items()})
        outside = torch.from_numpy(~_possible(windows)).to(device)
        return out.start_logits.float().masked_fill(outside, FAR), out.end_logits.float().masked_fill(outside, FAR)

    def save(self, folder: Path, about: dict[str, Any]) -> None:
        """Save it where an older one may be, which stays until the new one is whole.

        about (dict): Goes into span.json beside the settings.
        """
        logging = require("transformers", EXTRA).utils.logging
        with new_folder(folder) as work, quietly(logging):
            self.model.save_pretrained(work)
            self.saved.save_pretrained(work)
            _forget_places(work)
            settings = self.settings.model_dump(mode="json", exclude={"name", "revision"})
            write_json(work / ABOUT, {"v": 1, "settings": settings, **about})


def save_copy(trained: Path, folder: Path, about: dict[str, Any]) -> None:
    """Save a trained student as what a user takes home.

    about (dict): Goes into span.json.
    """
    with new_folder(folder) as work:
        shutil.copytree(trained, work, dirs_exist_ok=True, ignore=shutil.ignore_patterns(RECORD))
        write_json(work / ABOUT, {**read_json(work / ABOUT), "synthesizrr": about})


def _possible(windows: Sequence[Window]) -> NDArray[np.bool_]:
    """RETURNS (NDArray[bool]): Shape (windows, longest window): the tokens of contexts, and `NOTHING`."""
    found = padded([window.inside.tolist() for window in windows], 0).astype(bool)
    found[:, NOTHING] = True
    return found


def _forget_places(folder: Path) -> None:
    """Take out of the saved files where the encoder lay on this machine."""
    for path in folder.glob("*config.json"):
        about = {key: value for key, value in read_json(path).items() if key not in ("_name_or_path", "name_or_path")}
        path.write_text(json.dumps(about, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_pretrained(settings: SpanSettings, *, seed: int) -> SpanModel:
    """Read a pretrained encoder.

    seed (int): Of the first weights of what reads off the span, where the encoder brings none.
    RETURNS (SpanModel): On the CPU.
    RAISES (MissingExtraError): Without torch or transformers.
    RAISES (ConfigError): When there is none, its weights are pickled, or it cannot mark spans in windows of this length.
    """
    transformers, torch = require("transformers", EXTRA), require("torch", EXTRA)
    folder = read_layout(model_folder(settings.names, settings.revision, section=SPAN, cached=True), section=SPAN).transformer
    with loading(folder, section=SPAN, what="encoder"), quietly(transformers.utils.logging), torch.random.fork_rng(devices=[]):
        config = transformers.AutoConfig.from_pretrained(folder, **OPTIONS)
        check_kind(config, folder)
        set_dropout(config, settings.dropout)
        torch.manual_seed(seed)
        made = _read(transformers, folder, settings, config=config)
    most = longest(made.model)
    if most and settings.max_length > most:
        raise ConfigError(
            f"[{SPAN}] max_length = {settings.max_length}, but this encoder ({config.model_type}) takes {most} tokens at most. "
            f"Set max_length to {most} or less; longer contexts are read in windows."
        )
    return made


def load_trained(folder: Path) -> SpanModel:
    """Read a trained student.

    RETURNS (SpanModel): On the CPU.
    RAISES (MissingExtraError): Without torch or transformers.
    RAISES (StudentError): When the folder holds none.
    """
    transformers = require("transformers", EXTRA)
    require("torch", EXTRA)
    path = folder / ABOUT
    if not path.is_file():
        raise StudentError(f"{folder} holds no span student ({ABOUT} is missing). Give the folder that `train` wrote.")
    settings = SpanSettings.model_validate({"name": folder.as_posix(), **read_json(path)["settings"]})
    with loading(folder, section=SPAN, what="student"), quietly(transformers.utils.logging):
        return _read(transformers, folder, settings, whole=True)


def _read(transformers: Any, folder: Path, settings: SpanSettings, *, config: Any = None, whole: bool = False) -> SpanModel:
    """RAISES (ValueError): When weights are missing; `whole`: also those that read off the span."""
    torch = require("torch", EXTRA)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **OPTIONS)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError("its tokenizer cannot be written as tokenizer.json")
    given = {} if config is None else {"config": config}
    model, about = transformers.AutoModelForQuestionAnswering.from_pretrained(
        folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **given, **OPTIONS
    )
    missing = sorted(name for name in about["missing_keys"] if whole or name.startswith(f"{model.base_model_prefix}."))
    if missing:
        raise ValueError(f"its weights lack {', '.join(missing[:3])} ({len(missing)} in all)")
    own = type(backend).from_str(backend.to_str())
    _check_pairs(own)
    return SpanModel(model.float().eval(), own, tokenizer, settings)


def _check_pairs(tokenizer: Any) -> None:
    """RAISES (ValueError): When the first token of a pair is not a special one, or the second text has no number of its own."""
    tokenizer.no_truncation()
    numbers = tokenizer.encode("a", "a").sequence_ids
    if numbers[NOTHING] is not None or 1 not in numbers:
        raise ValueError("its tokenizer puts no special token before a pair of texts")
