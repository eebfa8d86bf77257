"""The transformer student, with torch. Run by tests/services/test_services_transformer_student.py, in a child process that has it."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
from conftest import ROOT
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import fix_random_seed, load_config
from thinc.api import Adam
from tiny_encoders import POSITIONS, save

from spacy_synthesizrr.errors import ConfigError, StudentError
from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.transformer.cache import VECTORS
from spacy_synthesizrr.students.transformer.layer import EncoderShim
from spacy_synthesizrr.students.transformer.loading import load_encoder, longest
from spacy_synthesizrr.students.transformer.settings import Settings

ARCHITECTURE = "synthesizrr.TransformerTextCat.v1"
KINDS = ["bert", "distilbert", "deberta-v2", "roberta", "modernbert"]
ROWS = [
    ("the keeper scored a goal in the match", "sport"),
    ("storm reached the harbour , the ferry", "weather"),
    ("penalty in the match . goal", "sport"),
    ("a storm in the harbour", "weather"),
]
TEXTS = ["the keeper", "storm", "a song , a choir sang in the harbour . " * 9, "ferry unheard", "goal"]
LONG = "storm harbour ferry . " * 40


def make(name, *, factory="textcat", **parameters):
    nlp = spacy.blank("en")
    given = {"name": name, "exclusive_classes": factory == "textcat", "max_length": 32, **parameters}
    nlp.add_pipe(factory, name="textcat", config={"model": {"@architectures": ARCHITECTURE, **given}})
    return nlp


def examples(nlp, rows=ROWS):
    labels = sorted({label for _, label in rows})
    return [Example.from_dict(nlp.make_doc(text), {"cats": {name: float(name == label) for name in labels}}) for text, label in rows]


def trained(name, *, steps=10, seed=0, rate=0.01, drop=0.1, **parameters):
    nlp = make(name, **parameters)
    fix_random_seed(seed)
    nlp.initialize(lambda: examples(nlp))
    optimizer = Adam(rate, use_averages=False, grad_clip=1.0, L2=0.01)
    losses = [nlp.update(examples(nlp), sgd=optimizer, drop=drop)["textcat"] for _ in range(steps)]
    return nlp, losses


def scores(nlp, texts=TEXTS):
    return np.array([list(doc.cats.values()) for doc in nlp.pipe(texts)])


def vectors(nlp, texts=TEXTS):
    return nlp.get_pipe("textcat").model.layers[0].predict([nlp.make_doc(text) for text in texts])


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save(tmp_path_factory.mktemp("bert") / "encoder")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_and_is_loaded_where_its_encoder_is_not(kind, tmp_path):
    nlp, losses = trained(save(tmp_path / "encoder", kind))
    assert losses[-1] < losses[0] / 2
    before = scores(nlp)
    nlp.to_disk(tmp_path / "student")
    shutil.rmtree(tmp_path / "encoder")
    assert np.array_equal(scores(spacy.load(tmp_path / "student")), before)
    assert np.allclose(before.sum(axis=1), 1.0)


def test_the_encoder_is_trained_too(bert):
    nlp, _ = trained(bert)
    untrained, _ = trained(bert, steps=0)
    assert np.abs(vectors(nlp) - vectors(untrained)).max() > 0.01


def test_a_seed_says_all(bert):
    assert np.array_equal(scores(trained(bert, seed=3)[0]), scores(trained(bert, seed=3)[0]))
    assert not np.array_equal(scores(trained(bert, seed=3)[0]), scores(trained(bert, seed=4)[0]))


def test_gradients_are_those_of_the_cross_entropy(bert):
    """Of every weight, against torch's own."""
    nlp = make(bert, dropout=0.0)
    nlp.initialize(lambda: examples(nlp))
    pipe = nlp.get_pipe("textcat")
    docs, truth = [eg.predicted for eg in examples(nlp)], torch.tensor([list(eg.reference.cats.values()) for eg in examples(nlp)])
    found, backprop = pipe.model.begin_update(docs)
    backprop(found - truth.numpy())
    encoder, linear = pipe.model.layers[0].shims[0].encoder, pipe.model.get_ref("output_layer")
    ours = {name: value.grad.clone() for name, value in encoder.model.named_parameters() if value.grad is not None}
    encoder.model.zero_grad()
    given = pipe.model.layers[0].shims[0].inputs([doc.text for doc in docs])
    states = encoder.vectors(*given.args, **given.kwargs)
    weights = torch.tensor(linear.get_param("W"), requires_grad=True)
    logits = states @ weights.T + torch.tensor(linear.get_param("b"))
    torch.nn.functional.cross_entropy(logits, truth, reduction="sum").backward()
    assert np.allclose(linear.get_grad("W"), weights.grad.numpy(), atol=1e-5)
    assert ours.keys() == {name for name, value in encoder.model.named_parameters() if value.grad is not None}
    for name, value in encoder.model.named_parameters():
        if name in ours:
            assert torch.allclose(ours[name], value.grad, atol=1e-5), name


