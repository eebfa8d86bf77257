"""Which names labels may have, and which combinations of labels a task asks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from spacy_synthesizrr.errors import choices

REFERENCE = "${"
NO_REFERENCE = f"the characters '{REFERENCE}' cannot stand there, since configs read them as a reference; write them apart"


def fault_of_name(label: str, *, exclusive: bool) -> str:
    """RETURNS (str): What is wrong with the name of a label; empty when nothing is."""
    if " + " in label or (not exclusive and "|" in label):
        return "it contains ' + ' or '|', which stand between the labels of a row with several"
    return NO_REFERENCE if REFERENCE in label else ""


def fault_of(sets: Sequence[Sequence[str]], labels: Collection[str], *, exclusive: bool) -> str:
    """What is wrong with the label sets of a task file.

    RETURNS (str): In words, with the cure; empty when nothing is.
    """
    if exclusive:
        return "label_sets are for tasks whose rows may have several labels: set `exclusive: false`, or take them out"
    seen = [label for one in sets for label in one]
    for label in seen:
        if label not in labels:
            return f"label_sets: there is no label '{label}'. {choices(label, labels)}"
    for label in labels:
        if label not in seen:
            return f"label_sets: no set has the label '{label}', so no row would. Add one, such as [{label}]"
    kinds = {frozenset(one) for one in sets}
    if not all(sets) or len(kinds) < len(sets) or any(len(set(one)) < len(one) for one in sets):
        return "label_sets: each set has at least one label, no label twice, and stands there once"
    return ""
