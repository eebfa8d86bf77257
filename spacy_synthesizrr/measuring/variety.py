"""How varied sets of rows are: distinct n-grams, compression and Self-BLEU, which all depend on how many texts they are given."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import label_key
from spacy_synthesizrr.measuring.sets import MAIN, RowSet, comparable_sizes, mean_words, sampled
from spacy_synthesizrr.metrics.compression import compression_ratio
from spacy_synthesizrr.metrics.counts import label_counts
from spacy_synthesizrr.metrics.distinct import distinct
from spacy_synthesizrr.metrics.lengths import lengths, lengths_by_label
from spacy_synthesizrr.metrics.samples import draw
from spacy_synthesizrr.metrics.self_bleu import self_bleu
from spacy_synthesizrr.metrics.tokens import tokenizer, tokens

if TYPE_CHECKING:
    from spacy.language import Language

NGRAMS = (1, 2, 3)
BLEUS = (1, 2, 3, 4, 5)


def all_rows(rows: RowSet, *, seed: int, sample: int) -> dict[str, Any]:
    """RETURNS (dict): Of all rows of a set: `labels`, `lengths` (overall and `per_label`), and the measures that depend on size, each with
    its `value` and `n`: not to be compared between sets.
    """
    labels = label_counts(labels for labels, _ in rows.read())
    per_label = lengths_by_label((label_key(labels), text) for labels, text in rows.read())
    return {
        "labels": labels,
        "lengths": {**lengths(rows.texts()), "per_label": per_label},
        **_distinct(draw(rows.texts(), sample, seed=seed)),
        "compression_ratio": {"value": compression_ratio(rows.texts()), "n": labels["n"]},
    }


def groups(sets: Sequence[RowSet], counts: dict[str, int], *, seed: int, lang: str | None, sample: int) -> list[dict[str, Any]]:
    """Sets side by side at equal size, once per size: the smallest of all, and larger ones without the sets that are too small.

    counts (Dict[str, int]): Rows of each set. lang (str | None): Of the tokenizer of Self-BLEU; None leaves it out.
    RETURNS (List[dict]): `n` and `sets`; of each set `words` (mean length), `distinct_1` …, `compression_ratio`, `self_bleu_1` …, each
        with its `value` and `n`. Larger distinct-n, smaller ratio and smaller Self-BLEU are more varied.
    """
    nlp = tokenizer(lang) if lang else None
    found = []
    for size in comparable_sizes(counts, most=sample):
        there = [rows for rows in sets if min(counts[rows.name], sample) >= size]
        texts = {rows.name: draw(rows.texts(), size, seed=seed) for rows in there}
        found.append({"n": size, "sets": {name: sized(own, nlp) for name, own in texts.items()}})
    return found


def labels(sets: Sequence[RowSet], *, seed: int, lang: str, sample: int) -> dict[str, Any]:
    """Self-BLEU of each label's rows, at the size that this label has in main.

    RETURNS (dict): By label key `n` and `sets`: of each set that has as many rows of the label its `words` and `self_bleu_1` ….
    """
    nlp = tokenizer(lang)
    drawn: dict[str, dict[str, list[str]]] = {}
    for rows in sets:
        for row_labels, text in sampled(rows, sample, seed=seed):
            drawn.setdefault(label_key(row_labels), {}).setdefault(rows.name, []).append(text)
    found = {}
    for key, own in sorted(drawn.items()):
        sizes = comparable_sizes({name: len(texts) for name, texts in own.items()}, most=sample)
        size = max((size for size in sizes if len(own.get(MAIN, ())) >= size), default=0)
        if size > 1:
            there = {name: draw(texts, size, seed=seed) for name, texts in own.items() if len(texts) >= size}
            found[key] = {"n": size, "sets": {name: {"words": _words(texts), **_self_bleu(texts, nlp)} for name, texts in there.items()}}
    return found


def sized(texts: Sequence[str], nlp: Language | None) -> dict[str, Any]:
    """RETURNS (dict): See `groups`. Texts are compressed in a random order: sorted by label, as files may be, they compress better."""
    ratio = {"compression_ratio": {"value": compression_ratio(random.Random(0).sample(texts, len(texts))), "n": len(texts)}}
    return {"words": _words(texts), **_distinct(texts), **ratio, **(_self_bleu(texts, nlp) if nlp else {})}


def _words(texts: Sequence[str]) -> dict[str, Any]:
    return {"value": mean_words(texts), "n": len(texts)}


def _distinct(texts: Sequence[str]) -> dict[str, Any]:
    return {f"distinct_{n}": {"value": distinct(texts, n), "n": len(texts)} for n in NGRAMS}


def _self_bleu(texts: Sequence[str], nlp: Language) -> dict[str, Any]:
    found = self_bleu(tokens(texts, nlp), max(BLEUS))
    return {f"self_bleu_{n}": {"value": found and found[n - 1], "n": len(texts)} for n in BLEUS}
