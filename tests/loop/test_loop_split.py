"""Two parts of the labelled rows: disjoint, whole, the same from any order of the file."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from error_rows import PAIR, make_task, row
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.configs import section
from spacy_synthesizrr.errors import ConfigError, InputError
from spacy_synthesizrr.labelled import LabelledRow, read_rows
from spacy_synthesizrr.loop.split import (
    SplitSettings,
    check_parts,
    part_spec,
    read_part,
    source_rows,
    split_rows,
    split_task,
    write_part,
)
from spacy_synthesizrr.words import comparable

LABELS = st.sampled_from(["a", "b", "c"])
WORDS = st.text(alphabet="xyz ", min_size=1, max_size=4).filter(str.strip)
ROWS = st.lists(st.tuples(LABELS, WORDS), max_size=40).map(
    lambda found: [row(line, label, text=text) for line, (label, text) in enumerate(found, 1)]
)
SHARES = st.floats(0.05, 0.95)


@given(ROWS, SHARES, st.integers(0, 5))
def test_parts_are_disjoint_and_whole(rows, share, seed):
    errors, selection = split_rows(rows, share, seed)
    assert sorted([*errors, *selection], key=lambda one: one.line) == rows
    texts = [{comparable(one.fields["text"]) for one in part} for part in (errors, selection)]
    assert not texts[0] & texts[1]


@given(ROWS, SHARES, st.integers(0, 5), st.randoms(use_true_random=False))
def test_order_of_the_file_does_not_matter(rows, share, seed, rng):
    mixed = rows.copy()
    rng.shuffle(mixed)
    first, second = (split_rows(some, share, seed)[0] for some in (rows, mixed))
    assert sorted(one.line for one in first) == sorted(one.line for one in second)


@given(st.lists(LABELS, min_size=1, max_size=60), SHARES, st.integers(0, 20))
def test_every_label_is_cut_in_the_same_share_to_within_one_row(labels, share, seed):
    rows = [row(line, label) for line, label in enumerate(labels, 1)]
    errors, _ = split_rows(rows, share, seed)
    found, whole = Counter(one.labels[0] for one in errors), Counter(labels)
    assert all(abs(found[label] - share * whole[label]) < 1 + 1e-6 for label in whole)
    assert abs(len(errors) - share * len(rows)) < 1 + 1e-6


def test_sets_of_one_row_come_into_both_parts():
    rows = [row(line, *labels) for line, labels in enumerate(["a", "b", "c", "ab", "ac", "bc", "abc", "d"], 1)]
    assert [len(part) for part in split_rows(rows, 0.5, 0)] == [4, 4]


def test_another_seed_gives_another_split():
    rows = [row(line, "a") for line in range(1, 41)]
    assert split_rows(rows, 0.5, 0) == split_rows(rows, 0.5, 0) != split_rows(rows, 0.5, 1)


def test_no_share_gives_all_rows_to_both_parts():
    rows = [row(1, "a"), row(2, "b")]
    assert split_rows(rows, None, 0) == (rows, rows)
    assert "optimistic" in check_parts(make_task("a", "b"), rows, rows, share=None)[0]


def test_rows_with_a_field_in_common_can_be_kept_together():
    rows = [row(line, "ab"[line % 2], premise=f"Premise {line // 4}", claim=f"claim {line}") for line in range(1, 80)]
    parts = split_rows(rows, 0.5, 0, together=["premise"])
    premises = [{one.fields["premise"] for one in part} for part in parts]
    assert premises[0] and premises[1] and not premises[0] & premises[1]


def test_label_that_a_part_lacks_is_an_error_where_labels_exclude_each_other():
    errors, selection = split_rows([row(1, "a"), row(2, "a"), row(3, "b")], 0.5, 0)
    with pytest.raises(InputError, match=r"The label 'b' has too few labelled rows: (0 in the error|1 in the error part, 0)"):
        check_parts(make_task("a", "b"), errors, selection, share=0.5)
    several = make_task("a", "b", exclusive=False)
    assert check_parts(several, errors, selection, share=0.5) == [
        f"The label 'b' has too few labelled rows: {len(errors) - 1} in the error part, {len(selection) - 1} in the selection part."
    ]


def test_part_without_a_row_is_an_error():
    with pytest.raises(InputError, match=r"The \w+ part has no row \(all labelled rows: 1\)"):
        check_parts(make_task("a", "b", exclusive=False), *split_rows([row(1, "a")], 0.5, 0), share=0.5)


@pytest.mark.parametrize("exclusive", [True, False])
def test_part_is_read_as_it_was_written_and_as_dev_rows_of_a_task(tmp_path, exclusive):
    label = "a|b" if exclusive else "a"  # with several labels a row, the sign stands between them
    task = make_task(label, "c", path=tmp_path / "task.yml", exclusive=exclusive, fields=PAIR)
    rows = [row(7, label, premise="It rained.", claim="It was wet."), row(9, *(["c"] if exclusive else []), premise="p", claim="q")]
    assert write_part(tmp_path / "part.jsonl", rows, task) == 2
    assert read_part(tmp_path / "part.jsonl", task) == rows
    derived = task.model_copy(update={"dev": part_spec(task, tmp_path / "part.jsonl")})
    assert [(one.fields, one.labels) for one in read_rows(derived, "dev")] == [(one.fields, one.labels) for one in rows]


def test_fields_may_have_the_names_of_other_columns(tmp_path):
    fields = [{"name": "label"}, {"name": "label_text"}, {"name": "line", "generated": True}]
    task = make_task("a", "b", path=tmp_path / "task.yml", fields=fields)
    rows = [LabelledRow({"label": "one", "label_text": "two", "line": "three"}, ("a",), 3)]
    write_part(tmp_path / "part.jsonl", rows, task)
    assert read_part(tmp_path / "part.jsonl", task) == rows
    derived = task.model_copy(update={"dev": part_spec(task, tmp_path / "part.jsonl")})
    assert next(read_rows(derived, "dev")).fields == rows[0].fields


def write(path, *rows):
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")


def test_rows_of_a_task_are_split_into_two_files(tmp_path):
    write(tmp_path / "dev.jsonl", *({"body": f"text {n}", "topic": "ab"[n % 2]} for n in range(8)))
    layout = {"path": "dev.jsonl", "label": "topic", "fields": {"text": "body"}}
    task = make_task("a", "b", path=tmp_path / "task.yml", dev=layout)
    places = {"error": tmp_path / "loop" / "error.jsonl", "selection": tmp_path / "loop" / "selection.jsonl"}
    about = split_task(task, SplitSettings(), seed=0, **places)
    assert about == {
        "from": "dev", "error": 4, "selection": 4, "labels": {"error": {"a": 2, "b": 2}, "selection": {"a": 2, "b": 2}}, "remarks": [],
    }  # fmt: skip
    found = [one for path in places.values() for one in read_part(path, task)]
    assert sorted((one.line, one.fields["text"]) for one in found) == [(n + 1, f"text {n}") for n in range(8)]


def test_rows_may_come_from_another_file_with_the_columns_of_dev(tmp_path):
    write(tmp_path / "more.jsonl", {"body": "It pours.", "topic": "a"})
    task = make_task("a", "b", path=tmp_path / "task.yml", dev={"path": "dev.jsonl", "label": "topic", "fields": {"text": "body"}})
    found = source_rows(task, SplitSettings(rows=str(tmp_path / "more.jsonl")))
    assert [(one.fields["text"], one.labels, one.line) for one in found] == [("It pours.", ("a",), 1)]


def test_what_cannot_be_split_is_said(tmp_path):
    task = make_task("a", "b", path=tmp_path / "task.yml")
    with pytest.raises(ConfigError, match=r'\[split\] rows = "dev", and the task names no such file. Add `dev:`'):
        source_rows(task, SplitSettings())
    with pytest.raises(ConfigError, match=r'\[split\] rows = "nowhere.jsonl" is no file. Valid: "dev", "train"'):
        source_rows(task, SplitSettings(rows="nowhere.jsonl"))
    with pytest.raises(ConfigError, match="together: there is no text field 'premise'. Valid: 'text'"):
        source_rows(task, SplitSettings(together=("premise",)))
    with pytest.raises(ConfigError, match=r"\[split\] 'share' Input should be less than 1"):
        section({"split": {"share": 1.0}}, "split", SplitSettings, path="loop.cfg")
