import csv
import gzip
import json
import tracemalloc

import pytest

from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.tables import REASONS, BadRow, read_table

TEXTS = ["Rain fell.", 'She said "no".', "zwei\nZeilen, ein Komma", "ñandú"]


def write(path, data):
    data = data.encode() if isinstance(data, str) else data
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def rows(path, columns=("text",), **options):
    return list(read_table(path, columns=columns, **options))


def rows_and_bad(path, columns=("text",), **options):
    bad = []
    return [row["text"] for _, row in read_table(path, columns=columns, on_bad=bad.append, **options)], bad


def error(path, columns=("text",), **options):
    with pytest.raises(InputError) as caught:
        rows(path, columns, **options)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


def as_jsonl(texts):
    return "".join(json.dumps({"text": text, "other": 1}, ensure_ascii=False) + "\n" for text in texts)


def as_csv(path, texts):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([["text", "other"], *([text, "1"] for text in texts)])
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet", ".CSV"])
def test_every_format_gives_the_same_texts(tmp_path, suffix):
    path = tmp_path / f"corpus{suffix}"
    if suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table({"text": TEXTS, "other": [1] * 4}), path)
    else:
        write(path, as_csv(tmp_path / "plain", TEXTS) if "csv" in suffix.lower() else as_jsonl(TEXTS))
    assert [row for _, row in rows(path)] == [{"text": text} for text in TEXTS]