def test_several_labels_or_none(bert):
    nlp, losses = trained(bert, factory="textcat_multilabel", steps=20)
    assert losses[-1] < losses[0] / 2
    found = scores(nlp)
    assert found.min() > 0 and found.max() < 1
    assert not np.allclose(found.sum(axis=1), 1.0)
    assert nlp.get_pipe("textcat").model.attrs["multi_label"]


def test_the_output_layer_is_linear_so_its_weights_can_be_scaled(bert):
    nlp, _ = trained(bert)
    before = np.log(scores(nlp))
    linear = nlp.get_pipe("textcat").model.get_ref("output_layer")
    for name in ("W", "b"):
        linear.set_param(name, linear.get_param(name) / 2)
    after = np.log(scores(nlp))
    assert np.allclose(after[:, 0] - after[:, 1], (before[:, 0] - before[:, 1]) / 2, atol=1e-4)


@pytest.mark.parametrize("long_texts", ["cut", "windows"])
def test_scores_do_not_depend_on_the_other_texts(bert, long_texts):
    nlp, _ = trained(bert, long_texts=long_texts, batch_tokens=70)
    together = scores(nlp, [*TEXTS, LONG, ""])
    assert np.allclose(together, [scores(nlp, [text, "a"])[0] for text in [*TEXTS, LONG, ""]], atol=1e-5)


def test_an_empty_text_is_no_trouble(bert):
    nlp, _ = trained(bert)
    assert set(nlp("").cats) == {"sport", "weather"}
    assert [doc.cats for doc in nlp.pipe([])] == []
    nlp.update([Example.from_dict(nlp.make_doc(""), {"cats": {"sport": 1.0, "weather": 0.0}}), *examples(nlp)], sgd=Adam(0.01))


def test_windows_read_to_the_end_and_are_averaged(bert):
    cut, windows = make(bert), make(bert, long_texts="windows")
    for nlp in (cut, windows):
        nlp.initialize(lambda nlp=nlp: examples(nlp))
    pair = [LONG, LONG + "goal goal goal"]
    assert np.array_equal(*vectors(cut, pair))
    assert not np.allclose(*vectors(windows, pair), atol=1e-3)
    short = vectors(cut, TEXTS[:2])
    assert np.allclose(short, vectors(windows, TEXTS[:2]), atol=1e-6)
    shim = windows.get_pipe("textcat").model.layers[0].shims[0]
    pieces = shim.pieces([LONG])
    assert len(pieces.ids) > 3 and max(map(len, pieces.ids)) == 32
    assert pieces.ids[0][-9:-1] == pieces.ids[1][1:9]  # a quarter is in both
    each = [shim.encoder.vectors(type(pieces)([ids], [types], np.array([0])), 1, pooling="mean", budget=99).detach()
            for ids, types in zip(pieces.ids, pieces.types, strict=True)]  # fmt: skip
    assert np.allclose(vectors(windows, [LONG])[0], torch.cat(each).mean(dim=0).numpy(), atol=1e-5)


def test_windows_are_learned_from(bert):
    rows = [(LONG + "goal keeper " * 9, "sport"), (LONG + "choir song " * 9, "music"), *ROWS[:2]]
    nlp = make(bert, long_texts="windows", dropout=0.0)
    fix_random_seed(0)
    nlp.initialize(lambda: examples(nlp, rows))
    optimizer = Adam(0.01, use_averages=False)
    losses = [nlp.update(examples(nlp, rows), sgd=optimizer)["textcat"] for _ in range(30)]
    assert losses[-1] < losses[0] / 4


def test_a_frozen_encoder_stays_as_it_is_and_its_vectors_are_computed_once(bert, monkeypatch):
    VECTORS.clear()
    asked = []
    compute = EncoderShim.compute
    monkeypatch.setattr(EncoderShim, "compute", lambda shim, texts: asked.extend(texts) or compute(shim, texts))
    first, losses = trained(bert, frozen=True, rate=0.1)
    assert losses[-1] < losses[0]
    assert sorted(asked) == sorted(text for text, _ in ROWS)
    again, _ = trained(bert, frozen=True, rate=0.1)
    assert len(asked) == len(ROWS)  # the next seed or arm has them
    VECTORS.clear()
    anew, _ = trained(bert, frozen=True, rate=0.1)
    assert np.array_equal(scores(again), scores(first))
    assert np.allclose(scores(anew), scores(first), atol=1e-5)
    untrained, _ = trained(bert, steps=0)
    assert np.allclose(vectors(first), vectors(untrained), atol=1e-5)


