"""The last look at train rows: equal, by words, by vectors with a threshold that the dev and test rows give."""

import numpy as np
import pytest

from spacy_synthesizrr.curation.gate import Checked, Gate, GateSettings, nearest_quantile
from spacy_synthesizrr.curation.leaks import Gold, Leak, Row

TEXTS = ("The harbour club will play its cup match against the visitors on Sunday.", "So good :)", "Bank shares fell again, and fast.")
WHOLES = [Checked(f"test:{number}", text, text) for number, text in enumerate(TEXTS, 1)]
FIELDS = Gold.of([Row(row.id, (row.whole,)) for row in WHOLES])


def turned(degrees):
    return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]


ANGLES = {TEXTS[0]: 0, TEXTS[1]: 20, TEXTS[2]: 90, "said again": 2, "of the same matter": 22}


def embed(texts):
    return np.array([turned(ANGLES.get(text, 180)) for text in texts], dtype=np.float32)


def find(text, whole=None, embed=None, vectors=True, **settings):
    gate = Gate(WHOLES, FIELDS, GateSettings(**settings), embed)
    return gate.find([Checked("row", whole or text, text)], "main", vectors=vectors)[0]


def test_equal_row_is_found_whatever_its_length():
    assert find("so  good :)") == Leak("row", "equal", 1.0, "test:2", "main")
    assert find("so good :(") is None


def test_words_in_a_row_are_found_in_what_was_written():
    assert find("They say the harbour club will play its cup match in the rain.") == Leak("row", "ngram", 1.0, "test:1", "main")
    assert find("They say the harbour club will play its match in the rain.") is None


def test_carried_fields_count_only_where_the_whole_row_is_equal():
    assert find("It rained.", whole=f"{TEXTS[0]}\nIt rained.") is None


def test_what_was_said_again_in_other_words_is_found_by_its_vector():
    leak = find("said again", embed=embed, similarity=0.5, quantile=0.01)
    assert (leak.reason, leak.gold, round(leak.score, 3)) == ("similarity", "test:1", 0.999)


def test_texts_as_near_as_dev_and_test_texts_are_to_each_other_pass():
    assert find("said again", embed=embed, similarity=0.5, quantile=1.0).reason == "similarity"
    ANGLES["between"] = 55
    assert find("between", embed=embed, similarity=0.5, quantile=1.0) is None


def test_threshold_is_never_below_its_floor():
    far = {TEXTS[0]: 0, TEXTS[1]: 90, TEXTS[2]: 180}
    gate = Gate(WHOLES, FIELDS, GateSettings(similarity=0.9), lambda texts: np.array([turned(far[text]) for text in texts]))
    assert gate.threshold == 0.9


def test_vectors_can_be_left_out():
    assert find("said again", embed=embed, similarity=None) is None
    assert find("said again", embed=embed, similarity=0.5, quantile=0.01, vectors=False) is None


def test_without_dev_and_test_rows_everything_passes():
    gate = Gate([], Gold(), GateSettings(), embed)
    assert gate.find([WHOLES[0]], "main") == [None] and gate.threshold is None


@pytest.mark.parametrize(
    ("angles", "quantile", "nearest"), [([0, 60, 180], 1.0, 0.5), ([0, 60], 0.5, 0.5), ([0], 0.5, -1.0), ([], 0.5, -1.0)]
)
def test_nearest_quantile(angles, quantile, nearest):
    assert nearest_quantile(np.array([turned(angle) for angle in angles]).reshape(-1, 2), quantile) == pytest.approx(nearest)


def test_nearest_quantile_of_many_looks_at_a_sample(monkeypatch):
    monkeypatch.setattr("spacy_synthesizrr.curation.gate.SAMPLED", 2)
    assert nearest_quantile(np.array([turned(angle) for angle in (0, 5, 60, 150)]), 1.0) == pytest.approx(np.cos(np.radians(5)))


def test_nearest_others_are_found_beyond_one_block(monkeypatch):
    monkeypatch.setattr("spacy_synthesizrr.curation.gate.WIDE", 2)
    assert nearest_quantile(np.array([turned(angle) for angle in (0, 90, 180, 270, 275)]), 1.0) == pytest.approx(np.cos(np.radians(5)))
    assert find("of the same matter", embed=embed, similarity=0.99, quantile=0.01).gold == "test:2"


def pairs(premises, hypotheses):
    rows = list(zip(premises, hypotheses, strict=True))
    wholes = [Checked(f"dev:{number}", "\n".join(row), row[1]) for number, row in enumerate(rows, 1)]
    return wholes, Gold.of([Row(whole.id, row) for whole, row in zip(wholes, rows, strict=True)])


def test_texts_that_stand_twice_say_nothing_about_how_near_is_too_near():
    angles = {"premise": 0, "a": 100, "A!": 100, "b": 160, "b, again": 160.1, "near b": 163}
    gate = Gate(*pairs(["premise"] * 4, ["a", "A!", "b", "b, again"]), GateSettings(similarity=0.2), lambda texts: np.array(
        [turned(angles[text]) for text in texts]))  # fmt: skip
    assert gate.threshold == pytest.approx(0.5, abs=0.01) and not gate.capped
    assert gate.find([Checked("row", "near b", "near b")], "main")[0].reason == "similarity"


def test_written_text_is_compared_with_generated_fields_by_vectors():
    angles = {"premise": 0, "a": 90, "near the premise": 1}
    gate = Gate(*pairs(["premise"], ["a"]), GateSettings(), lambda texts: np.array([turned(angles[text]) for text in texts]))
    assert gate.find([Checked("row", "near the premise", "near the premise")], "main") == [None]


def test_threshold_is_never_above_its_ceiling():
    angles = {text: 5 * number for number, text in enumerate(TEXTS)}
    gate = Gate(WHOLES, FIELDS, GateSettings(), lambda texts: np.array([turned(angles.get(text, 8)) for text in texts]))
    assert (gate.threshold, gate.capped) == (0.98, True)
    assert gate.find([Checked("row", "x", "x")], "main")[0].score == pytest.approx(np.cos(np.radians(2)))