def test_lines_are_counted_from_one_with_blank_lines(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n\n  \n{"text": "b"}')
    assert [line for line, _ in rows(path)] == [1, 4]


def test_a_csv_record_is_named_by_its_first_line(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"one\ntwo",x\n\nthree,y\n')
    assert [(line, row["text"]) for line, row in rows(path)] == [(2, "one\ntwo"), (5, "three")]


@pytest.mark.parametrize(("name", "data"), [("a.csv", "text,label\r\none,x\r\n"), ("a.jsonl", '{"text": "one"}\r\n')])
def test_byte_order_mark_and_windows_line_ends_are_no_part_of_the_text(tmp_path, name, data):
    path = write(tmp_path / name, b"\xef\xbb\xbf" + data.encode())
    assert [row["text"] for _, row in rows(path)] == ["one"]


def test_blanks_around_csv_column_names_do_not_count(tmp_path):
    assert rows(write(tmp_path / "a.csv", "id, text\n1,one\n")) == [(2, {"text": "one"})]


def test_missing_csv_column_names_the_columns_there_are(tmp_path):
    text = error(write(tmp_path / "a.csv", "txet,label\none,x\n"))
    assert "a.csv:1: There is no column 'text'. Did you mean 'txet'? Valid: 'txet', 'label'." in text


def test_a_csv_header_is_checked_even_without_rows(tmp_path):
    assert "no column 'text'" in error(write(tmp_path / "a.csv", "body\n"))


def test_semicolons_are_named_as_the_likely_cause(tmp_path):
    assert "separated by commas" in error(write(tmp_path / "a.csv", "text;label\none;x\n"))


def test_two_csv_columns_of_one_name_are_refused(tmp_path):
    assert "Two columns are called 'text'" in error(write(tmp_path / "a.csv", "text,text\na,b\n"))


def test_missing_jsonl_column_is_an_error_in_the_first_row(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"body": "a"}\n')
    with pytest.raises(InputError, match=r"a\.jsonl:1: There is no column 'text'.*Valid: 'body'"):
        rows_and_bad(path)


def test_missing_jsonl_value_is_a_bad_row_later_on(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n{"body": "b"}\n{"text": null}\n')
    good, bad = rows_and_bad(path)
    assert good == ["a"]
    assert [(row.line, row.reason) for row in bad] == [(2, "missing_value"), (3, "missing_value")]


def test_optional_column_may_be_empty_in_a_row(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n{"text": "b", "title": "B"}\n')
    assert [row["title"] for _, row in rows(path, optional=["title"])] == [None, "B"]


def test_optional_column_that_no_row_has_is_an_error(tmp_path):
    assert "No row has the column 'titel'" in error(write(tmp_path / "a.jsonl", as_jsonl(TEXTS)), optional=["titel"])


def test_optional_column_must_show_within_a_bounded_number_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_synthesizrr.tables.ROWS_BEFORE_A_COLUMN_MUST_SHOW", 2)
    text = error(write(tmp_path / "a.jsonl", as_jsonl(TEXTS)), optional=["titel"])
    assert ":2: There is no column 'titel'" in text


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b'{"text": "caf\xe9"}', "not_utf8", "byte 0xE9 at place 14"),
        (b'{"text": "a\x00b"}', "nul", "at byte 12"),
        (b'{"text": "a\\u0000b"}', "nul", "in 'text' at character 2"),
        (b'{"text": "\\ud800"}', "not_utf8", "surrogate"),
        (b'{"text": "' + b"y" * 500 + b'"}', "too_long", "513 bytes, 200 at most"),
        (b'{"text": "b"', "not_json", "column 13"),
        (b'{"text": NaN}', "not_json", "NaN"),
        (b"[" * 190, "not_json", "column 191"),
        (b'["b"]', "not_object", "a list (['b'])"),
        (b"17", "not_object", "a number (17)"),
    ],
)
def test_bad_jsonl_row_is_skipped_and_reported(tmp_path, line, reason, detail):
    path = write(tmp_path / "a.jsonl", b'{"text": "a"}\n' + line + b'\n{"text": "c"}\n')
    good, bad = rows_and_bad(path, max_bytes=200)
    assert good == ["a", "c"]
    assert [(row.line, row.reason) for row in bad] == [(2, reason)] and detail in bad[0].detail


def test_json_nested_beyond_reason_is_a_bad_row(tmp_path):
    good, bad = rows_and_bad(write(tmp_path / "a.jsonl", '{"text": "a"}\n' + "[" * 200_000 + "\n"))
    assert good == ["a"] and bad[0].reason == "not_json"


def test_bad_row_is_an_error_with_a_cure_where_rows_must_be_right(tmp_path):
    path = write(tmp_path / "a.jsonl", b'{"text": "a"}\n{"text": "caf\xe9"}\n')
    assert error(path) == f"{path}:2: This is not UTF-8: byte 0xE9 at place 14. Save the file as UTF-8."


def test_rows_before_a_bad_one_come_out_first(tmp_path):
    reader = read_table(write(tmp_path / "a.jsonl", '{"text": "a"}\nnonsense\n'), columns=["text"])
    assert next(reader) == (1, {"text": "a"})
    with pytest.raises(InputError, match="not JSON"):
        next(reader)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"caf\xe9,x\n", "not_utf8"),
        (b"a\x00b,x\n", "nul"),
        (b"one,two,x\n", "columns"),
        (b"alone\n", "columns"),
        (b'"a"b,x\n', "bad_csv"),
        (b"y" * 300 + b",x\n", "too_long"),
        (b'"' + b"y" * 300 + b'",x\n', "too_long"),
        (b'"first\n' + b"y" * 300 + b'",x\n', "too_long"),
        (b'"first\n' + b"y" * 300 + b'\nlast",x\n', "too_long"),
        (b'"' + b"y" * 300 + b'\nlast",x\n', "too_long"),
    ],
)
def test_bad_csv_record_leaves_its_neighbours_whole(tmp_path, record, reason):
    path = write(tmp_path / "a.csv", b"text,label\na,x\n" + record + b"c,x\n")
    good, bad = rows_and_bad(path, max_bytes=200)
    assert good == ["a", "c"]
    assert [(row.line, row.reason) for row in bad] == [(3, reason)]


