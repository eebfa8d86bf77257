"""How far the answers to one row agree with what it came to."""

from __future__ import annotations

from collections.abc import Sequence


def agreeing(answers: Sequence[frozenset[str]], won: frozenset[str], *, away: frozenset[str]) -> float:
    """The share of the people who said what was decided. Where somebody chose several labels, it is the mean of that share over all
    labels that were chosen or won: of {a, b}, {b, c} and {a, c}, which come to {a, b, c}, nobody said that, and yet each label has
    two of three people behind it.

    answers (Sequence[FrozenSet]): Of each person; at least one.
    won (FrozenSet): What was decided.
    away (FrozenSet): Stands for turning the row away, which agrees with no decision about labels.
    RETURNS (float): In [0, 1].
    """
    chosen = [answer for answer in answers if answer != away]
    if won == away or all(len(answer) < 2 for answer in (won, *chosen)):
        return sum(answer == won for answer in answers) / len(answers)
    labels = won.union(*chosen)
    return sum((label in answer) == (label in won) for answer in chosen for label in labels) / (len(labels) * len(answers))
