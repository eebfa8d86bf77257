import json

import pytest

from spacy_synthesizrr.errors import InputError, TaskFileError
from spacy_synthesizrr.labelled import read_rows, read_seeds
from spacy_synthesizrr.taskfile import TaskSpec

PAIR = [{"name": "premise", "from": "passage"}, {"name": "claim", "generated": True}]


def make_task(folder, data=None, *, name="rows.jsonl", kind="seeds", exclusive=True, fields=None, sets=None, **rows):
    if data is not None:
        text = data if isinstance(data, str) else "".join(json.dumps(row) + "\n" for row in data)
        (folder / name).write_text(text, encoding="utf-8")
        rows = {kind: {"path": name, **rows}}
    return TaskSpec.model_validate(
        {
            "path": folder / "task.yml",
            "name": "weather",
            "exclusive": exclusive,
            "labels": {
                "rain": {"verbalization": "about rain", "definition": "Water from above"},
                "sun": {"verbalization": "about sun"},
                "wind|storm" if exclusive else "wind": {"verbalization": "about moving air"},
            },
            "prompt": {"instruction": "Write {verbalization}."},
            "corpus": {"path": "corpus.jsonl"},
            **({"fields": fields} if fields else {}),
            **({"label_sets": sets} if sets else {}),
            **rows,
        }
    )


def error(task, kind="seeds"):
    with pytest.raises(InputError) as caught:
        list(read_rows(task, kind))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def labels(task, kind="seeds"):
    return [row.labels for row in read_rows(task, kind)]


def test_rows_come_with_text_label_and_line(tmp_path):
    task = make_task(tmp_path, 'text,label\n" It pours.\n",rain\nHot today,sun\n', name="rows.csv", kind="dev")
    rows = list(read_rows(task, "dev"))
    assert [(row.fields, row.labels, row.line) for row in rows] == [
        ({"text": "It pours."}, ("rain",), 2),
        ({"text": "Hot today"}, ("sun",), 4),
    ]


def test_columns_can_have_other_names(tmp_path):
    task = make_task(tmp_path, [{"body": "It pours.", "topic": "rain"}], label="topic", fields=None)
    task = task.model_copy(update={"seeds": task.seeds.model_copy(update={"fields": {"text": "body"}})})
    assert next(read_rows(task, "seeds")).fields == {"text": "It pours."}


def test_each_field_of_a_pair_has_its_own_column(tmp_path):
    data = [{"premise": "Clouds came.", "claim": "It rained.", "label": "rain"}]
    (row,) = read_rows(make_task(tmp_path, data, fields=PAIR), "seeds")
    assert row.fields == {"premise": "Clouds came.", "claim": "It rained."}


def test_a_pair_without_one_of_its_fields_is_refused(tmp_path):
    data = [{"premise": "Clouds came.", "claim": "  ", "label": "rain"}]
    assert "rows.jsonl:1: A text is empty: 'claim' holds no text." in error(make_task(tmp_path, data, fields=PAIR))


def test_unknown_label_names_line_value_choices_and_cure(tmp_path):
    text = error(make_task(tmp_path, [{"text": "a", "label": "rain"}, {"text": "b", "label": "rian"}]))
    assert text == (
        f"{tmp_path / 'rows.jsonl'}:2: The label 'rian' is not in the task file. Did you mean 'rain'? "
        "Valid: 'rain', 'sun', 'wind|storm'. Correct the row, or add the label to the task file."
    )


def test_blanks_around_a_label_do_not_count(tmp_path):
    assert labels(make_task(tmp_path, [{"text": "a", "label": " rain "}])) == [("rain",)]


def test_a_label_may_hold_the_separator(tmp_path):
    assert labels(make_task(tmp_path, [{"text": "a", "label": "wind|storm"}])) == [("wind|storm",)]


@pytest.mark.parametrize("value", [1.5, True, {"rain": 1}, [None], [["rain"]]])
def test_a_value_that_is_no_label_is_refused(tmp_path, value):
    assert "This is not a label" in error(make_task(tmp_path, [{"text": "a", "label": value}]))


