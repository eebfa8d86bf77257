"""The whole way with a real LLM as teacher: `spacy project run all` on the demo task, through Ollama."""

import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from conftest import Project, make_project

from services.ollama import Ollama

RUN = "with_ollama"
PER_LABEL = 3
OPTIONS = {"run": RUN, "teacher": "ollama", "per_label": PER_LABEL}
TEACHER, STRATEGY, TASK = "configs/teacher.ollama.cfg", "configs/strategy.synthesizrr.cfg", "assets/news_demo/task.yml"


def set_value(project: Project, file: str, key: str, value: str) -> None:
    """Give a key of a config or task file another value."""
    path = project.path / file
    line = re.compile(rf"^(\s*{key}(?: =|:) ).*$", re.MULTILINE)
    text, count = line.subn(lambda found: found.group(1) + value, path.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def walked(ollama: Ollama, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The demo task, run once with the config that users get, for a model that is much smaller than theirs."""
    project = make_project(tmp_path_factory.mktemp("with_ollama") / "project")
    set_value(project, TEACHER, "base_url", f'"{ollama.base_url}"')
    set_value(project, TEACHER, "model", f'"{ollama.model}"')
    set_value(project, TEACHER, "temperature", "0.7")
    set_value(project, TEACHER, "max_tokens", "150")
    # it rambles: without more room and more tries a label may end without a row, and then no student can be trained
    set_value(project, TASK, "max_words", "100")
    set_value(project, STRATEGY, "overgenerate", "6.0")
    # not the controls that ask the teacher too: they would take minutes
    set_value(project, STRATEGY, "arms", '["seed-only", "gold", "retrieve-only"]')
    done = project.run(**OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def answers(project: Project) -> set[tuple[str, str]]:
    """Request hash and text of every answer that was kept."""
    with closing(sqlite3.connect(project.file(RUN, "answers.sqlite"))) as connection:
        return set(connection.execute("SELECT request, text FROM answers"))


def requests(ollama: Ollama) -> int:
    """How many chat completions the server was asked for, as it says itself."""
    return ollama.log.read_text(encoding="utf-8").count('"/v1/chat/completions"')


def test_every_accepted_row_has_a_text_that_the_teacher_wrote(walked):
    rows = walked.rows(RUN, "accepted.jsonl")
    assert rows
    written = [text for _, text in answers(walked)]
    for row in rows:
        text = row["fields"]["text"]
        assert text.strip()
        assert any(text in answer for answer in written)


def test_the_funnel_adds_up(walked):
    funnel = walked.json(RUN, "funnel.json")
    assert len(funnel["labels"]) == 4
    for counts in funnel["labels"].values():
        rejected = sum(sum(reasons.values()) for reasons in counts["rejected"].values())
        assert counts["asked"] == PER_LABEL == counts["accepted"] + counts["short"]
        assert counts["sent"] == counts["answered"] + sum(counts["failed"].values())
        assert counts["answered"] == counts["accepted"] + rejected
    assert funnel["total"]["sent"] == len(walked.rows(RUN, "generated.jsonl"))
    assert funnel["total"]["accepted"] == len(walked.rows(RUN, "accepted.jsonl"))


def test_running_again_asks_nothing(walked, ollama):
    before = requests(ollama), answers(walked)
    done = walked.run(**OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (requests(ollama), answers(walked)) == before


def test_synthesizing_again_asks_only_what_has_no_answer(walked, ollama, tmp_path):
    shutil.copytree(walked.path, tmp_path / "project")
    again = Project(tmp_path / "project")
    asked, kept = requests(ollama), answers(again)
    unanswered = len(again.rows(RUN, "generated.jsonl")) - len(kept)
    again.file(RUN, "receipts/synthesize.json").unlink()
    done = again.run(command="synthesize", **OPTIONS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert kept <= answers(again)
    assert (requests(ollama) > asked) == (unanswered > 0)
