import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from spacy_synthesizrr.embedders.base import load_embedder, unit_rows
from spacy_synthesizrr.embedders.lsa import LsaEmbedder, Weights, count_terms, make_lsa_embedder, reduce_matrix, reservoir, terms
from spacy_synthesizrr.errors import ConfigError, InputError, StoreError

TEXTS = [
    "The harbour crew repaired the old ferry before the storm.",
    "A storm closed the harbour and the ferry stayed in port.",
    "The choir sang two new songs at the winter concert.",
    "Songs by a young composer opened the concert season.",
    "The keeper saved a penalty and the team won the match.",
    "After the match the team thanked the keeper.",
]


def fitted(texts=TEXTS, *, seed=0, **parameters):
    embedder = make_lsa_embedder(**parameters)
    embedder.fit(iter(texts), seed=seed)
    return embedder


def test_weights_equal_those_of_scikit_learn():
    weights = Weights.learn(TEXTS, 1000)
    theirs = TfidfVectorizer(analyzer=terms, sublinear_tf=True, vocabulary=dict(weights.vocabulary))
    expected = theirs.fit_transform(TEXTS).toarray()
    np.testing.assert_allclose(weights.matrix(TEXTS).toarray(), expected, atol=1e-6)


def test_terms_equal_those_of_scikit_learn_on_plain_english():
    analyse = TfidfVectorizer(ngram_range=(1, 2)).build_analyzer()
    assert terms(TEXTS[0]) == analyse(TEXTS[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Größe ZÄHLT", ["grösse", "zählt", "grösse zählt"]),
        ("u\u0308ber alles", ["über", "alles", "über alles"]),
        ("हिन्दी में", ["हिन्दी", "में", "हिन्दी में"]),
        ("新聞", ["新", "聞", "新 聞"]),
        ("a b …", []),
    ],
)
def test_terms_of_other_scripts(text, expected):
    assert terms(text) == expected


def test_close_texts_are_closer_than_others():
    embedder = fitted()
    query, *vectors = embedder.embed(["ferry in the storm", *TEXTS])
    similarities = np.array(vectors) @ query
    assert set(np.argsort(-similarities)[:2]) == {0, 1}


