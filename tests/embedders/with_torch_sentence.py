"""Models of sentence-transformers, with torch. Run by test_embedders_sentence_inside.py, in a child process that has it."""

import json
import pickle
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizer

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import embed_queries, load_embedder
from spacy_synthesizrr.embedders.sentence import make_sentence_transformers
from spacy_synthesizrr.errors import ConfigError, StoreError
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.memory import MemoryStore

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] storm harbour ferry choir song keeper penalty query passage : the reached . Storm".split()
TEXTS = ["storm harbour", "ferry", "choir song choir song keeper penalty storm storm " * 3, "unheard words", "Storm storm"]
MODES = {
    "mean": lambda states: states.mean(0),
    "cls": lambda states: states[0],
    "lasttoken": lambda states: states[-1],
    "max": lambda states: states.max(0).values,
    "mean_sqrt_len_tokens": lambda states: states.sum(0) / len(states) ** 0.5,
    "weightedmean": lambda states: (states * torch.arange(1.0, len(states) + 1)[:, None]).sum(0) / sum(range(1, len(states) + 1)),
}


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def save(path, *, pooling="mean", after=("Normalize",), seed=0, positions=40, side="right", about=None, prompts=None, dtype=torch.float32):
    """A model of 30 kB with random weights, in the layout of sentence-transformers."""
    torch.manual_seed(seed)
    path.mkdir(parents=True, exist_ok=True)
    (path / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(WORDS)}, do_lower_case=False, padding_side=side)
    tokenizer.save_pretrained(path)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=positions,
    )
    BertModel(config).to(dtype).save_pretrained(path)
    modules = ["Transformer", "Pooling", *after]
    places = ["" if number == 0 else f"{number}_{name}" for number, name in enumerate(modules)]
    kinds = [f"sentence_transformers.models.{name}" for name in modules]
    write(
        path / "modules.json", [{"idx": n, "path": place, "type": kind} for n, (place, kind) in enumerate(zip(places, kinds, strict=True))]
    )
    write(path / "1_Pooling" / "config.json", {"embedding_dimension": 16, "pooling_mode": pooling})
    write(path / "sentence_bert_config.json", {"max_seq_length": 32, **(about or {})})
    write(path / "config_sentence_transformers.json", {"prompts": prompts or {}})
    for place, name in zip(places, modules, strict=True):
        if name == "Dense":
            write(
                path / place / "config.json",
                {"in_features": 16, "out_features": 5, "activation_function": "torch.nn.modules.activation.Tanh"},
            )
            save_file({"linear.weight": torch.randn(5, 16), "linear.bias": torch.randn(5)}, path / place / "model.safetensors")
    return str(path)


def states(path, text, limit=32):
    """What the transformer makes of one text alone, without padding."""
    tokens = AutoTokenizer.from_pretrained(path)(text, truncation=True, max_length=limit, return_tensors="pt")
    with torch.inference_mode():
        return AutoModel.from_pretrained(path, dtype=torch.float32).eval()(**tokens).last_hidden_state[0]


def fitted(path, **parameters):
    made = make_sentence_transformers(path, **{"device": "cpu", **parameters})
    made.fit(iter(()), seed=0)
    return made


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("mode", MODES)
def test_states_become_one_vector_by_the_pooling(tmp_path, mode, side):
    path = save(tmp_path / "m", pooling=mode, side=side)
    expected = [MODES[mode](states(path, text)).numpy() for text in TEXTS]
    if side == "right":  # this kind of transformer numbers places from the left, padding too
        np.testing.assert_allclose(fitted(path).embed(TEXTS), unit(np.array(expected)), atol=1e-6)
        np.testing.assert_allclose(fitted(path, normalise=False, pooling=mode).embed(TEXTS), unit(np.array(expected)), atol=1e-6)
    else:
        full = [" ".join(["storm"] * 14)] * 2  # 16 tokens: no padding
        np.testing.assert_allclose(fitted(path).embed(full)[0], unit(MODES[mode](states(path, full[0])).numpy()), atol=1e-6)


def test_several_poolings_are_joined(tmp_path):
    path = save(tmp_path / "m", pooling=["cls", "mean"], after=())
    expected = [torch.cat([MODES["cls"](states(path, text)), MODES["mean"](states(path, text))]).numpy() for text in TEXTS]
    np.testing.assert_allclose(fitted(path, normalise=False).embed(TEXTS), expected, atol=1e-6)


