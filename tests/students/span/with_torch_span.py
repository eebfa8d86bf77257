"""The span student, with torch. Run by tests/services/test_services_transformer_student.py, in a child process that has it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from confection import Config
from tiny_encoders import POSITIONS, save

from spacy_synthesizrr.answer_spans import find_answer
from spacy_synthesizrr.errors import ConfigError, StudentError
from spacy_synthesizrr.students.job import Job, find_trained
from spacy_synthesizrr.students.span import SpanRow, predict
from spacy_synthesizrr.students.span.model import load_pretrained, load_trained
from spacy_synthesizrr.students.span.predicting import answer, device_of
from spacy_synthesizrr.students.span.rows import write_span_rows
from spacy_synthesizrr.students.span.settings import make_span_config
from spacy_synthesizrr.students.span.training import choose_windows, train_span
from spacy_synthesizrr.students.span.windows import cut_questions, cut_windows

KINDS = ["bert", "distilbert", "roberta", "deberta-v2", "modernbert"]
CONTEXT = "The keeper scored a goal. Storm reached the harbour, the ferry. A choir sang a song."
FAR = "match " * 60 + "The choir sang a song in the harbour. " + "goal " * 60


def row(id, question, said, context=CONTEXT):
    return SpanRow(id, context, question, (said,), (find_answer(said, context)[0],))


ROWS = [
    row("dev:1", "keeper", "a goal"),
    row("dev:2", "storm", "the harbour"),
    row("dev:3", "choir", "a song"),
    row("dev:4", "song", "A choir"),
]
LONG = row("dev:5", "choir", "sang a song", FAR)


def config(name, *, training=None, **span):
    given = {"name": name, "max_length": POSITIONS, "overlap": 10, "question_tokens": 6, "answer_tokens": 8, "dropout": 0.0, **span}
    how = {"max_epochs": 0, "max_steps": 150, "eval_frequency": 25, "batch_rows": 4, "learn_rate": 0.01, **(training or {})}
    return make_span_config(Config({"span": given, "training": how}))


def train(folder, made, rows=ROWS, *, dev=ROWS, seed=0, steps=None):
    folder.mkdir(parents=True, exist_ok=True)
    write_span_rows(folder / "train.jsonl", rows)
    write_span_rows(folder / "dev.jsonl", dev)
    steps = steps or made.training.steps(len(rows))
    job = Job("main", seed, steps, folder / "train.jsonl", folder / "dev.jsonl", folder / "main" / str(seed), "inputs")
    return train_span(job, made, has_dev=bool(dev)), job


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save(tmp_path_factory.mktemp("bert") / "encoder")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_learns_and_is_read_where_its_encoder_is_not(kind, tmp_path):
    made = config(save(tmp_path / "encoder", kind))
    trained, job = train(tmp_path / "run", made)
    shutil.rmtree(tmp_path / "encoder")
    found = list(predict(job.folder, ROWS))
    assert [one.text for one in found] == [one.answers[0] for one in ROWS]
    assert all(one.em == one.f1 == 1 and 0.3 < one.score <= 1 for one in found)
    assert [CONTEXT[one.start : one.end] for one in found] == [one.text for one in found]
    assert [one.line for one in found] == [1, 2, 3, 4]
    assert (trained.dev, trained.finish) == (1.0, {"dev_em": 1.0})
    assert find_trained(job, made.config) == trained


def test_a_seed_says_all(bert, tmp_path):
    one, two, other = (train(tmp_path / name, config(bert), seed=seed)[1] for name, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert files(one.folder) == files(two.folder)
    assert files(one.folder)["model.safetensors"] != files(other.folder)["model.safetensors"]


def test_training_leaves_the_random_numbers_of_others_alone(bert, tmp_path):
    torch.manual_seed(5)
    before = torch.rand(2)
    torch.manual_seed(5)
    train(tmp_path, config(bert), steps=2)
    assert torch.equal(torch.rand(2), before)


def test_nothing_is_pickled_and_no_place_is_named(bert, tmp_path):
    _, job = train(tmp_path, config(bert), steps=2)
    assert {Path(name).suffix for name in files(job.folder)} == {".json", ".safetensors"}
    assert str(tmp_path).encode() not in b"".join(files(job.folder).values())
    assert Path(bert).parent.name.encode() not in b"".join(files(job.folder).values())


def test_transformers_reads_it_and_gives_the_same_logits(bert, tmp_path):
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    _, job = train(tmp_path, config(bert))
    model, tokenizer = AutoModelForQuestionAnswering.from_pretrained(job.folder).eval(), AutoTokenizer.from_pretrained(job.folder)
    with torch.no_grad():
        out = model(**tokenizer(ROWS[0].question, ROWS[0].context, return_tensors="pt"))
    ours = load_trained(job.folder)
    windows = cut_windows(ours.tokenizer, [(ROWS[0].question, ROWS[0].context)], ours.settings)
    with torch.no_grad():
        starts, ends = ours.logits(windows)
    inside = torch.from_numpy(windows[0].inside)
    assert torch.allclose(starts[0][inside], out.start_logits[0][inside], atol=1e-5)
    assert torch.allclose(ends[0][inside], out.end_logits[0][inside], atol=1e-5)


def test_an_answer_far_into_the_context_is_found_and_learned(bert, tmp_path):
    _, job = train(tmp_path, config(bert, training={"max_steps": 400}), [*ROWS, LONG], dev=[])
    found = list(predict(job.folder, [*ROWS, LONG]))
    assert [one.text for one in found] == [one.answers[0] for one in [*ROWS, LONG]]
    assert found[-1].start == FAR.index("sang")


def test_windows_cover_the_context_and_no_token_is_lost(bert):
    made = load_pretrained(config(bert).span, seed=0)
    windows = cut_windows(made.tokenizer, [("choir", FAR), ("goal", CONTEXT)], made.settings)
    assert [window.row for window in windows] == [0] * (len(windows) - 1) + [1]
    assert all(len(window.ids) <= POSITIONS for window in windows)
    seen = np.zeros(len(FAR), dtype=bool)
    for window in windows[:-1]:
        for start, end in window.offsets[window.inside]:
            seen[start:end] = True
    assert all(seen[place] or FAR[place] == " " for place in range(len(FAR)))
    targets = [window.target(LONG.span) for window in windows[:-1]]
    assert any(targets) and not all(targets)
    for window, target in zip(windows, targets, strict=False):
        if target:
            first, last = target
            assert FAR[window.offsets[first, 0] : window.offsets[last, 1]] == "sang a song"


def test_answers_do_not_depend_on_the_other_rows(bert, tmp_path):
    _, job = train(tmp_path, config(bert, batch_tokens=90), steps=5)
    together = list(predict(job.folder, [*ROWS, LONG]))
    alone = [next(predict(job.folder, [one])) for one in [*ROWS, LONG]]
    assert [(one.start, one.end) for one in together] == [(one.start, one.end) for one in alone]
    assert np.allclose([one.score for one in together], [one.score for one in alone], atol=1e-5)


def test_a_long_question_is_cut_and_the_context_keeps_its_room(bert):
    made = load_pretrained(config(bert).span, seed=0)
    question = "storm harbour ferry choir song keeper penalty goal"
    assert cut_questions(made.tokenizer, [question, "goal"], 6) == ["storm harbour ferry choir song keeper", "goal"]
    windows = cut_windows(made.tokenizer, [(question, FAR)], made.settings)
    assert all(window.inside.sum() > made.settings.overlap for window in windows)


def test_a_context_of_unknown_signs_is_no_trouble(bert):
    made = load_pretrained(config(bert).span, seed=0)
    found = list(answer(made, [SpanRow("a", "日本 ☃", "?", ("日本",), (0,))]))
    assert found[0].text and 0 <= found[0].start < found[0].end <= 4
    assert list(answer(made, [])) == []


def test_half_of_the_windows_of_a_long_context_do_not_hold_the_answer(bert):
    made = load_pretrained(config(bert).span, seed=0)
    rows = [LONG, ROWS[0]]
    windows = cut_windows(made.tokenizer, [(one.question, one.context) for one in rows], made.settings)
    drawn = [choose_windows(rows, windows, np.random.default_rng(seed))[1] for seed in range(200)]
    without = sum(target == (0, 0) for target, _ in drawn)
    assert 60 < without < 140
    assert all(target != (0, 0) for _, target in drawn)  # one window: it holds the answer


def test_weights_of_rows_count(bert, tmp_path):
    """Two answers to one question: the row that weighs more is believed."""
    first, second = ROWS[0], row("train:9", "keeper", "the harbour")
    said = []
    for weights in ((1.0, 0.01), (0.01, 1.0)):
        rows = [replace(one, weight=weight) for one, weight in zip((first, second), weights, strict=True)]
        _, job = train(tmp_path / str(weights[0]), config(bert), rows, dev=[])
        said.append(next(predict(job.folder, [first])).text)
    assert said == ["a goal", "the harbour"]


def test_the_best_model_on_dev_is_kept(bert, tmp_path):
    """Rows with other answers than dev's are learned at the end: what dev says stays that of an earlier model."""
    trained, job = train(tmp_path, config(bert, training={"max_steps": 60, "eval_frequency": 10}))
    scores = dict(trained.curve)
    assert list(scores) == [9, 19, 29, 39, 49, 59]
    assert trained.dev == max(scores.values()) == scores[trained.best_step]
    assert trained.best_step == max(step for step, score in scores.items() if score == trained.dev)
    assert json.loads((job.folder / "span.json").read_text())["step"] == trained.best_step


