"""A store whose passages and vectors a test gives in full: exact search, nothing on disk."""

from collections.abc import Mapping, Sequence

import numpy as np

from spacy_synthesizrr.candidates import Hit, Passage, Seed
from spacy_synthesizrr.stores.base import BY_VECTOR
from spacy_synthesizrr.taskfile import TaskSpec

TEXT = "some words that make this passage long enough to serve as an input for a prompt of a plan in a test"


class GivenEmbedder:
    """Looks vectors up by text."""

    id = "given"

    def __init__(self, table: Mapping[str, Sequence[float]], dimensions: int):
        self.table, self.dimensions = table, dimensions

    def embed(self, texts):
        return np.array([self.table[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)


class GivenStore:
    """passages and vectors are parallel; seeds: text → vector."""

    def __init__(self, passages: Sequence[Passage], vectors, seeds: Mapping[str, Sequence[float]], *, embedder_id: str = "given"):
        self.passages = list(passages)
        self.rows = {passage.id: row for row, passage in enumerate(self.passages)}
        dimensions = len(next(iter(seeds.values())))
        self.matrix = unit(np.array(vectors, dtype=np.float32).reshape(len(self.passages), dimensions))
        self.embedder = GivenEmbedder({**seeds, **{p.text: v for p, v in zip(self.passages, self.matrix, strict=True)}}, dimensions)
        self.embedder.id = embedder_id

    def search(self, queries, k, *, how=BY_VECTOR, filter=None):
        found = []
        for query in queries:
            if not self.passages:
                found.append([])
                continue
            similarity = self.matrix @ unit(np.array([query.vector]))[0]
            best = np.lexsort((np.arange(len(similarity)), -similarity))[:k]
            found.append([Hit(self.passages[row].id, float(similarity[row]), rank) for rank, row in enumerate(best, 1)])
        return found

    def get(self, ids):
        return [self.passages[self.rows[name]] for name in ids]

    def vectors(self, ids):
        return self.matrix[[self.rows[name] for name in ids]]

    def iterate(self, with_vectors=False, filter=None):
        for row, passage in enumerate(self.passages):
            if filter is None or filter.passes(passage):
                yield passage, self.matrix[row] if with_vectors else None

    def count(self):
        return len(self.passages)


def unit(rows):
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


def at_angles(degrees: Sequence[float]) -> list[list[float]]:
    """Vectors in a plane: the similarity of two is the cosine of the angle between them."""
    return [[float(np.cos(np.radians(angle))), float(np.sin(np.radians(angle)))] for angle in degrees]


def passage(name: str, *, document: str = "", text: str = "") -> Passage:
    return Passage(id=name, text=text or f"{name} {TEXT}", source="given", document=document or name)


def make_seed(label: str, text: str) -> Seed:
    return Seed.make((label,), {"text": text})


def make_task(*labels: str, exclusive: bool = True) -> TaskSpec:
    return TaskSpec.model_validate(
        {
            "path": "task.yml",
            "name": "given",
            "exclusive": exclusive,
            "labels": {label: {"verbalization": f"about {label}"} for label in labels},
            "prompt": {"instruction": "Write {verbalization}."},
            "corpus": {"path": "corpus.jsonl"},
        }
    )
