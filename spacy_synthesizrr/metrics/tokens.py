"""Tokens as measures of the papers count them: those of spaCy's tokenizer, with their case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language


def tokenizer(lang: str) -> Language:
    """RETURNS (Language): A blank pipeline: it has the tokenizer of the language, whose rules its trained pipelines share."""
    import spacy

    return spacy.blank(lang)


class _Words(dict[int, str]):
    """Each word of a vocabulary once, so that equal tokens share their memory."""

    def __init__(self, nlp: Language) -> None:
        self._strings = nlp.vocab.strings

    def __missing__(self, number: int) -> str:
        word = self[number] = self._strings[number]
        return word


def tokens(texts: Iterable[str], nlp: Language) -> list[list[str]]:
    """Cut texts into tokens.

    nlp (Language): Any pipeline; its tokenizer alone is asked, so texts of any length are fine.
    RETURNS (List[List[str]]): The tokens of each text with their case; punctuation counts, and whitespace where spaCy makes a token of it.
        8 bytes a token, and each different token once.
    """
    known = _Words(nlp)
    return [[known[number] for number in nlp.tokenizer(text).to_array("ORTH").tolist()] for text in texts]
