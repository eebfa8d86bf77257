"""Entity entropy: how many different people, places and things a set of texts names, and how evenly.

Divekar and Durrett 2024 (SynthesizRR, arXiv 2405.10040): for each type t of entity that a named-entity recognizer finds, over the
different strings e that it marked as t, as they stand in the texts (case counts, nothing is folded):

    H_t = − Σ_e p(e|t) · log2 p(e|t)    in bits,    p(e|t) = mentions of e as t / all mentions of t

A teacher that writes from memory names the same few; so the top entities of each type stand beside, with their share of the mentions
and the share of texts that name one of them. Entropy grows with the number of mentions: compare sets of equal size.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.errors import ConfigError

if TYPE_CHECKING:
    from spacy.language import Language

TOP = 10
BATCH = 128
Mention = tuple[str, str]  # type and string


@dataclass(frozen=True)
class Recognizer:
    """A pipeline that finds entities.

    nlp (Language): Loaded. name (str): Name and version, as numbers found with it should be quoted.
    """

    nlp: Language
    name: str

    def mentions(self, texts: Iterable[str]) -> Iterator[list[Mention]]:
        """YIELDS (List[Tuple[str, str]]): Type and string of each entity of a text, in order."""
        for doc in self.nlp.pipe(texts, batch_size=BATCH):
            yield [(entity.label_, entity.text) for entity in doc.ents]


def load_recognizer(pipeline: str) -> Recognizer:
    """Load a trained spaCy pipeline for its entities alone.

    pipeline (str): Package or folder, such as "en_core_web_sm".
    RAISES (ConfigError): When it is not installed or finds no entities.
    """
    import spacy

    try:
        nlp = spacy.load(pipeline, exclude=["parser", "tagger", "lemmatizer", "attribute_ruler", "textcat", "textcat_multilabel"])
    except OSError as error:
        raise ConfigError(
            f"There is no spaCy pipeline '{pipeline}' for entities ({' '.join(str(error).split())}). Install one, such as with "
            "`python -m spacy download en_core_web_sm`, name another or its folder, or set it to null."
        ) from error
    if not {"ner", "entity_ruler"} & set(nlp.pipe_names):
        has = ", ".join(nlp.pipe_names) or "no component"
        raise ConfigError(f"The spaCy pipeline '{pipeline}' finds no entities: it has {has}, and no 'ner'. Name another one.")
    return Recognizer(nlp, f"{nlp.meta['lang']}_{nlp.meta['name']} {nlp.meta['version']}")


def entity_entropy(mentions: Iterable[Iterable[Mention]]) -> dict[str, float]:
    """Entropy of the entities of each type.

    mentions (Iterable[Iterable[Tuple[str, str]]]): Of each text, type and string of its entities.
    RETURNS (Dict[str, float]): Bits, from 0 (always the same entity) to the log2 of the mentions (each time another); the types in order.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in mentions:
        for kind, string in text:
            counts[kind][string] += 1
    return {kind: entropy(counts[kind]) for kind in sorted(counts)}


def entropy(counts: Mapping[str, int]) -> float:
    """RETURNS (float): Bits; 0 for no counts."""
    total = sum(counts.values())
    return max(0.0, -math.fsum(count / total * math.log2(count / total) for count in counts.values())) if total else 0.0


def entities(mentions: Iterable[Iterable[Mention]], *, top: int = TOP) -> dict[str, Any]:
    """What entities a set of texts names, by type.

    mentions (Iterable[Iterable[Tuple[str, str]]]): Of each text, type and string of its entities.
    top (int): How many of the most frequent of each type are listed.
    RETURNS (dict): `n` (texts), `mentions`, and `types`: by type `entropy` (bits), `mentions`, `different`, `texts` (that name any
        of the type), `top` (entity, mentions, share of the mentions), `top_share` (of the mentions) and `top_texts` (share of all
        texts that name one of the top), the most mentioned type first.
    """
    kept = [Counter(text) for text in mentions]
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text in kept:
        for (kind, string), count in text.items():
            counts[kind][string] += count
    ordered = sorted(counts, key=lambda kind: (-counts[kind].total(), kind))
    types = {kind: _of_type(kind, counts[kind], kept, top) for kind in ordered}
    return {"n": len(kept), "mentions": sum(one["mentions"] for one in types.values()), "types": types}


def _of_type(kind: str, counts: Counter[str], texts: list[Counter[Mention]], top: int) -> dict[str, Any]:
    first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]
    total, names = counts.total(), {(kind, string) for string, _ in first}
    return {
        "entropy": entropy(counts),
        "mentions": total,
        "different": len(counts),
        "texts": sum(any(one == kind for one, _ in text) for text in texts),
        "top": [{"entity": string, "mentions": count, "share": count / total} for string, count in first],
        "top_share": sum(count for _, count in first) / total,
        "top_texts": sum(not names.isdisjoint(text) for text in texts) / len(texts),
    }
