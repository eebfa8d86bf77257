"""From the user's documents to passages: pieces of whole sentences within a band of lengths.

A *word* is what stands between blanks; in scripts that write no blanks between words (spaCy knows them: Chinese, Japanese,
Thai …) it is a token of the language. Whitespace is squeezed first. Sentences are packed greedily up to `max_words`; one that
is longer is cut at words into pieces of about equal length. A passage under `min_words` takes sentences from the end of the
passage before it as long as both stay in the band; if that does not help it is turned away as "too_short", never silently.

A title becomes a sentence of its own in front of the document, so that it stands in the first passage; every passage of the
document carries it as `meta["title"]`.
"""

from __future__ import annotations

import importlib.util
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field, model_validator

from spacy_synthesizrr.candidates import Passage, passage_id
from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.corpus_rows import Document, read_documents
from spacy_synthesizrr.errors import ConfigError, InputError, choices
from spacy_synthesizrr.tables import BadRow
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from spacy.language import Language

# a vocabulary remembers each string it has met: a fresh one now and then keeps memory flat (spaCy's own `memory_zone` switches
# the tokenizer's cache off and takes three times as long)
STRINGS_PER_PIPELINE = 200_000
# spaCy takes 88 bytes and more per token: a document of many MB goes through it in blocks
CHARACTERS_PER_BLOCK = 100_000
# a word beyond this is data, not language: its letters are hidden from the tokenizer, whose time grows with the square of them
CHARACTERS_PER_WORD = 50
OnVector = Callable[[Passage, int, Any], None]


class PassageSettings(Settings):
    """The section [passages] of a store config.

    min_words (int), max_words (int): Shortest and longest passage, in words.
    """

    min_words: int = Field(20, ge=1)
    max_words: int = Field(200, ge=1)

    @model_validator(mode="after")
    def _is_a_band(self) -> PassageSettings:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words = {self.min_words} is more than max_words = {self.max_words}")
        return self


class Span(NamedTuple):
    """A piece of a text: first character, the one after the last, number of words."""

    start: int
    end: int
    words: int


class Splitter:
    """Cuts texts of one language into passages.

    settings (PassageSettings): The band of lengths.
    lang (str): Language code of spaCy.
    RAISES (ConfigError): When spaCy has no such language, or its tokenizer needs a package that is not installed.
    """

    def __init__(self, settings: PassageSettings, *, lang: str) -> None:
        self.settings, self.lang = settings, lang
        self.nlp = blank_pipeline(lang)
        self.blanks = bool(self.nlp.vocab.writing_system.get("has_letters", True))

    def split(self, text: str) -> list[Span]:
        """Cut a text into passages.

        text (str): A text with squeezed whitespace.
        RETURNS (List[Span]): Spans in order that hold every word once; those under `min_words` are among them.
        """
        if self.blanks and (count := len(text.split())) <= self.settings.max_words:
            return [Span(0, len(text), count)] if count else []
        if len(self.nlp.vocab.strings) > STRINGS_PER_PIPELINE:
            self.nlp = blank_pipeline(self.lang)
        pieces = (piece for sentence in self._sentences(text) for piece in self._cut(sentence))
        return [Span(spans[0].start, spans[-1].end, _count(spans)) for spans in self._pack(pieces)]

    def _sentences(self, text: str) -> Iterator[list[tuple[int, int]]]:
        """The sentences of a text, each as the places of its words."""
        start = 0
        while start < len(text):
            end = self._block_end(text, start)
            sentences = self._block_sentences(text, start, end)
            if end < len(text) and len(sentences) > 1:
                sentences.pop()  # the block may have cut it: it opens the next block
            yield from sentences
            start = sentences[-1][-1][1] + (1 if self.blanks else 0)

    def _block_end(self, text: str, start: int) -> int:
        end = start + CHARACTERS_PER_BLOCK
        if end >= len(text) or not self.blanks:
            return min(end, len(text))
        blank = text.rfind(" ", start + 1, end + 1)
        if blank < 0:
            blank = text.find(" ", end)
        return blank if blank > 0 else len(text)

    def _block_sentences(self, text: str, start: int, end: int) -> list[list[tuple[int, int]]]:
        block = text[start:end]
        doc = self.nlp(_hide_long_words(block) if self.blanks else block)
        if not self.blanks:
            tokens = ([(start + token.idx, start + token.idx + len(token)) for token in sent if not token.is_space] for sent in doc.sents)
            return [sentence for sentence in tokens if sentence] or [[(start, end)]]
        starts = [start + sent.start_char for sent in doc.sents][1:]
        # "end.Next" may hold a boundary for spaCy; a word stays whole here
        cuts = [start, *(place for place in starts if text[place - 1] == " "), end + 1]
        return [_words(text, first, last - 1) for first, last in zip(cuts, cuts[1:], strict=False)]

    def _cut(self, sentence: list[tuple[int, int]]) -> Iterator[Span]:
        """A sentence as one span, or a too long one as several of about equal length."""
        count, settings = len(sentence), self.settings
        pieces = math.ceil(count / settings.max_words)
        size = math.ceil(count / pieces)
        if count // pieces < settings.min_words:
            size = settings.max_words  # equal pieces would all be too short: lose the last one only
        for first in range(0, count, size):
            words = sentence[first : first + size]
            yield Span(words[0][0], words[-1][1], len(words))

    def _pack(self, pieces: Iterable[Span]) -> Iterator[list[Span]]:
        before: list[Span] = []
        current: list[Span] = []
        for piece in pieces:
            if current and _count(current) + piece.words > self.settings.max_words:
                if before:
                    self._lend(before, current)
                    yield before
                before, current = current, []
            current.append(piece)
        if before:
            self._lend(before, current)
            yield before
        if current:
            yield current

    def _lend(self, before: list[Span], current: list[Span]) -> None:
        """Move sentences from the end of one passage to a too short one after it, while both stay in the band."""
        low, high = self.settings.min_words, self.settings.max_words
        while _count(current) < low and _count(before) - before[-1].words >= low and _count(current) + before[-1].words <= high:
            current.insert(0, before.pop())


