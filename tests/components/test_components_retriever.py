"""The component that finds passages and plans candidates."""

import pickle

import pytest
import spacy

from spacy_synthesizrr.candidates import Candidate, Passage, passage_id
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import ConfigError, PlanError, StoreError
from spacy_synthesizrr.stores.memory import make_memory_store

TEXTS = [
    "The club won the cup after extra time in the final.",
    "The striker scored twice and the club won the league.",
    "Shares fell as the bank sold its bonds to the market.",
    "The bank raised its forecast and the shares rose again.",
    "Rain and wind closed the harbour for two days in spring.",
]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "index"
    passages = [Passage(passage_id("s", str(n), 0, text), text, source="s", document=str(n)) for n, text in enumerate(TEXTS)]
    make_memory_store(str(folder / "key")).index(passages, make_lsa_embedder(8), seed=0)
    return folder


def pipeline(path=None, **config):
    nlp = spacy.blank("en")
    store = {"@misc": "synthesizrr.MemoryStore.v1", "path": str(path)} if path else None
    nlp.add_pipe("synthesizrr_retriever", config={"store": store, "k": 2, **config})
    return nlp


def test_passages_and_plans_come_onto_the_doc(index):
    doc = pipeline(index / "key", labels=["sport"])("The club won the final.")
    assert [(hit["rank"], hit["text"] in TEXTS[:2], hit["source"]) for hit in doc._.synthesizrr_passages] == [
        (1, True, "s"),
        (2, True, "s"),
    ]
    first = doc._.synthesizrr_planned[0]
    candidate = Candidate.from_dict(first["candidate"])
    assert (candidate.labels, candidate.rank, candidate.status, first["passage"]) == (
        ("sport",),
        1,
        "planned",
        doc._.synthesizrr_passages[0]["text"],
    )
    assert candidate.similarity == doc._.synthesizrr_passages[0]["similarity"] > doc._.synthesizrr_passages[1]["similarity"]


def test_a_folder_with_one_index_is_as_good_as_the_index(index):
    texts = ["The club won.", "The bank sold shares."]
    one, two = (list(pipeline(path, labels=["x"]).pipe(texts)) for path in (index, index / "key"))
    assert [doc._.synthesizrr_planned for doc in one] == [doc._.synthesizrr_planned for doc in two]


def test_a_folder_with_two_indexes_asks_for_one_of_them(index, tmp_path):
    for name in ("one", "two"):
        make_memory_store(str(tmp_path / name)).index([Passage("p", "A text of a few words.")], make_lsa_embedder(2), seed=0)
    with pytest.raises(StoreError, match="holds 2 indexes.*one"):
        pipeline(tmp_path, labels=["x"])("A text.")


def test_a_missing_index_is_no_error_before_the_first_doc(tmp_path):
    nlp = pipeline(tmp_path / "none", labels=["x"])
    with pytest.raises(StoreError, match="no index in .*none"):
        nlp("A text.")


def test_gold_categories_go_before_the_labels_of_the_config(index):
    nlp = pipeline(index, labels=["fallback"])
    doc = nlp.make_doc("The club won.")
    doc.cats = {"sport": 1.0, "firms": 0.2, "club": 0.5}
    labels = [item["candidate"]["labels"] for item in nlp(doc)._.synthesizrr_planned]
    assert labels == [["sport"], ["sport"], ["club"], ["club"]]


def test_a_doc_with_a_plan_is_left_alone(index):
    nlp = pipeline(index, labels=["x"])
    doc = nlp.make_doc("The club won.")
    doc._.synthesizrr_planned = [{"candidate": {}, "passage": "mine"}]
    assert nlp(doc)._.synthesizrr_planned == [{"candidate": {}, "passage": "mine"}]
    assert doc._.synthesizrr_passages is None


def test_without_a_store_the_passages_of_the_doc_are_used():
    nlp = pipeline(labels=["x"])
    doc = nlp.make_doc("seed")
    doc._.synthesizrr_passages = [{"id": str(n), "text": f"text {n}"} for n in range(5)]
    assert [item["passage"] for item in nlp(doc)._.synthesizrr_planned] == ["text 0", "text 1"]


