"""Keyword search: BM25 over the words of `words.py`, in files beside the passages.

A word is known by 64 bits of a hash. Its postings are the rows that hold it, and what it adds to their scores:

    idf · tf / (tf + K1 · (1 − B + B · length / mean length)),  idf = ln(1 + (n − df + 0.5) / (df + 0.5))

(Robertson & Zaragoza 2009, section 3.4; this idf, which is never negative, is that of Lucene and of vector databases.) A word
that a query says twice counts twice. What a posting adds is a multiple of 2⁻²⁰, so sums are exact in any order, and ties are ties.

    terms.npy  the hashes, in rising order                rows.npy    the rows of all postings, one word after the other
    ends.npy   where the postings of each word begin,     shares.npy  what each adds
               and where the last end                     keywords.json  what belongs together

Making them sorts the postings on disk, part by part: memory holds 4 bytes per passage and the largest part.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.errors import InputError, StoreError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.progress import progress
from spacy_synthesizrr.stores.passages import PassageFile, batched
from spacy_synthesizrr.stores.publish import publish, workspace
from spacy_synthesizrr.stores.ranking import Ranking
from spacy_synthesizrr.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

K1, B = 1.2, 0.75
UNIT = 2.0**-20
ABOUT = "keywords.json"
FORMAT = 1
PARTS = 64  # of the postings, by the first bits of the word's hash
CACHED = 200_000  # words whose hashes are remembered meanwhile
POSTING = np.dtype([("term", "<u8"), ("row", "<i4"), ("count", "<i4")])


def hash_word(word: str) -> int:
    """RETURNS (int): 64 bits, the same in every process."""
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


class _Hashes(dict[str, int]):
    """Remembers the hashes of words."""

    def __missing__(self, word: str) -> int:
        if len(self) >= CACHED:
            self.clear()
        value = self[word] = hash_word(word)
        return value


def write_keywords(work: Path, texts: Iterable[str], *, total: int, index: str) -> None:
    """Index the words of all passages in a folder of their own.

    texts (Iterable[str]): In the order of the rows; read once.
    total (int): How many there are.
    index (str): Key of the index; `open_keywords` asks for it.
    """
    lengths, hashes = array("I"), _Hashes()
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context((work / f"{number}.part").open("w+b")) for number in range(PARTS)]
        for batch in batched(progress(texts, "Indexing words", total=total, unit="passages")):
            for number, postings in _postings(batch, lengths, hashes):
                parts[number].write(postings.tobytes())
        _write_arrays(work, parts, np.frombuffer(lengths, dtype=np.uint32))
    for number in range(PARTS):
        (work / f"{number}.part").unlink()
    sizes = {path.name: path.stat().st_size for path in sorted(work.glob("*.npy"))}
    write_json(work / ABOUT, {"v": 1, "format": FORMAT, "index": index, "passages": total, "bytes": sizes})


def _postings(texts: Sequence[str], lengths: array[int], hashes: Mapping[str, int]) -> Iterator[tuple[int, NDArray[np.void]]]:
    """YIELDS (Tuple[int, ndarray]): The number of a part and what some passages add to it, by row; their lengths are noted."""
    terms, counts, sizes, first = array("Q"), array("i"), [], len(lengths)
    for text in texts:
        found = Counter(words(text))
        terms.extend(map(hashes.__getitem__, found))
        counts.extend(found.values())
        sizes.append(len(found))
        lengths.append(found.total())
    postings = np.empty(len(terms), dtype=POSTING)
    postings["term"], postings["count"] = terms, counts
    postings["row"] = np.repeat(np.arange(first, len(lengths)), sizes)
    part = (postings["term"] // np.uint64(2**64 // PARTS)).astype(np.int64)
    order = np.argsort(part, kind="stable")
    ends = np.cumsum(np.bincount(part, minlength=PARTS))
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        if end > start:
            yield number, postings[order[start:end]]


def _write_arrays(work: Path, parts: Sequence[IO[bytes]], lengths: NDArray[np.uint32]) -> None:
    """Sort each part by word and append it to the arrays."""
    total = sum(part.tell() for part in parts) // POSTING.itemsize
    damping = K1 * (1 - B + B * lengths / (lengths.mean() or 1))
    terms, counts = [], []
    with (work / "rows.npy").open("wb") as rows, (work / "shares.npy").open("wb") as shares:
        for file, kind in ((rows, "<i4"), (shares, "<f4")):
            np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": (total,)})
        for part in parts:
            part.seek(0)
            postings = np.frombuffer(part.read(), dtype=POSTING)
            postings = postings[np.argsort(postings["term"], kind="stable")]
            found, df = np.unique(postings["term"], return_counts=True)
            idf = np.log(1 + (len(lengths) - df + 0.5) / (df + 0.5))
            share = np.repeat(idf, df) * postings["count"] / (postings["count"] + damping[postings["row"]])
            rows.write(postings["row"].astype("<i4").tobytes())
            shares.write((np.maximum(np.round(share / UNIT), 1) * UNIT).astype("<f4").tobytes())
            terms.append(found)
            counts.append(df)
        for file in (rows, shares):
            file.flush()
            os.fsync(file.fileno())
    np.save(work / "terms.npy", np.concatenate(terms), allow_pickle=False)
    np.save(work / "ends.npy", np.concatenate(([0], np.cumsum(np.concatenate(counts)))).astype(np.int64), allow_pickle=False)


class Keywords:
    """Searches what `write_keywords` wrote; the files are mapped, not read."""

    def __init__(self, folder: Path, passages: int) -> None:
        self._passages = passages
        self._terms, self._ends, self._rows, self._shares = (
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
            for name in ("terms", "ends", "rows", "shares")
        )

    def best(self, text: str, n: int, *, banned: NDArray[np.int64]) -> Ranking:
        """The rows with the largest scores; those that share no word with the text are never among them.

        banned (ndarray): Row numbers that may not be found.
        RETURNS (Ranking): By rows, n or fewer; a score is exact to about 2⁻²¹ per word of the text.
        """
        scores = self._scores(Counter(words(text)))
        scores[banned] = 0
        rows = np.flatnonzero(scores)
        if len(rows) > n:
            floor = np.partition(scores[rows], len(rows) - n)[len(rows) - n]
            above, equal = rows[scores[rows] > floor], rows[scores[rows] == floor]
            rows = np.sort(np.concatenate((above, equal[: n - len(above)])))
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        return Ranking(rows, scores[rows])

    def _scores(self, counts: Mapping[str, int]) -> NDArray[np.float64]:
        """RETURNS (ndarray): The score of every row."""
        scores = np.zeros(self._passages)
        hashes = np.array([hash_word(word) for word in counts], dtype=np.uint64)
        places = np.searchsorted(self._terms, hashes)
        for value, place, count in zip(hashes, places, counts.values(), strict=True):
            if place < len(self._terms) and self._terms[place] == value:
                span = slice(self._ends[place], self._ends[place + 1])
                np.add.at(scores, self._rows[span].astype(np.intp), self._shares[span].astype(np.float64) * count)
        return scores


def ready_keywords(folder: Path, passages: PassageFile, *, index: str) -> Keywords:
    """Open the words of an index; the first to ask writes them.

    folder (Path): Where they are or will be.
    passages (PassageFile): The rows of the index.
    index (str): Its key.
    RAISES (StoreError): When they cannot be written.
    """
    found = open_keywords(folder, index=index)
    if found is not None:
        return found
    try:
        with workspace(folder) as work:
            texts = (passage.text for passage in passages.get(range(len(passages))))
            write_keywords(work, texts, total=len(passages), index=index)
            publish(work, folder, keep=lambda: open_keywords(folder, index=index) is not None)
        return Keywords(folder, len(passages))
    except OSError as error:
        raise StoreError(
            f"The words of the passages cannot be indexed in {folder} ({error}). Search by keyword once as somebody who may write "
            "there and with space on the disk, or search by vector; if the index was just built anew, try again."
        ) from error


def open_keywords(folder: Path, *, index: str) -> Keywords | None:
    """RETURNS (Optional[Keywords]): What lies in a folder; None unless it is whole and belongs to this index."""
    try:
        about = read_json(folder / ABOUT)
        whole = all((folder / name).stat().st_size == size for name, size in about["bytes"].items())
        if whole and (about["format"], about["index"]) == (FORMAT, index):
            return Keywords(folder, about["passages"])
    except (OSError, InputError, KeyError, TypeError, AttributeError):
        pass
    return None
