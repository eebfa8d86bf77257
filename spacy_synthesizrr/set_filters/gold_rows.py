"""The labelled rows that a set filter may compare with: seeds, and gold train rows where the config allows them. Never dev or test."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spacy_synthesizrr.candidates import digest, label_key
from spacy_synthesizrr.set_filters.running import SetInputs
from spacy_synthesizrr.students.quality.calibration import Array
from spacy_synthesizrr.words import comparable

SEEDS, TRAIN = "seeds", "train"
LABELLED = (SEEDS, TRAIN)
MOST = 2000  # gold train rows that are used, a fixed sample of them


@dataclass(frozen=True)
class GoldRows:
    """Labelled rows, the seeds first.

    ids (Tuple[str, ...]): A seed's id, by which rows name it, or such as "train:7".
    keys (Tuple[str, ...]): Label keys.
    texts (Tuple[str, ...]): As a student reads them. fields (Tuple[Mapping, ...]): Their text fields by name.
    gold (Array): 1 for the labels that a row has, 0 for the others.
    seeds (int): How many are seeds.
    """

    ids: tuple[str, ...]
    keys: tuple[str, ...]
    texts: tuple[str, ...]
    fields: tuple[Mapping[str, str], ...]
    gold: Array
    seeds: int


def read_gold_rows(inputs: SetInputs, kinds: Sequence[str]) -> GoldRows:
    """Read labelled rows.

    kinds (Sequence[str]): Of `LABELLED`. Descriptions of labels, which stand in for seeds that there are not, are no rows; of many train
        rows a fixed sample is taken, without those that say what a seed says (or another of them): a row would find its own seed again.
    """
    task = inputs.task
    rows = [(seed.id, seed.labels, seed.fields) for seed in inputs.lookup.seeds.values() if seed.origin == "gold" and SEEDS in kinds]
    seeds = len(rows)
    if TRAIN in kinds:
        rows += _train_rows(inputs)
    return GoldRows(
        tuple(id for id, _, _ in rows),
        tuple(label_key(labels) for _, labels, _ in rows),
        tuple(task.student_text(fields) for _, _, fields in rows),
        tuple(fields for _, _, fields in rows),
        one_hot([labels for _, labels, _ in rows], list(task.labels)),
        seeds,
    )


def _train_rows(inputs: SetInputs) -> list[tuple[str, tuple[str, ...], Mapping[str, str]]]:
    said = {_said(seed.fields) for seed in inputs.lookup.seeds.values() if seed.origin == "gold"}
    train = ((f"{TRAIN}:{row.line}", row.labels, row.fields) for row in inputs.gold(TRAIN) if _said(row.fields) not in said)
    some = heapq.nsmallest(MOST, train, key=lambda row: digest("gold row", str(inputs.ctx.seed), row[0]))
    return list({_said(row[2]): row for row in reversed(some)}.values())[::-1]


def _said(fields: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(comparable(fields[name]) for name in sorted(fields))


def one_hot(rows: Sequence[Sequence[str]], labels: Sequence[str]) -> Array:
    """RETURNS (Array): 1 where a row has a label, 0 elsewhere; rows × labels."""
    found = np.zeros((len(rows), len(labels)))
    place = {label: number for number, label in enumerate(labels)}
    for number, own in enumerate(rows):
        found[number, [place[label] for label in own]] = 1.0
    return found
