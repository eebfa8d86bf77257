"""Keyword search right after writing: some servers find it hard for a minute.

They keep what was written last in memory before they sort it in, and until then their keyword search skips passages that
it should find (https://github.com/weaviate/weaviate/pull/11780). Whether that is so is tried with passages that must be
found by their own words.
"""

from __future__ import annotations

import random
import time

from spacy_synthesizrr.progress import say
from spacy_synthesizrr.stores.weaviate.objects import Stored
from spacy_synthesizrr.stores.weaviate.schema import ROW
from spacy_synthesizrr.stores.weaviate.table import Table

PROBES, AMONG = 6, 2000  # passages that are tried, among those written last
NEAR = 10  # ranks at which a passage is found by its own words
LONGEST_WAIT, PAUSE = 100.0, 1.0  # seconds; servers sort in after a minute of rest


def wait_for_words(table: Table, rows: int) -> bool:
    """Wait until keyword search finds what was written last.

    rows (int): Passages in the collection.
    RETURNS (bool): Whether it does; when it does not after two minutes, that is not the reason.
    """
    chosen = random.Random(0).sample(range(max(0, rows - AMONG), rows), min(PROBES, rows))
    left = [stored for stored in table.by_rows(chosen).values() if not stored.deleted and stored.passage.text.strip()]
    left = [stored for stored in left if not _found(table, stored)]
    if not left:
        return True
    say("Weaviate sorts in the words of what was written last; keyword search waits for it (a minute at most).")
    last = time.monotonic() + LONGEST_WAIT
    while left and time.monotonic() < last:
        time.sleep(PAUSE)
        left = [stored for stored in left if not _found(table, stored)]
    return not left


def _found(table: Table, stored: Stored) -> bool:
    with table.speaking("searching by words"):
        found = table.collection.query.bm25(stored.passage.text, query_properties=["text"], limit=NEAR, return_properties=[ROW, "text"])
    if any(each.properties["text"] == stored.passage.text for each in found.objects):
        return True  # it, or one that says the same: of many of those it need not be among the first
    return not found.objects  # nothing at all: there is no word in it
