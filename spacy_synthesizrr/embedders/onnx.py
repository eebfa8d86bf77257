"""Runs a sentence model from two files: `model.onnx` and `tokenizer.json`, with ONNX Runtime and the tokenizers library.

Texts are sorted by length and padded to the next multiple of 16 tokens; only texts of one padded length share a batch, so that
little is computed in vain and a text's vector does not depend on how long the others are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.errors import ConfigError, StoreError, choices, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL, TOKENIZER = "model.onnx", "tokenizer.json"
EXTRA = "embed"
STEP = 16  # tokens
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
CHUNK = 1 << 20

Pool = Callable[["NDArray[np.float32]", "NDArray[np.int64]"], "NDArray[np.float32]"]


def _mean(states: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    weights = mask[:, :, None].astype(np.float32)
    mean: NDArray[np.float32] = (states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
    return mean


def _last(states: NDArray[np.float32], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    places = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)  # the last 1 of each row
    return states[np.arange(len(states)), places]


POOLS: Mapping[str, Pool] = {"mean": _mean, "cls": lambda states, mask: states[:, 0], "last": _last, "none": lambda states, mask: states}


def fingerprint(paths: Sequence[Path], *, needs: str = f"{MODEL} and {TOKENIZER}") -> str:
    """Hash the content of files.

    needs (str): What their folder must hold, for the error.
    RAISES (ConfigError): When one is missing.
    """
    state = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while block := file.read(CHUNK):
                    state.update(block)
        except OSError as error:
            raise ConfigError(f"The embedder's model cannot be read: {error}. Its folder must hold {needs}.") from error
        state.update(b"\0")
    return state.hexdigest()[:16]


class OnnxModel:
    """A model that is loaded.

    folder (Path): Holds `model.onnx` and `tokenizer.json`.
    pooling (str): How the states of a text's tokens become one vector: "mean", "cls" (of the first token), "last", or
        "none" where the model does it itself.
    max_tokens (int): Texts are cut there; None leaves it to tokenizer.json.
    threads (int): Of the processor; None takes all.
    RAISES (MissingExtraError): Without ONNX Runtime or the tokenizers library.
    RAISES (ConfigError): When a file is no model, or the model asks for an input that is not known.
    """

    def __init__(self, folder: Path, *, pooling: str, max_tokens: int | None, threads: int | None) -> None:
        runtime, tokenizers = require("onnxruntime", EXTRA), require("tokenizers", EXTRA)
        self._folder, self._pooling = folder, pooling
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # errors
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
            self._session = runtime.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # each library raises its own, up to plain Exception
            raise ConfigError(f"The model in {folder} cannot be loaded: {' '.join(str(error).split())}") from error
        self._padding = (self._tokenizer.padding or {}).get("pad_id", 0)
        self._tokenizer.no_padding()
        if max_tokens is not None:
            self._tokenizer.enable_truncation(max_tokens)
        self._inputs = [put.name for put in self._session.get_inputs()]
        unknown = [name for name in self._inputs if name not in INPUTS]
        if unknown:
            raise ConfigError(f"The model {folder / MODEL} asks for the input '{unknown[0]}'. {choices(unknown[0], INPUTS)}")

    def embed(self, texts: Sequence[str], batch: int) -> NDArray[np.float32]:
        """RETURNS (ndarray): Shape (len(texts), dimensions), as the model gives them.

        batch (int): Most texts that are computed at once.
        RAISES (StoreError): When the model's output does not fit the pooling.
        """
        encoded = [np.array(item.ids, dtype=np.int64) for item in self._tokenizer.encode_batch(list(texts))]
        longest = (self._tokenizer.truncation or {}).get("max_length")
        found: NDArray[np.float32] | None = None
        for places, length in batches([len(ids) for ids in encoded], batch, longest=longest):
            vectors = self._run([encoded[place] for place in places], length)
            if found is None:
                found = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
            found[places] = vectors
        return np.zeros((0, 0), dtype=np.float32) if found is None else found

    def _run(self, encoded: Sequence[NDArray[np.int64]], length: int) -> NDArray[np.float32]:
        ids = np.full((len(encoded), length), self._padding, dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(encoded):
            ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
        values: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(None, {name: values[name] for name in self._inputs})[0]
        if states.ndim != (2 if self._pooling == "none" else 3):
            raise StoreError(
                f'The first output of {self._folder / MODEL} has shape {states.shape}, to which pooling = "{self._pooling}" does not fit. '
                'A model that gives a state per token needs "mean", "cls" or "last", one that gives a vector per text "none".'
            )
        return POOLS[self._pooling](states.astype(np.float32, copy=False), mask)


def batches(lengths: Sequence[int], size: int, *, longest: int | None = None) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Cut texts into batches of one padded length, short ones first.

    lengths (Sequence[int]): Of the texts, in tokens. size (int): Most texts of a batch.
    longest (int): That a text can be: the model may have no place for more.
    YIELDS (Tuple[ndarray, int]): Places of the texts, and the length in tokens.
    """
    padded = -(-np.maximum(np.array(lengths, dtype=np.int64), 1) // STEP) * STEP
    padded = padded if longest is None else np.minimum(padded, longest)
    for length in np.unique(padded):
        places = np.flatnonzero(padded == length)
        for start in range(0, len(places), size):
            yield places[start : start + size], int(length)
