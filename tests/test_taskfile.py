"""The task file is checked down to the line."""

from pathlib import Path

import pytest

from spacy_synthesizrr.errors import TaskFileError
from spacy_synthesizrr.taskfile import read_task

GOOD = """\
name: demo
labels:
  sport: {verbalization: about sport, definition: Matches.}
  business: {verbalization: about business}
prompt:
  instruction: "Summarise the article, {verbalization}."
corpus: {path: corpus.jsonl}
"""


def write(tmp_path, text):
    (tmp_path / "task.yml").write_text(text, encoding="utf-8")
    return tmp_path


def refused(tmp_path, text):
    with pytest.raises(TaskFileError) as caught:
        read_task(write(tmp_path, text))
    return str(caught.value)


def test_defaults_are_a_single_generated_text_field(tmp_path):
    task = read_task(write(tmp_path, GOOD))
    assert (task.generated.name, task.carried, task.exclusive, task.k_seeds) == ("text", (), True, 5)


def test_folder_and_file_are_the_same_task(tmp_path):
    write(tmp_path, GOOD)
    assert read_task(tmp_path) == read_task(tmp_path / "task.yml")


def test_labels_keep_their_order(tmp_path):
    assert list(read_task(write(tmp_path, GOOD)).labels) == ["sport", "business"]


def test_paths_start_at_the_task_file(tmp_path):
    assert read_task(write(tmp_path, GOOD)).file("corpus") == (tmp_path / "corpus.jsonl").resolve()


@pytest.mark.parametrize("name", ["yes", "no", "on", "1e3x"])
def test_words_that_older_yaml_reads_as_booleans_are_labels(tmp_path, name):
    task = read_task(write(tmp_path, GOOD.replace("  sport:", f"  {name}:")))
    assert name in task.labels


def test_unknown_key_names_line_and_nearest_key(tmp_path):
    text = refused(tmp_path, GOOD.replace("{verbalization: about business}", "{verbalisation: about business}"))
    assert "task.yml:4: 'labels.business.verbalisation' is an unknown key" in text
    assert "Did you mean 'verbalization'?" in text


def test_unknown_top_level_key_names_the_valid_ones(tmp_path):
    text = refused(tmp_path, GOOD + "seed: {path: s.jsonl}\n")
    assert "task.yml:8: 'seed' is an unknown key" in text
    assert "Did you mean 'seeds'?" in text


def test_missing_key_is_named(tmp_path):
    assert "'name' is missing" in refused(tmp_path, GOOD.replace("name: demo\n", ""))


def test_a_corpus_may_be_missing_until_it_is_needed(tmp_path):
    task = read_task(write(tmp_path, GOOD.replace("corpus: {path: corpus.jsonl}\n", "")))
    assert task.file("corpus") is None
    with pytest.raises(TaskFileError, match="'corpus' is missing. Name the file with the passages, or use a store that has its own"):
        task.need_corpus()


def test_one_label_is_not_a_task(tmp_path):
    assert "task.yml:2: 'labels'" in refused(tmp_path, GOOD.replace("  business: {verbalization: about business}\n", ""))


def test_a_label_that_yaml_reads_as_a_number_is_refused(tmp_path):
    assert "'labels.1" in refused(tmp_path, GOOD.replace("  sport:", "  1:"))


def test_instruction_without_a_place_for_the_label_is_refused(tmp_path):
    assert "{verbalization} is missing" in refused(tmp_path, GOOD.replace(", {verbalization}", ""))


def test_instruction_with_an_unknown_placeholder_is_refused(tmp_path):
    assert "unknown placeholder '{label}'" in refused(tmp_path, GOOD.replace("{verbalization}.", "{label} {verbalization}."))


def test_exactly_one_field_is_generated(tmp_path):
    assert "exactly one" in refused(tmp_path, GOOD + "fields: [{name: premise}, {name: hypothesis}]\n")


def test_fields_carried_from_seeds_need_seeds(tmp_path):
    text = refused(tmp_path, GOOD + "fields: [{name: premise}, {name: hypothesis, generated: true}]\n")
    assert "seeds are missing" in text


def test_column_map_of_an_unknown_field_is_refused(tmp_path):
    text = refused(tmp_path, GOOD + "dev: {path: d.jsonl, fields: {txt: body}}\n")
    assert "there is no text field 'txt'. Did you mean 'text'?" in text


def test_broken_yaml_names_the_line(tmp_path):
    assert "task.yml:4: This is not YAML" in refused(tmp_path, "name: demo\nlabels:\n  sport: {verbalization: 'x\n")


def test_duplicate_label_is_refused_with_its_line(tmp_path):
    text = refused(tmp_path, GOOD.replace("  business: {", "  sport: {"))
    assert "task.yml:4" in text and "duplicate" in text


def test_task_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "task.yml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(TaskFileError, match="not UTF-8"):
        read_task(tmp_path)


def test_task_that_is_no_mapping_is_refused(tmp_path):
    assert "task.yml:1: A task file is a mapping" in refused(tmp_path, "- a\n")


def test_missing_task_file_says_how_to_get_one(tmp_path):
    with pytest.raises(TaskFileError, match="There is no task file here. .*synthesizrr init"):
        read_task(tmp_path / "nowhere")


def test_fingerprint_ignores_comments_and_place(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = read_task(write(tmp_path / "a", GOOD)), read_task(write(tmp_path / "b", "# comment\n" + GOOD))
    assert one.fingerprint() == two.fingerprint()


def test_fingerprint_sees_a_changed_verbalization(tmp_path):
    before = read_task(write(tmp_path, GOOD)).fingerprint()
    assert read_task(write(tmp_path, GOOD.replace("about sport", "about games"))).fingerprint() != before


def test_student_reads_all_fields_in_order():
    task = read_task(Path(__file__).parent / "fixtures" / "pair")
    assert task.student_text({"hypothesis": "H.", "premise": "P."}) == "P.\nH."


def test_a_label_that_looks_like_two_is_refused(tmp_path):
    assert "' + '" in refused(tmp_path, GOOD.replace("  sport:", "  sport + games:"))


@pytest.mark.parametrize(("old", "new", "line"), [
    ("  sport:", "  'sp${ort}':", 0), ("Matches.", "'Matches of ${x}.'", 3), ("about business", "'about ${x}'", 4),
    ("Summarise", "Sum up ${x} and", 5),
], ids=["label", "definition", "verbalization", "instruction"])  # fmt: skip
def test_words_that_configs_would_take_for_a_reference_are_refused(tmp_path, old, new, line):
    said = refused(tmp_path, GOOD.replace(old, new))
    assert "'${' cannot stand there" in said
    assert f"task.yml:{line}:" in said if line else "the label 'sp${ort}'" in said


def test_words_in_the_prompt_may_have_braces_and_dollars(tmp_path):
    assert read_task(write(tmp_path, GOOD.replace("Matches.", "'Prices in $ {sic}.'"))).labels["sport"].definition == "Prices in $ {sic}."


def test_a_bar_in_a_label_is_refused_where_rows_have_several(tmp_path):
    assert read_task(write(tmp_path, GOOD.replace("  sport:", "  a|b:"))).labels
    assert "'|'" in refused(tmp_path, "exclusive: false\n" + GOOD.replace("  sport:", "  a|b:"))
