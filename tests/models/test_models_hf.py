"""The local transformers model, as far as it goes without torch: settings, files, what is refused, what it costs."""

import json
import multiprocessing
import pickle
import struct
from pathlib import Path

import pytest

from spacy_synthesizrr.errors import ConfigError, MissingExtraError, TeacherError
from spacy_synthesizrr.models.answers.responses import ResponseStore, request_hash
from spacy_synthesizrr.models.hf.files import find_files
from spacy_synthesizrr.models.hf.gguf import read_metadata
from spacy_synthesizrr.models.hf.model import make_hf_causal_lm
from spacy_synthesizrr.models.hf.settings import Sampling, read_sampling
from spacy_synthesizrr.steps.plan_cost import price_of
from spacy_synthesizrr.teachers import identity

CONFIG = {"model_type": "llama", "max_position_embeddings": 128}


def folder(path: Path, *, weights: bytes = b"weights", config: dict | None = None, **files: str) -> Path:
    """A folder that looks like a model."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "model.safetensors").write_bytes(weights)
    (path / "config.json").write_text(json.dumps(CONFIG if config is None else config))
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)
    return path


def gguf(path: Path, **entries: int | str) -> Path:
    """A GGUF file with metadata, among them arrays, and no tensors."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def entry(key: str, value: int | str) -> bytes:
        return text(key.replace("__", ".")) + (
            struct.pack("<II", 4, value) if isinstance(value, int) else struct.pack("<I", 8) + text(value)
        )

    strings = text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc")
    numbers = text("types") + struct.pack("<IIQ", 9, 5, 3) + bytes(12)
    nested = text("nested") + struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ", 0, 5) + bytes(5)
    body = b"".join([strings, numbers, nested, *(entry(key, value) for key, value in entries.items())])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 3 + len(entries)) + body)
    return path


def test_a_model_without_torch_says_how_to_get_it(tmp_path):
    model = make_hf_causal_lm(str(folder(tmp_path)), parameters={"max_tokens": 8})
    with pytest.raises(MissingExtraError, match=r"pip install 'spacy-synthesizrr\[transformers\]'"):
        list(model([["a"]]))


def test_nothing_is_loaded_for_no_prompts(tmp_path):
    assert list(make_hf_causal_lm(str(folder(tmp_path)))(iter([[], []]))) == [[], []]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": ""}, "model is empty"),
        ({"model": "./no/such"}, "is not there.*ACCOUNT/NAME"),
        ({"model": "no_such_folder"}, "is not there"),
        ({"model": "account/name.gguf"}, "is not there"),
        ({"device": "gpu"}, "device = 'gpu' is unknown.*'cuda'"),
        ({"device": "cuda:x"}, "device = 'cuda:x'"),
        ({"dtype": "int8"}, "dtype = 'int8' is unknown.*'bfloat16'"),
        ({"batch_size": 0}, "batch_size = 0 must be a whole number from 1"),
        ({"batch_size": True}, "batch_size = True"),
        ({"read_ahead": 1.5}, "read_ahead = 1.5"),
        ({"context_length": 1}, "context_length = 1"),
        ({"gguf_file": "../x.gguf"}, "without a folder"),
        ({"gguf_file": "weights"}, "name of a .gguf file"),
        ({"parameters": {"temprature": 1}}, "unknown key 'temprature'. Did you mean 'temperature'"),
        ({"parameters": {"temperature": -1}}, "parameters.temperature = -1 must be a number from 0"),
        ({"parameters": {"temperature": float("nan")}}, "parameters.temperature = nan"),
        ({"parameters": {"top_p": 0}}, "parameters.top_p = 0 must be a number above 0 to 1"),
        ({"parameters": {"top_k": 0}}, "parameters.top_k = 0 must be a whole number from 1"),
        ({"parameters": {"seed": -1}}, "parameters.seed = -1"),
        ({"parameters": {"max_tokens": "many"}}, "parameters.max_tokens = 'many'"),
        ({"parameters": {"stop": "\n"}}, "must be a list of texts"),
        ({"parameters": {"stop": [""]}}, "must be a list of texts"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_when_the_model_is_made(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        make_hf_causal_lm(**{"model": str(folder(tmp_path)), **settings})


def test_code_beside_a_model_cannot_be_allowed(tmp_path):
    with pytest.raises(TypeError, match="trust_remote_code"):
        make_hf_causal_lm(str(folder(tmp_path)), trust_remote_code=True)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.00.pth", "model.pt", "model.ckpt", "weights.pkl"])
def test_pickled_weights_are_refused_with_the_reason_and_a_cure(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps({}))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=f"pickled weights \\({name}\\).*can run any program.*safetensors"):
        make_hf_causal_lm(str(tmp_path))


def test_a_pickled_file_is_refused_too(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ConfigError, match="is a file that is no .gguf.*pickled"):
        make_hf_causal_lm(str(tmp_path / "pytorch_model.bin"))


def test_pickled_weights_beside_safetensors_do_not_count(tmp_path):
    (folder(tmp_path) / "pytorch_model.bin").write_bytes(b"")
    found = find_files(str(tmp_path))
    assert (found.weights, found.gguf) == (("model.safetensors",), False)


def test_a_folder_without_anything_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no weights that can be loaded.*neither model.safetensors"):
        make_hf_causal_lm(str(tmp_path))


def test_weights_without_a_config_are_refused(tmp_path):
    (folder(tmp_path) / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"no config\.json"):
        make_hf_causal_lm(str(tmp_path))


def test_an_adapter_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="adapter. Merge it"):
        make_hf_causal_lm(str(folder(tmp_path, adapter_config__json="{}")))


