"""A made-up task of which everything is known: labels with hidden kinds of text, each with words of its own.

Nobody but the simulated teacher and the gold rows knows of the kinds: a student sees texts and labels. All kinds are made by the same
rule, so none is harder than another: of the words of a kind one half is its own, and each of the other half belongs to a kind of another
label too. Most words of a text are common ones, which say nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

LABELS = ("amber", "cobalt", "jade", "ochre")
KINDS = 6  # of each label
OWN, SHARED = 8, 8  # words of a kind
COMMON = 150  # words that say nothing
LENGTH = 16  # words of a text
TELLING = 0.3  # how likely a word of a text is one of its kind
SYLLABLES = [first + vowel for first in ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z") for vowel in "aeiou"]


@dataclass(frozen=True, order=True)
class Kind:
    """A hidden kind of text. label (str): Whose. number (int): Among those of the label."""

    label: str
    number: int


@dataclass(frozen=True)
class World:
    """One draw of the task.

    seed (int): Of its words.
    covered (float): Which share of the kinds of each label a teacher writes of itself; the real texts are of all kinds.
    """

    seed: int
    covered: float

    @cached_property
    def _words(self) -> list[str]:
        """All words there are: of four syllables, so that none stands in a prompt by chance."""
        chance, found = random.Random(f"words {self.seed}"), dict[str, None]()
        while len(found) < COMMON + len(self.kinds) * (OWN + SHARED // 2):
            found["".join(chance.choices(SYLLABLES, k=4))] = None
        return list(found)

    @property
    def kinds(self) -> list[Kind]:
        """RETURNS (List[Kind]): Of all labels."""
        return [Kind(label, number) for label in LABELS for number in range(KINDS)]

    def known(self, label: str) -> list[Kind]:
        """RETURNS (List[Kind]): What a teacher writes of itself when it is asked for a label."""
        return [Kind(label, number) for number in range(math.ceil(self.covered * KINDS))]

    @cached_property
    def common(self) -> list[str]:
        """RETURNS (List[str]): Words that every text has, the most frequent first."""
        return self._words[:COMMON]

    @cached_property
    def vocabulary(self) -> dict[Kind, list[str]]:
        """RETURNS (Dict[Kind, List[str]]): The words of each kind."""
        words = iter(self._words[COMMON:])
        found = {kind: [next(words) for _ in range(OWN)] for kind in self.kinds}
        chance = random.Random(f"shared {self.seed}")
        for _ in range(SHARED):
            for one, other in pairs(self.kinds, chance):
                word = next(words)
                found[one].append(word)
                found[other].append(word)
        return found

    @cached_property
    def owners(self) -> dict[str, list[Kind]]:
        """RETURNS (Dict[str, List[Kind]]): The kinds of each telling word."""
        found: dict[str, list[Kind]] = {}
        for kind, words in self.vocabulary.items():
            for word in words:
                found.setdefault(word, []).append(kind)
        return found

    def write(self, kind: Kind, chance: random.Random) -> str:
        """RETURNS (str): A text of a kind."""
        weights = [1 / (1 + place) for place in range(COMMON)]
        telling = [chance.random() < TELLING for _ in range(LENGTH)]
        words = [chance.choice(self.vocabulary[kind]) if tells else chance.choices(self.common, weights)[0] for tells in telling]
        return " ".join(words).capitalize() + "."

    def recognise(self, text: str, label: str) -> Kind | None:
        """RETURNS (Kind | None): The kind of a label with most words in a text; None where the text has no word of any."""
        counts = dict.fromkeys((kind for kind in self.kinds if kind.label == label), 0)
        for word in words_of(text):
            for kind in self.owners.get(word, ()):
                if kind in counts:
                    counts[kind] += 1
        best = max(counts, key=lambda kind: (counts[kind], -kind.number))
        return best if counts[best] else None

    def rows(self, part: str, per_kind: int) -> Iterator[dict[str, str]]:
        """YIELDS (Dict[str, str]): Gold rows, as many of each kind, in any order."""
        chance = random.Random(f"{part} {self.seed}")
        rows = [{"text": self.write(kind, chance), "label": kind.label} for kind in self.kinds for _ in range(per_kind)]
        chance.shuffle(rows)
        yield from rows


def pairs(kinds: list[Kind], chance: random.Random) -> list[tuple[Kind, Kind]]:
    """RETURNS (List[Tuple[Kind, Kind]]): All kinds in pairs, both of a pair of other labels."""
    while True:
        order = list(kinds)
        chance.shuffle(order)
        found = list(zip(order[::2], order[1::2], strict=True))
        if all(one.label != other.label for one, other in found):
            return found


def words_of(text: str) -> list[str]:
    """RETURNS (List[str]): Words of a line, in small letters."""
    return [word.strip(".,:;\"'“”").lower() for word in text.split()]


@lru_cache(maxsize=4)
def world_of(seed: int, covered: float) -> World:
    """RETURNS (World): The same one for the same arguments, so that its words are made once."""
    return World(seed, covered)
