"""`spacy project run all` with a real pretrained encoder as student. See tests/services/test_services_transformer_student.py."""

import json
import os
import re
import sys

import numpy as np
import pytest
import spacy
from conftest import make_project
from services.transformers import install_minilm

RUN = "pretrained"


def set_values(project, file, **values):
    """Give keys of a config or task file other values; the first of each that is there."""
    path = project.path / file
    text = path.read_text(encoding="utf-8")
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^(\s*{key}(?: =|:) ).*$", lambda found, value=value: found[1] + json.dumps(value), text, count=1)
        assert count == 1, key
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The demo task with the config that users get, but one seed, one control and few short steps."""
    project = make_project(tmp_path_factory.mktemp("pretrained") / "project")
    set_values(project, "configs/student.transformer.cfg", max_steps=3, eval_frequency=4)
    path = project.path / "configs/student.transformer.cfg"
    path.write_text(path.read_text().replace("max_length = 256", "max_length = 32").replace("max_epochs = 15", "max_epochs = 0"))
    set_values(project, "assets/news_demo/task.yml", k_seeds=1)
    set_values(project, "configs/strategy.synthesizrr.cfg", arms=["seed-only"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([os.environ["PYTHONPATH"], str(install_minilm())]))
        done = project.run(run=RUN, student="transformer", per_label=4)
        assert done.returncode == 0, done.stdout + done.stderr
        exported = project.command("spacy_synthesizrr", "export-onnx", "--run", RUN, "--out", "onnx")
        assert exported.returncode == 0, exported.stdout + exported.stderr
    return project


def test_a_pretrained_student_is_trained_evaluated_and_reported(walked):
    found = walked.json(RUN, "evaluation.json")
    assert [arm["name"] for arm in found["arms"] if arm["run"]] == ["main", "seed-only"]
    assert found["chosen"]["score"] > 0.25  # better than chance, after four steps
    assert (walked.file(RUN, "report") / "index.html").is_file()


def test_it_is_taken_home_without_its_encoder(walked):
    assert not any("minilm" in path for path in sys.path)
    nlp = spacy.load(walked.file(RUN, "student"))
    assert sum(nlp("The keeper saved a penalty in the last minute.").cats.values()) == pytest.approx(1.0)


def test_it_is_exported_by_the_command_line(walked):
    import onnxruntime
    import tokenizers

    text = "The keeper saved a penalty in the last minute."
    folder = walked.path / "onnx"
    encoded = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    inputs = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
    found = session.run(["scores"], {name: np.array([values], dtype=np.int64) for name, values in inputs.items()})[0][0]
    assert np.allclose(found, list(spacy.load(walked.file(RUN, "student"))(text).cats.values()), atol=1e-4)
