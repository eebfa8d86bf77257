import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_synthesizrr.draws import draw_splits, told
from spacy_synthesizrr.errors import ConfigError, InputError

ROWS = [{"text": f"Row number {number}.", "label": ("rain", "sun")[number % 2], "day": number} for number in range(40)]
SIZES = {"per_label_seeds": 3, "dev": 4, "test": 5}


def draw(folder, rows=ROWS, *, name="source.jsonl", seed=0, text=("text",), force=True, **sizes):
    folder.mkdir(exist_ok=True)
    source = folder / name
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return draw_splits(source, folder / "out", text=text, label="label", seed=seed, force=force, **{**SIZES, **sizes})


def part(folder, name):
    return [json.loads(line) for line in (folder / "out" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def parts(folder):
    return {name: part(folder, name) for name in ("seeds", "dev", "test", "rest")}


def test_each_label_gets_its_rows_and_the_rest_is_kept(tmp_path):
    counts = draw(tmp_path)
    each = {"seeds": 3, "dev": 4, "test": 5, "rest": 8}
    assert counts == {"rows": 40, "duplicates": 0, "conflicts": 0, "labels": {"rain": each, "sun": each}}
    assert {name: len(rows) for name, rows in parts(tmp_path).items()} == {"seeds": 6, "dev": 8, "test": 10, "rest": 16}


def test_no_text_is_lost_or_in_two_parts(tmp_path):
    draw(tmp_path)
    texts = [row["text"] for rows in parts(tmp_path).values() for row in rows]
    assert sorted(texts) == sorted(row["text"] for row in ROWS)


def test_rows_hold_the_text_and_label_columns_only(tmp_path):
    draw(tmp_path)
    assert all(set(row) == {"v", "text", "label"} for rows in parts(tmp_path).values() for row in rows)


def test_labels_take_turns(tmp_path):
    draw(tmp_path)
    assert [row["label"] for row in part(tmp_path, "seeds")] == ["rain", "sun"] * 3


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_order_of_rows_does_not_matter(tmp_path_factory, shuffle):
    folder = tmp_path_factory.mktemp("draw")
    rows = ROWS + [{"text": "row  NUMBER 4", "label": "rain"}]
    draw(folder / "a", rows)
    draw(folder / "b", random.Random(shuffle).sample(rows, len(rows)))
    for name in ("seeds", "dev", "test"):
        assert part(folder / "a", name) == part(folder / "b", name)


def test_another_seed_gives_another_cut_and_the_same_seed_the_same(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        draw(tmp_path / name, seed=seed)
    assert parts(tmp_path / "a") == parts(tmp_path / "b")
    assert part(tmp_path / "a", "test") != part(tmp_path / "c", "test")


def test_more_rows_wanted_for_seeds_only_move_the_border(tmp_path):
    draw(tmp_path / "a")
    draw(tmp_path / "b", per_label_seeds=5)
    assert {row["text"] for row in part(tmp_path / "a", "seeds")} < {row["text"] for row in part(tmp_path / "b", "seeds")}


def test_one_text_in_several_spellings_is_used_once(tmp_path):
    counts = draw(tmp_path, [*ROWS, *ROWS[:4], {"text": "ROW number 0", "label": "rain"}])
    assert (counts["rows"], counts["duplicates"]) == (45, 5)
    assert sum(len(rows) for rows in parts(tmp_path).values()) == 40


def test_texts_that_differ_in_a_sign_with_a_meaning_are_two(tmp_path):
    pairs = [("so good 👍", "rain"), ("so good 👎", "sun"), ("C++ rocks", "rain"), ("C# rocks", "sun")]
    counts = draw(tmp_path, [*ROWS, *({"text": text, "label": label} for text, label in pairs)])
    assert (counts["duplicates"], counts["conflicts"]) == (0, 0)


def test_one_text_with_two_labels_is_dropped_and_counted(tmp_path):
    counts = draw(tmp_path, [*ROWS, {"text": "row number 0", "label": "sun"}])
    assert counts["conflicts"] == 1
    assert "Row number 0." not in [row["text"] for rows in parts(tmp_path).values() for row in rows]


def test_shortage_names_label_wanted_and_available(tmp_path):
    with pytest.raises(InputError, match=r"21 are wanted per label \(3 seeds \+ 4 dev \+ 14 test\), and 'rain' has 20, 'sun' has 20"):
        draw(tmp_path, test=14)
    assert not (tmp_path / "out").exists()


def test_several_text_columns_make_one_text(tmp_path):
    rows = [{"a": f"same {n % 2}", "b": f"other {n // 2}", "label": ("rain", "sun")[n % 2]} for n in range(40)]
    assert draw(tmp_path, rows, text=("a", "b"))["duplicates"] == 0
    assert set(part(tmp_path, "seeds")[0]) == {"v", "a", "b", "label"}


def test_label_lists_count_under_their_combination(tmp_path):
    rows = [{**row, "label": ["sun", "rain"] if row["day"] % 4 == 0 else row["label"]} for row in ROWS]
    counts = draw(tmp_path, rows, per_label_seeds=1, dev=1, test=1)
    assert {label: sum(each.values()) for label, each in counts["labels"].items()} == {"rain": 10, "rain + sun": 10, "sun": 20}


@pytest.mark.parametrize(("row", "message"), [({"text": " ", "label": "rain"}, "empty"), ({"text": "a", "label": ""}, "not a label")])
def test_a_row_that_is_not_right_is_named(tmp_path, row, message):
    with pytest.raises(InputError, match=f"source.jsonl:41: .*{message}"):
        draw(tmp_path, [*ROWS, row])


def test_the_source_is_never_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    source = tmp_path / "out" / "test.jsonl"
    source.write_text('{"text": "a", "label": "b"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="would be overwritten"):
        draw_splits(source, tmp_path / "out", text=["text"], label="label", seed=0, **SIZES)
    assert source.read_text(encoding="utf-8").count("\n") == 1


def test_an_earlier_cut_is_replaced_only_when_that_is_asked_for(tmp_path):
    draw(tmp_path)
    before = parts(tmp_path)
    with pytest.raises(InputError, match="There is seeds.jsonl, dev.jsonl, test.jsonl, rest.jsonl already"):
        draw(tmp_path, seed=1, force=False)
    assert parts(tmp_path) == before


def test_counts_are_told_as_a_table(tmp_path):
    lines = list(told(draw(tmp_path, [*ROWS, ROWS[0]]), tmp_path / "out"))
    assert lines[0].split() == ["label", "seeds", "dev", "test", "rest"]
    assert lines[1].split() == ["rain", "3", "4", "5", "8"]
    assert lines[3].startswith("41 rows read; 1 not used")


def test_sizes_and_columns_are_checked(tmp_path):
    with pytest.raises(ConfigError, match="dev = -1"):
        draw(tmp_path, dev=-1)
    with pytest.raises(ConfigError, match="No text column"):
        draw(tmp_path, text=())
