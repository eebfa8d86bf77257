"""Reads a pretrained encoder from its folder, and refuses what cannot become a student before anything is trained.

Weights are safetensors, code that lies beside them never runs, and no network is asked for an encoder that is on this machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy_synthesizrr.embedders.folders import loading, model_folder
from spacy_synthesizrr.embedders.sentence_layout import read_layout
from spacy_synthesizrr.errors import ConfigError, require
from spacy_synthesizrr.students.transformer.encoder import Encoder, without_pooler
from spacy_synthesizrr.students.transformer.settings import EXTRA, SECTION, Settings

OPTIONS: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
CONVERT = "Where you trust its author, convert it once (docs/students.md shows the two lines), and give that folder."


def load_encoder(settings: Settings) -> Encoder:
    """Find and read an encoder.

    RETURNS (Encoder): On the CPU.
    RAISES (MissingExtraError): Without torch or transformers.
    RAISES (ConfigError): When there is none, its weights are pickled, it is no encoder, or takes fewer tokens than are asked for.
    """
    transformers = require("transformers", EXTRA)
    require("torch", EXTRA)
    folder = model_folder(settings.names, settings.revision, section=SECTION, cached=True)
    layout = _layout(folder)
    with loading(layout.transformer, section=SECTION, what="encoder"), quietly(transformers.utils.logging):
        config = transformers.AutoConfig.from_pretrained(layout.transformer, **OPTIONS)
        check_kind(config, layout.transformer)
        set_dropout(config, settings.dropout)
        encoder = _read(transformers, layout.transformer, config, lower=layout.lower)
    check_length(encoder.model, settings.max_length)
    return encoder


def _layout(folder: Path) -> Any:
    try:
        return read_layout(folder, section=SECTION)
    except ConfigError as error:
        raise ConfigError(f"{error} {CONVERT}" if "safetensors" in str(error) else str(error)) from error


def _read(transformers: Any, folder: Path, config: Any, *, lower: bool) -> Encoder:
    torch = require("torch", EXTRA)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **OPTIONS)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError("its tokenizer cannot be written as tokenizer.json")
    model, about = transformers.AutoModel.from_pretrained(
        folder, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **OPTIONS
    )
    missing = sorted(name for name in about["missing_keys"] if "pooler" not in name)  # that one is not asked
    if missing:
        raise ValueError(f"its weights lack {', '.join(missing[:3])} ({len(missing)} in all)")
    inner = type(backend).from_str(backend.to_str())
    segments = "token_type_ids" in tokenizer.model_input_names
    return Encoder(without_pooler(model), inner, tokenizer.pad_token_id or 0, segments, lower)


def check_kind(config: Any, folder: Path) -> None:
    """RAISES (ConfigError): When a model is an encoder and a decoder in one."""
    if getattr(config, "is_encoder_decoder", False):
        raise ConfigError(
            f"[{SECTION}] The model in {folder} ({config.model_type}) is an encoder and a decoder; a student needs an encoder alone, "
            "such as a BERT, RoBERTa, DeBERTa, DistilBERT or MiniLM."
        )


def set_dropout(config: Any, rate: float | None) -> None:
    """Set every rate of dropout in an encoder's config.

    rate (float | None): None leaves them as they are.
    """
    for name, value in config.to_dict().items() if rate is not None else ():
        if ("dropout" in name or name.endswith("pdrop")) and isinstance(value, float):
            setattr(config, name, rate)


def check_length(model: Any, max_length: int) -> None:
    """RAISES (ConfigError): When the encoder has no place for so many tokens."""
    most = longest(model)
    if most and max_length > most:
        raise ConfigError(
            f"[{SECTION}] max_length = {max_length}, but this encoder ({model.config.model_type}) takes {most} tokens at most. "
            f'Set max_length to {most} or less; with long_texts = "windows" longer texts are still read to their end.'
        )


def longest(model: Any) -> int | None:
    """RETURNS (int | None): Most tokens that an encoder takes; some count their places from behind the padding token's number."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and hasattr(module, "num_embeddings"):
            first = 0 if module.padding_idx is None else module.padding_idx + 1
            return int(module.num_embeddings) - first
    return getattr(model.config, "max_position_embeddings", None)


@contextlib.contextmanager
def quietly(logging: Any) -> Iterator[None]:
    """No bar, and no table of the weights that only the pretraining needed, while an encoder is loaded."""
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