def test_without_dev_rows_the_last_model_is_kept(bert, tmp_path):
    trained, _ = train(tmp_path, config(bert), dev=[], steps=7)
    assert (trained.dev, trained.curve, trained.best_step, trained.steps) == (None, (), 6, 7)


def test_what_broke_off_is_trained_again(bert, tmp_path):
    _, whole = train(tmp_path / "whole", config(bert), steps=50)
    job = Job("main", 0, 50, tmp_path / "whole" / "train.jsonl", tmp_path / "whole" / "dev.jsonl", tmp_path / "broken" / "0", "inputs")

    def stop(step):
        if step == 45:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_span(job, config(bert), has_dev=True, on_step=stop)
    assert not job.folder.exists() and job.unfinished.is_dir()
    assert find_trained(job, config(bert).config) is None
    train_span(job, config(bert), has_dev=True)
    assert files(job.folder) == files(whole.folder)
    assert not job.unfinished.exists()


def test_an_answer_that_no_window_holds_is_left_out_and_told(bert, tmp_path):
    long = row("train:1", "match", FAR[:300], FAR)
    trained, _ = train(tmp_path / "some", config(bert), [*ROWS, long], steps=2)
    assert trained.finish["too_long"] == 1
    with pytest.raises(StudentError, match=r"No row of .*train.jsonl has an answer that fits a window. Raise max_length"):
        train(tmp_path / "none", config(bert), [long], steps=2)


