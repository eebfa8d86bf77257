"""How many rows each label has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from spacy_synthesizrr.candidates import label_key


def label_counts(label_sets: Iterable[Sequence[str]]) -> dict[str, Any]:
    """Count rows per label and per set of labels.

    label_sets (Iterable[Sequence[str]]): The labels of each row: one, or more in a multi-label task.
    RETURNS (dict): `n` (rows), `labels` (rows that have the label; they add up to n only where rows have one label each)
        and `sets` (rows per label set, by `label_key`), each in the order of their names.
    """
    rows, labels, sets = 0, Counter[str](), Counter[str]()
    for row in label_sets:
        rows += 1
        labels.update(row)
        sets[label_key(row)] += 1
    return {"n": rows, "labels": dict(sorted(labels.items())), "sets": dict(sorted(sets.items()))}
