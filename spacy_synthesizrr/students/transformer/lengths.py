"""How many texts a student's encoder reads only the beginning of."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.students.transformer.pieces import cut_texts
from spacy_synthesizrr.students.transformer.settings import CUT, WINDOWS

if TYPE_CHECKING:
    from spacy.language import Language

BATCH = 1000  # texts tokenized at once


def long_texts(nlp: Language, texts: Iterable[str]) -> tuple[int, int] | None:
    """Count texts of more tokens than the student's encoder takes; streams.

    RETURNS (Tuple[int, int] | None): How many are cut, and after how many tokens; None for a student that reads all of a text.
    """
    shim = _shim(nlp)
    if shim is None or shim.settings.long_texts != CUT:
        return None
    found, stream, most = 0, iter(texts), int(shim.settings.max_length)
    while batch := list(islice(stream, BATCH)):
        given = [text.lower() for text in batch] if shim.encoder.lower else batch
        pieces = cut_texts(shim.encoder.tokenizer, given, max_length=most, long_texts=WINDOWS)
        found += sum(count > 1 for count in _windows(pieces.texts, len(batch)))
    return found, most


def _windows(owners: Any, count: int) -> list[int]:
    import numpy as np

    return [int(number) for number in np.bincount(owners, minlength=count)]


def _shim(nlp: Language) -> Any:
    """The encoder of a student; None when it has none. By what it offers: its class would bring torch."""
    for _, component in nlp.pipeline:
        for layer in component.model.walk() if hasattr(component, "model") else ():
            for shim in layer.shims:
                if hasattr(shim, "settings") and hasattr(shim, "encoder"):
                    return shim
    return None
