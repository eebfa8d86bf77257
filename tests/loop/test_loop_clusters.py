"""The order of errors: every beginning is spread over labels and kinds of error."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from error_rows import make_task, said
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.embedders.none import make_no_embedder
from spacy_synthesizrr.loop.clusters import Clustered, cluster_errors, number_of_clusters, order_errors, spread
from spacy_synthesizrr.loop.errors import ErrorSettings

TASK = make_task("a", "b", "c")
WRONG = {"a": "b", "b": "c", "c": "a"}
FOUND = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.floats(0, 9)), max_size=40)
KINDS = {"rain": "It rained hard and the streets were wet, number", "bank": "The bank raised its interest rates again, number"}


def clustered(found):
    return [Clustered(said(line, label, WRONG[label], loss=loss), cluster) for line, (label, cluster, loss) in enumerate(found, 1)]


def even(counts, whole):
    """Whether no count is two behind another, but where all of it is there."""
    return all(counts[one] == whole[one] or counts[one] >= max(counts.values()) - 1 for one in whole)


@given(FOUND)
def test_every_beginning_is_spread_over_labels_and_clusters(found):
    order = spread(clustered(found), TASK)
    assert sorted(one.error.line for one in order) == list(range(1, len(found) + 1))
    labels = Counter(label for label, _, _ in found)
    kinds: dict[str, Counter[int]] = defaultdict(Counter)
    for label, cluster, _ in found:
        kinds[label][cluster] += 1
    for stop in range(1, len(order) + 1):
        head = order[:stop]
        assert even(Counter(one.error.labels[0] for one in head), labels)
        for label, whole in kinds.items():
            assert even(Counter(one.cluster for one in head if one.error.labels == (label,)) or Counter({0: 0}), whole)


@given(FOUND)
def test_largest_loss_of_a_cluster_comes_first(found):
    losses = defaultdict(list)
    for one in spread(clustered(found), TASK):
        losses[one.error.labels, one.cluster].append(one.error.loss)
    assert all(some == sorted(some, reverse=True) for some in losses.values())


@given(FOUND, st.randoms(use_true_random=False))
def test_order_does_not_depend_on_the_order_of_the_errors(found, rng):
    errors = clustered(found)
    mixed = errors.copy()
    rng.shuffle(mixed)
    assert spread(mixed, TASK) == spread(errors, TASK)


@pytest.mark.parametrize(
    ("errors", "wanted", "found"), [(1, "auto", 1), (8, "auto", 2), (200, "auto", 10), (5, 3, 3), (2, 3, 2), (9, 0, 1)]
)
def test_number_of_clusters(errors, wanted, found):
    assert number_of_clusters(errors, wanted) == found


def kinds_of_errors():
    """Eight errors of one label: six of one kind, which have the largest losses, and two of another."""
    rows = [("rain", 5.0 - n / 10) for n in range(6)] + [("bank", 1.0), ("bank", 0.9)]
    return [said(n, "a", "b", text=f"{KINDS[kind]} {n}.", loss=loss) for n, (kind, loss) in enumerate(rows, 1)]


@pytest.mark.parametrize("embedder", [None, make_no_embedder()], ids=["none", "makes no vectors"])
def test_kinds_of_errors_are_found_without_an_embedder(embedder):
    order = order_errors(kinds_of_errors(), TASK, ErrorSettings(clusters=2, max=4), embedder=embedder, seed=0)
    assert [one.error.line for one in order] == [1, 7, 2, 8]


def test_kinds_of_errors_are_found_by_the_embedder_of_the_index():
    embedder = make_lsa_embedder(dimensions=4)
    embedder.fit([f"{text} {n}" for text in KINDS.values() for n in range(9)], seed=0)
    order = order_errors(kinds_of_errors(), TASK, ErrorSettings(), embedder=embedder, seed=0)
    assert [one.error.line for one in order][:4] == [1, 7, 2, 8] and len(order) == 8


def test_without_clusters_the_largest_losses_come_first():
    order = order_errors(kinds_of_errors(), TASK, ErrorSettings(clusters=0), embedder=None, seed=0)
    assert [one.error.line for one in order] == list(range(1, 9))


def test_label_sets_have_clusters_of_their_own():
    task = make_task("a", "b", exclusive=False)
    errors = [said(1, "a", ()), said(2, ("a", "b"), "a"), said(3, "a", "b"), said(4, ("a", "b"), "b")]
    order = order_errors(errors, task, ErrorSettings(clusters=0), embedder=None, seed=0)
    assert [one.error.line for one in order] == [1, 2, 3, 4]


def test_same_seed_gives_the_same_clusters():
    errors, vectors = kinds_of_errors(), np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    assert cluster_errors(errors, vectors, 3, seed=1) == cluster_errors(errors, vectors, 3, seed=1)


def test_equal_texts_and_texts_without_words_are_one_cluster():
    for text in ("The same words.", "!!! ???"):
        errors = [said(line, "a", "b", text=text, loss=float(line)) for line in range(1, 9)]
        order = order_errors(errors, TASK, ErrorSettings(clusters=3), embedder=None, seed=0)
        assert [(one.error.line, one.cluster) for one in order] == [(line, 0) for line in range(8, 0, -1)]


def test_no_errors_have_no_order():
    assert order_errors([], TASK, ErrorSettings(), embedder=None, seed=0) == []
