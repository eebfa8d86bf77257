"""The demo task a little way, with a small real LLM that transformers runs from its GGUF file. See test_models_hf_inside.py."""

import json
import os
import re

import pytest
from conftest import make_project
from services.ollama import install_model

TEACHER, STRATEGY = "configs/teacher.transformers.cfg", "configs/strategy.synthesizrr.cfg"
PER_LABEL = 1


def set_values(project, file, **values):
    """Give keys of a config other values."""
    path = project.path / file
    text = path.read_text(encoding="utf-8")
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^({key} = ).*$", lambda found, value=value: found[1] + json.dumps(value), text)
        assert count == 1
    path.write_text(text, encoding="utf-8")


def step(project, name, *words):
    done = project.command("spacy_synthesizrr", name, "--run", "local", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """The config that users get, for another model and with shorter answers, as far as `plan`."""
    project = make_project(tmp_path_factory.mktemp("local") / "project")
    set_values(project, TEACHER, model=str(install_model()), temperature=0.7, max_tokens=60)
    # it rambles: one line of it is enough here
    path = project.path / TEACHER
    path.write_text(path.read_text(encoding="utf-8") + 'stop = ["\\n"]\n', encoding="utf-8")
    set_values(project, STRATEGY, arms=["seed-only", "gold", "retrieve-only"])
    with pytest.MonkeyPatch.context() as patch:  # these steps are quicker without torch, which spaCy would load
        patch.setenv("PYTHONPATH", os.environ["PYTHONPATH"].rpartition(os.pathsep)[0])
        step(project, "prepare", "--task", "assets/news_demo", "--teacher", "transformers", "--per-label", str(PER_LABEL))
        for name in ("index", "plan"):
            step(project, name)
    return project


def test_rows_come_from_the_model_and_failures_are_named(planned):
    step(planned, "synthesize")
    rows = planned.rows("local", "generated.jsonl")
    assert len(rows) >= 4 * PER_LABEL
    written = [row for row in rows if row["status"] == "generated"]
    assert written
    for row in written:
        text, detail = row["fields"]["text"], row["events"][-1]["detail"]
        assert text.strip() and "\n" not in text
        assert detail["model"].endswith(".gguf")
        assert 0 < detail["answer_tokens"] <= 60
    assert {row["events"][-1]["reason"] for row in rows if row["status"] == "failed"} <= {"truncated", "refused", "empty"}
