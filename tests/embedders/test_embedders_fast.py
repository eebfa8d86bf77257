import functools
import pickle
import shutil
import socket

import numpy as np
import pytest
from tiny_onnx import rows_of, table, write_model, write_tokenizer

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import embed_queries, load_embedder
from spacy_synthesizrr.embedders.fast import make_fast_embedder
from spacy_synthesizrr.embedders.onnx import OnnxModel
from spacy_synthesizrr.errors import ConfigError, MissingExtraError, StoreError
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.memory import MemoryStore

TEXTS = ["storm harbour", "Ferry", "choir song choir song keeper penalty storm storm", "", "unheard words"]
NAMED = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model")


def fitted(folder, **parameters):
    embedder = make_fast_embedder(folder=str(folder), **parameters)
    embedder.fit(iter(()), seed=0)
    return embedder


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def states(text):
    return table(6)[rows_of(text)]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("mean", lambda found: found.mean(axis=0)), ("cls", lambda found: found[0]), ("last", lambda found: found[-1])],
)
def test_states_become_one_vector_by_the_pooling(model, pooling, expected):
    found = fitted(model, pooling=pooling).embed(TEXTS)
    np.testing.assert_allclose(found, [unit(expected(states(text))) for text in TEXTS], atol=1e-6)


def test_mean_is_the_usual_pooling(model):
    assert fitted(model).id == fitted(model, pooling="mean").id


def test_a_model_that_pools_itself_is_taken_as_it_is(tmp_path):
    embedder = fitted(write_model(tmp_path / "model", pooled=True), pooling="none", normalise=False)
    assert not embedder.normalised
    np.testing.assert_allclose(embedder.embed(TEXTS), [states(text)[0] for text in TEXTS], atol=1e-6)