def test_numbers_are_labels_where_the_task_file_has_them(tmp_path):
    task = make_task(tmp_path, [{"text": "a", "label": 1}])
    spec = task.labels["rain"]
    task = task.model_copy(update={"labels": {"0": spec, "1": spec}})
    assert labels(task) == [("1",)]


@pytest.mark.parametrize("value", [["sun", "rain"], "sun | rain", ["sun", "rain", "sun"]])
def test_several_labels_come_in_the_order_of_the_task_file(tmp_path, value):
    assert labels(make_task(tmp_path, [{"text": "a", "label": value}], exclusive=False)) == [("rain", "sun")]


def test_several_labels_are_refused_where_they_exclude_each_other(tmp_path):
    text = error(make_task(tmp_path, [{"text": "a", "label": ["rain", "sun"]}]))
    assert "2 labels (rain, sun)" in text and "exclusive: false" in text


@pytest.mark.parametrize("value", ["", [], "|"])
def test_no_label_is_an_error_unless_labels_can_be_several(tmp_path, value):
    data = [{"text": "a", "label": value}]
    assert "no label" in error(make_task(tmp_path, data, kind="test"), "test")
    assert labels(make_task(tmp_path, data, kind="test", exclusive=False), "test") == [()]


@pytest.mark.parametrize(("value", "message"), [("  ", "empty"), (None, "missing"), (7, "a number (7)"), (["a"], "a list")])
def test_a_text_that_is_none_is_an_error_with_its_line(tmp_path, value, message):
    text = error(make_task(tmp_path, [{"text": "a", "label": "rain"}, {"text": value, "label": "rain"}]))
    assert "rows.jsonl:2:" in text and message in text


def test_missing_label_column_names_the_columns(tmp_path):
    assert "no column 'label'. Did you mean 'labels'?" in error(make_task(tmp_path, [{"text": "a", "labels": "rain"}]))


def test_a_kind_that_the_task_file_does_not_name_is_said_so(tmp_path):
    with pytest.raises(TaskFileError, match="names no dev file.*`dev:`"):
        list(read_rows(make_task(tmp_path), "dev"))


def gold(*pairs, wind="wind|storm"):
    return [{"text": text, "label": label} for text, label in (*pairs, ("w", wind), ("s", "sun"), ("r", "rain"))]


def test_seeds_keep_the_order_of_the_file_and_drop_repeated_texts(tmp_path):
    seeds = read_seeds(make_task(tmp_path, gold(("It pours!", "rain"), ("it  pours", "rain"), ("Hot.", "sun"))))
    assert [seed.fields["text"] for seed in seeds] == ["It pours!", "Hot.", "w", "s", "r"]
    assert {seed.origin for seed in seeds} == {"gold"}


@pytest.mark.parametrize(("one", "other"), [("so good 👍", "so good 👎"), ("C++ rocks", "C# rocks"), ("fine :)", "fine :(")])
def test_texts_that_differ_in_a_sign_with_a_meaning_are_two_seeds(tmp_path, one, other):
    seeds = read_seeds(make_task(tmp_path, gold((one, "rain"), (other, "sun"))))
    assert [seed.fields["text"] for seed in seeds][:2] == [one, other]


def test_one_text_under_two_labels_names_both_lines(tmp_path):
    task = make_task(tmp_path, gold(("It pours!", "rain"), ("It pours.", "sun")))
    with pytest.raises(InputError, match=r"rows\.jsonl:2: This text is 'sun' here and 'rain' in line 1\."):
        read_seeds(task)


def test_one_text_under_two_labels_has_both_where_it_may(tmp_path):
    seeds = read_seeds(make_task(tmp_path, gold(("It pours!", "sun"), ("It pours.", "rain"), wind="wind"), exclusive=False))
    assert seeds[0].labels == ("rain", "sun")


