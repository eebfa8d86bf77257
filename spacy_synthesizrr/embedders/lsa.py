"""Latent semantic analysis: TF-IDF of words and word pairs, reduced by a truncated singular value decomposition.

Sources: Deerwester et al. 1990 (the decomposition), Salton & Buckley 1988 (the weights), Manku & Motwani 2002 (counting in
bounded memory). The fit uses scikit-learn; loading and embedding need numpy alone, because every step is a process of its
own and its start counts. The projection is stored as .npy and memory-mapped: a query touches only the rows of its words.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.embedders.base import EMBEDDER_FILE, unit_rows
from spacy_synthesizrr.errors import ConfigError, InputError, StoreError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.progress import progress
from spacy_synthesizrr.words import MARKS, UNSPACED, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTORY = "synthesizrr.LsaEmbedder.v1"
CURE = "Delete the index and run the step 'index' again."
SMALLEST_SHARE = 1e-5  # below this share of the largest, a direction of a float32 matrix is noise

_ASCII_TOKEN = re.compile(r"\w\w+", re.ASCII)
_TOKEN = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}](?:[^\W{UNSPACED}]|[{MARKS}])+")


def terms(text: str) -> list[str]:
    """The words of a text (two letters or more) and its pairs of neighbouring words, with repetitions."""
    words = (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(plain(text))
    return words + [f"{first} {second}" for first, second in zip(words, words[1:], strict=False)]


def reservoir(texts: Iterable[str], size: int, *, seed: int) -> list[str]:
    """Draw a uniform sample in one pass (Vitter's algorithm R); texts in number up to `size` come out unchanged."""
    draw, sample = random.Random(seed), []
    for number, text in enumerate(texts):
        if number < size:
            sample.append(text)
        elif (place := draw.randrange(number + 1)) < size:
            sample[place] = text
    return sample


def count_terms(texts: Sequence[str], limit: int) -> dict[str, int]:
    """In how many texts each of the commonest terms occurs.

    limit (int): How many terms to keep. Up to 8 times as many are held meanwhile; beyond that the rarest are dropped, and
        start again from 0 when they come back.
    RETURNS (Dict[str, int]): Terms in alphabetic order, ties of the cut broken by the alphabet.
    """
    counts: Counter[str] = Counter()
    floor = 1
    for text in progress(texts, "Counting words", total=len(texts), unit="passages"):
        counts.update(set(terms(text)))
        if len(counts) > 8 * limit:
            counts = Counter({term: count for term, count in counts.items() if count > floor})
            floor += 1
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    return dict(sorted(best))


@dataclass(frozen=True)
class Weights:
    """TF-IDF with sublinear term counts and rows of length 1: (1 + ln tf) · (ln((1 + n) / (1 + df)) + 1)."""

    vocabulary: Mapping[str, int]
    idf: NDArray[np.float32]

    @classmethod
    def learn(cls, texts: Sequence[str], limit: int) -> Weights:
        """texts (Sequence[str]): The sample; `limit` is the size of the vocabulary."""
        counts = count_terms(texts, limit)
        frequencies = np.fromiter(counts.values(), dtype=np.float64, count=len(counts))
        idf = np.log((1 + len(texts)) / (1 + frequencies)) + 1
        return cls({term: column for column, term in enumerate(counts)}, idf.astype(np.float32))

    def of(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """RETURNS (Tuple[ndarray, ndarray]): Columns and weights of the text's known terms."""
        counts = Counter(map(self.vocabulary.get, terms(text)))
        counts.pop(None, None)
        columns = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
        values = np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts))) + 1
        values *= self.idf[columns]
        length = np.sqrt(np.dot(values, values))
        return columns, values / length if length else values

    def matrix(self, texts: Sequence[str]) -> Any:
        """RETURNS (csr_matrix): Shape (texts, terms), float32."""
        from scipy.sparse import csr_matrix

        rows = [self.of(text) for text in progress(texts, "Weighing words", total=len(texts), unit="passages")]
        ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
        columns = np.concatenate([columns for columns, _ in rows]).astype(np.int32)
        values = np.concatenate([values for _, values in rows])
        return csr_matrix((values, columns, ends), shape=(len(texts), len(self.vocabulary)))


def reduce_matrix(matrix: Any, dimensions: int, *, seed: int) -> NDArray[np.float32]:
    """The directions in which the rows of a TF-IDF matrix differ most.

    RETURNS (ndarray): The projection, shape (terms, dimensions or fewer), columns of length 1. The entry of each column
        that is largest in size is positive: the decomposition leaves the sign open.
    """
    from sklearn.decomposition import TruncatedSVD

    if matrix.shape[1] == 1:  # TruncatedSVD wants two terms
        return np.ones((1, 1), dtype=np.float32)
    wanted = min(dimensions, *matrix.shape)
    svd = TruncatedSVD(wanted, algorithm="randomized", n_iter=4, random_state=seed % 2**32)
    with np.errstate(all="ignore"):  # a sample of equal rows has no variance, by which sklearn divides
        svd.fit(matrix)
    sizes = svd.singular_values_
    rows = svd.components_[sizes > sizes[0] * SMALLEST_SHARE]
    signs = np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])
    return np.ascontiguousarray((rows * signs[:, None]).T, dtype=np.float32)


