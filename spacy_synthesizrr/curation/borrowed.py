"""What a teacher borrowed from its prompt: the demonstrations, and the words of the task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.copies import longest_common_span
from spacy_synthesizrr.curation.leaks import Gold, GoldIndex
from spacy_synthesizrr.curation.ngrams import ngram_hashes
from spacy_synthesizrr.curation.verdicts import ACCEPT, DISABLED, Binder, FilterInputs, SwitchedOff, Verdict, reject
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.instructions import avoid_instruction, basis_instruction, extrapolate_instruction, stepbystep_instruction

SHOT_COPY, SHOT_SPAN, PROMPT_COPY = "shot_copy", "shot_span", "prompt_copy"
PLACEHOLDER = "{verbalization}"


class ShotCopy:
    """Turns away texts that copy a part of a seed, which is what demonstrations are.

    A demonstration is a seed's text, so every seed is looked at: what a teacher takes from one that this prompt did not show is no
    better. Copies of a whole seed are found by `ExactDuplicate` and `NearDuplicate` too; this filter finds those that go on.

    Reasons: "shot_copy" (score: the share of the text's word n-grams that stand in one seed) and "shot_span" (score: words in the
    longest run that the two share).

    seeds (Sequence[str]): What the seeds say in the generated field; 16 bytes for each n-gram are kept.
    threshold (float): Share from which on a text is a copy.
    ngram (int): Words per n-gram.
    max_span (int | None): Longest run of words that may be shared with a seed; None for any.
    """

    def __init__(self, seeds: Sequence[str], *, threshold: float, ngram: int, max_span: int | None) -> None:
        self._seeds, self._threshold, self._ngram, self._max_span = tuple(seeds), threshold, ngram, max_span
        parts = [np.unique(ngram_hashes(text, ngram)) for text in self._seeds]
        owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        hashes = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._owners = hashes[order], owners[order]

    def __call__(self, candidate: Candidate, text: str, passage: str) -> Verdict:
        """See `RowFilter`."""
        hashes = ngram_hashes(text, self._ngram)
        first, last = (self._hashes.searchsorted(hashes, side=side) for side in ("left", "right"))
        shared = np.flatnonzero(last > first)
        if not len(shared):
            return ACCEPT
        owners = np.concatenate([self._owners[first[at] : last[at]] for at in shared])
        counts = np.bincount(owners)
        share = float(counts.max() / len(hashes))
        detail = {"neighbour": f"seed {int(counts.argmax())}"}
        if share >= self._threshold:
            return Verdict(False, SHOT_COPY, round(share, 4), detail)
        if self._max_span is None:
            return ACCEPT
        spans = {int(owner): longest_common_span(text, self._seeds[owner]) for owner in np.flatnonzero(counts)}
        longest = max(spans, key=lambda owner: (spans[owner], -owner))
        return Verdict(False, SHOT_SPAN, spans[longest], {"neighbour": f"seed {longest}"}) if spans[longest] > self._max_span else ACCEPT


def make_shot_copy(threshold: float = 0.5, ngram: int = 5, max_span: int | None = 15, enabled: bool = True) -> Binder:
    """Turn away texts that copy a part of a demonstration; see `ShotCopy`.

    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): For values out of range.
    """
    if not 0 < threshold <= 1:
        raise ConfigError(f"ShotCopy: threshold must lie above 0 and not above 1 (was: {threshold}).")
    if ngram < 2 or (max_span is not None and max_span < ngram):
        raise ConfigError(f"ShotCopy: ngram must be at least 2, and max_span not below it (were: {ngram}, {max_span}).")

    def bind(inputs: FilterInputs) -> ShotCopy | SwitchedOff:
        if not enabled:
            return DISABLED
        return ShotCopy(inputs.seeds, threshold=threshold, ngram=ngram, max_span=max_span)

    return bind


def make_prompt_copy(ngram: int = 6, enabled: bool = True) -> Binder:
    """Turn away texts that repeat words of the task (reason "prompt_copy"; score: shared n-grams).

    Instruction (with the phrase of each label), length hint and what the prompt says of refusals count; a phrase of fewer words than
    an n-gram counts when it has at least five and stands in the text as a whole.

    ngram (int): Words in a row that make a copy.
    enabled (bool): False switches the filter off.
    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): For n-grams of fewer than two words.
    """
    if ngram < 2:
        raise ConfigError(f"PromptCopy: ngram must be at least 2 (was: {ngram}).")

    def bind(inputs: FilterInputs) -> partial[Verdict] | SwitchedOff:
        if not enabled:
            return DISABLED
        return partial(_prompt_copy, GoldIndex(Gold(phrases(inputs)), ngram, shortest_contained=5))

    return bind


def phrases(inputs: FilterInputs) -> list[str]:
    """RETURNS (List[str]): What every prompt of the task says beside passage, shots and headers."""
    prompt = inputs.task.prompt
    later = (stepbystep_instruction, extrapolate_instruction, avoid_instruction)
    said = [
        prompt.instruction,
        prompt.instruction_without_document,
        *(words(inputs.task) for words in later),
        basis_instruction(inputs.task),
    ]
    told = [text.replace(PLACEHOLDER, spec.verbalization) for text in said for spec in inputs.task.labels.values()]
    told += [prompt.length_hint, *([f"{prompt.refusal_instruction} {prompt.refusal_marker}"] if prompt.refusal_marker else [])]
    return [text for text in dict.fromkeys(told) if text]


def _prompt_copy(index: GoldIndex, /, candidate: Candidate, text: str, passage: str) -> Verdict:
    [match] = index.match([text], equality=False)
    return ACCEPT if match is None else reject(PROMPT_COPY, match.score)