def test_a_dense_layer_follows(tmp_path):
    path = save(tmp_path / "m", after=("Dense",))
    from safetensors.torch import load_file

    weights = load_file(tmp_path / "m" / "2_Dense" / "model.safetensors")
    means = torch.stack([states(path, text).mean(0) for text in TEXTS])
    expected = torch.tanh(means @ weights["linear.weight"].T + weights["linear.bias"])
    made = fitted(path, normalise=False)
    assert made.dimensions == 5
    np.testing.assert_allclose(made.embed(TEXTS), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_a_vector_does_not_depend_on_the_other_texts(tmp_path, batch):
    made = fitted(save(tmp_path / "m"), batch=batch)
    many = [" ".join(["storm", "ferry", "song"][: 1 + n % 3] * (1 + n % 12)) for n in range(60)]
    np.testing.assert_allclose(made.embed(many), np.vstack([made.embed([text]) for text in many]), atol=1e-6)


def test_prompts_are_the_models_own_or_those_of_the_config(tmp_path):
    path = save(tmp_path / "m", prompts={"query": "query : ", "document": "passage : "})
    made = fitted(path)
    np.testing.assert_allclose(embed_queries(made, ["storm"])[0], unit(states(path, "query : storm").mean(0).numpy()), atol=1e-6)
    np.testing.assert_allclose(made.embed(["storm"])[0], unit(states(path, "passage : storm").mean(0).numpy()), atol=1e-6)
    np.testing.assert_allclose(fitted(path, passage_prefix="").embed(["storm"])[0], unit(states(path, "storm").mean(0).numpy()), atol=1e-6)


def test_texts_are_cut_as_the_model_or_the_config_says(tmp_path):
    path, long = save(tmp_path / "m"), "storm " * 5 + "ferry " * 60
    for given, limit in (({}, 32), ({"max_tokens": 7}, 7), ({"max_tokens": 500}, 40)):
        expected = unit(states(path, long, limit).mean(0).numpy())
        np.testing.assert_allclose(fitted(path, **given).embed([long])[0], expected, atol=1e-6)


def test_a_model_of_any_number_of_places_is_never_padded_beyond_them(tmp_path):
    path = save(tmp_path / "m", positions=21, about={"max_seq_length": 21})
    assert np.isfinite(fitted(path).embed(["storm " * 99, "ferry"])).all()


def test_texts_are_lower_cased_where_the_model_says_so(tmp_path):
    path = save(tmp_path / "m", about={"do_lower_case": True})
    found = fitted(path).embed(["Storm", "storm"])
    np.testing.assert_array_equal(found[0], found[1])
    other = fitted(save(tmp_path / "n")).embed(["Storm", "storm"])
    assert np.abs(other[0] - other[1]).max() > 1e-3


def test_half_precision_is_computed_in_full(tmp_path):
    path = save(tmp_path / "m", dtype=torch.bfloat16)
    np.testing.assert_allclose(fitted(path).embed(["storm"])[0], unit(states(path, "storm").mean(0).numpy()), atol=1e-6)


def test_an_index_keeps_the_embedder_and_asks_it_for_queries(tmp_path):
    path = save(tmp_path / "m", prompts={"query": "query : "})
    rows = [Passage(f"id{row}", text) for row, text in enumerate(TEXTS)]
    MemoryStore(tmp_path / "index").index(rows, make_sentence_transformers(path))
    store = MemoryStore(tmp_path / "index")
    (hits,) = store.search([Query("ferry")], 5)
    expected = store.vectors(["id1"])[0] @ unit(states(path, "query : ferry").mean(0).numpy())
    assert {hit.passage_id: hit.similarity for hit in hits}["id1"] == pytest.approx(expected, abs=2e-6)


def test_a_model_whose_files_changed_is_refused(tmp_path):
    path = save(tmp_path / "m")
    fitted(path).save(tmp_path / "saved")
    save(tmp_path / "m", seed=1)
    with pytest.raises(StoreError, match="its files have changed"):
        load_embedder(tmp_path / "saved").embed(["storm"])


def test_weights_that_lack_something_are_refused(tmp_path):
    from safetensors.torch import load_file

    path = save(tmp_path / "m")
    weights = load_file(f"{path}/model.safetensors")
    lost = next(name for name in weights if "layer.1" in name)
    save_file({name: value for name, value in weights.items() if name != lost}, f"{path}/model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match="its weights lack encoder.layer.1"):
        fitted(path)


def test_code_beside_a_model_is_not_run(tmp_path):
    path = tmp_path / "m"
    save(path)
    about = json.loads((path / "config.json").read_text())
    write(path / "config.json", {**about, "model_type": "theirs", "auto_map": {"AutoConfig": "own.Theirs", "AutoModel": "own.Model"}})
    (path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        fitted(str(path))
    assert not (tmp_path / "ran").exists()


def test_what_only_the_package_can_do_names_it(tmp_path, monkeypatch):
    path = save(tmp_path / "m", after=("LayerNorm",))
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match="has a module LayerNorm; .*pip install sentence-transformers"):
        fitted(path)


def test_a_device_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be loaded"):
        fitted(save(tmp_path / "m"), device="nonsense")


def test_an_embedder_goes_to_another_process_without_its_model(tmp_path):
    made = fitted(save(tmp_path / "m"))
    assert "_run" not in pickle.loads(pickle.dumps(made)).__dict__
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)).embed(TEXTS), made.embed(TEXTS))


def test_the_package_is_not_asked_where_transformers_will_do(tmp_path):
    fitted(save(tmp_path / "m")).embed(["storm"])
    assert "sentence_transformers" not in sys.modules