def test_vectors_have_length_one_or_the_models_own(model):
    assert np.linalg.norm(fitted(model).embed(TEXTS), axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    np.testing.assert_allclose(fitted(model, normalise=False).embed(TEXTS)[0], states("storm harbour").mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_a_vector_does_not_depend_on_the_other_texts(model, batch):
    many = [" ".join(["storm", "ferry", "song"][: 1 + n % 3] * (1 + n % 30)) for n in range(90)]
    embedder = fitted(model, batch=batch, max_tokens=64)
    together = embedder.embed(many)
    np.testing.assert_array_equal(together, np.vstack([embedder.embed([text]) for text in many]))


def test_a_quantized_model_computes_one_text_at_a_time(tmp_path):
    folder = write_model(tmp_path / "model", quantized=True, seed=1)
    together = fitted(folder, batch=32).embed(TEXTS)
    np.testing.assert_array_equal(together, np.vstack([fitted(folder).embed([text]) for text in TEXTS]))
    in_company = OnnxModel(folder, pooling="mean", max_tokens=None, threads=1).embed(TEXTS, 32)
    assert np.abs(unit(in_company) - together).max() > 1e-4  # which is why


def test_the_id_is_the_same_where_arithmetic_differs_in_the_last_digits(model, monkeypatch):
    def ids():
        here = fitted(model)
        by_name = make_fast_embedder(model=NAMED)
        by_name._probe = here._probe
        return here.id, by_name.id

    before, embed = ids(), OnnxModel.embed
    monkeypatch.setattr(OnnxModel, "embed", lambda self, texts, batch: embed(self, texts, batch) * np.float32(1 + 1e-6))
    assert ids() == before


def test_texts_are_not_padded_beyond_where_they_are_cut(model, monkeypatch):
    lengths, run = [], OnnxModel._run
    monkeypatch.setattr(OnnxModel, "_run", lambda self, encoded, length: lengths.append(length) or run(self, encoded, length))
    fitted(model, max_tokens=21).embed(["storm " * 30, "storm " * 16])
    assert max(lengths) == 21  # a model may have no place for more


def test_prefixes_stand_before_queries_and_passages(model):
    embedder = fitted(model, query_prefix="query : ", passage_prefix="passage : ")
    np.testing.assert_allclose(embedder.embed(["storm"])[0], unit(states("passage : storm").mean(axis=0)), atol=1e-6)
    np.testing.assert_allclose(embed_queries(embedder, ["storm"])[0], unit(states("query : storm").mean(axis=0)), atol=1e-6)


def test_texts_are_cut_as_the_tokenizer_or_the_config_says(model):
    long = "storm " * 4 + "song " * 40
    np.testing.assert_allclose(fitted(model).embed([long])[0], unit(states("storm " * 4 + "song " * 7).mean(axis=0)), atol=1e-6)
    np.testing.assert_allclose(fitted(model, max_tokens=5).embed([long])[0], unit(states("storm " * 4).mean(axis=0)), atol=1e-6)


def test_the_id_says_all_that_shapes_a_vector(model, tmp_path):
    other = write_model(tmp_path / "other", seed=1)
    ids = [
        fitted(folder, **more).id
        for folder, more in [
            (model, {}), (other, {}), (model, {"pooling": "cls"}), (model, {"normalise": False}), (model, {"max_tokens": 7}),
            (model, {"query_prefix": "query : "}), (model, {"passage_prefix": "query : "}),
        ]
    ]  # fmt: skip
    assert len(set(ids)) == 7
    assert fitted(model, batch=3, threads=1).id == ids[0]


def test_the_same_files_elsewhere_are_the_same_model(model, tmp_path):
    shutil.copytree(model, tmp_path / "copy")
    assert fitted(model).id == fitted(tmp_path / "copy").id


def test_an_index_keeps_the_embedder_and_asks_it_for_queries(model, tmp_path):
    rows = [Passage(f"id{row}", text) for row, text in enumerate(TEXTS)]
    store = MemoryStore(tmp_path / "index")
    store.index(rows, make_fast_embedder(folder=str(model), query_prefix="query : "))
    stored = MemoryStore(tmp_path / "index").embedder
    assert stored.id == store.embedder.id
    expected = store.vectors(["id1"])[0] @ unit(states("query : ferry").mean(axis=0))
    (hits,) = MemoryStore(tmp_path / "index").search([Query("ferry")], 5)
    assert {hit.passage_id: hit.similarity for hit in hits}["id1"] == pytest.approx(expected, abs=2e-6)


def test_a_loaded_embedder_reads_the_model_with_the_first_text_only(model, tmp_path):
    fitted(model).save(tmp_path / "saved")
    shutil.move(model, tmp_path / "moved")
    loaded = load_embedder(tmp_path / "saved")
    assert loaded.dimensions == 6
    assert loaded.id.startswith("onnx-")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        loaded.embed(["storm"])
    shutil.move(tmp_path / "moved", model)
    assert loaded.embed(["storm"]).shape == (1, 6)


@pytest.mark.parametrize("change", [{"seed": 1}, {"dimensions": 5}])
def test_a_model_whose_files_changed_is_refused(model, tmp_path, change):
    fitted(model).save(tmp_path / "saved")
    write_model(model, **change)
    with pytest.raises(StoreError, match="its files have changed"):
        load_embedder(tmp_path / "saved").embed(["storm"])


def test_an_embedder_goes_to_another_process_without_its_model(model):
    embedder = fitted(model)
    copy = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(copy.embed(TEXTS), embedder.embed(TEXTS))


def test_nothing_to_embed_is_nothing(model):
    assert fitted(model).embed([]).shape == (0, 6)


def test_before_the_fit_nothing_is_known(model):
    embedder = make_fast_embedder(folder=str(model))
    for ask in (lambda: embedder.id, lambda: embedder.dimensions, lambda: embedder.embed(["storm"])):
        with pytest.raises(StoreError, match="has not been fitted"):
            ask()


def test_a_model_asks_for_token_types_where_it_wants_them(tmp_path):
    with_types = fitted(write_model(tmp_path / "a", inputs=("input_ids", "attention_mask", "token_type_ids")))
    np.testing.assert_allclose(with_types.embed(TEXTS), fitted(write_model(tmp_path / "b", inputs=("input_ids",))).embed(TEXTS))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "model.onnx").unlink(), r"model.onnx.*Its folder must hold model.onnx and tokenizer.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), r"tokenizer.json.*Its folder must hold"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"no model"), "cannot be loaded"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot be loaded"),
        (lambda folder: write_model(folder, inputs=("input_ids", "position_ids")), "asks for the input 'position_ids'.*Valid: 'input_ids'"),
    ],
)
def test_a_folder_that_holds_no_model_is_refused(model, change, says):
    change(model)
    with pytest.raises(ConfigError, match=says):
        _ = fitted(model).recipe


