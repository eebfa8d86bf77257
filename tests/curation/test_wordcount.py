"""Counting words."""

import pytest

from spacy_synthesizrr.curation.wordcount import count_words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n", 0),
        ("one", 1),
        ("don't stop\tnow ", 3),
        ("Größe – 12,5 km", 4),
        ("試合は東京で", 6),
        ("東京 Marathon", 3),
        ("ชนะ", 3),
    ],
)
def test_words_are_pieces_between_blanks_or_characters_of_unspaced_scripts(text, count):
    assert count_words(text) == count