def test_frozen_encoders_are_not_mistaken_for_one_another(bert, tmp_path):
    other = save(tmp_path / "other", seed=1)
    made = [make(name, frozen=True, pooling=pooling) for name in (bert, other) for pooling in ("mean", "first")]
    for nlp in made:
        nlp.initialize(lambda nlp=nlp: examples(nlp))
    found = [vectors(nlp) for nlp in made]
    assert not any(np.allclose(found[a], found[b], atol=1e-3) for a in range(4) for b in range(a))


@pytest.mark.parametrize("way", ["source", "bytes", "pickle", "copy"])
def test_a_student_goes_into_other_pipelines(bert, way):
    nlp, _ = trained(bert)
    other = spacy.blank("en")
    if way == "source":
        other.add_pipe("sentencizer")
        other.add_pipe("textcat", source=nlp)
    elif way == "bytes":
        other = make("no/longer-there").from_bytes(nlp.to_bytes())
    elif way == "pickle":
        other = pickle.loads(pickle.dumps(nlp))
    else:
        nlp.get_pipe("textcat").model = nlp.get_pipe("textcat").model.copy()
        other = nlp
    assert np.array_equal(scores(other), scores(trained(bert)[0]))


def test_a_saved_student_sourced_by_a_config_is_trained_further(bert, tmp_path):
    nlp, _ = trained(bert)
    nlp.to_disk(tmp_path / "student")
    other = spacy.load(tmp_path / "student")
    optimizer = other.resume_training(sgd=Adam(0.01, use_averages=False))
    losses = [other.update(examples(other), sgd=optimizer)["textcat"] for _ in range(5)]
    assert losses[-1] < losses[0] + 1e-6
    assert not np.array_equal(scores(other), scores(nlp))


def test_saving_again_gives_the_same_bytes_without_pickle_or_place(bert, tmp_path):
    nlp, _ = trained(bert)
    nlp.to_disk(tmp_path / "student")
    data = (tmp_path / "student" / "textcat" / "model").read_bytes()
    spacy.load(tmp_path / "student").to_disk(tmp_path / "again")
    assert (tmp_path / "again" / "textcat" / "model").read_bytes() == data
    assert str(Path(bert).parent).encode() not in data
    assert b"\x80\x02" not in data[:200] and b"data.pkl" not in data


def test_two_processes_answer_as_one(bert):
    nlp, _ = trained(bert)
    assert np.allclose(
        [list(doc.cats.values()) for doc in nlp.pipe(TEXTS * 4, n_process=2, batch_size=5)], scores(nlp, TEXTS * 4), atol=1e-6
    )


