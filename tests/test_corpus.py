import json
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spacy_synthesizrr import corpus
from spacy_synthesizrr.corpus import PassageSettings, Splitter, read_passages
from spacy_synthesizrr.errors import ConfigError, InputError
from spacy_synthesizrr.taskfile import TaskSpec

ENGLISH = Splitter(PassageSettings(), lang="en")


def make_task(folder, rows, **columns):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return TaskSpec.model_validate(
        {
            "path": folder / "task.yml",
            "name": "farm",
            "labels": {"rain": {"verbalization": "about rain"}, "sun": {"verbalization": "about sun"}},
            "prompt": {"instruction": "Write {verbalization}."},
            "corpus": {"path": "corpus.jsonl", **columns},
        }
    )


def passages(task, low=2, high=8, lang="en"):
    bad = []
    found = list(read_passages(task, PassageSettings(min_words=low, max_words=high), lang=lang, on_bad=bad.append))
    return found, bad


def texts(task, *args, **options):
    return [passage.text for passage in passages(task, *args, **options)[0]]


def split(text, low, high, lang="en"):
    splitter = ENGLISH if lang == "en" else Splitter(PassageSettings(), lang=lang)
    splitter.settings = PassageSettings(min_words=low, max_words=high)
    return [(text[span.start : span.end], span.words) for span in splitter.split(text)]


def test_a_document_that_fits_is_one_passage(tmp_path):
    task = make_task(tmp_path, [{"text": "Rain fell.  It was\n cold."}])
    found, bad = passages(task)
    assert [(p.text, p.document, p.number) for p in found] == [("Rain fell. It was cold.", "1", 0)] and not bad


def test_sentences_are_packed_up_to_the_longest_length():
    text = "One two three. Four five. Six seven eight. Nine ten eleven twelve."
    assert split(text, 2, 6) == [("One two three. Four five.", 5), ("Six seven eight.", 3), ("Nine ten eleven twelve.", 4)]


def test_a_sentence_that_is_too_long_is_cut_at_words_into_equal_pieces():
    assert split("a b c d e f g h i j", 2, 6) == [("a b c d e", 5), ("f g h i j", 5)]


def test_a_long_sentence_loses_its_end_only_where_equal_pieces_would_be_too_short():
    assert split("a b c d e f g h", 6, 7) == [("a b c d e f g", 7), ("h", 1)]


def test_a_short_end_takes_a_sentence_from_the_passage_before():
    text = "One two three. Four five six. Seven eight nine. Ten."
    assert split(text, 3, 9) == [("One two three. Four five six.", 6), ("Seven eight nine. Ten.", 4)]


def test_a_short_end_that_nothing_can_lengthen_is_reported(tmp_path):
    task = make_task(tmp_path, [{"text": "One two three four five six seven. Eight nine."}])
    found, bad = passages(task, 3, 7)
    assert [p.text for p in found] == ["One two three four five six seven."]
    assert [(b.line, b.reason, b.detail) for b in bad] == [(1, "too_short", "2 words, 3 at least: Eight nine.")]


def test_a_short_end_within_the_band_is_kept():
    assert split("One two three four five six. Seven eight nine.", 3, 7)[-1] == ("Seven eight nine.", 3)


def test_a_boundary_inside_a_word_cuts_nothing():
    assert [piece for piece, _ in split("a b c end.Next d e f", 2, 4)] == ["a b c end.Next", "d e f"]


WORD = st.text(string.ascii_letters + "éß.!?,'\"-()1", min_size=1, max_size=7)


@settings(deadline=None, max_examples=150)
@given(st.lists(WORD, min_size=1, max_size=120), st.integers(1, 12), st.integers(0, 20), st.integers(20, 200))
def test_no_word_is_lost_or_doubled_and_the_band_is_held(words, low, more, block):
    text = " ".join(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "CHARACTERS_PER_BLOCK", block)
        pieces = split(text, low, low + more)
    assert " ".join(piece for piece, _ in pieces) == text
    assert all(count == len(piece.split()) <= low + more for piece, count in pieces)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(WORD, min_size=1, max_size=9), min_size=1, max_size=20))
def test_a_short_passage_stays_short_only_if_the_one_before_cannot_help(sentences):
    text = " ".join(" ".join(word.strip(".!?") or "w" for word in words) + "." for words in sentences)
    pieces = split(text, 4, 12)
    for (_, before), (short, count) in zip(pieces, pieces[1:], strict=False):
        assert count >= 4 or before + count > 12, (pieces, short)


@pytest.mark.parametrize("block", [30, 60, 100_000])
def test_sentences_of_a_document_read_in_blocks_are_those_of_the_whole(monkeypatch, block):
    monkeypatch.setattr(corpus, "CHARACTERS_PER_BLOCK", block)
    assert split("Rain fell on us. We ran home. The sun came out. All was dry.", 2, 7) == [
        ("Rain fell on us. We ran home.", 7),
        ("The sun came out. All was dry.", 7),
    ]


def test_a_fresh_pipeline_keeps_memory_flat_and_changes_nothing(monkeypatch):
    text = "Rain fell on us. We ran home. The sun came out. All was dry."
    expected = split(text, 2, 7)
    splitter = Splitter(PassageSettings(min_words=2, max_words=7), lang="en")
    before = splitter.nlp
    monkeypatch.setattr(corpus, "STRINGS_PER_PIPELINE", 1)
    assert [(text[span.start : span.end], span.words) for span in splitter.split(text)] == expected
    assert splitter.nlp is not before


