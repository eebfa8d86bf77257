"""On sets of which everybody knows which is better, the measures say so: one text repeated, retrieved passages, gold.

All sets have as many texts, and the retrieved ones are as long, word for word, as the gold texts for which they were found: the nearest
passage of each, so that some stand there twice. Mean distance over all pairs (`spread`) is not among the measures that keep this order:
it does not see repetitions.
"""

import json

import pytest
from conftest import ROOT

from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.measuring.features import Features
from spacy_synthesizrr.metrics.compression import compression_ratio
from spacy_synthesizrr.metrics.distinct import distinct
from spacy_synthesizrr.metrics.gaps import vocabulary_gap
from spacy_synthesizrr.metrics.mauve import mauve
from spacy_synthesizrr.metrics.self_bleu import self_bleu
from spacy_synthesizrr.metrics.similarity import coverage, neighbours
from spacy_synthesizrr.metrics.tokens import tokenizer, tokens

NEWS = ROOT / "assets" / "news_demo"


def texts_of(name):
    return [json.loads(line)["text"] for line in (NEWS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def retrieved_for(texts):
    """The beginning of the nearest passage of each text, as many words."""
    corpus = texts_of("corpus")
    embedder = make_lsa_embedder(dimensions=60)
    embedder.fit(corpus, seed=0)
    nearest = (embedder.embed(texts) @ embedder.embed(corpus).T).argmax(axis=1)
    return [" ".join(corpus[place].split()[: len(text.split())]) for text, place in zip(texts, nearest, strict=True)]


@pytest.fixture(scope="module")
def sets():
    gold = [*texts_of("dev"), *texts_of("test")]
    reference, second = gold[::2], gold[1::2]
    worse_to_better = {"repeated": [second[0]] * len(second), "retrieved": retrieved_for(reference), "gold": second}
    features = Features(None, [text for texts in (reference, *worse_to_better.values()) for text in texts], seed=0)
    return reference, worse_to_better, features


@pytest.fixture(scope="module")
def bleus(sets):
    nlp = tokenizer("en")
    return [self_bleu(tokens(texts, nlp)) for texts in sets[1].values()]


def rises(values, by=1.05):
    return all(other > by * one for one, other in zip(values, values[1:], strict=False))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_self_bleu_falls(bleus, n):
    assert rises([found[n - 1] for found in reversed(bleus)])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_distinct_n_rises(sets, n):
    assert rises([distinct(texts, n) for texts in sets[1].values()])


def test_compression_ratio_falls(sets):
    assert rises([compression_ratio(texts) for texts in reversed(sets[1].values())])


def test_the_nearest_other_text_moves_away(sets):
    _, known, features = sets
    assert rises([neighbours(features(texts))["median"] for texts in known.values()])


def test_coverage_of_gold_rises(sets):
    reference, known, features = sets
    assert rises([coverage(features(reference), features(texts))["value"] for texts in known.values()])


@pytest.mark.parametrize(("scaling", "by"), [(1.0, 1.01), (5.0, 1.2)])
def test_mauve_rises(sets, scaling, by):
    reference, known, features = sets
    vectors = [features(texts) for texts in known.values()]
    assert rises([mauve(features(reference), own, clusters=15, scaling=scaling) for own in vectors], by)


def test_the_words_of_one_text_are_furthest_from_gold(sets):
    reference, known, _ = sets
    repeated, retrieved, gold = (vocabulary_gap(reference, texts)["divergence"] for texts in known.values())
    assert repeated > 1.5 * retrieved and retrieved > gold
