"""Near-duplicates: a row that says what a seed, an accepted row or a row of an earlier round says, but for a few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Candidate, digest
from spacy_synthesizrr.curation.near_index import NearIndex, shingle_keys
from spacy_synthesizrr.curation.ngrams import Hashes
from spacy_synthesizrr.curation.verdicts import ACCEPT, DISABLED, Binder, FilterInputs, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.words import comparable

NEAR_DUPLICATE, NEAR_SEED, NEAR_EARLIER = "near_duplicate", "near_seed", "near_earlier"
REGISTERED = "synthesizrr.NearDuplicate.v1"
NEIGHBOUR, NEIGHBOUR_SIMILARITY = "neighbour", "neighbour_similarity"  # keys in the detail of an event


class NearDuplicate:
    """Turns away rows whose generated field shares most of its word n-grams with that of another row.

    Reasons: "near_seed", "near_earlier", "near_duplicate"; the score is the Jaccard similarity of the sets of n-grams, and the
    event names the other row ("neighbour"; of a seed its number, from 0). Of two near rows the later goes.

    Only rows that agree in all other fields are compared, because one hypothesis may stand with two premises; seeds and earlier
    rows are compared by the generated field alone.

    carried (Sequence[str]): The fields that the teacher does not write.
    threshold (float): Least similarity of near-duplicates.
    ngram (int): Words per n-gram; a shorter text is compared whole.
    same_label (bool): Whether rows with other labels are left in peace: texts that differ in one telling word.
    """

    def __init__(self, carried: Sequence[str] = (), *, threshold: float = 0.5, ngram: int = 3, same_label: bool = False) -> None:
        self.carried, self.ngram, self.same_label = tuple(carried), ngram, same_label
        self._apart = bool(carried) or same_label  # whether keys of rows are others than those of their texts alone
        self._rows, self._known = NearIndex(threshold), NearIndex(threshold)
        self._ids: list[str] = []
        self._names: list[tuple[str, str]] = []  # reason and name of what was known before the run
        self._last: tuple[str, str, Hashes] = ("", "", shingle_keys("", ngram))

    def know(self, reason: str, name: str, text: str) -> None:
        """Take note of a text from before the run.

        reason (str): "near_seed" or "near_earlier". name (str): What events call it.
        """
        self._known.add(shingle_keys(text, self.ngram))
        self._names.append((reason, name))

    def __call__(self, candidate: Candidate, text: str, passage: str) -> Verdict:
        """See `RowFilter`."""
        keys = self._keys(candidate, text)
        if self._names and (known := self._known.nearest(shingle_keys(text, self.ngram) if self._apart else keys)):
            reason, name = self._names[known.row]
            return _reject(reason, known.similarity, name)
        near = self._rows.nearest(keys)
        return ACCEPT if near is None else _reject(NEAR_DUPLICATE, near.similarity, self._ids[near.row])

    def remember(self, candidate: Candidate, text: str) -> None:
        """See `Remembers`."""
        self._rows.add(self._keys(candidate, text))
        self._ids.append(candidate.id)

    def _keys(self, candidate: Candidate, text: str) -> Hashes:
        """The keys of a row; those of the last one are kept, because what is accepted is judged and then remembered."""
        if self._last[:2] != (candidate.id, text):
            apart = [comparable(candidate.fields.get(name, "")) for name in self.carried]
            apart += candidate.labels if self.same_label else ()
            salt = int(digest(*apart)[:16], 16) if apart else 0
            self._last = (candidate.id, text, shingle_keys(text, self.ngram, salt=salt))
        return self._last[2]


def _reject(reason: str, similarity: float, name: str) -> Verdict:
    score = round(similarity, 4)
    return Verdict(False, reason, score, {NEIGHBOUR: name, NEIGHBOUR_SIMILARITY: score})


def make_near_duplicate(
    threshold: float = 0.5,
    ngram: int = 3,
    seeds: bool = True,
    earlier: Sequence[str] = (),
    same_label: bool = False,
    enabled: bool = True,
) -> Binder:
    """Turn away rows that nearly say what a seed, an earlier row or an accepted row says.

    Off for a teacher that only copies: its rows are as near as the passages are.

    threshold (float): Jaccard similarity of the word n-grams from which on a text is a near-duplicate.
    ngram (int): Words per n-gram.
    seeds (bool): Whether seeds count.
    earlier (Sequence[str]): JSONL files of rows of earlier rounds, such as "runs/first/accepted.jsonl": candidates, or rows with a
        column of the name of the generated field. Paths as seen from the project folder.
    same_label (bool): Whether only rows with the same labels are compared.
    enabled (bool): False switches the filter off.
    RETURNS (Binder): See curation/verdicts.py. Binding reads the earlier rows, and raises ConfigError when there are none to read.
    RAISES (ConfigError): For values out of range.
    """
    if not 0 < threshold <= 1:
        raise ConfigError(f"NearDuplicate: threshold must lie above 0 and not above 1 (was: {threshold}).")
    if ngram < 1:
        raise ConfigError(f"NearDuplicate: ngram must be at least 1 (was: {ngram}).")

    def bind(inputs: FilterInputs) -> NearDuplicate | SwitchedOff:
        if not enabled:
            return DISABLED
        if inputs.copies:
            return SwitchedOff("this teacher only copies sentences of passages, which may well be alike")
        carried = [spec.name for spec in inputs.task.carried]
        made = NearDuplicate(carried, threshold=threshold, ngram=ngram, same_label=same_label)
        for number, text in enumerate(inputs.seeds if seeds else ()):
            made.know(NEAR_SEED, f"seed {number}", text)
        for path in earlier:
            for number, (name, text) in enumerate(_earlier(Path(path), inputs.task.generated.name), 1):
                made.know(NEAR_EARLIER, name or f"{path}:{number}", text)
        return made

    return bind


def earlier_files(config: Mapping[str, Any]) -> list[str]:
    """RETURNS (List[str]): The files of earlier rows that the row filters of a curate config name; a run rests on what they say."""
    sections = [about for about in config.get("row_filters", {}).values() if isinstance(about, dict)]
    return sorted({name for about in sections if about.get("@misc") == REGISTERED for name in about.get("earlier", ())})


def _earlier(path: Path, field: str) -> Iterable[tuple[str, str]]:
    """YIELDS (Tuple[str, str]): Id (may be empty) and generated field of each row of a file."""
    if not path.is_file():
        raise ConfigError(f"NearDuplicate: there is no file {path}, named in `earlier`. Correct it (paths begin at the project folder).")

    def read(row: Any) -> tuple[str, str]:
        text = row.get("fields", row).get(field)
        if not isinstance(text, str):
            raise ConfigError(f"NearDuplicate: a row of {path} has no text '{field}': `earlier` takes files such as accepted.jsonl.")
        return str(row.get("id", "")), text

    return read_jsonl(path, read)
