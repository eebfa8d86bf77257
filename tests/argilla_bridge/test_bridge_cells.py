import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argilla_bridge.files.cells import columns_of, guarded, is_changed, read_cells, spellings, unguarded, write_cells
from spacy_synthesizrr.errors import InputError

# what any cell can hold: no NUL and no half characters, which no row of this project has
TEXTS = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")),
    st.lists(st.sampled_from(["'", '"', "=", "+", "-", "@", "\t", "\r", "\n", ",", ";", "a", " ", "\ufeff", "é"])).map("".join),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cells")


@given(TEXTS)
def test_a_guarded_cell_is_no_formula_and_comes_back(text):
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["=1+1", "+49", "-", "@sum", "\tx", "\rx", "'=x"])
def test_a_cell_that_looks_like_a_formula_gets_a_quote(text):
    assert guarded(text) == "'" + text


@pytest.mark.parametrize("text", ["", "rain", "'tis", "a=b", "5-3"])
def test_other_cells_stay(text):
    assert guarded(text) == text == unguarded(text)


def test_a_formula_that_a_person_wrote_stays():
    assert unguarded("=x") == "=x"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_any_text_makes_the_round_trip(folder, suffix, rows):
    path = folder / f"rows{suffix}"
    write_cells(path, ["id", "text", "note"], [{"id": f"r{place}", "text": one, "note": two} for place, (one, two) in enumerate(rows)])
    assert [(row["id"], row["text"], row["note"]) for _, row in read_cells(path)] == [
        (f"r{place}", one, two) for place, (one, two) in enumerate(rows)
    ]


@given(TEXTS)
def test_no_cell_of_a_csv_is_a_formula_for_another_reader(folder, text):
    path = folder / "formula.csv"
    write_cells(path, ["id", "text"], [{"id": "r", "text": text}])
    with path.open(encoding="utf-8-sig", newline="") as file:
        _, (_, cell) = csv.reader(file)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_an_id_that_looks_like_a_number_is_kept_from_being_rounded(tmp_path):
    path = tmp_path / "rows.csv"
    ids = ["12345678901234567890123456789012", "1234e567", "abc"]
    write_cells(path, ["id"], [{"id": id} for id in ids])
    assert path.read_text(encoding="utf-8-sig").split() == ["id", "'12345678901234567890123456789012", "'1234e567", "abc"]
    assert [row["id"] for _, row in read_cells(path)] == ids


def test_csv_holds_lists_numbers_and_nothing(tmp_path):
    path = tmp_path / "rows.csv"
    write_cells(path, ["id", "labels", "score", "user"], [{"id": "r", "labels": ["a", "b"], "score": 0.5, "user": None}])
    assert [row for _, row in read_cells(path)] == [{"id": "r", "labels": "a|b", "score": "0.5", "user": ""}]


def test_jsonl_keeps_keys_that_only_some_rows_have(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "a"}\n\n{"id": "b", "user": "ann", "label": ["x"]}\n', encoding="utf-8")
    assert columns_of(path) == ["id", "user", "label"]
    assert [row for _, row in read_cells(path)][1] == {"id": "b", "user": "ann", "label": ["x"]}


def test_excel_finds_out_that_csv_is_utf8(tmp_path):
    write_cells(tmp_path / "rows.csv", ["id"], [])
    assert (tmp_path / "rows.csv").read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_file_without_rows_is_empty(tmp_path, name):
    write_cells(tmp_path / name, ["id", "text"], [])
    assert list(read_cells(tmp_path / name)) == []


def test_lines_that_a_spreadsheet_leaves_empty_are_passed_over(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("id,text\nr,x\n,\n,  \n", encoding="utf-8")
    assert [line for line, _ in read_cells(path)] == [2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", "id,text\n,x\n", r"rows.csv:2: This row has no id. Put back the value"),
        ("rows.jsonl", '{"text": "x", "id": 5}\n', r"rows.jsonl:1: This row has no id"),
        ("rows.csv", "text\nx\n", r"There is no column 'id'. Valid: 'text'. Separate"),
        ("rows.csv", "id/text\nr/x\n", r"There is no column 'id'.* Separate columns by commas, semicolons or tabs"),
        ("rows.csv", "id,text\nr,x,y\n", r"rows.csv:2: The number of values is wrong: 3 for 2 columns"),
        ("rows.csv", b"id,text\nr,\xe9\n", r"rows.csv:2: This is not UTF-8.*Save the file as UTF-8"),
        ("rows.csv", b"id,t\xe9xt\nr,x\n", r"rows.csv:1: This is not UTF-8"),
        ("rows.jsonl", "{\n", r"rows.jsonl:1: This is not JSON"),
        ("rows.xlsx", "x", r"rows.xlsx: Rows for review cannot be kept in such a file. .*'.csv', '.jsonl'"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        list(read_cells(path))


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_may_stand_apart_by_what_a_spreadsheet_writes(tmp_path, mark):
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=mark).writerows([["text", "id"], ["a, b; c\td\n", "r"]])
    assert columns_of(path) == ["text", "id"]
    assert [row for _, row in read_cells(path)] == [{"text": "a, b; c\td\n", "id": "r"}]


def test_a_column_may_show_in_the_last_of_very_many_rows_of_jsonl(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "a"}\n' * 10_000 + '{"id": "b", "answers": "x"}\n', encoding="utf-8")
    assert [row for _, row in read_cells(path)][-1] == {"id": "b", "answers": "x"}


CHANGED = ["true", "FALSE", "01", "1-2", "3/4", "1.5", "1e5", "50%", "Sept1", "march-2", "2 May", "12:30", "1:30 PM", "$5"]


@pytest.mark.parametrize("label", CHANGED)
def test_a_label_that_a_spreadsheet_would_change_gets_a_quote_but_a_text_does_not(tmp_path, label):
    write_cells(
        tmp_path / "rows.csv", ["id", "text", "suggestion", "label"], [{"id": "r", "text": label, "suggestion": label, "label": label}]
    )
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file))[1] == ["r", label, f"'{label}", f"'{label}"]


@pytest.mark.parametrize("label", ["sport", "B2B", "maybe", "decide", "truest", "4chan", "May flowers", ""])
def test_other_labels_are_left_alone(label):
    assert not is_changed(label)


def test_a_label_is_known_by_what_a_spreadsheet_makes_of_it():
    assert spellings(("true", "01", "1.0", "Sun")) == {"true": ["true"], "1.0": ["01", "1.0"], "sun": ["Sun"]}


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="This file is missing.*argilla-bridge push"):
        list(read_cells(tmp_path / "rows.csv"))