def test_weights_in_pieces_must_all_be_there(tmp_path):
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}}
    (folder(tmp_path, model__safetensors__index__json=json.dumps(index)) / "model.safetensors").unlink()
    (tmp_path / "model-1.safetensors").write_bytes(b"1")
    with pytest.raises(ConfigError, match="lacks model-2.safetensors"):
        find_files(str(tmp_path))
    (tmp_path / "model-2.safetensors").write_bytes(b"2")
    assert find_files(str(tmp_path)).weights == ("model-1.safetensors", "model-2.safetensors")


def test_pieces_outside_of_the_folder_are_not_taken(tmp_path):
    (tmp_path / "other.safetensors").write_bytes(b"")
    index = {"weight_map": {"a": "../other.safetensors"}}
    (folder(tmp_path / "model", model__safetensors__index__json=json.dumps(index)) / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="lacks ../other.safetensors"):
        find_files(str(tmp_path / "model"))


def test_a_gguf_file_is_found_by_itself_in_its_folder_or_by_name(tmp_path):
    first = gguf(tmp_path / "a.gguf")
    assert find_files(str(first)) == find_files(str(tmp_path))
    gguf(tmp_path / "b.gguf")
    with pytest.raises(ConfigError, match=r"holds 2 GGUF files. Choose one with gguf_file. Valid: 'a.gguf', 'b.gguf'"):
        find_files(str(tmp_path))
    assert find_files(str(tmp_path), gguf_file="b.gguf").weights == ("b.gguf",)
    with pytest.raises(ConfigError, match="holds no 'c.gguf'. Did you mean"):
        find_files(str(tmp_path), gguf_file="c.gguf")


def test_safetensors_win_unless_a_gguf_file_is_named(tmp_path):
    gguf(folder(tmp_path) / "a.gguf")
    assert not find_files(str(tmp_path)).gguf
    assert find_files(str(tmp_path), gguf_file="a.gguf").gguf


@pytest.mark.parametrize(
    ("config", "length"),
    [
        ({"max_position_embeddings": 64}, 64),
        ({"n_positions": 32}, 32),
        ({"text_config": {"n_ctx": 16}}, 16),
        ({"n_ctx": "many"}, None),
        ({}, None),
    ],
)
def test_the_context_is_as_long_as_the_config_says(tmp_path, config, length):
    path = str(folder(tmp_path, config=config))
    assert make_hf_causal_lm(path).context_length == length
    assert make_hf_causal_lm(path, context_length=8).context_length == 8


def test_the_metadata_of_a_gguf_file_is_read_over_its_arrays(tmp_path):
    about = {"general__architecture": "llama", "llama__context_length": 2048, "llama__name": "grüße"}
    path = gguf(tmp_path / "a.gguf", **about)
    assert read_metadata(path) == {key.replace("__", "."): value for key, value in about.items()}
    assert make_hf_causal_lm(str(path)).context_length == 2048


@pytest.mark.parametrize(
    "content",
    [b"", b"GGUF", b"GGML" + bytes(20), b"GGUF" + struct.pack("<IQQ", 1, 0, 0), b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**60)],
)
def test_a_damaged_gguf_file_is_refused(tmp_path, content):
    (tmp_path / "a.gguf").write_bytes(content)
    with pytest.raises(ConfigError, match="is no GGUF file that can be read"):
        read_metadata(tmp_path / "a.gguf")