def _count(spans: list[Span]) -> int:
    return sum(span.words for span in spans)


def _words(text: str, start: int, end: int) -> list[tuple[int, int]]:
    places = []
    for word in text[start:end].split(" "):
        places.append((start, start + len(word)))
        start += len(word) + 1
    return places


def _hide_long_words(text: str) -> str:
    words = text.split(" ")
    if max(map(len, words)) <= CHARACTERS_PER_WORD:
        return text
    return " ".join(word if len(word) <= CHARACTERS_PER_WORD else "x" * len(word) for word in words)


def check_language(lang: str) -> None:
    """Make sure that spaCy has a language, without the second that importing spaCy takes.

    lang (str): Language code of spaCy.
    RAISES (ConfigError): Names the codes that there are.
    """
    spec = importlib.util.find_spec("spacy")
    codes = sorted(path.parent.name for path in (Path(str(spec.origin)).parent / "lang").glob("*/__init__.py")) if spec else []
    if lang not in codes:
        raise ConfigError(f"spaCy has no language '{lang}'. {choices(lang, codes)} Set it with: --vars.lang CODE ('xx' for any)")


def blank_pipeline(lang: str) -> Language:
    """A pipeline that tokenizes and finds sentences by punctuation.

    lang (str): Language code of spaCy.
    RAISES (ConfigError): When there is no such language, or it needs a package that is not installed.
    """
    import spacy

    check_language(lang)
    try:
        nlp = spacy.blank(lang)
    except (ImportError, ValueError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"The language '{lang}' needs a package that is not installed: {text}") from error
    nlp.add_pipe("sentencizer")
    nlp.max_length = 2 * max(CHARACTERS_PER_BLOCK, 10_000_000)
    return nlp


def read_passages(
    task: TaskSpec, settings: PassageSettings, *, lang: str, on_bad: Callable[[BadRow], None], on_vector: OnVector | None = None
) -> Iterator[Passage]:
    """Stream the passages of a task's corpus.

    task (TaskSpec): Names the file and its columns.
    settings (PassageSettings): Shortest and longest passage.
    lang (str): Language code of spaCy, for words and sentences.
    on_bad (Callable): Takes each row that cannot be used, and each piece under `min_words` ("too_short").
    on_vector (Callable): Takes each passage, its line and its vector where rows bring one; a row is not cut then, and one of more
        than `max_words` is "too_long".
    YIELDS (Passage): In the order of the file; `document` is the id column or the row's line, `number` counts from 0.
    RAISES (InputError): For a flaw of the file, or when no passage at all comes out.
    RAISES (ConfigError): When spaCy does not know the language.
    """
    splitter, path = Splitter(settings, lang=lang), task.path.parent / task.need_corpus().path
    reasons: Counter[str] = Counter()

    def turn_away(bad: BadRow) -> None:
        if on_vector and "is no JSON value" in bad.detail:  # NaN in a vector: more than one row has gone wrong
            raise bad.error(path)
        reasons[bad.reason] += 1
        on_bad(bad)

    found = False
    for document in read_documents(task, turn_away):
        spans = splitter.split(document.text)
        if on_vector and spans:
            spans = [Span(0, len(document.text), _count(spans))]
        for passage in _passages(document, spans, settings, turn_away):
            found = True
            if on_vector:
                on_vector(passage, document.line, document.vector)
            yield passage
    if not found:
        why = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
        raise InputError(
            f"No passage of {settings.min_words} to {settings.max_words} words comes out of this corpus ({why}).",
            path=path, cure="Lower [passages] min_words in the store config, or name another corpus.",
        )  # fmt: skip


def _passages(document: Document, spans: list[Span], settings: PassageSettings, on_bad: Callable[[BadRow], None]) -> Iterator[Passage]:
    for number, span in enumerate(spans):
        text = document.text[span.start : span.end]
        if span.words < settings.min_words:
            shown = text if len(text) <= 60 else text[:60] + "…"
            on_bad(BadRow(document.line, "too_short", f"{span.words} words, {settings.min_words} at least: {shown}"))
            continue
        if span.words > settings.max_words:
            on_bad(BadRow(document.line, "too_long", f"{span.words} words, {settings.max_words} at most: a row with a vector is not cut"))
            continue
        if len(text) > CHARACTERS_PER_WORD * settings.max_words:
            on_bad(BadRow(document.line, "too_long", f"{span.words} words of {len(text):,} characters: {text[:60]}…"))
            continue
        ident = passage_id(document.source, document.id, number, text)
        yield Passage(ident, text, document.source, document.id, number, document.meta)