def test_vectors_have_length_one_and_single_precision():
    vectors = fitted().embed(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("text", ["", " \n", "… 1 !", "unheard words only here"])
def test_a_text_without_known_words_is_a_zero_vector(text):
    vector = fitted().embed([text])
    assert not vector.any()
    assert (vector @ fitted().embed(TEXTS).T == 0).all()


def test_a_text_gets_the_same_vector_in_any_batch():
    embedder = fitted()
    together = embedder.embed(TEXTS)
    assert all((embedder.embed([text])[0] == row).all() for text, row in zip(TEXTS, together, strict=True))


def test_same_texts_and_seed_give_the_same_fit():
    first, second = fitted(sample=4, seed=7), fitted(sample=4, seed=7)
    assert first.id == second.id
    assert (first.embed(TEXTS) == second.embed(TEXTS)).all()


def test_id_names_parameters_and_fit():
    assert fitted(dimensions=3).id.startswith("lsa-v1-d3-s50000-f100000-")
    assert len({fitted().id, fitted(dimensions=3).id, fitted(TEXTS[:5]).id, fitted(sample=4, seed=1).id}) == 4


def test_signs_are_fixed():
    projection = reduce_matrix(Weights.learn(TEXTS, 1000).matrix(TEXTS), 4, seed=0)
    assert (projection[np.abs(projection).argmax(axis=0), np.arange(projection.shape[1])] > 0).all()


@pytest.mark.parametrize(
    ("texts", "dimensions"),
    [(["one small corpus"], 1), (["equal text", "equal text", "equal text"], 1), (TEXTS[:3], 3), (["word"], 1), (["ab", "", "cd"], 2)],
)
def test_tiny_corpora_give_fewer_dimensions(texts, dimensions):
    embedder = fitted(texts)
    assert embedder.dimensions == dimensions
    assert embedder.embed(texts).shape == (len(texts), dimensions)


def test_a_corpus_without_words_is_refused():
    with pytest.raises(InputError, match="None of the 2 passages holds a word"):
        fitted(["… !", "1 2"])


def test_vocabulary_keeps_the_commonest_terms_and_breaks_ties_by_the_alphabet():
    assert count_terms(["bb cc", "bb aa", "dd"], 2) == {"aa": 1, "bb": 2}


def test_counting_in_bounded_memory_keeps_common_terms():
    texts = [f"common rare{number} seldom{number}" for number in range(200)]
    assert "common" in count_terms(texts, 5)


def test_reservoir_is_uniform():
    drawn = [item for seed in range(400) for item in reservoir("abcdefghij", 3, seed=seed)]
    assert all(80 < drawn.count(letter) < 160 for letter in "abcdefghij")


@given(size=st.integers(1, 20), n=st.integers(0, 60), seed=st.integers(0, 1000))
def test_reservoir_draws_different_items(size, n, seed):
    items = [str(number) for number in range(n)]
    drawn = reservoir(items, size, seed=seed)
    assert len(set(drawn)) == len(drawn) == min(size, n)
    assert n > size or drawn == items


def test_save_and_load_give_the_same_vectors(tmp_path):
    embedder = fitted()
    embedder.save(tmp_path)
    loaded = make_lsa_embedder().load(tmp_path)
    assert (loaded.id, loaded.dimensions) == (embedder.id, embedder.dimensions)
    assert (loaded.embed([*TEXTS, ""]) == embedder.embed([*TEXTS, ""])).all()


def test_saved_files_are_json_and_arrays_without_pickle(tmp_path):
    fitted().save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npy"}
    assert all(np.load(path, allow_pickle=False).dtype == np.float32 for path in tmp_path.glob("*.npy"))
    assert json.loads((tmp_path / "vocabulary.json").read_text())[0] == "after"


def test_loading_and_embedding_import_neither_scipy_nor_scikit_learn(tmp_path):
    fitted().save(tmp_path)
    code = (
        "import sys; from pathlib import Path; from spacy_synthesizrr.embedders.lsa import make_lsa_embedder\n"
        "vectors = make_lsa_embedder().load(Path(sys.argv[1])).embed(['the storm'])\n"
        "assert vectors.any(); print(sorted({'scipy', 'sklearn', 'spacy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_load_embedder_finds_the_registered_function(tmp_path):
    embedder = fitted()
    embedder.save(tmp_path)
    loaded = load_embedder(tmp_path)
    assert isinstance(loaded, LsaEmbedder)
    assert loaded.id == embedder.id


def test_load_embedder_says_when_the_function_is_not_installed(tmp_path):
    (tmp_path / "embedder.json").write_text('{"v": 1, "factory": "nobody.Knows.v1", "parameters": {}}')
    with pytest.raises(StoreError, match=r"nobody\.Knows\.v1.*Install the package"):
        load_embedder(tmp_path)


@pytest.mark.parametrize("name", ["idf.npy", "projection.npy", "vocabulary.json", "embedder.json"])
def test_a_damaged_embedder_is_refused(tmp_path, name):
    fitted().save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises((StoreError, InputError), match="Delete the index"):
        make_lsa_embedder().load(tmp_path)


def test_other_parameters_than_the_stored_are_refused(tmp_path):
    fitted().save(tmp_path)
    with pytest.raises(StoreError, match="Run the step 'index' again"):
        make_lsa_embedder(dimensions=8).load(tmp_path)


def test_an_embedder_that_is_not_fitted_says_so():
    with pytest.raises(StoreError, match="has not been fitted"):
        make_lsa_embedder().embed(["text"])


@pytest.mark.parametrize("name", ["dimensions", "sample", "max_features"])
def test_numbers_below_one_are_refused(name):
    with pytest.raises(ConfigError, match=f"'{name}' must be 1 or more"):
        make_lsa_embedder(**{name: 0})


def test_unit_rows_refuses_what_is_not_a_number():
    with pytest.raises(StoreError, match="row 1 holds NaN"):
        unit_rows([[1.0, 0.0], [float("nan"), 0.0]])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
def test_any_text_gives_finite_vectors(texts):
    vectors = fitted().embed(texts)
    assert np.isfinite(vectors).all()
