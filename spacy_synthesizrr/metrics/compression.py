"""Compression ratio: how much a set of texts repeats itself, found by a general compressor."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

GZIP = 16 + zlib.MAX_WBITS
LEVEL = 9


def compression_ratio(texts: Iterable[str]) -> float | None:
    """Bytes of all texts, joined by blanks, over their bytes after gzip (Shaib et al. 2024, arXiv 2403.00553, section 3).

    Larger means more repetition. It grows with the amount of text, so compare sets of equal size. gzip finds a
    repetition only within the last 32 KB: the order of the texts counts a little, and repetitions far apart are not seen.
    The texts are compressed once, as they come, in flat memory.

    texts (Iterable[str]): At least one.
    RETURNS (float): The ratio; below 1 for a few short texts, because of gzip's own 18 bytes. None when there is no byte.
    """
    squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    before = after = 0
    for number, text in enumerate(texts):
        block = (" " + text if number else text).encode("utf-8", errors="surrogatepass")
        before += len(block)
        after += len(squeeze.compress(block))
    return before / (after + len(squeeze.flush())) if before else None
