import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.report.rows import MOST_KEYS, mark_copied, sample

SEED = Seed.make(["sport"], {"text": "A match."})


def candidates(count, kinds=("sport", "science")):
    for number in range(count):
        yield Candidate(f"{number:032x}", "synthesizrr", (kinds[number % len(kinds)],), SEED.id, None)


def test_a_sample_holds_at_most_so_many_of_each_kind():
    drawn = sample(candidates(100), 5, by=lambda row: row.key, seed=0)
    assert {kind: len(rows) for kind, rows in drawn.items()} == {"sport": 5, "science": 5}


def test_a_sample_is_in_file_order_without_doubles():
    ids = [row.id for row in sample(candidates(100, ("sport",)), 10, by=lambda row: row.key, seed=3)["sport"]]
    assert ids == sorted(set(ids))


def test_the_seed_decides_which_rows():
    one, again, other = (sample(candidates(200), 5, by=lambda row: row.key, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_every_row_has_about_the_same_chance():
    first_half = sum(
        int(row.id, 16) < 50
        for seed in range(200)
        for row in sample(candidates(100, ("sport",)), 5, by=lambda row: row.key, seed=seed)["sport"]
    )
    assert 400 < first_half < 600  # of 1,000; more than 6 standard deviations on both sides


def test_very_many_kinds_share_one_sample():
    rows = candidates(500, tuple(f"label{number}" for number in range(100)))
    drawn = sample(rows, 2, by=lambda row: row.key, seed=0)
    assert len(drawn) == MOST_KEYS + 1
    assert len(drawn["other"]) == 2


def test_copied_runs_of_words_are_marked():
    passage = "Well, the old bridge was closed on Monday, and nobody knew why."
    pieces, copied = mark_copied("The old bridge was CLOSED on Monday", passage)
    assert [piece.text for piece in pieces if piece.copied] == ["the old bridge was closed on Monday"]
    assert copied == 1.0


def test_short_runs_do_not_count_as_copied():
    pieces, copied = mark_copied("Six new towers rise where the old bridge once stood", "Nobody misses the old bridge at all")
    assert [piece.copied for piece in pieces] == [False]
    assert copied == 0.0


def test_the_share_counts_the_words_of_the_text():
    text = "Rain stopped play before noon today because umpires said so"
    assert mark_copied(text, "Then rain stopped play before noon again.")[1] == pytest.approx(5 / 10)


@pytest.mark.parametrize(("text", "passage"), [("", "Some words."), ("Some words.", ""), ("", "")])
def test_empty_texts_copy_nothing(text, passage):
    pieces, copied = mark_copied(text, passage)
    assert "".join(piece.text for piece in pieces) == passage
    assert copied == 0.0


WORDS = st.lists(st.sampled_from(["a", "B", "c!", "<d>", "é", "\n"]), max_size=30).map(" ".join)


@given(WORDS, WORDS)
def test_the_pieces_are_the_whole_passage(text, passage):
    pieces, copied = mark_copied(text, passage)
    assert "".join(piece.text for piece in pieces) == passage
    assert 0.0 <= copied <= 1.0


def test_copied_characters_are_marked_where_words_have_no_blanks_between_them():
    pieces, share = mark_copied("大桥周一关闭", "据报，大桥周一关闭了。")
    assert [piece.text for piece in pieces if piece.copied] == ["大桥周一关闭"]
    assert share == 1.0
