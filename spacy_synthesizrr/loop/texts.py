"""The texts of a finished loop that its measures look at, and the vectors that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.candidates import label_key
from spacy_synthesizrr.configs import build
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.loop.finished import Asked, Round
from spacy_synthesizrr.loop.measures import Pair, closeness, covered
from spacy_synthesizrr.loop.split import ERROR, SELECTION
from spacy_synthesizrr.measuring.features import Features
from spacy_synthesizrr.measuring.sets import take
from spacy_synthesizrr.metrics.samples import draw
from spacy_synthesizrr.steps.measure import STEP, is_pretrained

MOST = 10_000  # rows of a train set that are looked at
FEW = 10  # texts below which nothing is fitted


@dataclass(frozen=True)
class Texts:
    """What students read, and what was written after what.

    gold (Mapping[str, Sequence[str]]): Of each part. trained (Mapping[str, Sequence[str]]): Of each round's train set, by its run.
    pairs (Mapping[str, Sequence[Pair]]): Additions of each round with their parents.
    size (int): Rows at which train sets are compared.
    """

    gold: Mapping[str, Sequence[str]]
    trained: Mapping[str, Sequence[str]]
    pairs: Mapping[str, Sequence[Pair]]
    split: bool
    seed: int

    @property
    def size(self) -> int:
        """RETURNS (int): Rows that every train set has, and the error part, which stands in the place of one."""
        sizes = [len(texts) for texts in self.trained.values()] + ([len(self.gold[ERROR])] if self.split else [])
        return min(sizes, default=0)

    def sample(self) -> list[str]:
        """RETURNS (List[str]): What an embedder is fitted on: gold, and no more train rows and no more additions than there is gold."""
        gold = list(dict.fromkeys(text for part in self.gold.values() for text in part))
        trained = [*dict.fromkeys(text for texts in self.trained.values() for text in texts)]
        added = [*dict.fromkeys(pair.addition for pairs in self.pairs.values() for pair in pairs)]
        return [*gold, *take(trained, len(gold), seed=self.seed), *take(added, len(gold), seed=self.seed)]


def read_texts(asked: Asked, rounds: Sequence[Round], *, seed: int) -> Texts:
    """rounds (Sequence[Round]): All that are finished, the start first."""
    gold = {name: [asked.task.student_text(row.fields) for row in part] for name, part in asked.parts.items()}
    trained = {one.folder.path.name: _trained(one, seed=seed) for one in rounds}
    return Texts(gold, trained, {one.folder.path.name: pairs_of(one) for one in rounds}, asked.split, seed)


def _trained(one: Round, *, seed: int) -> list[str]:
    from spacy.vocab import Vocab

    from spacy_synthesizrr.students.export import read_docs

    path = one.folder.file("train.spacy")
    return draw((doc.text for doc in read_docs(path, Vocab())), MOST, seed=seed) if path.exists() else []


def pairs_of(one: Round) -> list[Pair]:
    """RETURNS (List[Pair]): What a round added, beside the labelled rows that it was written after; none where there were none."""
    name, parents = one.asked.task.generated.name, one.parents()
    rows = one.candidates("accepted.jsonl") if parents else ()
    known = ((row, parents[row.seed_id]) for row in rows if row.seed_id in parents)
    return [Pair(label_key(row.labels), parent.seed.fields[name], row.fields[name]) for row, parent in known]


def features(asked: Asked, rounds: Sequence[Round], texts: Texts) -> Features | None:
    """RETURNS (Features | None): Vectors: of the embedder that configs/measure.cfg names, else of one that is fitted on these texts
    alone; None where there are too few.
    """
    named = next((found for one in rounds if (found := _named(one))), None)
    sample = texts.sample()
    if named is None and len(sample) < FEW:
        return None
    embed = Features(named, sample, seed=texts.seed)
    try:
        embed(sample[:1])
    except InputError:  # nothing to fit: no text has a word of two letters
        return None
    return embed


def name_of(embed: Features | None) -> str | None:
    """RETURNS (str | None): Whose vectors they are; of one that was fitted here, on what."""
    if embed is None:
        return None
    if not embed.fitted:
        return embed.name
    return (
        f"{embed.name.partition(',')[0]}, fitted on labelled rows, train rows and additions of this loop, so its values hold for it alone"
    )


def _named(one: Round) -> Embedder | None:
    if STEP not in one.inputs.get("configs", {}):
        return None
    ctx = Context(one.folder, one.inputs)
    if not (path := ctx.config_path(STEP)).is_file() or "embedder" not in (config := ctx.config(STEP)):
        return None
    embedder: Embedder = build(dict(config), "embedder", path=str(path))
    if not is_pretrained(embedder):
        return None
    embedder.fit((), seed=0)
    return embedder


def measured(run: str, texts: Texts, embed: Features | None) -> dict[str, Any]:
    """RETURNS (dict): `coverage` of the selection part by a round's train set, and `closeness` of its additions to their parents, see
    `loop.measures`; None each where there is nothing to measure.
    """
    if embed is None:
        return {"coverage": None, "closeness": None}
    gold, rows, seed = texts.gold[SELECTION], texts.trained.get(run, ()), texts.seed
    return {
        "coverage": covered(gold, rows, embed, size=texts.size, seed=seed),
        "closeness": closeness(texts.pairs.get(run, ()), embed, seed=seed),
    }


def reference(texts: Texts, embed: Features | None) -> dict[str, Any] | None:
    """RETURNS (dict | None): How much the error part covers of the selection part: gold in the place of a train set; None where both are
    the same rows.
    """
    if embed is None or not texts.split:
        return None
    return covered(texts.gold[SELECTION], texts.gold[ERROR], embed, size=texts.size, seed=texts.seed)
