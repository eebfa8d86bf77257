"""A corpus and an embedder for tests of real stores, cheap enough for thousands of passages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from spacy.util import registry

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.jsonl import write_json

COUNT = 3000  # three batches of the embedder
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Letters:
    """An embedder for tests: counts letters. Nothing to fit; `before` is called before each batch."""

    normalised = True
    dimensions = 26
    recipe = id = "letters-of-tests"

    def __init__(self, before: Callable[[int], None] = lambda batch: None) -> None:
        self.before, self.batches = before, 0

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        pass

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.before(self.batches)
        self.batches += 1
        counts = np.array([[text.count(letter) for letter in LETTERS] for text in texts], dtype=np.float32)
        return counts.reshape(len(texts), 26)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "embedder.json", {"v": 1, "factory": "tests.Letters.v1", "parameters": {}})

    def load(self, folder: Path) -> Letters:
        return Letters()


registry.misc("tests.Letters.v1", func=Letters)


def passages(count: int = COUNT, start: int = 0) -> list[Passage]:
    """Passages whose words are all different."""
    return [
        Passage(f"id {row}", f"{word(row)} {word(7 * row + 1)} harbour", "paper", f"doc {row // 4}", row % 4)
        for row in range(start, start + count)
    ]


def word(number: int) -> str:
    return "".join(chr(97 + int(digit) + 10 * (place % 2)) for place, digit in enumerate(str(number * 7919)))