def test_without_any_passage_candidates_are_draws():
    planned = pipeline(labels=["x"])("seed")._.synthesizrr_planned
    candidates = [Candidate.from_dict(item["candidate"]) for item in planned]
    assert [(c.passage_id, c.draw) for c in candidates] == [(None, 0), (None, 1)]
    assert len({c.id for c in candidates}) == 2


def test_a_doc_without_a_label_is_pointed_out():
    with pytest.warns(UserWarning, match="no label, so nothing is planned.*synthesizrr_retriever"):
        doc = pipeline()("A text.")
    assert doc._.synthesizrr_planned == []


def test_more_candidates_than_a_doc_may_hold_are_refused():
    with pytest.raises(PlanError, match="Set k to 10 or less"):
        pipeline(k=11, labels=["a", "b", "c"])("seed")


@pytest.mark.parametrize("k", [0, 33])
def test_k_has_bounds(k):
    with pytest.raises(ConfigError, match="between 1 and 32"):
        pipeline(k=k)


def test_what_is_no_store_is_refused():
    with pytest.raises(ConfigError, match="is no store: it has no method 'search'"):
        spacy.blank("en").add_pipe("synthesizrr_retriever", config={"store": {"@misc": "synthesizrr.NotEmpty.v1"}})


def test_a_failing_batch_goes_to_the_error_handler(tmp_path):
    nlp, seen = pipeline(tmp_path / "none", labels=["x"]), []
    nlp.set_error_handler(lambda name, component, docs, error: seen.append((name, len(docs), type(error))))
    assert list(nlp.pipe(["a", "b"])) == []
    assert seen == [("synthesizrr_retriever", 2, StoreError)]


def test_the_component_pickles_with_an_open_store(index):
    nlp = pipeline(index, labels=["x"])
    before = nlp("The club won.")._.synthesizrr_planned
    component = pickle.loads(pickle.dumps(nlp.get_pipe("synthesizrr_retriever")))
    assert component(nlp.make_doc("The club won."))._.synthesizrr_planned == before
    assert component.labels == ("x",)


def test_two_processes_find_the_same(index):
    nlp, texts = pipeline(index, labels=["x"]), ["The club won.", "The bank sold.", "Rain came.", "Wind rose."]
    alone = [doc._.synthesizrr_planned for doc in nlp.pipe(texts)]
    shared = [doc._.synthesizrr_planned for doc in nlp.pipe(texts, n_process=2, batch_size=2)]
    assert [[item["candidate"]["id"] for item in doc] for doc in shared] == [[item["candidate"]["id"] for item in doc] for doc in alone]


def test_a_saved_pipeline_searches_the_same_store(index, tmp_path):
    nlp = pipeline(index, labels=["x"])
    nlp.to_disk(tmp_path / "saved")
    assert spacy.load(tmp_path / "saved")("The club won.")._.synthesizrr_planned == nlp("The club won.")._.synthesizrr_planned


def test_the_search_of_the_config_is_used(index, tmp_path):
    search = {"mode": "keyword", "where": [["document", "!=", "1"]]}
    nlp = pipeline(index / "key", labels=["sport"], search=search)
    nlp.to_disk(tmp_path / "saved")
    for loaded in (nlp, spacy.load(tmp_path / "saved"), pickle.loads(pickle.dumps(nlp))):
        hits = loaded("The striker scored twice.")._.synthesizrr_passages
        assert TEXTS[1] not in [hit["text"] for hit in hits]
        assert hits[0]["similarity"] > 0
    assert pipeline(index / "key", labels=["sport"])("The striker scored twice.")._.synthesizrr_passages[0]["text"] == TEXTS[1]


def test_a_wrong_search_is_refused(index):
    with pytest.raises(ConfigError, match="no search by mode 'words'. Did you mean 'keyword'. Valid: 'vector', 'keyword', 'hybrid'"):
        pipeline(index, search={"mode": "words"})
