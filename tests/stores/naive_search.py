"""Search as its definitions say it, in plain Python: what every store must find."""

import hashlib
import math
import random
import re
from collections import Counter

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.stores.base import BY_VECTOR, Condition, Filter

K1, B = 1.2, 0.75
WORDS = (
    "ferry harbour storm island captain choir concert song stage applause keeper penalty match league goal loan bank interest "
    "rate market river valley bridge"
).split()


class WordVectors:
    """An embedder for tests: the sum of a fixed vector per word, so that equal texts have equal vectors. Nothing to fit."""

    normalised = True
    dimensions = 12
    recipe = id = "word-vectors-of-tests"

    def fit(self, texts, *, seed):
        pass

    def embed(self, texts):
        return np.array([self.vector(text) for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)

    def vector(self, text):
        found = np.zeros(self.dimensions)
        for word in re.findall(r"\w+", text.lower()):
            found += np.random.default_rng(int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)).normal(size=self.dimensions)
        length = np.linalg.norm(found)
        return found / length if length else found

    def save(self, folder):
        from spacy_synthesizrr.jsonl import write_json

        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "embedder.json", {"v": 1, "factory": "tests.WordVectors.v1", "parameters": {}})

    def load(self, folder):
        return WordVectors()


def a_corpus(count=90, seed=5):
    """Passages of few words: many share words, documents and metadata, some share the text, some lack a key."""
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(WORDS, weights=range(len(WORDS), 0, -1), k=draw.randint(2, 9))) for _ in range(count)]
    for row in range(0, count, 9):
        texts[row] = texts[(row + 4) % count]
    return [
        Passage(
            id=f"00000000-0000-5000-8000-{row:012d}",
            text=text,
            source="river" if row % 3 else "harbour",
            document="" if row % 10 == 0 else f"document {row % 17}",
            number=row % 5,
            meta=some_metadata(row),
        )
        for row, text in enumerate(texts)
    ]


def some_metadata(row):
    found = {"year": 1990 + row % 30, "date": f"2026-{1 + row % 12:02d}-{1 + row % 28:02d}", "open": row % 2 == 0, "share": row / 7}
    found["tags"] = ["red", "blue", "green"][row % 3 : row % 3 + 2]
    return {key: value for place, (key, value) in enumerate(found.items()) if (row + place) % 6}


class Reference:
    """The hits that a corpus must give.

    unit (float): What shares of BM25 are multiples of; 0 for the formula as it stands.
    """

    def __init__(self, passages, *, unit=0.0):
        self.passages, self.unit = list(passages), unit
        self.vectors = unit_vectors([p.text for p in self.passages])
        self.counts = [Counter(re.findall(r"\w+", p.text.lower())) for p in self.passages]

    def find(self, text, k, how=BY_VECTOR, filter=None):
        """RETURNS: Rows and scores of the hits, in their order."""
        rows = [row for row, passage in enumerate(self.passages) if filter is None or filter.passes(passage)]
        depth = how.candidates(k)
        while True:
            ranking = self.rank(text, rows, depth, how)
            kept = [(row, score) for row, score in ranking if how.min_similarity is None or score >= how.min_similarity]
            kept = self.within_quota(kept, how.per_document)
            if how.per_document is None or how.fetch or len(kept) >= k or depth >= len(rows):
                break
            depth *= 2
        if how.diversity is not None:
            kept = self.diverse(kept, k, how)
        return kept[:k]

    def rank(self, text, rows, depth, how):
        vector = self.by_cosine(text, rows)[:depth] if how.mode != "keyword" else []
        keyword = self.by_words(text, rows)[:depth] if how.mode != "vector" else []
        if how.mode != "hybrid":
            return vector or keyword
        fused = Counter()
        for part, weight in ((vector, how.alpha), (keyword, 1 - how.alpha)):
            scores = [score for _, score in part]
            for row, score in part if weight else ():
                fused[row] += weight * ((score - min(scores)) / (max(scores) - min(scores)) if max(scores) > min(scores) else 1.0)
        return ordered((row, round(score, 6) + 0.0) for row, score in fused.items())

    def by_cosine(self, text, rows):
        (query,) = unit_vectors([text])
        return ordered((row, round(dot(query, self.vectors[row]), 6) + 0.0) for row in rows)

    def by_words(self, text, rows):
        mean = sum(count.total() for count in self.counts) / len(self.counts)
        scores = Counter()
        for word in re.findall(r"\w+", text.lower()):
            df = sum(word in count for count in self.counts)
            idf = math.log(1 + (len(self.counts) - df + 0.5) / (df + 0.5))
            for row in rows:
                tf = self.counts[row][word]
                if tf:
                    share = idf * tf / (tf + K1 * (1 - B + B * self.counts[row].total() / mean))
                    scores[row] += round(share / self.unit) * self.unit if self.unit else share
        return ordered(scores.items())

    def within_quota(self, ranking, quota):
        seen, kept = Counter(), []
        for row, score in ranking:
            passage = self.passages[row]
            name = (passage.source, passage.document or passage.id)
            seen[name] += 1
            if quota is None or seen[name] <= quota:
                kept.append((row, score))
        return kept

    def diverse(self, ranking, k, how):
        left, chosen = list(ranking), []
        best = ranking[0][1] if ranking and how.mode == "keyword" else 1.0

        def value(pair):
            likeness = max((round(dot(self.vectors[pair[0]], self.vectors[row]), 6) for row, _ in chosen), default=0.0)
            return round(how.diversity * pair[1] / best - (1 - how.diversity) * likeness, 9)

        while left and len(chosen) < k:
            values = [value(pair) for pair in left]
            chosen.append(left.pop(values.index(max(values))))
        return chosen


def unit_vectors(texts):
    """Vectors as stores keep them: of length 1, in single precision."""
    return [[float(number) for number in row] for row in unit_rows(WordVectors().embed(texts))]


def dot(one, other):
    return math.fsum(a * b for a, b in zip(one, other, strict=True))


def ordered(pairs):
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


FILTERS = [
    Filter(),
    Filter(frozenset(f"00000000-0000-5000-8000-{row:012d}" for row in range(0, 90, 2))),
    Filter(where=(Condition("source", "==", "harbour"),)),
    Filter(where=(Condition("document", "in", ("document 3", "document 4", "document 99")),)),
    Filter(where=(Condition("number", "<=", 1),)),
    Filter(where=(Condition("year", ">=", 2005), Condition("year", "<", 2010))),
    Filter(where=(Condition("date", ">", "2026-06-30"),)),
    Filter(where=(Condition("open", "==", True),)),
    Filter(where=(Condition("share", "<", 2.5),)),
    Filter(where=(Condition("tags", "==", "red"),)),
    Filter(where=(Condition("tags", "!=", "green"),)),
    Filter(where=(Condition("year", "!=", 1999), Condition("source", "!=", "harbour"))),
    Filter(frozenset(["00000000-0000-5000-8000-000000000004", "nobody"]), (Condition("tags", "in", ("blue", "green")),)),
]
