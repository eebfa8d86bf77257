"""From one label set to another: which answers can be moved, and which cannot.

A server does not change the labels of a question once people answer it. So the rows go to a new dataset, and the answers with
them under their new names. An answer whose label is gone cannot be moved: that row waits for an answer again.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from argilla_bridge.rows import UNUSABLE, Vote
from spacy_synthesizrr.errors import InputError, choices

_VERSION = re.compile(r"-v(\d+)\Z")


@dataclass(frozen=True)
class Plan:
    """How answers get from old labels to new ones.

    old (Tuple[str, ...]), new (Tuple[str, ...]): The label sets in their order, without "unusable".
    moves (Mapping[str, str]): Old label → new label, for each that has one.
    """

    old: tuple[str, ...]
    new: tuple[str, ...]
    moves: Mapping[str, str]

    @property
    def removed(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Old labels that no new one takes up."""
        return tuple(label for label in self.old if label not in self.moves)

    @property
    def added(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): New labels that nobody could choose before."""
        return tuple(label for label in self.new if label not in self.moves.values())

    @property
    def renamed(self) -> dict[str, str]:
        """RETURNS (Dict[str, str]): Old labels that get another name."""
        return {old: new for old, new in self.moves.items() if old != new}

    @property
    def merged(self) -> dict[str, tuple[str, ...]]:
        """RETURNS (Dict[str, Tuple[str, ...]]): New labels that take up several old ones."""
        taken = {new: tuple(old for old in self.old if self.moves.get(old) == new) for new in self.new}
        return {new: old for new, old in taken.items() if len(old) > 1}

    @property
    def changes(self) -> bool:
        """RETURNS (bool): Whether a dataset with the old labels has to be moved; their order alone is no reason."""
        return set(self.old) != set(self.new) or bool(self.renamed)

    def labels(self, chosen: Iterable[str]) -> tuple[str, ...] | None:
        """Move the labels of one answer or suggestion.

        chosen (Iterable[str]): Old labels.
        RETURNS (Tuple[str, ...] | None): New ones in their order; of several, those that are left. None when none is: "no label
            fits" is not what that person said.
        """
        chosen = list(chosen)
        found = {self.moves[label] for label in chosen if label in self.moves}
        return None if chosen and not found else tuple(label for label in self.new if label in found)

    def vote(self, vote: Vote) -> Vote | None:
        """RETURNS (Vote | None): The same answer under the new labels; None when it cannot be moved. One that turns the row away
        moves whatever else it says.
        """
        labels = self.labels(vote.labels)
        if labels is None:
            return replace(vote, labels=()) if vote.rejects else None
        return replace(vote, labels=labels)

    def lines(self) -> list[str]:
        """RETURNS (List[str]): What will happen, for people."""
        told = [f"'{old}' becomes '{new}'." for old, new in self.renamed.items()]
        for label in self.removed:
            near = difflib.get_close_matches(label, self.added, n=1)
            hint = f" If it is '{near[0]}' now, say so: --rename '{label}={near[0]}'" if near else ""
            told.append(f"'{label}' is gone: answers that chose it alone cannot be moved, and their rows wait for an answer again.{hint}")
        for new, old in self.merged.items():
            names = ", ".join(f"'{label}'" for label in old)
            told.append(f"{names} are one label '{new}' now and cannot be told apart any more.")
        told += [f"'{label}' is new: nobody could choose it in the answers so far." for label in self.added]
        return told


def relabelling(old: Sequence[str], new: Sequence[str], renames: Mapping[str, str] | None = None) -> Plan:
    """Plan the way from one label set to another.

    old (Sequence[str]): The labels of a dataset; "unusable" is none of them and stays.
    new (Sequence[str]): Those of the task file.
    renames (Mapping[str, str]): Old label → new label; those in both sets need none.
    RETURNS (Plan): Which answers can be moved.
    RAISES (InputError): For a rename from or to a label that is not there.
    """
    before, after = (tuple(label for label in labels if label != UNUSABLE) for labels in (old, new))
    for source, target in (renames or {}).items():
        if source not in before:
            raise InputError(f"--rename '{source}={target}': the dataset has no label '{source}'.", cure=choices(source, before))
        if target not in after:
            raise InputError(f"--rename '{source}={target}': the task file has no label '{target}'.", cure=choices(target, after))
    moves = {label: (renames or {}).get(label, label) for label in before}
    return Plan(before, after, {label: to for label, to in moves.items() if to in after})


def next_name(name: str, there: Collection[str]) -> str:
    """The name of the dataset that takes over.

    name (str): Of the old one, such as "news" or "news-v2".
    there (Collection[str]): Names that are taken.
    RETURNS (str): Such as "news-v2" or "news-v3", the first that is free.
    """
    found = _VERSION.search(name)
    stem, number = (name[: found.start()], int(found.group(1))) if found else (name, 1)
    while f"{stem}-v{number + 1}" in there:
        number += 1
    return f"{stem}-v{number + 1}"