class LsaEmbedder:
    """TF-IDF and truncated SVD, fitted on a seeded sample of the corpus."""

    normalised = True

    def __init__(self, dimensions: int, sample: int, max_features: int) -> None:
        self.parameters = {"dimensions": dimensions, "sample": sample, "max_features": max_features}
        self._fingerprint = ""
        self._weights = Weights({}, np.zeros(0, dtype=np.float32))
        self._projection: NDArray[np.float32] = np.zeros((0, dimensions), dtype=np.float32)

    @property
    def recipe(self) -> str:
        """RETURNS (str): Name and parameters."""
        return "lsa-v1-d{dimensions}-s{sample}-f{max_features}".format(**self.parameters)

    @property
    def id(self) -> str:
        """RETURNS (str): Recipe and fingerprint of the fit.

        RAISES (StoreError): Before the fit.
        """
        self._need_fit()
        return f"{self.recipe}-{self._fingerprint}"

    @property
    def dimensions(self) -> int:
        """RETURNS (int): Numbers in a vector: those asked for, or the rank of the sample where that is smaller."""
        return int(self._projection.shape[1])

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Learn vocabulary, weights and projection from a sample of the texts.

        seed (int): Of the sample and of the decomposition; the same texts and seed give the same embedder.
        RAISES (InputError): When no text holds a word.
        """
        sample = reservoir(texts, self.parameters["sample"], seed=seed)
        weights = Weights.learn(sample, self.parameters["max_features"])
        if not weights.vocabulary:
            raise InputError(f"None of the {len(sample)} passages holds a word of two letters.", cure="Check the column of the text.")
        projection = reduce_matrix(weights.matrix(sample), self.parameters["dimensions"], seed=seed)
        self._weights, self._projection = weights, projection
        self._fingerprint = _fingerprint(weights, projection)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Shape (len(texts), dimensions), rows of length 1; a text without a known word is a zero row."""
        self._need_fit()
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            columns, values = self._weights.of(text)
            if len(columns):
                vectors[row] = values @ self._projection[columns]
        return unit_rows(vectors)

    def save(self, folder: Path) -> None:
        """Write embedder.json, vocabulary.json, idf.npy and projection.npy."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "idf.npy", self._weights.idf, allow_pickle=False)
        np.save(folder / "projection.npy", self._projection, allow_pickle=False)
        write_json(folder / "vocabulary.json", list(self._weights.vocabulary))
        about = {"v": 1, "factory": FACTORY, "parameters": self.parameters, "id": self.id, "fingerprint": self._fingerprint}
        write_json(folder / EMBEDDER_FILE, about)

    def load(self, folder: Path) -> LsaEmbedder:
        """Read what `save` wrote.

        RAISES (StoreError): When a file is missing or damaged, or was fitted with other parameters.
        """
        about = read_json(folder / EMBEDDER_FILE, cure=CURE)
        if about.get("parameters") != self.parameters:
            raise StoreError(
                f"The embedder in {folder} was fitted with {about.get('parameters')}, not with {self.parameters}. "
                "Run the step 'index' again, or set [embedder] back."
            )
        try:
            words = read_json(folder / "vocabulary.json", cure=CURE)
            idf = np.load(folder / "idf.npy", allow_pickle=False)
            projection = np.load(folder / "projection.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise StoreError(f"The embedder in {folder} is damaged ({error}). {CURE}") from error
        if not len(words) == len(idf) == len(projection):
            raise StoreError(f"The embedder in {folder} is damaged (its files have different lengths). {CURE}")
        loaded = LsaEmbedder(**self.parameters)
        loaded._weights = Weights({word: column for column, word in enumerate(words)}, idf)
        loaded._projection, loaded._fingerprint = projection, about["fingerprint"]
        return loaded

    def _need_fit(self) -> None:
        if not self._fingerprint:
            raise StoreError("This embedder has not been fitted. Call fit(texts, seed=…) or load(folder) first.")


def _fingerprint(weights: Weights, projection: NDArray[np.float32]) -> str:
    state = hashlib.sha256("\n".join(weights.vocabulary).encode())
    state.update(np.ascontiguousarray(weights.idf).data)
    state.update(np.ascontiguousarray(projection).data)
    return state.hexdigest()[:16]


def make_lsa_embedder(dimensions: int = 256, sample: int = 50000, max_features: int = 100000) -> LsaEmbedder:
    """Make an embedder that is fitted on the corpus itself and needs no model, network or GPU.

    dimensions (int): Numbers in a vector; a corpus of fewer passages gives fewer.
    sample (int): Passages drawn for the fit, at most.
    max_features (int): Words and word pairs kept, the commonest first.
    RETURNS (LsaEmbedder): Not fitted.
    RAISES (ConfigError): When a number is smaller than 1.
    """
    for name, value in (("dimensions", dimensions), ("sample", sample), ("max_features", max_features)):
        if value < 1:
            raise ConfigError(f"[embedder] '{name}' must be 1 or more (was: {value}).")
    return LsaEmbedder(dimensions, sample, max_features)