def test_language_decides_where_a_sentence_ends():
    text = "Es gilt z. B. das Wetter von gestern. Der Regen fiel."
    assert split(text, 2, 8, lang="de")[0][0] == "Es gilt z. B. das Wetter von gestern."


def test_in_scripts_without_blanks_words_are_tokens():
    text = "今天下雨了。我们回家。太阳出来。"
    pieces = split(text, 2, 11, lang="zh")
    assert [piece for piece, _ in pieces] == ["今天下雨了。我们回家。", "太阳出来。"]
    assert [count for _, count in pieces] == [11, 5]


@pytest.mark.parametrize("lang", ["german", "zzz", ""])
def test_unknown_language_names_the_valid_ones(tmp_path, lang):
    with pytest.raises(ConfigError, match=f"no language '{lang}'.*Valid:.*--vars.lang"):
        texts(make_task(tmp_path, [{"text": "a b c"}]), lang=lang)


def test_language_that_needs_a_package_says_so(tmp_path, monkeypatch):
    def refuse(lang):
        raise ImportError("this needs\nsome segmenter")

    monkeypatch.setattr("spacy.blank", refuse)
    with pytest.raises(ConfigError, match="'th' needs a package that is not installed: this needs some segmenter"):
        texts(make_task(tmp_path, [{"text": "a b c"}]), lang="th")


def test_title_opens_the_first_passage_only_and_is_kept_with_all(tmp_path):
    row = {"text": "One two three four. Five six seven eight.", "title": " Big  news "}
    found, _ = passages(make_task(tmp_path, [row], title="title"), 2, 7)
    assert [p.text for p in found] == ["Big news. One two three four.", "Five six seven eight."]
    assert [p.meta["title"] for p in found] == ["Big news", "Big news"]


def test_title_with_its_own_mark_gets_no_stop(tmp_path):
    task = make_task(tmp_path, [{"text": "One two.", "title": "Why?"}, {"text": "One two.", "title": None}], title="title")
    assert texts(task) == ["Why? One two.", "One two."]


def test_id_source_and_meta_columns_go_with_the_passage(tmp_path):
    row = {"text": "One two three.", "nr": 7, "paper": "Echo", "day": "Monday", "tags": ["a"], "none": None}
    task = make_task(tmp_path, [row], id="nr", source="paper", meta=["day", "tags", "none"])
    (passage,), _ = passages(task)
    assert (passage.document, passage.source, passage.meta) == ("7", "Echo", {"day": "Monday", "tags": ["a"]})


def test_ids_are_stable_and_distinct(tmp_path):
    rows = [{"text": "One two three. Four five six."}, {"text": "One two three. Four five six."}]
    task = make_task(tmp_path, rows)
    first, again = passages(task, 2, 4)[0], passages(task, 2, 4)[0]
    assert [p.id for p in first] == [p.id for p in again]
    assert len({p.id for p in first}) == 4


def test_a_bad_row_moves_no_id_of_the_others(tmp_path):
    ids = {}
    for name, middle in (("whole", {"text": "Here is rain."}), ("broken", "{nonsense")):
        folder = tmp_path / name
        folder.mkdir()
        task = make_task(folder, [{"text": "One two three."}, middle, {"text": "Four five six."}])
        ids[name] = {p.text: p.id for p in passages(task)[0]}
    assert set(ids["whole"].items()) > set(ids["broken"].items())


def test_rows_that_cannot_be_used_are_counted_and_listed(tmp_path):
    rows = [{"text": "One two three."}, {"text": 7}, {"text": ["a"]}, {"text": "  "}, {"text": None}, "{", "[]", {"text": "\0 a b"}]
    found, bad = passages(make_task(tmp_path, rows))
    assert len(found) == 1
    assert [(b.line, b.reason) for b in bad] == [
        (2, "not_text"),
        (3, "not_text"),
        (4, "empty"),
        (5, "missing_value"),
        (6, "not_json"),
        (7, "not_object"),
        (8, "nul"),
    ]


def test_a_passage_that_is_data_and_not_language_is_turned_away(tmp_path):
    found, bad = passages(make_task(tmp_path, [{"text": "One two three."}, {"text": "one two " + "x" * 1000}]))
    assert len(found) == 1 and [(b.line, b.reason) for b in bad] == [(2, "too_long")]


def test_a_corpus_without_any_passage_says_why(tmp_path):
    task = make_task(tmp_path, [{"text": "One two."}, {"text": "Three."}, "{"])
    with pytest.raises(InputError, match=r"No passage of 5 to 8 words .*\(too_short 2, not_json 1\).*min_words"):
        passages(task, 5)


def test_an_empty_corpus_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"corpus\.jsonl: This file holds no rows"):
        passages(make_task(tmp_path, []))


def test_missing_text_column_is_an_error_with_choices(tmp_path):
    with pytest.raises(InputError, match=r"no column 'body'.*Valid: 'text'"):
        passages(make_task(tmp_path, [{"text": "One two."}], text="body"))


def test_relative_corpus_path_starts_at_the_task_file(tmp_path, monkeypatch):
    monkeypatch.chdir(Path("/"))
    assert texts(make_task(tmp_path, [{"text": "One two three."}])) == ["One two three."]


def test_a_band_upside_down_is_refused():
    with pytest.raises(ValidationError, match="min_words = 9 is more than max_words = 3"):
        PassageSettings(min_words=9, max_words=3)
