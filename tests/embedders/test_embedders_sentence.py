"""Models of sentence-transformers, as far as it goes without torch: what their files say, what is refused."""

import json
import shutil

import pytest

from spacy_synthesizrr.embedders.base import load_embedder
from spacy_synthesizrr.embedders.cache import can_be_kept
from spacy_synthesizrr.embedders.sentence import make_sentence_transformers
from spacy_synthesizrr.embedders.sentence_layout import read_layout
from spacy_synthesizrr.errors import ConfigError, MissingExtraError, StoreError, SynthesizrrError

OLD = "sentence_transformers.models."
NEW = {
    "Transformer": "sentence_transformers.base.modules.transformer.Transformer",
    "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    "Normalize": "sentence_transformers.base.modules.normalize.Normalize",
    "Dense": "sentence_transformers.base.modules.dense.Dense",
}


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def folder_of(path, modules=("Transformer", "Pooling", "Normalize"), *, pooling=None, about=None, config=None, prompts=None, names=NEW):
    """A folder that looks like a model."""
    places = ["" if number == 0 else f"{number}_{name}" for number, name in enumerate(modules)]
    types = [names.get(name, name) if isinstance(names, dict) else names + name for name in modules]
    write(
        path / "modules.json", [{"idx": n, "path": place, "type": kind} for n, (place, kind) in enumerate(zip(places, types, strict=True))]
    )
    write(path / "config.json", {"model_type": "bert", **(config or {})})
    write(path / "1_Pooling" / "config.json", pooling or {"embedding_dimension": 4, "pooling_mode": "mean", "include_prompt": True})
    if about is not None:
        write(path / "sentence_bert_config.json", about)
    if prompts is not None:
        write(path / "config_sentence_transformers.json", {"prompts": prompts})
    (path / "model.safetensors").write_bytes(b"weights")
    for place, name in zip(places, modules, strict=True):
        if name == "Dense":
            write(
                path / place / "config.json",
                {"in_features": 4, "out_features": 2, "activation_function": "torch.nn.modules.linear.Identity"},
            )
            (path / place / "model.safetensors").write_bytes(b"dense")
    return path


def test_what_the_files_say(tmp_path):
    found = read_layout(folder_of(tmp_path / "m", about={"max_seq_length": 256, "do_lower_case": True}, prompts={"query": "q: "}))
    assert (found.pooling, found.after, found.max_tokens, found.lower) == (("mean",), (None,), 256, True)
    assert (found.prompt(["query"]), found.prompt(["document", "passage"]), found.foreign) == ("q: ", "", "")


def test_older_files_say_the_same(tmp_path):
    old = {
        "word_embedding_dimension": 4,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
    }
    found = read_layout(folder_of(tmp_path / "m", pooling=old, names=OLD))
    assert (found.pooling, found.after, found.foreign) == (("cls", "mean"), (None,), "")


def test_a_dense_layer_has_its_place(tmp_path):
    path = folder_of(tmp_path / "m", ["Transformer", "Pooling", "Dense", "Normalize"])
    assert read_layout(path).after == (path / "2_Dense", None)


def test_a_plain_transformer_has_the_mean(tmp_path):
    path = folder_of(tmp_path / "m")
    (path / "modules.json").unlink()
    assert (read_layout(path).pooling, read_layout(path).after) == (("mean",), ())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"modules": ["StaticEmbedding", "Normalize"], "names": OLD}, "begins with the modules StaticEmbedding"),
        ({"modules": ["Transformer", "Pooling", "LayerNorm"], "names": OLD}, "has a module LayerNorm"),
        ({"modules": ["Transformer", "Pooling", "their.Own"]}, "has a module their.Own"),
        ({"modules": ["their.Transformer", "Pooling"]}, "begins with the modules their.Transformer"),
        ({"pooling": {"pooling_mode": "mean", "include_prompt": False}}, "leaves prompts out"),
        ({"pooling": {"pooling_mode": "median"}}, "pools by 'median'"),
        ({"config": {"model_type": "t5"}}, "has an encoder and a decoder"),
        ({"about": {"transformer_task": "text-generation"}}, "not only asked for the states"),
    ],
)
def test_what_only_the_package_can_do_is_known_and_without_it_refused(tmp_path, given, says):
    path = folder_of(tmp_path / "m", **given)
    assert says in read_layout(path).foreign
    made = make_sentence_transformers(str(path), pooling="mean")
    with pytest.raises(ConfigError, match=r"'pooling' cannot be set for this model, which"):
        _ = made.recipe


