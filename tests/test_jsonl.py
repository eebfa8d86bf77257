"""Files appear whole or not at all; unreadable rows are named by file and line."""

import stat

import pytest

from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.jsonl import atomic, dumps, read_json, read_jsonl, write_json, write_jsonl


def test_atomic_leaves_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic(path) as file:
        file.write("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_atomic_file_has_ordinary_permissions(tmp_path):
    with atomic(tmp_path / "x") as file:
        file.write("y")
    (tmp_path / "plain").write_text("y")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_rows_round_trip(tmp_path):
    rows = [{"v": 1, "text": "Größe\n\u2028"}, {"v": 1, "text": ""}]
    assert write_jsonl(tmp_path / "r.jsonl", iter(rows)) == 2
    assert list(read_jsonl(tmp_path / "r.jsonl", dict)) == rows


def test_a_newer_version_is_refused_with_file_line_and_cure(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"v": 1}\n{"v": 2}\n')
    with pytest.raises(InputError, match=r"r\.jsonl:2: This row has version 2; .* Install a newer"):
        list(read_jsonl(tmp_path / "r.jsonl", dict))


@pytest.mark.parametrize("line", ["{", "[1]", '{"v": "x"}', "null"])
def test_a_broken_row_is_named_by_file_and_line(tmp_path, line):
    (tmp_path / "r.jsonl").write_text('{"v": 1}\n' + line + "\n")
    with pytest.raises(InputError, match=r"r\.jsonl:2: "):
        list(read_jsonl(tmp_path / "r.jsonl", lambda row: row["v"]))


def test_nan_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"x": float("nan")})


def test_write_json_does_not_touch_an_equal_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write_json(path, {"a": 1})
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_missing_json_names_the_cure(tmp_path):
    with pytest.raises(InputError, match=r"x\.json: This file is missing\. Run it\."):
        read_json(tmp_path / "x.json", cure="Run it.")


def test_json_that_is_none_is_named(tmp_path):
    (tmp_path / "x.json").write_bytes(b"\xff{")
    with pytest.raises(InputError, match="This is not JSON"):
        read_json(tmp_path / "x.json")
