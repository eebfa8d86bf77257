"""The planted faults and the truth of benchmarks/faults.py and benchmarks/duplicates.py."""

import random
import sys

import pytest
from conftest import ROOT

with pytest.MonkeyPatch.context() as patch:  # they import one another as scripts do
    patch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import duplicates
    import faults_made
    from faults import judged, split

TEXT = "The club won the cup on Sunday. Nobody had expected it at all. The coach left the town in spring. Fans were glad."


def test_copies_hold_words_of_the_passage_only():
    for make in faults_made.COPIES.values():
        made = make(TEXT, random.Random(1))
        assert set(made.split()) <= set(TEXT.split()) and 4 < len(made.split()) < len(TEXT.split())


def test_leaks_are_the_same_words_or_some_of_them():
    for name, make in faults_made.LEAKS.items():
        made = make(TEXT, random.Random(1)).lower().split()
        assert sorted(made) == sorted(TEXT.lower().split()) or ("cut" in name and " ".join(made) in TEXT.lower())


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_flipped_labels_are_as_many_as_asked_for(share):
    labels = ["a", "b"] * 50
    found = faults_made.flipped(labels, share, random.Random(0))
    assert sum(one != other for one, other in zip(labels, found, strict=True)) == share * 100


def test_precision_is_at_equal_numbers():
    row = judged([True, True, False, False], [True, False] * 5, ([1, 1, 0, 0], [0.5] * 10))
    assert (row["recall"], row["false_alarms"], row["precision"], row["auroc"]) == (0.5, 0.5, 0.5, 0.5)


def test_seeds_gold_and_others_share_no_row():
    rows = [{"text": f"t{number}", "label": "ab"[number % 2]} for number in range(2000)]
    parts = [{row["text"] for row in part} for part in split(rows)]
    assert [len(part) for part in parts] == [100, 1500, 400] and len(set.union(*parts)) == 2000


def test_truth_of_duplicates_is_the_nearest_before():
    texts = [text.split() for text in ("a b c d", "x y z v", "a b c d e", "q", "x y z w")]
    assert duplicates.nearest_before(texts).round(4).tolist() == [0, 0, 0.6667, 0, 0.3333]


def test_copies_change_as_many_words_as_told():
    originals = [[f"w{number}x{place}" for place in range(duplicates.LENGTH)] for number in range(40)]
    texts, later = duplicates.with_copies(originals, random.Random(0))
    assert len(texts) == 50 and sorted(map(len, later.values())) == [2, 2, 3, 3]
    for strength, rows in later.items():
        for row in rows:
            same = max(sum(a == b for a, b in zip(texts[row], other, strict=True)) for at, other in enumerate(texts) if at != row)
            assert same >= duplicates.LENGTH - round(strength * duplicates.LENGTH)
