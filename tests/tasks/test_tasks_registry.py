"""Task factories and task configs."""

import pytest
import spacy
from confection import Config
from spacy_llm.registry import registry

from spacy_synthesizrr.errors import ConfigError, TaskFileError
from spacy_synthesizrr.taskfile import read_task
from spacy_synthesizrr.tasks.registry import make_fewgen_task, make_refine_task, task_config

TASK = """
name: pairs
labels:
  "yes=no: maybe": {verbalization: 'that says "yes" for $5', definition: Agreement.}
  other: {verbalization: that says something else}
fields:
  - {name: premise}
  - {name: source_text, from: passage}
  - {name: hypothesis, generated: true}
prompt:
  document_header: "Text:"
  instruction: Write a sentence {verbalization}.
  instruction_without_document: Invent a sentence {verbalization}.
  answer_header: "Sentence:"
  length_hint: one sentence
  refusal_marker: NOT POSSIBLE
  max_words: 30
corpus: {path: corpus.jsonl}
seeds: {path: seeds.jsonl}
"""


@pytest.fixture
def task_file(tmp_path):
    path = tmp_path / "task.yml"
    path.write_text(TASK, encoding="utf-8")
    return path


def resolve(section):
    """Through the text of a config, as nlp.to_disk and spacy.load do it."""
    read = Config().from_str(Config({"task": section}).to_str())
    return registry.resolve(read)["task"]


@pytest.mark.parametrize("mode", ["zero-shot", "retricl", "non-retricl", "fewgen"])
def test_a_task_files_section_survives_the_text_of_a_config(task_file, mode):
    task = resolve(task_config(read_task(task_file), mode=mode))
    assert task.labels == ("yes=no: maybe", "other")
    assert (task.words.field, task.words.max_words, task.words.answer_header) == ("hypothesis", 30, "Sentence:")
    assert dict(task.words.carried) == {"premise": "Premise"}


def test_fewgen_takes_the_instruction_without_a_document(task_file):
    assert resolve(task_config(read_task(task_file), mode="fewgen")).words.instruction == "Invent a sentence {verbalization}."


def test_a_path_and_its_section_make_the_same_task(task_file):
    section = task_config(read_task(task_file), mode="retricl")
    assert make_refine_task(task=str(task_file), mode="retricl").prompt_template == resolve(section).prompt_template


def test_given_values_go_before_those_of_the_task_file(task_file):
    task = make_refine_task({"x": "on x"}, str(task_file), max_words=5)
    assert (task.labels, task.words.max_words, task.words.document_header) == (("x",), 5, "Text:")


def test_an_unknown_mode_is_refused_with_choices(task_file):
    with pytest.raises(ConfigError, match="Did you mean 'retricl'"):
        task_config(read_task(task_file), mode="retrcl")
    with pytest.raises(ConfigError, match="Did you mean 'retricl'"):
        make_refine_task("a,b", mode="retrcl")


def test_a_missing_task_file_is_named(tmp_path):
    with pytest.raises(TaskFileError, match="nowhere.yml"):
        make_refine_task(task=str(tmp_path / "nowhere.yml"))


@pytest.mark.parametrize("make", [make_refine_task, make_fewgen_task])
def test_an_instruction_without_the_labels_place_is_refused(make):
    with pytest.raises(ConfigError, match="instruction lacks {verbalization}"):
        make("a,b", instruction="Write something.")


def test_a_template_of_ones_own_may_tell_the_label_itself():
    assert make_refine_task("a", instruction="Go.", template="{{ passage }} {{ verbalization }}").labels == ("a",)


@pytest.mark.parametrize(
    ("make", "template"),
    [
        (make_refine_task, "{{ passage }}\nSummary:"),
        (make_fewgen_task, "Write something."),
        (make_refine_task, "{{ passage }} {{ definition }}"),
    ],
)
@pytest.mark.parametrize("labels", ["a,b", "a", None])
def test_a_template_that_does_not_tell_the_label_is_refused(make, template, labels):
    with pytest.raises(ConfigError, match=r"'a' and 'b' the same prompt, so the teacher is not told the label. Put {verbalization}"):
        make(labels, template=template)


def test_labels_with_the_same_words_are_refused_where_only_words_are_shown():
    with pytest.raises(ConfigError, match="'x' and 'y' the same prompt"):
        make_refine_task({"x": "about it", "y": "about it"})


def test_an_unknown_variable_shows_when_the_pipeline_is_built():
    section = {"@llm_tasks": "synthesizrr.Refine.v1", "labels": "a,b", "template": "{{ passge }}"}
    with pytest.raises(ConfigError, match="synthesizrr.Refine.v1.*'passge'.*Did you mean 'passage'"):
        spacy.blank("en").add_pipe("llm_synthesizrr", config={"task": section})


def test_template_and_examples_come_from_files(tmp_path):
    (tmp_path / "mine.jinja").write_text("Mine: {{ passage }} {{ instruction }}\n", encoding="utf-8")
    (tmp_path / "shots.yml").write_text("- label: a\n  text: shot\n", encoding="utf-8")
    section = {
        "@llm_tasks": "synthesizrr.Refine.v1",
        "labels": "a,b",
        "template": {"@misc": "spacy.FileReader.v1", "path": str(tmp_path / "mine.jinja")},
        "examples": {"@misc": "spacy.FewShotReader.v1", "path": str(tmp_path / "shots.yml")},
    }
    template = resolve(section).prompt_template
    assert template.startswith("Mine: ") and '"text": "shot"' in template
