import pickle

import numpy as np
import pytest
import spacy
from spacy.vectors import Vectors

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import load_embedder
from spacy_synthesizrr.embedders.vectors import make_spacy_vectors
from spacy_synthesizrr.errors import ConfigError, StoreError
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.memory import MemoryStore

WORDS = {"storm": [1, 0, 0], "harbour": [0, 2, 0], "song": [0, 0, -1], "choir": [0, 1, -1]}


def pipeline(path, words=WORDS, version="1.0.0"):
    """A small pipeline on disk: vectors, and a component that would fail if it were loaded or run."""
    nlp = spacy.blank("en", meta={"name": "tiny", "version": version})
    if words:
        nlp.vocab.vectors = Vectors(data=np.array(list(words.values()), dtype=np.float32), keys=list(words))
    nlp.add_pipe("sentencizer")
    nlp.to_disk(path)
    return path


@pytest.fixture
def tiny(tmp_path):
    return pipeline(tmp_path / "tiny")


def fitted(path):
    embedder = make_spacy_vectors(str(path))
    embedder.fit(iter(()), seed=0)
    return embedder


def test_a_text_is_the_mean_of_its_word_vectors(tiny):
    found = fitted(tiny).embed(["storm harbour", "song song", "storm unheard", ""])
    np.testing.assert_allclose(found, [[1 / 5**0.5, 2 / 5**0.5, 0], [0, 0, -1], [1, 0, 0], [0, 0, 0]], atol=1e-6)


def test_vectors_are_those_of_spacys_docs(tiny):
    nlp = spacy.load(tiny)
    text = "A storm in the harbour, and the choir's song."
    expected = nlp(text).vector
    np.testing.assert_allclose(fitted(tiny).embed([text])[0], expected / np.linalg.norm(expected), atol=1e-6)


def test_components_of_the_pipeline_are_not_loaded(tiny):
    embedder = fitted(tiny)
    assert embedder._nlp.pipe_names == []


def test_words_that_were_met_are_forgotten(tiny):
    embedder = fitted(tiny)
    embedder.embed(["storm"])
    before = len(embedder._nlp.vocab.strings)
    embedder.embed([f"word{number} and storm{number}" for number in range(500)])
    assert len(embedder._nlp.vocab.strings) == before


def test_an_index_keeps_the_embedder(tiny, tmp_path):
    store = MemoryStore(tmp_path / "index")
    store.index([Passage("a", "storm in the harbour"), Passage("b", "a choir")], make_spacy_vectors(str(tiny)))
    opened = MemoryStore(tmp_path / "index")
    assert (opened.embedder.id, opened.embedder.dimensions) == (store.embedder.id, 3)
    assert opened.search([Query("song")], 1)[0][0].passage_id == "b"


def test_the_id_says_pipeline_version_and_vectors(tmp_path):
    ids = [
        fitted(pipeline(tmp_path / "a")).id,
        fitted(pipeline(tmp_path / "b", {**WORDS, "storm": [1, 0.5, 0]})).id,
        fitted(pipeline(tmp_path / "c", version="1.0.1")).id,
        fitted(pipeline(tmp_path / "d", dict(reversed(WORDS.items())))).id,
    ]
    assert len(set(ids)) == 4
    assert ids[0].startswith("spacy-vectors-en_tiny-1.0.0-")
    assert fitted(pipeline(tmp_path / "e")).id == ids[0]


def test_other_vectors_than_those_of_the_index_are_refused(tiny, tmp_path):
    fitted(tiny).save(tmp_path / "saved")
    pipeline(tiny, {**WORDS, "storm": [0, 0, 9]})
    with pytest.raises(StoreError, match="was built with the vectors spacy-vectors-en_tiny.*Install the old version"):
        load_embedder(tmp_path / "saved").embed(["storm"])


def test_an_embedder_goes_to_another_process_without_its_pipeline(tiny):
    embedder = fitted(tiny)
    data = pickle.dumps(embedder)
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).embed(["storm song"]), embedder.embed(["storm song"]))


def test_a_pipeline_without_vectors_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="has no word vectors. Take one that has, such as en_core_web_md"):
        fitted(pipeline(tmp_path / "plain", {}))


def test_a_pipeline_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="There is no pipeline 'en_core_web_xl', neither as a package nor as a folder"):
        fitted("en_core_web_xl")


def test_a_damaged_pipeline_is_refused(tiny):
    (tiny / "config.cfg").write_text("[nlp")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        fitted(tiny)


def test_before_the_fit_nothing_is_known(tiny):
    embedder = make_spacy_vectors(str(tiny))
    assert embedder.recipe == "spacy-vectors-en_tiny-1.0.0"
    with pytest.raises(StoreError, match="has not been fitted"):
        _ = embedder.id


def test_an_empty_name_is_refused():
    with pytest.raises(ConfigError, match="'pipeline' is empty"):
        make_spacy_vectors("")
