"""Faults that are planted in real rows, for faults.py: copies of passages, leaks of dev and test rows, wrong labels."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

Make = Callable[[str, random.Random], str]


def sentences(text: str) -> list[str]:
    """RETURNS (List[str]): Rough sentences; the project's own cutter is not asked, since it cuts passages."""
    return [part for part in re.split(r"(?<=[.!?])\s+", text.strip()) if len(part.split()) >= 5]


def whole_sentence(text: str, rng: random.Random) -> str:
    """RETURNS (str): A sentence as it stands."""
    return rng.choice(sentences(text) or [text])


def joined(text: str, rng: random.Random) -> str:
    """RETURNS (str): Two sentences that do not follow each other, as one text."""
    parts = sentences(text)
    if len(parts) < 3:
        return whole_sentence(text, rng)
    first = rng.randrange(len(parts) - 2)
    return f"{parts[first]} {parts[rng.randrange(first + 2, len(parts))]}"


def shortened(share: float) -> Make:
    """RETURNS (Callable): Joins two sentences and drops a share of the words, in runs of one to three."""

    def make(text: str, rng: random.Random) -> str:
        tokens = joined(text, rng).split()
        gone = round(share * len(tokens))
        while gone > 0 and len(tokens) > 5:
            run = min(gone, rng.randint(1, 3))
            at = rng.randrange(max(1, len(tokens) - run))
            del tokens[at : at + run]
            gone -= run
        return " ".join(tokens)

    return make


def cut(share: float) -> Make:
    """RETURNS (Callable): Keeps a share of the words, from a random place on."""

    def make(text: str, rng: random.Random) -> str:
        tokens = text.split()
        size = max(3, round(share * len(tokens)))
        start = rng.randrange(max(1, len(tokens) - size + 1))
        return " ".join(tokens[start : start + size])

    return make


def recased(text: str, rng: random.Random) -> str:
    """RETURNS (str): All letters large, all small, or each word with a large one."""
    return rng.choice([str.upper, str.lower, str.title])(text)


def reordered(size: int) -> Make:
    """RETURNS (Callable): Cuts a text into pieces of so many words and shuffles them."""

    def make(text: str, rng: random.Random) -> str:
        tokens = text.split()
        parts = [tokens[at : at + size] for at in range(0, len(tokens), size)]
        rng.shuffle(parts)
        return " ".join(token for part in parts for token in part)

    return make


COPIES: Mapping[str, Make] = {
    "a sentence": whole_sentence,
    "two sentences joined": joined,
    **{f"two joined, {share:.0%} of the words dropped": shortened(share) for share in (0.1, 0.2, 0.4)},
}
LEAKS: Mapping[str, Make] = {
    "as it is": lambda text, rng: text,
    "re-cased": recased,
    **{f"cut to {share:.0%}": cut(share) for share in (0.7, 0.5, 0.3, 0.15)},
    **{f"re-ordered in pieces of {size} words": reordered(size) for size in (12, 8, 4, 1)},
}


def flipped(labels: Sequence[str], share: float, rng: random.Random) -> list[str]:
    """RETURNS (List[str]): The labels with a share of them changed to another, evenly among the others."""
    names, found = sorted(set(labels)), list(labels)
    for at in rng.sample(range(len(labels)), round(share * len(labels))):
        found[at] = rng.choice([name for name in names if name != labels[at]])
    return found
