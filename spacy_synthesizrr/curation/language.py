"""Whether a text is written in the language of the run, by its script and by the function words that spaCy lists.

spaCy has lists of stop words for some seventy languages; no model is needed. A text is judged only where the lists tell languages
apart: its words must stand far more often in another language's list than in that of the run. Short texts, names and mixed
texts pass; so do languages that spaCy has no list for, and near relatives (Danish and Norwegian). It finds teachers that answer
in another language, not single foreign words.
"""

from __future__ import annotations

import functools
import re
import runpy
import unicodedata
from collections import Counter
from functools import partial
from pathlib import Path

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.verdicts import ACCEPT, DISABLED, Binder, FilterInputs, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.words import plain, words

OTHER_LANGUAGE = "other_language"
# those whose teachers or corpora are met most, and that are told apart by whole words between blanks
COMPARED = ("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "pl", "cs", "ro", "hu", "fi", "tr", "ru", "uk", "id", "vi", "el")
TWO_SCRIPTS = ("sr", "uz", "az", "kk", "mn", "bs", "tk", "ku")  # languages that are written in either of two
KANA = ("HIRAGANA", "KATAKANA")
ANY = ("xx", "mul")
LATIN = "LATIN"
OWN_SHARE = 0.1
_LATIN_WORD = re.compile(r"[a-z\u00df-\u024f]+")


@functools.lru_cache(maxsize=64)
def stop_words(lang: str) -> frozenset[str]:
    """The list alone is read: importing spaCy's package of a language may compile its rules too (the French one for two seconds).

    RETURNS (FrozenSet[str]): spaCy's list of a language, as `words` cuts texts; empty where it has none.
    """
    import spacy.lang

    file = Path(spacy.lang.__path__[0]) / lang / "stop_words.py"
    listed = runpy.run_path(file.as_posix()).get("STOP_WORDS", ()) if lang.isalpha() and file.is_file() else ()
    return frozenset(found[0] for word in listed if len(found := words(word)) == 1)


def scripts(text: str) -> Counter[str]:
    """RETURNS (Counter[str]): Letters by script, such as "LATIN", by their Unicode names in one form; kana counts as "CJK"."""
    counts = Counter(unicodedata.name(character, "").split(" ")[0] for character in plain(text) if character.isalpha())
    for name in KANA:
        counts["CJK"] += counts.pop(name, 0)
    return +counts


def script(text: str) -> str:
    """RETURNS (str): The script of most letters; empty without letters, or where none has more than half."""
    counts = scripts(text)
    name, count = max(counts.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    return name if count * 2 > counts.total() else ""


def other_script(text: str, wanted: str) -> str:
    """Whether a text is written in another script than it should be.

    wanted (str): Such as "CYRILLIC". Names of firms and products are Latin in every script: beside another one a Latin word counts as
        one letter, and a tenth of the letters in the wanted script is enough.
    RETURNS (str): The other script; empty when there is none.
    """
    found = script(text)
    if found in ("", wanted) or wanted == LATIN:
        return "" if found == wanted else found
    counts = scripts(text)
    counts[LATIN] = len(_LATIN_WORD.findall(plain(text)))
    return "" if counts[wanted] and counts[wanted] >= OWN_SHARE * counts.total() else found


def script_of(lang: str) -> str:
    """RETURNS (str): The script of a language's function words; empty where that is unknown, or where there are two."""
    return "" if lang in TWO_SCRIPTS else script(" ".join(sorted(stop_words(lang))))


def language_shares(text: str, lang: str) -> tuple[float, str, float]:
    """How much of a text are function words of a language, and of the language that has most.

    RETURNS (Tuple[float, str, float]): Share in `lang`, the best other language, its share.
    """
    tokens = words(text)
    if not tokens:
        return 0.0, "", 0.0
    lists = {code: stop_words(code) for code in (*COMPARED, lang)}
    shares = {code: sum(token in listed for token in tokens) / len(tokens) for code, listed in lists.items()}
    own = shares.pop(lang)
    best = max(shares, key=lambda code: shares[code])
    return own, best, shares[best]


def make_language(lang: str | None = None, min_words: int = 6, margin: float = 0.2, enabled: bool = True) -> Binder:
    """Turn away texts in another language (reason "other_language"; score: by how much its function words are more; "language" in
    the event is the language that they are of, or the script).

    lang (str | None): Code of the texts' language; that of the run by default.
    min_words (int): Texts with fewer words are judged by their script alone.
    margin (float): How much larger the share of another language's function words must be.
    enabled (bool): False switches the filter off.
    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): For a margin out of range.
    """
    if not 0 < margin <= 1:
        raise ConfigError(f"Language: margin must lie above 0 and not above 1 (was: {margin}).")

    def bind(inputs: FilterInputs) -> partial[Verdict] | SwitchedOff:
        code = lang or inputs.lang
        if not enabled:
            return DISABLED
        if code in ANY:
            return SwitchedOff(f"the run is in several languages ('{code}')")
        if not stop_words(code):
            return SwitchedOff(f"spaCy lists no function words of '{code}'")
        return partial(_language, code, script_of(code), min_words, margin)

    return bind


def _language(lang: str, wanted: str, least: int, margin: float, /, candidate: Candidate, text: str, passage: str) -> Verdict:
    if wanted and (letters := other_script(text, wanted)):
        return Verdict(False, OTHER_LANGUAGE, 1.0, {"language": letters.lower()})
    if len(words(text)) < least:
        return ACCEPT
    own, other, share = language_shares(text, lang)
    if share - own < margin:
        return ACCEPT
    return Verdict(False, OTHER_LANGUAGE, round(share - own, 4), {"language": other})
