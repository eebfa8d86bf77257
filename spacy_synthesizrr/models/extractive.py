"""The extractive teacher: a rule, not an LLM. It copies sentences out of the passage and writes nothing of its own.

It exists so that the whole project runs without a network, a key or a GPU, and so that the path of the data can be
tested. What it gives is the passage in short; it cannot change the tone, invent an example, or write without a passage.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Iterable, List

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.models.answers.responses import request_hash
from spacy_synthesizrr.prompts import Answer, Failure, Prompt
from spacy_synthesizrr.sentences import cut_words, split_sentences

NAME = "synthesizrr.Extractive.v1"
REFUSAL = "this teacher only copies"
LEAD = 0.5  # what standing first is worth, in units of a word that one sentence alone shares with the label
STEM = 5  # letters by which "markets" and "market" are the same word, in any language that inflects at the end
MIN_WORD = 4  # shorter words ("with", "und") say little about a label
_WORD = re.compile(r"\w+")


class ExtractiveTeacher:
    """Chooses the sentences of a passage that serve a label, in their order. Not an LLM.

    sentences (int): Most sentences.
    max_words (int): Most words; the prompt's own limit holds too.
    """

    name = "extractive (copies sentences; not an LLM)"
    copies = True
    writes_without_passage = False
    by_rule = True
    context_length: int | None = None

    def __init__(self, sentences: int = 2, max_words: int | None = None) -> None:
        if sentences < 1 or (max_words is not None and max_words < 1):
            raise ConfigError(f"{NAME}: sentences = {sentences} and max_words = {max_words} must be 1 or more.")
        self.sentences, self.max_words = sentences, max_words

    @property
    def identity(self) -> str:
        """RETURNS (str): Name and parameters, for request hashes."""
        return f"{NAME}(sentences={self.sentences}, max_words={self.max_words})"

    def __call__(self, prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        """Answer the prompts of each Doc, lazily and in order.

        prompts (Iterable[Iterable[Prompt]]): Prompts per Doc. A plain string has no passage and is declined.
        YIELDS (List[Answer | Failure]): One per prompt.
        """
        for group in prompts:
            yield [self.answer(prompt) for prompt in group]

    def answer(self, prompt: str) -> Answer | Failure:
        """RETURNS (Answer | Failure): The chosen sentences, or "refused" when there is no passage to copy from."""
        request = request_hash(prompt, identity=self.identity, by_rule=True)
        passage = prompt.passage if isinstance(prompt, Prompt) else ""
        found = split_sentences(passage)
        if not isinstance(prompt, Prompt) or not found:
            return Failure("refused", REFUSAL, request=request)
        limits = [limit for limit in (self.max_words, prompt.fields.get("max_words")) if limit]
        text = choose(found, label_words(prompt), count=self.sentences, max_words=min(limits) if limits else None)
        return Answer(text, model=NAME, request=request, finish="stop")


def label_words(prompt: Prompt) -> frozenset[str]:
    """RETURNS (FrozenSet[str]): Stems of the words that name the prompt's label: name, verbalization, definition."""
    about: Mapping[str, Any] = prompt.fields
    return stems(" ".join([prompt.label, str(about.get("definition") or ""), *map(str, about.get("labels") or ())]))


def stems(text: str) -> frozenset[str]:
    """RETURNS (FrozenSet[str]): First letters of the longer words of a text, in one case."""
    return frozenset(word.casefold()[:STEM] for word in _WORD.findall(text) if len(word) >= MIN_WORD)


def choose(sentences: Sequence[str], wanted: frozenset[str], *, count: int, max_words: int | None) -> str:
    """Choose sentences by the words that they share with a label and by how early they stand.

    A shared word counts log(1 + n / k) when k of n sentences hold it; the first sentence gets `LEAD` more, the second
    half of that, and so on. The best come first into the budget of words; the text keeps the passage's order.

    RETURNS (str): Never empty; one sentence that is too long alone is cut.
    """
    bags = [stems(sentence) & wanted for sentence in sentences]
    weight = {stem: math.log1p(len(sentences) / sum(stem in bag for bag in bags)) for stem in frozenset[str]().union(*bags)}
    scores = [sum(weight[stem] for stem in sorted(bag)) + LEAD / (1 + place) for place, bag in enumerate(bags)]
    best = sorted(range(len(sentences)), key=lambda place: (-scores[place], place))[:count]
    kept: List[int] = []
    left = math.inf if max_words is None else max_words
    for place in best:
        size = len(sentences[place].split())
        if size <= left:
            kept.append(place)
            left -= size
    if not kept:
        return cut_words(sentences[best[0]], max_words or len(sentences[best[0]].split()))
    return " ".join(" ".join(sentences[place].split()) for place in sorted(kept))


def make_extractive(sentences: int = 2, max_words: int | None = None) -> ExtractiveTeacher:
    """Make the extractive teacher: it copies sentences and is not an LLM; see `ExtractiveTeacher`."""
    return ExtractiveTeacher(sentences, max_words)