def test_a_forked_process_computes_with_one_thread_and_does_not_hang(bert, tmp_path):
    trained(bert)[0].to_disk(tmp_path / "student")
    code = """
import os, spacy, torch
torch.set_num_threads(2)
nlp = spacy.load("student")
large = torch.randn(1500, 1500)
wanted = (large @ large).sum(), nlp("the keeper").cats  # two threads have computed
if os.fork() == 0:
    found = nlp("the keeper").cats
    (large @ large).sum()
    os._exit(0 if found == wanted[1] and torch.get_num_threads() == 1 else 9)
_, status = os.wait()
print(os.waitstatus_to_exitcode(status), torch.get_num_threads())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.split() == ["0", "2"]


def test_a_label_can_be_added(bert):
    nlp, _ = trained(bert)
    before = scores(nlp)
    nlp.get_pipe("textcat").add_label("music")
    assert np.allclose(scores(nlp), np.column_stack([before, np.zeros(len(before))]), atol=1e-6)


def test_an_unfinished_student_says_so(bert):
    nlp = make(bert)
    assert make(bert).from_bytes(nlp.to_bytes())
    for label in ("sport", "weather"):
        nlp.get_pipe("textcat").add_label(label)
    with pytest.raises(StudentError, match=r"no encoder yet. Call nlp.initialize"):
        nlp("the keeper")


def refused(name, says, **parameters):
    nlp = make(name, **parameters)
    with pytest.raises(ConfigError, match=says):
        nlp.initialize(lambda: examples(nlp))


def test_pickled_weights_are_refused(bert, tmp_path):
    shutil.copytree(bert, tmp_path / "encoder")
    (tmp_path / "encoder" / "model.safetensors").unlink()
    (tmp_path / "encoder" / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    refused(
        str(tmp_path / "encoder"), r"\[components.textcat.model\] .*pytorch_model.bin: pickled weights can run any program.*convert it once"
    )


def test_an_encoder_with_a_decoder_is_refused(tmp_path):
    refused(save(tmp_path / "encoder", "bart"), r"\(bart\) is an encoder and a decoder; a student needs an encoder alone")


@pytest.mark.parametrize("kind", KINDS)
def test_more_tokens_than_there_are_places_for_are_refused(kind, tmp_path):
    name = save(tmp_path / "encoder", kind)
    refused(name, f"max_length = {POSITIONS + 1}, but this encoder .* takes {POSITIONS} tokens", max_length=POSITIONS + 1)
    nlp = make(name, max_length=POSITIONS)
    nlp.initialize(lambda: examples(nlp))
    assert np.isfinite(vectors(nlp, [LONG])).all()
    assert longest(nlp.get_pipe("textcat").model.layers[0].shims[0].encoder.model) == POSITIONS


def test_an_encoder_that_is_nowhere_is_told(tmp_path):
    refused("nobody/has-such-a-model", r"neither a folder here, nor in the hub's cache, nor can it be downloaded")
    refused(["no_such_package", str(tmp_path / "x")], r"There is no model 'no_such_package' or ")


def test_weights_that_lack_something_are_refused(bert, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(bert, tmp_path / "encoder")
    weights = load_file(tmp_path / "encoder" / "model.safetensors")
    weights.pop("embeddings.word_embeddings.weight")
    save_file(weights, tmp_path / "encoder" / "model.safetensors", metadata={"format": "pt"})
    refused(str(tmp_path / "encoder"), r"cannot be loaded: its weights lack embeddings.word_embeddings.weight \(1 in all\)")


def test_code_beside_an_encoder_never_runs(bert, tmp_path):
    shutil.copytree(bert, tmp_path / "encoder")
    (tmp_path / "encoder" / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    path = tmp_path / "encoder" / "config.json"
    about = json.loads(path.read_text()) | {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    path.write_text(json.dumps(about))
    refused(str(tmp_path / "encoder"), "cannot be loaded")
    assert not (tmp_path / "ran").exists()


def test_an_encoder_is_found_in_a_package(bert, tmp_path, monkeypatch):
    package = tmp_path / "carries_an_encoder"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('no code of it runs')")
    shutil.copytree(bert, package / "model")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert np.allclose(
        vectors(trained(["not_there", package.name, "who/knows"], steps=0)[0]), vectors(trained(bert, steps=0)[0]), atol=1e-6
    )


def test_a_cached_encoder_of_the_hub_needs_no_network(bert, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot(name, *, revision, allow_patterns, local_files_only=False):
        asked.append((name, revision, local_files_only))
        return bert

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    trained("org/encoder", steps=0, revision="v1")
    assert asked == [("org/encoder", "v1", True)]


@pytest.mark.parametrize(("rate", "found"), [(None, 0.1), (0.0, 0.0), (0.3, 0.3)])
def test_dropout_inside_the_encoder_can_be_set(rate, found, bert):
    settings = Settings((bert,), None, max_length=32, pooling="mean", dropout=rate, frozen=False, long_texts="cut", batch_tokens=99)
    model = load_encoder(settings).model
    assert {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)} == {found}


@pytest.mark.parametrize("kind", ["transformer", "frozen", "distilbert", "deberta-v3-large"])
def test_spacy_trains_by_the_config(kind, bert, tmp_path):
    """The config that users get, with another encoder and fewer steps."""
    for name in ("train", "dev"):
        nlp = spacy.blank("en")
        DocBin(docs=[eg.reference for eg in examples(nlp)]).to_disk(tmp_path / f"{name}.spacy")
    task = StudentTask(labels=("sport", "weather"), exclusive=True, lang="en")
    config = read_student_config(ROOT / "configs" / f"student.{kind}.cfg", task)
    config["paths"] = {name: str(tmp_path / f"{name}.spacy") for name in ("train", "dev")}
    config["training"] |= {"max_steps": 10, "eval_frequency": 5, "max_epochs": 0}
    config["components"]["textcat"]["model"] |= {"name": bert, "max_length": POSITIONS}
    config["training"]["optimizer"]["learn_rate"] |= {"warmup_steps": 1, "total_steps": 11, "initial_rate": 0.03}
    plain = load_config(ROOT / "configs" / f"student.{kind}.cfg")
    assert (
        plain["training"]["optimizer"]["learn_rate"]["warmup_steps"] == 0.06 * plain["training"]["optimizer"]["learn_rate"]["total_steps"]
    )
    (tmp_path / "out").mkdir()
    with (tmp_path / "log.txt").open("w") as log:
        nlp, _ = train(init_nlp(config), tmp_path / "out", stdout=log, stderr=log)
    best = spacy.load(tmp_path / "out" / "model-best")
    assert best.evaluate(examples(best))["cats_micro_f"] == 1.0


def test_texts_that_are_cut_are_counted(tmp_path):
    from spacy_synthesizrr.students.transformer.lengths import long_texts

    nlp, _ = trained(save(tmp_path / "bert"), steps=1)
    assert long_texts(nlp, ["storm", LONG, "", LONG]) == (2, 32)
    windows, _ = trained(save(tmp_path / "bert"), steps=1, long_texts="windows")
    assert long_texts(windows, [LONG]) is None
