"""An embedder for those who have none."""

import pytest

from spacy_synthesizrr.embedders.base import load_embedder
from spacy_synthesizrr.embedders.none import NoEmbedder, embeds
from spacy_synthesizrr.errors import StoreError


def test_whoever_asks_for_a_vector_is_told_what_to_switch_off():
    with pytest.raises(StoreError, match=r"(?s)keyword.*plan\.margin.*plan\.leaks"):
        NoEmbedder().embed(["a"])


def test_it_is_found_again(tmp_path):
    NoEmbedder().save(tmp_path)
    assert not embeds(load_embedder(tmp_path))