def test_a_quote_left_open_is_reported_and_not_read_to_the_end_of_the_file(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"open,x\n' + "line,x\n" * 100)
    good, bad = rows_and_bad(path, max_bytes=200)
    assert bad[0].line == 2 and bad[0].reason == "too_long" and "lines 2-" in bad[0].detail
    assert 60 < len(good) < 100


def test_a_quote_left_open_at_the_end_is_not_taken_for_a_row(tmp_path):
    good, bad = rows_and_bad(write(tmp_path / "a.csv", 'text,label\na,x\n"open,x\n'))
    assert good == ["a"] and bad[0].reason == "bad_csv"


def test_csv_values_may_be_longer_than_the_limit_of_the_csv_module(tmp_path):
    path = write(tmp_path / "a.csv", "text\n" + "y" * 200_000 + "\n")
    before = csv.field_size_limit()
    assert len(rows(path)[0][1]["text"]) == 200_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv"])
def test_a_line_without_end_is_never_held_in_memory(tmp_path, name):
    start, end = ("text\nok\n", "\nok\n") if name == "a.csv" else ('{"text": "ok"}\n{"text": "', '"}\n{"text": "ok"}\n')
    path = write(tmp_path / name, start + "x" * 12_000_000 + end)
    tracemalloc.start()
    try:
        good, bad = rows_and_bad(path, max_bytes=100_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert good == ["ok", "ok"] and bad[0].reason == "too_long"
    assert peak < 2_000_000


def test_cut_gzip_names_the_line_and_the_cure(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(as_jsonl(str(i) for i in range(1000)).encode())[:-200])
    text = error(path)
    assert "gzip data are damaged or cut off" in text and "again" in text and f"{path}:" in text


def test_damaged_gzip_is_an_error_even_where_bad_rows_are_taken(tmp_path):
    data = bytearray(gzip.compress(as_jsonl(str(i) for i in range(1000)).encode()))
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged"):
        rows_and_bad(path)


def test_names_that_lie_about_gzip_are_cured_by_renaming(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(gzip.compress(b'{"text": "a"}\n'))
    assert "a.jsonl.gz" in error(path)
    path = tmp_path / "b.csv.gz"
    path.write_bytes(b"text\na\n")
    assert "Rename it to b.csv." in error(path)


def test_utf16_is_named(tmp_path):
    assert "UTF-16" in error(write(tmp_path / "a.csv", "text\none\n".encode("utf-16")))


def test_unknown_suffix_names_the_valid_ones(tmp_path):
    text = error(write(tmp_path / "a.jsn", "{}"))
    assert "'.jsn'" in text and "'.jsonl', '.jsonl.gz', '.csv', '.csv.gz', '.parquet'" in text


def test_missing_file_and_folder_are_told_apart(tmp_path):
    assert "missing" in error(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").mkdir()
    assert "folder" in error(tmp_path / "b.jsonl")


@pytest.mark.parametrize(("name", "data"), [("a.jsonl", ""), ("a.jsonl", "\n \n"), ("a.csv", ""), ("a.csv", "text\n"), ("a.jsonl.gz", "")])
def test_a_file_without_rows_is_an_error(tmp_path, name, data):
    assert "holds no rows" in error(write(tmp_path / name, data))


def test_parquet_flaws_are_reported_like_others(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    texts = pyarrow.array([b"one", None, b"a\0b", b"caf\xe9", b"two"], pyarrow.binary()).view(pyarrow.string())
    parquet.write_table(pyarrow.table({"text": texts}), path)
    good, bad = rows_and_bad(path)
    assert good == ["one", "two"]
    assert [(row.line, row.reason) for row in bad] == [(2, "missing_value"), (3, "nul"), (4, "not_utf8")]
    assert "no column 'body'" in error(path, ["body"])


def test_damaged_parquet_is_an_error(tmp_path):
    pytest.importorskip("pyarrow")
    assert "Parquet file is damaged" in error(write(tmp_path / "a.parquet", b"PAR1 nothing"))


def test_every_reason_has_a_message_and_a_cure(tmp_path):
    for reason in REASONS:
        assert str(BadRow(3, reason, "x").error(tmp_path)).endswith(REASONS[reason][1])


def test_bad_row_is_a_json_row():
    assert BadRow(3, "nul", "at byte 1").to_dict() == {"v": 1, "line": 3, "reason": "nul", "detail": "at byte 1"}
