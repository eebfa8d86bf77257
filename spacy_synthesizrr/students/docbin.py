"""Docs with what is known of each row, in spaCy's own file format, without its price.

A DocBin that stores `user_data` packs and unpacks it doc by doc, and each time srsly asks every installed package for encoders: a
millisecond, twenty times what the rest of a doc takes. Here one packer and one unpacker serve a whole file. The bytes are the same, so
that DocBin itself reads what is written here, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import srsly.msgpack
from spacy.tokens import DocBin

if TYPE_CHECKING:
    from spacy.tokens import Doc
    from spacy.vocab import Vocab


def pack(docs: Iterable[Doc]) -> DocBin:
    """Put docs into a DocBin, with their `cats` and `user_data`, and without annotations.

    RETURNS (DocBin): As DocBin(attrs=[], store_user_data=True) with each of them added.
    """
    found = DocBin(attrs=[])
    packer = srsly.msgpack.Packer(use_bin_type=True)
    known = []
    for doc in docs:
        found.add(doc)
        known.append(packer.pack(doc.user_data))
    found.store_user_data, found.user_data = True, known
    return found


def unpack(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """YIELDS (Doc): The docs of a file, in order, with their `cats` and `user_data`."""
    found = DocBin().from_disk(path)
    known, found.user_data = found.user_data, []
    unpacker = srsly.msgpack.Unpacker(raw=False, use_list=False)
    for doc, packed in zip(found.get_docs(vocab), known, strict=True):
        if packed is not None:
            unpacker.feed(packed)
            doc.user_data.update(unpacker.unpack())
        yield doc
