"""Row filters that compare a text with its task: as long as the seeds are, and without the name of its label."""

from __future__ import annotations

from functools import partial
from math import inf
from statistics import quantiles

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.verdicts import ACCEPT, DISABLED, Binder, FilterInputs, SwitchedOff, Verdict, reject
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.words import count_words, words

SHORTER, LONGER, LABEL_WORD = "shorter_than_seeds", "longer_than_seeds", "label_word"
FEWEST_SEEDS = 8  # fewer say too little about how long texts are


def make_relative_length(factor: float = 2.0, share: float = 0.9, enabled: bool = True) -> Binder:
    """Turn away texts much shorter or longer than the seeds (reasons "shorter_than_seeds", "longer_than_seeds"; score: words).

    The middle `share` of the seeds' lengths, divided and multiplied by the factor, are the limits. A task file that says min_words or
    max_words knows better, and that limit is not looked for. Off with fewer than eight seeds, and for a teacher that only copies.

    factor (float): 1 or more.
    share (float): Between 0 and 1.
    enabled (bool): False switches the filter off.
    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): For values out of range.
    """
    if factor < 1 or not 0 < share < 1:
        raise ConfigError(f"RelativeLength: factor must be at least 1 and share lie between 0 and 1 (were: {factor}, {share}).")

    def bind(inputs: FilterInputs) -> partial[Verdict] | SwitchedOff:
        if not enabled:
            return DISABLED
        if len(inputs.seeds) < FEWEST_SEEDS:
            return SwitchedOff(f"{len(inputs.seeds)} seeds say too little about how long texts are; {FEWEST_SEEDS} are needed")
        if inputs.copies:
            return SwitchedOff("this teacher only copies sentences of passages, which are as long as they are")
        said = inputs.task.prompt.model_fields_set
        if {"min_words", "max_words"} <= said:
            return SwitchedOff("the task file says min_words and max_words")
        low, high = middle([count_words(text) for text in inputs.seeds], share)
        return partial(_relative_length, 0.0 if "min_words" in said else low / factor, inf if "max_words" in said else high * factor)

    return bind


def middle(lengths: list[int], share: float) -> tuple[float, float]:
    """RETURNS (Tuple[float, float]): Between which two lengths the middle share lies, each to a hundredth of all."""
    points = quantiles(lengths, n=100, method="inclusive")
    edge = min(max(round((1 - share) / 2 * 100), 1), 49)
    return points[edge - 1], points[-edge]


def _relative_length(low: float, high: float, /, candidate: Candidate, text: str, passage: str) -> Verdict:
    count = count_words(text)
    if count < low:
        return reject(SHORTER, count)
    return reject(LONGER, count) if count > high else ACCEPT


def make_label_word(verbalization: bool = False, enabled: bool = False) -> Binder:
    """Turn away texts in which a name of their own label stands (reason "label_word"): a student would learn the word.

    Off unless asked for: where labels are topics, their names belong into texts.

    verbalization (bool): Whether the label's phrase counts as well.
    enabled (bool): True switches the filter on.
    RETURNS (Binder): See curation/verdicts.py.
    """

    def bind(inputs: FilterInputs) -> partial[Verdict] | SwitchedOff:
        if not enabled:
            return DISABLED
        names = {}
        for label, spec in inputs.task.labels.items():
            told = [label, *([spec.verbalization] if verbalization else [])]
            names[label] = [f" {' '.join(found)} " for name in told if (found := words(name.replace("_", " ")))]
        return partial(_label_word, names)

    return bind


def _label_word(names: dict[str, list[str]], /, candidate: Candidate, text: str, passage: str) -> Verdict:
    said = f" {' '.join(words(text))} "
    return reject(LABEL_WORD) if any(name in said for label in candidate.labels for name in names.get(label, ())) else ACCEPT
