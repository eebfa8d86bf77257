"""Where rows come from: how many share a passage, a document or a seed, and how much of them stands in the corpus word for word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.measuring.sets import Row, mean_words, missing
from spacy_synthesizrr.metrics.concentration import concentration
from spacy_synthesizrr.metrics.novelty import novelties
from spacy_synthesizrr.stores.base import Store
from spacy_synthesizrr.stores.passages import batched

BATCH = 256


def measure_sources(arms: Mapping[str, Iterable[Candidate]], store: Store | None) -> dict[str, Any]:
    """How evenly the rows of each arm are spread over passages, documents and seeds; all rows.

    arms (Mapping): Rows that can be read again and again. store (Store | None): Knows which document a passage is of.
    RETURNS (dict): By arm `passages`, `documents` and `seeds`: see `concentration`. An arm without passages has none of the first two.
    """
    found = {}
    for name, rows in arms.items():
        passages = {"passages": concentration(row.passage_id for row in rows if row.passage_id)}
        if store is not None:
            passages["documents"] = concentration(_documents(rows, store))
        found[name] = {key: about for key, about in passages.items() if about["n"]} | {"seeds": concentration(row.seed_id for row in rows)}
    return found or missing("There are no rows.")


def _documents(rows: Iterable[Candidate], store: Store) -> Iterator[tuple[str, str]]:
    for batch in batched((row.passage_id for row in rows if row.passage_id), BATCH):
        wanted = sorted({passage_id for passage_id in batch if passage_id})
        known = {passage.id: (passage.source, passage.document) for passage in store.get(wanted)}
        yield from (known[passage_id] for passage_id in batch if passage_id)


def measure_novelty(
    sets: Mapping[str, Sequence[Row]], arms: Mapping[str, Iterable[Candidate]], store: Store | None, *, most: int
) -> dict[str, Any]:
    """The share of n-grams that do not stand in the corpus, for each arm and for gold, which nobody took from there.

    sets (Mapping): Rows of the arms and of gold. most (int): Passages of a corpus that is read as a whole.
    RETURNS (dict): `against` ("corpus", or "passages" of the rows only), `passages` (how many were read), and `sets`: `n`, `words` and
        the shares `novel_1` ….
    """
    if store is None:
        return missing("This run has no index, so there are no passages to compare with.")
    whole = store.count() <= most
    count = [0]
    texts = (passage.text for passage, _ in store.iterate()) if whole else _own_passages(arms, store)
    found = novelties({name: [text for _, text in rows] for name, rows in sets.items()}, _counted(texts, count))
    about = {
        name: {"n": len(rows), "words": mean_words([text for _, text in rows])} | {f"novel_{n}": share for n, share in found[name].items()}
        for name, rows in sets.items()
    }
    return {"against": "corpus" if whole else "passages", "passages": count[0], "sets": about}


def _own_passages(arms: Mapping[str, Iterable[Candidate]], store: Store) -> Iterator[str]:
    wanted = sorted({row.passage_id for rows in arms.values() for row in rows if row.passage_id})
    for batch in batched(wanted, BATCH):
        yield from (passage.text for passage in store.get(batch))


def _counted(texts: Iterable[str], count: list[int]) -> Iterator[str]:
    for text in texts:
        count[0] += 1
        yield text
