import json

import pytest

from argilla_bridge.importing import Answered, Imported, field_pairs, imported_rows, label_column, label_pairs, rows_spec
from argilla_bridge.rows import DISCARDED, DRAFT, FIX, REJECT, SUBMITTED, Vote
from argilla_bridge.showing.marking import escaped, highlighted
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.labelled import read_rows
from spacy_synthesizrr.taskfile import TaskSpec

PAIR = [{"name": "premise", "from": "passage"}, {"name": "claim", "generated": True}]


def make_task(folder="/t", *, exclusive=True, fields=None, seeds=None, labels=("rain", "sun")):
    data = {"path": f"{folder}/task.yml", "name": "weather", "exclusive": exclusive, "prompt": {"instruction": "{verbalization}"}}
    data["labels"] = {label: {"verbalization": label} for label in labels}
    return TaskSpec.model_validate({**data, "seeds": seeds or {"path": "s.jsonl"}, **({"fields": fields} if fields else {})})


def says(user, *labels, status=SUBMITTED, verdict="", text=""):
    return Vote("r", user, status, labels, verdict, text)


def record(text="It pours.", *votes, **fields):
    return Answered({"body": text, **fields}, votes)


def imported(*records, task=None, fields=None, **more):
    done = Imported()
    rows = list(imported_rows(records, task=task or make_task(), fields=fields or {"text": "body"}, done=done, **more))
    assert done.rows == len(rows)
    return rows, done


def test_the_majority_of_submitted_answers_is_the_label():
    answers = [says("a", "sun"), says("b", "sun"), says("c", "rain"), says("d", "rain", status=DRAFT), says("e", "rain", status=DISCARDED)]
    rows, done = imported(record("It pours.", *answers))
    assert rows == [{"v": 1, "text": "It pours.", "label": "sun"}]
    assert done.to_dict() == {
        "rows": 1, "labels": {"sun": 1}, "unanswered": 0, "undecided": 0, "foreign": {}, "empty": 0, "repeated": 0,
    }  # fmt: skip


def test_what_is_left_out_is_counted_and_said():
    rows, done = imported(
        record("No answer."),
        record("A draft.", says("a", "sun", status=DRAFT)),
        record("A tie.", says("a", "sun"), says("b", "rain")),
        record("Turned away.", says("a", "sun", verdict=REJECT)),
        record("Another label.", says("a", "snow")),
        record("  ", says("a", "sun")),
        record("Twice.", says("a", "sun")),
        record("twice", says("a", "rain")),
    )
    assert [row["text"] for row in rows] == ["Twice."]
    assert (done.unanswered, done.undecided, done.foreign, done.empty, done.repeated) == (2, 2, {"snow": 1}, 1, 1)
    assert done.lines() == [
        "2 rows left out that nobody answered.",
        "2 rows left out without a label that more than half chose.",
        "1 rows left out with an empty text.",
        "1 rows left out whose text came before.",
        "1 rows left out: the task has no label 'snow'. Give it one with: --rename 'snow=LABEL'",
    ]


def test_labels_can_have_other_names_there():
    rows, _ = imported(record("It pours.", says("a", "Sunny")), renames={"Sunny": "sun"})
    assert rows[0]["label"] == "sun"


def test_labels_that_get_one_name_are_one_answer():
    answers = [says("a", "Sunny"), says("b", "Bright"), says("c", "rain")]
    rows, done = imported(record("It pours.", *answers), renames={"Sunny": "sun", "Bright": "sun"})
    assert (rows[0]["label"], done.undecided) == ("sun", 0)


def test_the_most_frequent_label_is_none_where_it_has_half_of_the_answers_or_less():
    votes = [says("a", "sun"), says("b", "sun"), says("c", "rain"), says("d", "snow"), says("e", "hail")]
    assert imported(record("It pours.", *votes))[1].undecided == 1
    assert imported(record("It pours.", *votes[:3]))[1].undecided == 0


def test_a_label_that_more_than_half_gave_among_others_counts_where_there_are_sets():
    votes = [says("a", "sun", "rain"), says("b", "sun"), says("c", "rain", "sun"), says("d", "sun")]
    rows, _ = imported(record("A rainbow.", *votes[:3]), task=make_task(exclusive=False))
    assert rows[0]["label"] == ["rain", "sun"]
    assert imported(record("A rainbow.", *votes), task=make_task(exclusive=False))[1].undecided == 0


def test_a_correction_replaces_the_text():
    row = Answered({"text": escaped("It poors.")}, [says("a", "sun", verdict=FIX, text="It *pours*.")])
    rows, _ = imported(row, fields={"text": "text"}, ours=True)
    assert rows == [{"v": 1, "text": "It *pours*.", "label": "sun"}]


