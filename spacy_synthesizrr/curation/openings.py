"""Boiler-plate: what a chat model says about the text that it was asked for, before the text or in its place.

Reading an answer takes off what stands on a line of its own or before a colon ("Sure! Here is the headline:"). What is left are
openings within running text: a first sentence that speaks of the answer itself, or a header that nobody asked for. Where such an
opening ends cleanly and a text follows, it is cut off; a text that is nothing but an opening is turned away.

People open alike ("Here is the deal: …", "Here is the story of a boy.", "Sure, it works"), and a sound text that lost its first sentence
is worse than an opening that stayed. So every word of an opening must be one of its kind, from a phrase that presents to its end, and
one of them must give the task away: the article that was shown ("of the given article", "based on the text"), a rewriting
("the rewritten headline"), what was asked for ("that meets the criteria"), or an assistant's "Sure, here is".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Literal

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.verdicts import ACCEPT, Binder, FilterInputs, SwitchedOff, Verdict, reject, repair
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.words import count_words

BOILERPLATE, ABOUT_TEXT, OPENING = "boilerplate", "about_text", "opening"
ACTIONS = ("repair", "reject", "keep")
Action = Literal["repair", "reject", "keep"]

_STRONG = (  # what is made of another text, and seldom presented by people
    r"(?:summar(?:y|ies)|headlines?|titles?|rewrit(?:e|ing)|paraphrases?|rephrasing|versions?|schlagzeilen?|überschrift|zusammenfassung"
    r"|titular|título|resumen|titre|résumé|titolo|riassunto|resumo|kop|samenvatting)"
)
_HEADLINE = r"(?:headlines?|titles?|schlagzeile|überschrift|titular|título|titre|titolo|kop)"
_THING = (
    rf"(?:{_STRONG}|articles?|reviews?|(?:news )?(?:stor(?:y|ies)|pieces?|reports?)|texts?|sentences?|paragraphs?|examples?|answers?"
    r"|responses?|questions?|posts?|tweets?|descriptions?|drafts?|outputs?|artikel|satz|beispiel|antwort|artículo|texto|ejemplo|texte"
    r"|exemple|articolo|testo|esempio|artigo|exemplo|tekst|voorbeeld)"
)
_HERE = (
    r"(?:here(?:['’]s| is| are)|below (?:is|are)|the following (?:is|are)|hier (?:ist|sind|is|zijn)|aquí (?:tienes|está)|voici|ecco"
    r"|aqui (?:está|vai))\b"
)
_SURE = r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok)[!,. ]+"
_PRESENTS = rf"(?:{_SURE})?(?:{_HERE}|(?:i have|i['’]ve) (?:re)?written\b|this is\b)"
_FILL = (
    r"(?:(?:an?|the|your|my|one|two|three|single|short|brief|concise|simple|clear|catchy|possible|suggested|potential|revised|final|new"
    r"|news|one[- ]sentence|two[- ]sentence|eine?n?|mögliche|kurze|una?|une|le|la|el|il|uma?|een)\s+){0,6}"
)
_DONE = r"(?:rewritten|reworded|rephrased|paraphrased|generated|umformulierte|reescrito|reformulé|riscritto|herschreven)\s+"
_TAIL = r"(?:\s+(?:in (?:one|an?|a single|two|three|\d+|your own|my own|other) (?:short )?(?:sentences?|words?)|of it|for (?:it|you)))*"
_SHOWN = (  # the text that the prompt showed; "U.S." is a word
    r"\s+(?:of|for|about|to|from|based on|inspired by) (?:the|this|your|that|an?)\s+(?:(?:(?:\w\.)+|[^\s.:!?]+)\s+){0,3}?"
    r"(?:article|passage|text|document|excerpt|prompt)(?: (?:above|below|provided|given))?"
    r"|\s+(?:zum|zu (?:dem|diesem)|für (?:den|diesen)|des|del|de (?:la|este)|du|de (?:l['’]|cet)|dell['’]|do|da"
    r"|van (?:het|dit)|bij (?:het|dit))"
    r"\s*(?:artikels?|artículo|article|articolo|artigo|texte?s?|texto|testo|tekst|passage|dokuments?|documento|document)"
)
_ASKED = (
    r"\s+(?:based on|inspired by) (?:the|this|your|that)\s+(?:(?:(?:\w\.)+|[^\s.:!?]+)\s+){0,3}?"
    r"(?:article|passage|text|document|excerpt|prompt|headline|instructions?)(?: (?:above|below|provided|given))?"
    r"|\s+that (?:fits?|meets?|match(?:es)?|follows?|satisf(?:y|ies)) (?:all )?(?:the|your) (?:given )?"
    r"(?:criteria|instructions?|requirements?|prompt|constraints|guidelines)"
)
_QUOTES = (('"', '"'), ("“", "”"), ("„", "“"), ("«", "»"))
_PAUSE = r"(?:[:：]|\s[-–—]\s|\n)\**\s*"  # what a sentence's end is not
_END = rf"(?:{_PAUSE}|[.!](?=[\s\"“]|\Z)|\Z)"
_START = r"\A[\s*_#\"'“„«]*"
_OPENINGS = tuple(
    re.compile(_START + pattern, re.I)
    for pattern in (
        rf"(?:{_SURE})?{_HERE}\s+{_FILL}{_DONE}{_FILL}{_THING}{_TAIL}(?:{_SHOWN})?{_END}",
        rf"{_PRESENTS}\s+{_FILL}(?:{_DONE})?{_FILL}{_STRONG}{_TAIL}(?:{_SHOWN}){_TAIL}{_END}",
        rf"{_PRESENTS}\s+{_FILL}(?:{_DONE})?{_FILL}{_THING}{_TAIL}(?:{_ASKED}){_TAIL}{_END}",
        rf"{_SURE}{_HERE}\s+{_FILL}{_THING}{_TAIL}{_PAUSE}",
        rf"{_HERE}\s+(?:an?|one|eine?|una?|une|uma?|een)\s+{_FILL}{_HEADLINE}{_TAIL}\s*{_PAUSE}",
        rf"{_HERE}\s+{_FILL}{_STRONG}{_TAIL}(?:[:：]\s*\n|[.:：]?\s*\Z)",
        rf"(?:{_DONE}{_THING}|revised {_STRONG}|headline|summary|rewrite|schlagzeile|zusammenfassung|titular|resumen|riassunto|resumo"
        r"|samenvatting)[*_]*\s*[:：][*_]*\s+",
        r"as an? (?:(?:ai|artificial intelligence)(?: (?:language )?model| assistant)?|(?:large )?language model),? i(?:['’]m|['’]d)?\s"
        r"[^.!?:\n]{0,200}[.!?:](?=\s|\Z)",
    )
)
_BOLD = re.compile(r"\A\s*\*\*(?:possible |example |sample |final |new )?(?:" + _THING + r")(?:[:：]\*\*|\*\*\s*[:：])\s*", re.I)
_ABOUT = re.compile(
    rf"{_START}(?:(?:in )?(?:this|the) (?:above |given |provided |following )?(?:news )?(?:article|passage|text|document|summary|headline"
    r"|paragraph|story|piece|report|post|review)s?\b[, ]+(?:above |provided |below )?"
    r"(?:is about|is a |discusses|describes|explores|highlights|provides|explains|details|delves|covers|reports|focuses|touches|presents"
    r"|examines|outlines|mentions|emphasi[sz]es|talks|sheds|tells|shows|states|adds|will |has been (?:written|generated|summarized)))",
    re.I,
)


def cut_opening(text: str, further: Sequence[re.Pattern[str]] = ()) -> str | None:
    """Take an opening off.

    further (Sequence[Pattern]): More of them, each with its end.
    RETURNS (str | None): What follows it, empty when nothing does; None when a text has no opening.
    """
    for pattern in (*_OPENINGS, _BOLD, *further):
        if found := pattern.match(text):
            return _unquoted(text[found.end() :].strip(), begun=text.strip()[:1])
    return None


def _unquoted(rest: str, *, begun: str) -> str:
    """Take quotes off that wrapped the text alone, or it and the opening.

    begun (str): First letter before the cut.
    """
    for opens, closes in _QUOTES:
        if rest.endswith(closes) and len(rest) > 1:
            inside = rest[1:-1] if rest.startswith(opens) else rest[:-1] if begun == opens else None
            if inside is not None and opens not in inside and closes not in inside:
                return inside.strip()
    return rest


def speaks_of_the_text(text: str) -> bool:
    """RETURNS (bool): Whether a text begins by telling what some article or summary does, as in "This article discusses …"."""
    return _ABOUT.match(text) is not None


def make_boilerplate(action: Action = "repair", about_text: bool = False, openings: Sequence[str] = (), min_words: int = 3) -> Binder:
    """Mend or turn away texts that open with what a chat model says about its answer.

    Reasons: "boilerplate", and "about_text" for what only tells what an article does. A mended row is accepted with the text
    after the opening; its event keeps the one before.

    action (str): "repair" cuts an opening off where at least `min_words` words follow, and turns the row away where not; "reject"
        turns every such row away; "keep" does nothing.
    about_text (bool): Whether texts such as "This article discusses …" are turned away. Weak teachers write many of them.
    openings (Sequence[str]): Further openings, as they stand at the start; they end with their last word.
    min_words (int): Least words of what is left.
    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): For an action that there is not, or an empty opening.
    """
    if action not in ACTIONS:
        raise ConfigError(f"Boilerplate: there is no action '{action}'. {choices(action, ACTIONS)}")
    if any(not opening.strip() for opening in openings):
        raise ConfigError("Boilerplate: an opening is empty, and every text begins with it. Remove it from `openings`.")
    further = [re.compile(rf"{_START}{re.escape(opening.strip())}[\s,:.!—–-]*", re.I) for opening in openings]

    def bind(inputs: FilterInputs) -> partial[Verdict] | SwitchedOff:
        if action == "keep" and not about_text:
            return SwitchedOff('the config says action = "keep"')
        return partial(_boilerplate, action, about_text, further, min_words)

    return bind


def _boilerplate(
    action: Action, about: bool, further: Sequence[re.Pattern[str]], least: int, /, candidate: Candidate, text: str, passage: str
) -> Verdict:
    rest = cut_opening(text, further) if action != "keep" else None
    if rest is not None and (action == "reject" or count_words(rest) < least):
        return reject(BOILERPLATE)
    if about and speaks_of_the_text(text if rest is None else rest):
        return reject(ABOUT_TEXT)
    return ACCEPT if rest is None else repair(OPENING, rest)
