"""What changes under an index that is there: settings of the config, and the index under a reader."""

from types import SimpleNamespace

import pytest

from services.letters import Letters, passages
from services.weaviate_stores import store_on
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.base import Filter, Query, Search
from spacy_synthesizrr.stores.weaviate.finding import Finder

ROWS = passages(40)


@pytest.fixture
def at(weaviate, tmp_path, request):
    """Opens the index of this test; it is deleted afterwards."""
    opened, key = [], f"changes{abs(hash(request.node.name)) % 10**8}"

    def make(key=key, **sections):
        opened.append(store_on(weaviate, tmp_path, key, **sections))
        return opened[-1]

    yield make
    for store in opened:
        store._table.drop()
        store.close()


def config_of(store):
    return store._table.collection.config.get()


@pytest.mark.parametrize("sections", [{}, {"tenants": "changes"}], ids=["own collection", "tenant"])
def test_what_a_server_can_change_follows_the_config(at, sections):
    store = at(**sections)
    store.index(ROWS, Letters())
    words, vectors = (
        {"stopwords": "en", "k1": 2.0, "b": 0.25},
        {"ef": 64, "dynamic_ef_min": 50, "dynamic_ef_max": 500, "dynamic_ef_factor": 4},
    )
    assert not at(words=words, vectors=vectors, **sections).index(ROWS, Letters()).written
    found = config_of(store)
    assert (found.inverted_index_config.stopwords.preset.value, found.inverted_index_config.bm25.k1) == ("en", 2.0)
    assert found.inverted_index_config.bm25.b == 0.25
    index = found.vector_config["default"].vector_index_config
    assert {name: getattr(index, name) for name in vectors} == vectors
    store._link.client.collections.delete(store._table.name)


def test_settings_that_are_as_they_were_are_not_sent(at, monkeypatch):
    store = at()
    store.index(ROWS, Letters())
    monkeypatch.setattr(type(store._table.collection.config), "update", None)
    assert not store.index(ROWS, Letters()).written


def test_what_cannot_be_changed_is_told_with_how_to_make_it_anew(at, capsys):
    at().index(ROWS, Letters())
    assert "was made with" not in capsys.readouterr().out
    at(vectors={"ef_construction": 256, "quantizer": "rq"}).index(ROWS, Letters())
    said = "".join(capsys.readouterr())
    assert "was made with ef_construction = 128, quantizer = 'none'. [store.vectors] says something else" in said
    assert "synthesizrr index delete" in said


def test_words_that_are_cut_in_another_way_are_refused(at):
    at().index(ROWS, Letters())
    with pytest.raises(StoreError, match=r'with tokenization = "word", and \[store.words\] says "trigram": .*synthesizrr index delete'):
        at(words={"tokenization": "trigram"}).index(passages(41), Letters())
    assert at().complete()


def test_an_index_that_is_made_anew_takes_the_new_settings(at):
    at().index(ROWS, Letters())
    store = at(words={"tokenization": "trigram"})
    store.drop()
    store.index(ROWS, Letters())
    assert [each.tokenization.value for each in config_of(store).properties if each.name == "text"] == ["trigram"]


def test_a_name_that_differs_by_capital_letters_alone_is_refused(at):
    at("Capitals").index(ROWS, Letters())
    with pytest.raises(StoreError, match="a collection Synthesizrr_Capitals in .* by capital letters alone.* Choose another name"):
        at("capitals").index(ROWS, Letters())


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.search([Query("harbour")], 3),
        lambda store: store.search([Query("harbour")], 3, how=Search("keyword")),
        lambda store: store.sample(3, seed=0),
        lambda store: [*store.iterate()],
    ],
    ids=["vectors", "words", "sample", "iterate"],
)
def test_a_reader_is_told_that_the_index_became_another_one(at, read):
    reader = at()
    reader.index(ROWS, Letters())
    read(reader)
    at().index(passages(60, start=500), Letters())
    with pytest.raises(StoreError, match="was changed while it was read"):
        read(reader)
    read(reader)  # what is there now
    assert reader.count() == 60


def test_a_reader_is_told_while_another_one_writes(at):
    reader = at()
    reader.index(ROWS, Letters())
    reader.search([Query("harbour")], 3)
    reader._table.write_state(reader._state.but(complete=False))
    with pytest.raises(StoreError, match="was changed while it was read"):
        reader.search([Query("harbour")], 3)
    with pytest.raises(StoreError, match="was not finished"):
        reader.search([Query("harbour")], 3)


def test_deleting_passages_makes_no_other_index(at):
    reader = at()
    reader.index(ROWS, Letters())
    reader.search([Query("harbour")], 3)
    at().delete(["id 39"])
    assert len(reader.search([Query("harbour")], 3)[0]) == 3


def test_two_passages_in_one_place_are_not_mixed_up(at):
    store = at()
    store.index(ROWS, Letters())
    finder = Finder(store._table, store._state, Filter())
    finder._note(SimpleNamespace(properties={"row": 3, "passage_id": "id 3"}))
    with pytest.raises(StoreError, match="was changed while it was read"):
        finder._note(SimpleNamespace(properties={"row": 3, "passage_id": "id 2"}))