def test_a_correction_of_a_pair_leaves_the_other_text():
    row = Answered({"premise": "One.", "claim": "Two."}, [says("a", "sun", verdict=FIX, text="Three.")])
    rows, _ = imported(row, task=make_task(fields=PAIR), fields={"premise": "premise", "claim": "claim"}, ours=True)
    assert rows == [{"v": 1, "premise": "One.", "claim": "Three.", "label": "sun"}]


def test_several_labels_come_as_a_list_in_the_order_of_the_task():
    rows, _ = imported(record("A rainbow.", says("a", "sun", "rain")), task=make_task(exclusive=False))
    assert rows[0]["label"] == ["rain", "sun"]


def test_several_labels_where_one_is_allowed_are_undecided():
    rows, done = imported(record("A rainbow.", says("a", "sun", "rain")))
    assert (rows, done.undecided) == ([], 1)


def test_texts_that_were_pushed_from_here_are_read_as_they_were():
    row = Answered(
        {"premise": highlighted("*One* two three four.", "one two three four"), "claim": escaped("a <b>\nc")}, [says("a", "sun")]
    )
    rows, _ = imported(row, task=make_task(fields=PAIR), fields={"premise": "premise", "claim": "claim"}, ours=True)
    assert rows == [{"v": 1, "premise": "*One* two three four.", "claim": "a <b>\nc", "label": "sun"}]


def test_rows_come_as_they_are_asked_for():
    endless = (record(f"Text {number}", says("a", "sun")) for number in iter(int, 1))
    rows = imported_rows(endless, task=make_task(), fields={"text": "body"}, done=Imported())
    assert next(rows)["label"] == "sun"


@pytest.mark.parametrize(
    ("exclusive", "fields", "label"),
    [(True, None, "label"), (False, None, "label"), (True, PAIR, "label"), (True, [{"name": "label", "generated": True}], "label_")],
)
def test_a_task_file_can_name_what_was_imported(tmp_path, exclusive, fields, label):
    task = make_task(tmp_path, exclusive=exclusive, fields=fields)
    assert label_column(task) == label
    names = [spec.name for spec in task.fields]
    records = [Answered(dict.fromkeys(names, f"Text {number}"), [says("a", "sun")]) for number in range(3)]
    write_jsonl(tmp_path / "seeds.jsonl", imported(*records, task=task, fields={name: name for name in names})[0])
    spec = {"path": "seeds.jsonl"} | ({} if label == "label" else {"label": label})
    task = make_task(tmp_path, exclusive=exclusive, fields=fields, seeds=spec)
    assert [(row.fields[names[0]], row.labels) for row in read_rows(task, "seeds")] == [(f"Text {number}", ("sun",)) for number in range(3)]
    assert json.loads((tmp_path / "seeds.jsonl").read_text(encoding="utf-8").splitlines()[0])["v"] == 1
    assert rows_spec(task, "seeds", "seeds.jsonl") == "seeds: {path: seeds.jsonl" + ("}" if label == "label" else ", label: label_}")


def test_fields_are_paired_by_name_or_as_given():
    assert field_pairs(make_task(), ["body"], ["body", "x"]) == {"text": "body"}
    assert field_pairs(make_task(), [], ["text"]) == {"text": "text"}
    assert field_pairs(make_task(fields=PAIR), ["claim=answer"], ["answer", "premise"]) == {"premise": "premise", "claim": "answer"}


@pytest.mark.parametrize(
    ("fields", "given", "message"),
    [
        (None, ["bdy"], r"The dataset has no field 'bdy' \(--field bdy\). Did you mean 'body'"),
        (None, [], r"The dataset has no field 'text' \(no --field for the text field 'text'\)"),
        (None, ["txt=body"], r"The task has no text field 'txt'. Did you mean 'text'"),
        (PAIR, ["body"], r"This task has 2 text fields, and '--field body' does not say which. Write --field NAME=body"),
    ],
)
def test_a_field_that_is_not_there_is_said(fields, given, message):
    with pytest.raises(InputError, match=message):
        field_pairs(make_task(fields=fields), given, ["body"])


def test_labels_are_paired_even_with_equals_signs_in_them():
    task = make_task(labels=("sun", "x=sun"))
    assert label_pairs(task, ["Sunny=sun", "a=x=sun"]) == {"Sunny": "sun", "a": "x=sun"}
    with pytest.raises(InputError, match=r"'--rename Sunny=snu' names no label of the task. Write OLD=NEW. Did you mean 'sun'"):
        label_pairs(task, ["Sunny=snu"])