def test_a_config_that_is_no_json_is_named(tmp_path):
    (folder(tmp_path) / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"config\.json is no JSON"):
        make_hf_causal_lm(str(tmp_path)).context_length  # noqa: B018


def make(path: Path, **settings):
    return make_hf_causal_lm(str(path), **settings)


def test_where_a_model_lies_and_how_it_is_run_does_not_count(tmp_path):
    here, there = folder(tmp_path / "a"), folder(tmp_path / "b", README__md="Hello.", pytorch_model__bin="x")
    assert make(here).identity == make(there, device="cpu", batch_size=1, read_ahead=9, context_length=64).identity
    assert make(here, parameters={"temperature": 1}).identity == make(here, parameters={"temperature": 1.0, "top_p": None}).identity


def test_whatever_shapes_an_answer_counts(tmp_path):
    base = folder(tmp_path / "base")
    others = [
        folder(tmp_path / "trained", weights=b"weighty"),
        folder(tmp_path / "config", config={**CONFIG, "rope_theta": 1}),
        folder(tmp_path / "template", chat_template__jinja="x"),
        folder(tmp_path / "tokenizer", tokenizer__json="{}"),
        folder(tmp_path / "defaults", generation_config__json='{"top_k": 3}'),
    ]
    settings = [
        {"dtype": "float16"},
        {"system": "s"},
        {"template_options": {"a": 1}},
        {"parameters": {"seed": 1}},
        {"parameters": {"stop": ["x"]}},
    ]
    found = {make(base).identity, *(make(other).identity for other in others), *(make(base, **each).identity for each in settings)}
    assert len(found) == 1 + len(others) + len(settings)


def test_weights_that_the_hubs_cache_has_hashed_are_not_read_again(tmp_path):
    path, blob = folder(tmp_path / "snapshot"), tmp_path / "blobs" / ("ab" * 32)
    blob.parent.mkdir()
    blob.write_bytes(b"")
    before = make(path).identity
    (path / "model.safetensors").unlink()
    (path / "model.safetensors").symlink_to(blob)
    linked = make(path).identity
    blob.write_bytes(b"never looked at")
    assert linked == make(path).identity != before


def test_the_project_asks_by_the_same_hash_as_the_model(tmp_path):
    model = make(folder(tmp_path))
    block = {"model": str(tmp_path), "batch_size": 3}
    assert request_hash("a", identity=identity(block, model)) == request_hash("a", identity=model.identity)


def test_what_it_writes_costs_nothing(tmp_path):
    assert price_of({}, make(folder(tmp_path)), where="x").cost(10**6, 10**6) == 0.0


def test_it_can_be_pickled_with_its_settings(tmp_path):
    model = make(folder(tmp_path), system="s", batch_size=3)
    again = pickle.loads(pickle.dumps(model))
    assert (again.identity, again.batch_size, repr(again)) == (model.identity, 3, repr(model))


def test_several_processes_are_refused(tmp_path):
    model = make(folder(tmp_path))
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # as spaCy's n_process, which pickles the pipeline
        with pytest.raises(TeacherError, match="cannot be used with n_process > 1"):
            pool.apply(list, (_Once(model),))


class _Once:
    """The answers of a model to nothing, asked for where it is unpickled."""

    def __init__(self, model):
        self.model = model

    def __iter__(self):
        return iter(self.model([]))


def test_names_are_for_people(tmp_path):
    assert make(folder(tmp_path / "small")).name == "small"
    assert make_hf_causal_lm("account/name").name == "account/name"


def test_known_answers_need_neither_torch_nor_time(tmp_path):
    from spacy_synthesizrr.models.answers.memory import remember

    model = make(folder(tmp_path / "model"))
    with ResponseStore(tmp_path / "answers.sqlite") as store:
        store.put(request_hash("a", identity=model.identity), "known")
        assert list(remember(model, store, identity=model.identity)([["a"], ["a"]])) == [["known"], ["known"]]


def test_what_is_not_set_is_as_the_model_says():
    given = Sampling(top_p=0.5)
    assert given.completed({}) == Sampling(top_p=0.5, temperature=1.0)
    found = given.completed({"temperature": 0.6, "top_p": 0.9, "top_k": 20, "do_sample": True, "eos_token_id": [1, 2]})
    assert found == Sampling(top_p=0.5, temperature=0.6, top_k=20)
    assert read_sampling({"temperature": 0}).completed({"temperature": 0.6, "top_k": 0}).temperature == 0
    with pytest.raises(ConfigError, match=r"generation_config\.json\.temperature = 'hot'"):
        given.completed({"temperature": "hot"})
