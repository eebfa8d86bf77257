"""Near-duplicates by this project, datasketch or rensa, for benchmarks/duplicates.py: a file of words in, candidates and seconds out.

Each text is looked up among those before it and then added, as a filter does that sees one row after the other. Peers get words
that are cut already; the project cuts them itself, from the words with blanks between. What a peer's index names is compared
exactly, with the sets of shingles in memory, so that nobody is blamed for what a look would have shown.
"""

import json
import sys
import time
from collections.abc import Iterable

Found = tuple[list[int], list[bool]]


def shingles(words: list[str], n: int) -> set[str]:
    """RETURNS (Set[str]): The word n-grams of a text; of a shorter one itself."""
    n = min(n, len(words))
    return {" ".join(words[at : at + n]) for at in range(len(words) - n + 1)}


def verified(candidates: Iterable[int], sets: list[set[str]], row: int, threshold: float) -> int:
    """RETURNS (int): The nearest candidate that reaches the threshold, −1 for none."""
    mine, best, found = sets[row], threshold, -1
    for other in sorted(candidates):
        shared = len(mine & sets[other])
        similarity = shared / (len(mine) + len(sets[other]) - shared)
        if similarity >= best - 1e-12 and (found < 0 or similarity > best):
            best, found = similarity, other
    return found


def by_ours(texts: list[list[str]], n: int, threshold: float) -> Found:
    """RETURNS (Tuple[List[int], List[bool]]): For each text the row that it is near to, −1 for none; and whether any was named."""
    from spacy_synthesizrr.curation.near_index import NearIndex, shingle_keys

    index, found = NearIndex(threshold), list[int]()
    for text in texts:
        keys = shingle_keys(" ".join(text), n)
        near = index.nearest(keys)
        found.append(-1 if near is None else near.row)
        index.add(keys)
    return found, [row >= 0 for row in found]


def by_datasketch(texts: list[list[str]], n: int, threshold: float) -> Found:
    """Its LSH as its documentation shows it, 128 permutations, words hashed in bulk."""
    from datasketch import MinHash, MinHashLSH

    sets: list[set[str]] = []
    index, found, named = MinHashLSH(threshold=threshold, num_perm=128), list[int](), list[bool]()
    for row, text in enumerate(texts):
        sets.append(shingles(text, n))
        sketch = MinHash(num_perm=128)
        sketch.update_batch([shingle.encode() for shingle in sets[row]])
        candidates = index.query(sketch)
        named.append(bool(candidates))
        found.append(verified(candidates, sets, row, threshold))
        index.insert(row, sketch, check_duplication=False)
    return found, named


def by_datasketch_bulk(texts: list[list[str]], n: int, threshold: float) -> Found:
    """The same with sketches made 10,000 at a time."""
    from datasketch import MinHash, MinHashLSH

    sets: list[set[str]] = []
    index, found, named = MinHashLSH(threshold=threshold, num_perm=128), list[int](), list[bool]()
    for start in range(0, len(texts), 10_000):
        block = [shingles(text, n) for text in texts[start : start + 10_000]]
        sets += block
        for row, sketch in enumerate(MinHash.bulk([[one.encode() for one in some] for some in block], num_perm=128), start):
            candidates = index.query(sketch)
            named.append(bool(candidates))
            found.append(verified(candidates, sets, row, threshold))
            index.insert(row, sketch, check_duplication=False)
    return found, named


def by_rensa(texts: list[list[str]], n: int, threshold: float) -> Found:
    """Its R-MinHash and LSH, 128 permutations; at 0.5 64 bands of 2, at 0.8 32 of 4: a chance to miss of 10⁻⁸ at the threshold."""
    from rensa import RMinHash, RMinHashLSH

    sets: list[set[str]] = []
    index, found, named = RMinHashLSH(threshold, 128, 64 if threshold < 0.65 else 32), list[int](), list[bool]()
    for row, text in enumerate(texts):
        sets.append(shingles(text, n))
        sketch = RMinHash(128, 42)
        sketch.update(list(sets[row]))
        candidates = index.query(sketch)
        named.append(bool(candidates))
        found.append(verified(candidates, sets, row, threshold))
        index.insert(row, sketch)
    return found, named


def peak_mb() -> int:
    """RETURNS (int): Peak memory of this process; getrusage would tell that of the process which started it, too."""
    with open("/proc/self/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


METHODS = {"ours": by_ours, "datasketch": by_datasketch, "datasketch-bulk": by_datasketch_bulk, "rensa": by_rensa}
with open(sys.argv[2], encoding="utf-8") as file:
    read = [line.split() for line in file]
METHODS[sys.argv[1]](read[:3], int(sys.argv[3]), float(sys.argv[4]))  # imports are no part of what is timed
base = peak_mb()
began, spent = time.monotonic(), time.process_time()
rows, told = METHODS[sys.argv[1]](read, int(sys.argv[3]), float(sys.argv[4]))
took = {"seconds": time.monotonic() - began, "cpu": time.process_time() - spent}
print(json.dumps({**took, "peak_mb": peak_mb(), "texts_mb": base, "rows": rows, "named": told}))