def test_more_tokens_than_there_are_places_for_are_refused(bert):
    with pytest.raises(ConfigError, match=rf"max_length = 64, but this encoder \(bert\) takes {POSITIONS} tokens at most"):
        load_pretrained(config(bert, max_length=64).span, seed=0)


def test_an_encoder_with_a_decoder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is an encoder and a decoder in one|an encoder and a decoder"):
        load_pretrained(config(save(tmp_path / "bart", "bart")).span, seed=0)


def test_pickled_weights_are_refused(bert, tmp_path):
    shutil.copytree(bert, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").rename(tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"\[span\] .*pickled weights can run any program"):
        load_pretrained(config(str(tmp_path / "pickled")).span, seed=0)


def test_a_tokenizer_without_special_tokens_is_refused(bert, tmp_path):
    shutil.copytree(bert, tmp_path / "bare")
    path = tmp_path / "bare" / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "post_processor": None}))
    with pytest.raises(ConfigError, match="its tokenizer puts no special token before a pair"):
        load_pretrained(config(str(tmp_path / "bare")).span, seed=0)


def test_a_folder_that_holds_no_student_is_told(bert, tmp_path):
    with pytest.raises(StudentError, match=r"holds no span student \(span.json is missing\)"):
        list(predict(Path(bert), ROWS))
    _, job = train(tmp_path, config(bert), steps=1)
    shutil.copy(Path(bert) / "model.safetensors", job.folder / "model.safetensors")  # an encoder, which marks nothing
    with pytest.raises(ConfigError, match=r"\[span\] The student in .* its weights lack .*qa_outputs"):
        list(predict(job.folder, ROWS))


def test_a_model_that_marks_spans_already_keeps_what_it_learned(bert, tmp_path):
    _, job = train(tmp_path, config(bert))
    again = load_pretrained(config(str(job.folder)).span, seed=7)
    assert [one.em for one in answer(again, ROWS)] == [1, 1, 1, 1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told():
    assert device_of(-1) == "cpu"
    with pytest.raises(StudentError, match=r"There is no GPU 0 that torch can use \(0 in all\). Train on the CPU with --vars.gpu_id -1"):
        device_of(0)
