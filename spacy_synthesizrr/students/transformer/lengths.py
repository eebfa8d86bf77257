"""How many texts a student's encoder reads only the beginning of."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.students.transformer.layer import encoder_of
from spacy_synthesizrr.students.transformer.pieces import cut_texts
from spacy_synthesizrr.students.transformer.settings import CUT, WINDOWS

if TYPE_CHECKING:
    from spacy.language import Language

BATCH = 1000  # texts tokenized at once


def long_texts(nlp: Language, texts: Iterable[str]) -> tuple[int, int] | None:
    """Count texts of more tokens than the student's encoder takes; streams.

    RETURNS (Tuple[int, int] | None): How many are cut, and after how many tokens; None for a student that reads all of a text.
    """
    encoder = encoder_of(nlp)
    if encoder is None or encoder[1].settings.long_texts != CUT:
        return None
    shim = encoder[1]
    found, stream, most = 0, iter(texts), shim.settings.max_length
    while batch := list(islice(stream, BATCH)):
        given = [text.lower() for text in batch] if shim.encoder.lower else batch
        pieces = cut_texts(shim.encoder.tokenizer, given, max_length=most, long_texts=WINDOWS)
        found += int((np.bincount(pieces.texts, minlength=len(batch)) > 1).sum())
    return found, most