def test_pairs_that_share_one_field_are_two_seeds(tmp_path):
    data = [{"premise": "Same.", "claim": text, "label": label} for text, label in zip("abc", ("rain", "sun", "wind|storm"), strict=True)]
    assert len(read_seeds(make_task(tmp_path, data, fields=PAIR))) == 3


def test_a_label_without_a_seed_is_named(tmp_path):
    task = make_task(tmp_path, [{"text": "a", "label": "rain"}])
    with pytest.raises(InputError, match=r"'sun' has no seed \(1 seeds, of: rain\).*descriptions"):
        read_seeds(task)


def test_a_seed_without_a_label_is_refused_even_where_rows_may_have_none(tmp_path):
    with pytest.raises(InputError, match=r":1: This seed has no label\. Valid"):
        read_seeds(make_task(tmp_path, gold(("a", []), wind="wind"), exclusive=False))


def test_without_a_seeds_file_the_descriptions_are_the_seeds(tmp_path):
    seeds = read_seeds(make_task(tmp_path))
    assert [seed.labels for seed in seeds] == [("rain",), ("sun",), ("wind|storm",)]
    assert seeds[0].fields == {"text": "rain. about rain. Water from above"} and seeds[0].origin == "description"


SETS = [["rain"], ["wind", "rain"], ["sun"]]


def test_given_label_sets_are_asked_for_by_their_descriptions(tmp_path):
    seeds = read_seeds(make_task(tmp_path, exclusive=False, sets=SETS))
    assert [seed.labels for seed in seeds] == [("rain",), ("rain", "wind"), ("sun",)]
    assert seeds[1].fields["text"] == "rain. about rain. Water from above. wind. about moving air"


def test_given_label_set_without_a_seed_gets_its_description(tmp_path):
    rows = [{"text": "It pours.", "label": ["rain"]}, {"text": "Hot.", "label": ["sun"]}, {"text": "A gale.", "label": ["rain", "wind"]}]
    seeds = read_seeds(make_task(tmp_path, rows, exclusive=False, sets=[*SETS, ["wind"]]))
    assert [(seed.labels, seed.origin) for seed in seeds[2:]] == [(("rain", "wind"), "gold"), (("wind",), "description")]


def test_seed_of_no_given_label_set_is_an_error(tmp_path):
    rows = [{"text": "It pours.", "label": ["rain"]}, {"text": "Hot.", "label": ["sun", "wind"]}]
    with pytest.raises(InputError, match=r"'sun \+ wind', which is none of the label sets.*rain \+ wind.*label_sets"):
        read_seeds(make_task(tmp_path, rows, exclusive=False, sets=SETS))


def test_description_cannot_stand_for_a_seed_that_brings_a_field(tmp_path):
    fields = [{"name": "premise", "from": "seed"}, {"name": "text", "generated": True}]
    rows = [{"premise": "p", "text": "It pours.", "label": ["rain"]}, {"premise": "p", "text": "Hot.", "label": ["sun", "rain"]}]
    rows.append({"premise": "p", "text": "A gale.", "label": ["wind", "rain"]})
    with pytest.raises(InputError, match="'sun' has no seed.*'premise' can only come from seeds"):
        read_seeds(make_task(tmp_path, rows, exclusive=False, sets=[*SETS, ["sun", "rain"]], fields=fields))


@pytest.mark.parametrize(
    ("exclusive", "sets", "message"),
    [
        (True, [["rain"], ["sun"]], "exclusive: false"),
        (False, [["rain"], ["sum"], ["wind"]], "no label 'sum'.*'sun'"),
        (False, [["rain"], ["sun"]], "no set has the label 'wind'"),
        (False, [["rain", "sun"], ["sun", "rain"], ["wind"]], "stands there once"),
        (False, [["rain", "sun", "wind"], []], "at least one label"),
        (False, [["rain", "rain"], ["sun"], ["wind"]], "no label twice"),
    ],
)
def test_label_sets_that_cannot_be_are_refused(tmp_path, exclusive, sets, message):
    with pytest.raises(ValueError, match=message):
        make_task(tmp_path, exclusive=exclusive, sets=sets)
