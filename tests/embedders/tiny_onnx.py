"""A sentence model of a few kilobytes, made on the fly: a word's state is a row of a table.

ONNX files are Protocol Buffers; the few fields that are needed are written by hand, so that tests need no package for it.
"""

import json
import struct
from pathlib import Path

import numpy as np

FLOAT, INT64 = 1, 7
WORDS = ["[PAD]", "[UNK]", "[CLS]", *"storm harbour ferry choir song keeper penalty query passage : the reached island before".split()]


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def text(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    found = bytearray()
    while True:
        value, low = value >> 7, value & 127
        found.append(low | (128 if value else 0))
        if not value:
            return bytes(found)


def tensor(name: str, values: np.ndarray) -> bytes:
    return b"".join(number(1, size) for size in values.shape) + number(2, FLOAT) + text(8, name) + text(9, values.astype("<f4").tobytes())


def described(name: str, kind: int, axes: list[str]) -> bytes:
    shape = b"".join(text(1, text(2, axis)) for axis in axes)
    return text(1, name) + text(2, text(1, number(1, kind) + text(2, shape)))


def node(kind: str, inputs: list[str], output: str, **numbers: int) -> bytes:
    attributes = b"".join(text(5, text(1, name) + number(3, value) + number(20, 2)) for name, value in numbers.items())
    return b"".join(text(1, name) for name in inputs) + b"".join(text(2, name) for name in output.split()) + text(4, kind) + attributes


def table(dimensions: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(WORDS), dimensions)).astype(np.float32)


def write_model(
    folder: Path,
    *,
    dimensions: int = 6,
    seed: int = 0,
    inputs=("input_ids", "attention_mask"),
    pooled: bool = False,
    quantized: bool = False,
) -> Path:
    """A model whose output is the table's row of each token; `pooled` gives one vector per text, the row of its first token;
    `quantized` rounds all states of a batch to 256 steps between the smallest and the largest of them."""
    graph = text(1, node("Gather", ["table", "input_ids"], "states", axis=0))
    output, axes = "states", ["batch", "tokens", "dimensions"]
    if quantized:
        graph += text(1, node("DynamicQuantizeLinear", ["states"], "steps scale zero"))
        graph += text(1, node("DequantizeLinear", ["steps", "scale", "zero"], "rounded"))
        output = "rounded"
    if pooled:
        graph += text(1, node("Gather", ["states", "first"], "pooled", axis=1))
        graph += text(5, number(2, INT64) + text(8, "first") + text(9, struct.pack("<q", 0)))
        output, axes = "pooled", ["batch", "dimensions"]
    graph += text(2, "tiny") + text(5, tensor("table", table(dimensions, seed=seed)))
    graph += b"".join(text(11, described(name, INT64, ["batch", "tokens"])) for name in inputs)
    graph += text(12, described(output, FLOAT, axes))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(number(1, 8) + text(7, graph) + text(8, text(1, "") + number(2, 17)))
    write_tokenizer(folder)
    return folder


def write_tokenizer(folder: Path, *, max_length: int | None = 12) -> None:
    """Words at blanks, lower-cased, after a [CLS]."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 2)])
    if max_length is not None:
        tokenizer.enable_truncation(max_length)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": max_length or 512, "pad_token": "[PAD]"}))
    (folder / "config.json").write_text(json.dumps({"pad_token_id": 0}))
    (folder / "special_tokens_map.json").write_text(json.dumps({"pad_token": "[PAD]", "cls_token": "[CLS]", "unk_token": "[UNK]"}))


def rows_of(words: str) -> list[int]:
    """The tokens of a text, [CLS] first."""
    return [2] + [WORDS.index(word) if word in WORDS else 1 for word in words.lower().split()]
