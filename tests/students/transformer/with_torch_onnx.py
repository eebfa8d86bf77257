"""A transformer student as ONNX. Run by tests/services/test_services_transformer_student.py, in a child process that has torch and onnx."""

import json
import re
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import spacy
import tokenizers
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam
from tiny_encoders import save

from spacy_synthesizrr.errors import StudentError
from spacy_synthesizrr.students.transformer.onnx import export_onnx

ROWS = [("the keeper scored a goal", "sport"), ("storm reached the harbour , the ferry", "weather"), ("a choir sang a song", "music")]
TEXTS = ["the keeper", "STORM", "a song , a choir sang in the harbour . " * 9, "ferry unheard", ""]
COLUMNS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


def student(tmp_path, kind="bert", *, factory="textcat", **parameters):
    """A student that was trained a little, on disk."""
    nlp = spacy.blank("en")
    given = {"name": save(tmp_path / "encoder", kind), "exclusive_classes": factory == "textcat", "max_length": 32, **parameters}
    nlp.add_pipe(factory, config={"model": {"@architectures": "synthesizrr.TransformerTextCat.v1", **given}})
    labels = [label for _, label in ROWS]
    examples = [Example.from_dict(nlp.make_doc(text), {"cats": {name: float(name == label) for name in labels}}) for text, label in ROWS]
    fix_random_seed(0)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.01, use_averages=False)
    for _ in range(8):
        nlp.update(examples, sgd=optimizer)
    nlp.to_disk(tmp_path / "student")
    return nlp


def scores(nlp):
    return np.array([list(doc.cats.values()) for doc in nlp.pipe(TEXTS)])


def run(folder, texts):
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    encoded = tokenizer.encode_batch(texts)
    inputs = {put.name: np.array([getattr(row, COLUMNS[put.name]) for row in encoded], dtype=np.int64) for put in session.get_inputs()}
    return session.run(["scores"], inputs)[0]


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "mean"), ("distilbert", "first"), ("deberta-v2", "first"), ("roberta", "mean")])
def test_the_graph_gives_the_scores_of_the_pipeline(kind, pooling, tmp_path):
    wanted = scores(student(tmp_path, kind, pooling=pooling))
    assert np.ptp(wanted, axis=0).min() > 0.01
    written = export_onnx(tmp_path / "student", tmp_path / "out")
    assert sorted(path.name for path in written) == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert np.allclose(run(tmp_path / "out", TEXTS), wanted, atol=1e-4)
    assert np.allclose(np.concatenate([run(tmp_path / "out", [text]) for text in TEXTS]), wanted, atol=1e-4)  # and one by one


def test_scores_of_several_labels_each_stand_alone(tmp_path):
    nlp = student(tmp_path, factory="textcat_multilabel")
    nlp.meta["synthesizrr"] = {"finish": {"thresholds": {"sport": 0.4, "weather": 0.5, "music": 0.75}}}
    nlp.to_disk(tmp_path / "student")
    export_onnx(tmp_path / "student", tmp_path / "out")
    assert np.allclose(run(tmp_path / "out", TEXTS), scores(nlp), atol=1e-4)
    assert json.loads((tmp_path / "out" / "labels.json").read_text()) == {
        "labels": list(nlp.get_pipe("textcat_multilabel").labels),
        "exclusive": False,
        "thresholds": {"sport": 0.4, "weather": 0.5, "music": 0.75},
    }


def test_what_the_readme_shows_runs_without_spacy_and_torch(tmp_path):
    nlp = student(tmp_path)
    export_onnx(tmp_path / "student", tmp_path / "out")
    snippet = re.search(r"```python\n(.*?)```", (tmp_path / "out" / "README.md").read_text(), re.DOTALL)[1]
    assert len(snippet.splitlines()) <= 10
    forbid = "import sys; sys.modules['torch'] = sys.modules['spacy'] = None\n"
    done = subprocess.run([sys.executable, "-c", forbid + snippet], cwd=tmp_path / "out", capture_output=True, text=True, check=True)
    first, _ = done.stdout.splitlines()
    wanted = nlp("a text").cats
    found = json.loads(first.replace("'", '"'))
    assert found.keys() == wanted.keys()
    assert all(abs(found[label] - wanted[label]) < 1e-3 for label in wanted)


def test_smaller_weights_give_about_the_same_scores(tmp_path):
    wanted = scores(student(tmp_path))
    export_onnx(tmp_path / "student", tmp_path / "whole")
    export_onnx(tmp_path / "student", tmp_path / "out", quantize=True)
    found = run(tmp_path / "out", TEXTS)
    assert np.allclose(found, wanted, atol=0.05)
    assert not np.array_equal(found, run(tmp_path / "whole", TEXTS))
    assert [path.name for path in (tmp_path / "out").glob("*.onnx")] == ["model.onnx"]


def test_an_export_is_replaced_but_nothing_else(tmp_path):
    student(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(StudentError, match="holds other things"):
        export_onnx(tmp_path / "student", tmp_path / "mine")
    for _ in range(2):
        export_onnx(tmp_path / "student", tmp_path / "out")
    assert (tmp_path / "out" / "model.onnx").is_file()


def test_what_is_no_transformer_student_is_refused(tmp_path):
    with pytest.raises(StudentError, match="There is no student in"):
        export_onnx(tmp_path / "nowhere", tmp_path / "out")
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat")
    example = Example.from_dict(nlp.make_doc("a"), {"cats": {"x": 1.0, "y": 0.0}})
    nlp.initialize(lambda: [example])
    nlp.to_disk(tmp_path / "student")
    with pytest.raises(StudentError, match=r"\(textcat\) has no transformer"):
        export_onnx(tmp_path / "student", tmp_path / "out")
    assert not (tmp_path / "out").exists()