def test_the_recipe_says_all_that_shapes_a_vector(tmp_path):
    path = folder_of(tmp_path / "m", about={"max_seq_length": 256}, prompts={"query": "q: ", "document": "d: "})
    changes = [{}, {"pooling": "cls"}, {"normalise": False}, {"max_tokens": 9}, {"query_prefix": ""}, {"passage_prefix": "x"}]
    recipes = [make_sentence_transformers(str(path), **change).recipe for change in changes]
    assert len(set(recipes)) == len(changes)
    assert recipes[0].endswith("-mean-t256-unit-query='q: '-passage='d: '")
    assert make_sentence_transformers(str(path), batch=2, device="cpu").recipe == recipes[0]


def test_a_model_of_the_hub_is_known_by_its_name_too(tmp_path, monkeypatch):
    """Settings that are made for one embedder look for its name."""
    import huggingface_hub

    path, asked = folder_of(tmp_path / "m"), {}
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **more: asked.update(more, name=name) or str(path))
    recipe = make_sentence_transformers("someone/their-model", revision="v2").recipe
    assert recipe == make_sentence_transformers(str(path)).recipe.replace("sentence-", "sentence-someone/their-model-")
    assert (asked["name"], asked["revision"]) == ("someone/their-model", "v2")
    assert not any(pattern.endswith((".bin", ".py", ".onnx")) for pattern in asked["allow_patterns"])


def test_a_model_that_cannot_be_had_says_what_to_do(monkeypatch):
    import huggingface_hub

    def closed(*parts, **more):
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", closed)
    with pytest.raises(ConfigError, match=r"neither a folder here, .*no route to host.*Where the network is closed, bring the folder"):
        _ = make_sentence_transformers("someone/their-model").recipe


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "1_Pooling/config.json", "modules.json"])
def test_a_file_that_changed_is_another_model(tmp_path, file):
    path = folder_of(tmp_path / "m")
    before = make_sentence_transformers(str(path)).recipe
    (path / file).write_bytes((path / file).read_bytes() + b"\n")
    assert make_sentence_transformers(str(path)).recipe != before


def test_the_same_files_elsewhere_are_the_same_model(tmp_path):
    path = folder_of(tmp_path / "m")
    shutil.copytree(path, tmp_path / "copy")
    (path / "README.md").write_text("about it")
    assert make_sentence_transformers(str(path)).recipe == make_sentence_transformers(str(tmp_path / "copy")).recipe


def test_pickled_weights_are_refused(tmp_path):
    path = folder_of(tmp_path / "m")
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"no weights as safetensors. It has pytorch_model.bin: pickled weights can run any program"):
        _ = make_sentence_transformers(str(path)).recipe


@pytest.mark.parametrize("model", ["nowhere", "./nowhere/model", "/nowhere/model", "a/b/c"])
def test_a_folder_that_is_not_there_is_told(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"There is no model '.*nowhere.*|a/b/c'.*Give the folder of a model, or its name"):
        _ = make_sentence_transformers(model).recipe


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(ConfigError, match="config.json.*Give the folder of a sentence-transformers or transformers model"):
        _ = make_sentence_transformers(str(tmp_path)).recipe


@pytest.mark.parametrize("text", ["{", '[{"path": ""}]', '{"type": 3}'])
def test_damaged_files_are_told(tmp_path, text):
    path = folder_of(tmp_path / "m")
    (path / "modules.json").write_text(text)
    with pytest.raises(SynthesizrrError, match="modules.json: This is not JSON|cannot be read"):
        _ = make_sentence_transformers(str(path)).recipe


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"model": ""}, "'model' is empty"),
        ({"pooling": "median"}, "pooling = \"median\" is unknown. .*Valid: 'cls', 'max', 'mean'"),
        ({"batch": 0}, "'batch' must be 1 or more"),
        ({"max_tokens": 0}, "'max_tokens' must be 1 or more"),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters, says):
    with pytest.raises(ConfigError, match=says):
        make_sentence_transformers(**{"model": "m", **parameters})


def test_without_torch_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'spacy-synthesizrr\[transformers\]'"):
        make_sentence_transformers(str(folder_of(tmp_path / "m"))).fit((), seed=0)


def test_before_the_fit_nothing_is_known(tmp_path):
    made = make_sentence_transformers(str(folder_of(tmp_path / "m")))
    assert can_be_kept(made)
    for ask in (lambda: made.id, lambda: made.dimensions, lambda: made.embed(["storm"])):
        with pytest.raises(StoreError, match="has not been fitted"):
            ask()


def test_an_index_names_its_embedder_without_the_model(tmp_path):
    path = folder_of(tmp_path / "m")
    made = make_sentence_transformers(str(path))
    made._dimensions = 4
    made.save(tmp_path / "saved")
    shutil.rmtree(path)
    assert load_embedder(tmp_path / "saved").id == made.id