@pytest.mark.parametrize(("pooled", "pooling"), [(True, "mean"), (False, "none")])
def test_a_pooling_that_does_not_fit_the_output_is_refused(tmp_path, pooled, pooling):
    with pytest.raises(StoreError, match=f'pooling = "{pooling}" does not fit'):
        fitted(write_model(tmp_path / "model", pooled=pooled), pooling=pooling)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "needs one of 'model'"),
        ({"model": "a", "folder": "b"}, "needs one of 'model'"),
        ({"folder": "a", "pooling": "max"}, "pooling = \"max\" is unknown.*Valid: 'mean', 'cls', 'last', 'none'"),
        ({"model": "a", "pooling": "mean"}, "hold for a folder"),
        ({"model": "a", "max_tokens": 9}, "hold for a folder"),
        ({"folder": "a", "batch": 0}, "'batch' must be 1 or more"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(parameters, says):
    with pytest.raises(ConfigError, match=says):
        make_fast_embedder(**parameters)


def test_the_constructor_asks_no_network_and_loads_nothing(monkeypatch):
    def forbidden(*parts, **more):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    embedder = make_fast_embedder(model=NAMED, query_prefix="query: ")
    assert embedder.recipe == f"fastembed-{NAMED}-unit-query='query: '"


def test_a_model_by_name_runs_through_fastembed(model, tmp_path, monkeypatch):
    import fastembed

    here = functools.partial(fastembed.TextEmbedding, specific_model_path=str(model))
    here.list_supported_models = fastembed.TextEmbedding.list_supported_models
    monkeypatch.setattr(fastembed, "TextEmbedding", here)
    embedder = make_fast_embedder(model=NAMED, batch=2)
    embedder.fit(iter(()), seed=0)
    np.testing.assert_allclose(embedder.embed(TEXTS), [unit(states(text).mean(axis=0)) for text in TEXTS], atol=1e-6)
    embedder.save(tmp_path / "saved")
    assert load_embedder(tmp_path / "saved").id == embedder.id
    write_model(model, seed=3)
    with pytest.raises(StoreError, match="its files have changed"):
        load_embedder(tmp_path / "saved").embed(["storm"])


def test_a_model_that_cannot_be_downloaded_says_what_to_do(monkeypatch):
    import fastembed

    class Closed:
        list_supported_models = fastembed.TextEmbedding.list_supported_models

        def __init__(self, *parts, **more):
            raise ValueError(f"Could not load model {parts[0]} from any source.")

    monkeypatch.setattr(fastembed, "TextEmbedding", Closed)
    with pytest.raises(ConfigError, match=r"neither found.*nor downloaded.*any source.*Where the network is closed.*\[embedder\] folder"):
        make_fast_embedder(model=NAMED).fit(iter(()), seed=0)


def test_an_unknown_name_is_refused_before_any_download():

    with pytest.raises(
        ConfigError, match="knows no model 'sentence-transformers/all-MiniLM-L6'. Did you mean 'sentence-transformers/all-MiniLM"
    ):
        make_fast_embedder(model="sentence-transformers/all-MiniLM-L6").fit(iter(()), seed=0)


def test_without_the_package_the_extra_is_named(model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'spacy-synthesizrr\[embed\]'"):
        fitted(model)


def test_a_tokenizer_without_a_limit_cuts_nothing(model):
    write_tokenizer(model, max_length=None)
    found = OnnxModel(model, pooling="last", max_tokens=None, threads=1).embed(["storm " * 300 + "song"], batch=1)
    np.testing.assert_allclose(found[0], states("song")[-1], atol=1e-6)
