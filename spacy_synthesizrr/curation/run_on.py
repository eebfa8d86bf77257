"""Run-on answers: a teacher that writes the text that it was asked for, and goes on with the next one.

Reading an answer cuts it where one of the prompt's headers begins a line. This filter finds what is left: headers that follow the end
of a sentence, and examples that are numbered or stand below a rule; and it can turn away what was cut before, where whoever goes on is
not trusted at all. People write lists, scenes and "one question: who pays?", so a sign alone is none: a sound text that lost its second
half is worse than an answer that goes on.
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

RUN_ON = "run_on"
ACTIONS = ("split", "reject", "keep")
Action = Literal["split", "reject", "keep"]
DROPPED = "dropped"  # key in the detail of the event of an answer: pieces that reading it left out
SHORTEST_HEADER = 4  # letters; shorter ones stand in running text
_EXAMPLE = r"(?:example|option|variant|sample|beispiel|ejemplo|exemple|esempio|exemplo|voorbeeld)"
_RULE = r"[ \t]*(?:-{3,}|\*{3,}|_{3,}|={3,}|#{3,})[ \t]*$"
_MONTH = r"(?:jan|feb|mär|maerz|apr|mai|jun|jul|aug|sep|okt|nov|dez)"
_FIRST = re.compile(rf"^[ \t*_#]*(?:{_EXAMPLE}[ \t]*#?1[*_]*[ \t]*[:.)]|(?:1|i)[.)][ \t])", re.I | re.M)
_NUMBERED = re.compile(  # without a first, and after the end of a sentence or a blank line
    rf"(?:(?<=[.!?…\"”»:*]\n)|(?<=\n\n))[ \t*_#]*{_EXAMPLE}[ \t]*#?[2-9][*_]*[ \t]*[:.)]"
    rf"|(?<=\n\n)[*_#]*(?:2|ii)[.)][ \t]+(?!{_MONTH})(?=[^\W\d]|[\"“„«])",
    re.I,
)


def next_texts(headers: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    """What begins a further text within an answer.

    headers (Sequence[str]): Of the prompt. One of a single word ("Summary:") counts in its own case alone, and within a line only in
        bold: people write it too.
    RETURNS (Tuple[Pattern]): A header that begins a line or follows the end of a sentence; a numbered example below a rule.
    """
    found = [re.compile(rf"(?<=\n){_RULE}\s*[*_#]*{_EXAMPLE}[ \t]*#?\d+[*_]*[ \t]*[:.)]", re.I | re.M)]
    for name in (header.strip().rstrip(":： ") for header in headers):
        if len(name) >= SHORTEST_HEADER:
            marks, case = (r"[*_#>]*", re.I) if " " in name else (r"[*_#]{2,}", re.NOFLAG)
            begins = rf"(?:(?<=\n)(?:{_RULE}\s*)?[*_#> \t]*|(?:(?<=[.!?…][\"'”’»)])|(?<=[.!?…]))\s+{marks}[ \t]*)"
            found.append(re.compile(rf"{begins}{re.escape(name)}[*_]*[ \t]*[:：]", re.M | case))
    return tuple(found)


def find_next(text: str, patterns: Sequence[re.Pattern[str]]) -> int | None:
    """Find where a further text begins.

    patterns (Sequence[Pattern]): See `next_texts`.
    RETURNS (int | None): Its first character; None where there is none. Number 2 counts where there is no number 1.
    """
    numbered = () if _FIRST.search(text) else (_NUMBERED,)
    return min((found.start() for pattern in (*patterns, *numbered) if (found := pattern.search(text))), default=None)


def make_run_on(action: Action = "split", min_words: int = 3) -> Binder:
    """Cut off, or turn away, what a teacher wrote after the text that it was asked for (reason "run_on").

    A mended row keeps its first text, and its event the whole; the further ones were not asked for and have no passage of their own.

    action (str): "split" keeps the first text where it has at least `min_words` words, and turns the row away where not; "reject"
        turns the row away, also where reading the answer had cut it already; "keep" does nothing.
    min_words (int): Least words of a text.
    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): For an action that there is not.
    """
    if action not in ACTIONS:
        raise ConfigError(f"RunOn: there is no action '{action}'. {choices(action, ACTIONS)}")

    def bind(inputs: FilterInputs) -> partial[Verdict] | SwitchedOff:
        if action == "keep":
            return SwitchedOff('the config says action = "keep"')
        prompt = inputs.task.prompt
        return partial(_run_on, next_texts((prompt.answer_header, prompt.document_header)), action == "split", min_words)

    return bind


def _run_on(patterns: Sequence[re.Pattern[str]], split: bool, least: int, /, candidate: Candidate, text: str, passage: str) -> Verdict:
    if not split and any(event.detail.get(DROPPED) for event in candidate.events):
        return reject(RUN_ON)
    start = find_next(text, patterns)
    if start is None:
        return ACCEPT
    first = text[:start].strip()
    return repair(RUN_ON, first) if split and count_words(first) >= least else reject(RUN_ON)
