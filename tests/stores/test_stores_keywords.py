import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_search import Reference

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.base import Filter, Query, Search
from spacy_synthesizrr.stores.keywords import Keywords, _Hashes, hash_word, write_keywords
from spacy_synthesizrr.stores.memory import MemoryStore

BY_WORDS = Search("keyword")
NOBODY = np.zeros(0, dtype=np.int64)
TEXTS = ["ferry harbour storm", "choir concert song", "a storm, a Storm", "keeper penalty", ""]


def written(folder, texts):
    folder.mkdir(parents=True, exist_ok=True)
    write_keywords(folder, texts, total=len(texts), index="key")
    return Keywords(folder, len(texts))


def built(tmp_path, texts=tuple(TEXTS)):
    store = MemoryStore(tmp_path / "index")
    store.index([Passage(f"id{row}", text) for row, text in enumerate(texts)], make_lsa_embedder())
    return store


def found(store, text):
    return [hit.passage_id for hit in store.search([Query(text)], 9, how=BY_WORDS)[0]]


def test_the_rarer_word_and_the_shorter_text_win(tmp_path):
    words = written(tmp_path, ["storm storm harbour", "storm and a lot of other words here", "storm", "ferry", "choir"])
    assert words.best("storm", 9, banned=NOBODY).keys.tolist() == [2, 0, 1]
    assert words.best("storm ferry", 2, banned=NOBODY).keys.tolist() == [3, 2]


def test_words_are_compared_without_case_and_form(tmp_path):
    words = written(tmp_path, ["ÉCOLE fermée", "e\u0301cole", "ﬁne STRASSE", "straße", "nothing"])
    assert words.best("école", 9, banned=NOBODY).keys.tolist() == [1, 0]
    assert set(words.best("Straße fine", 9, banned=NOBODY).keys.tolist()) == {2, 3}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("渡轮停航", "大雨过后渡轮停航"),
        ("フェリー", "嵐でフェリーが止まった"),
        ("เรือ", "พายุทำให้เรือหยุด"),
        ("עיר", "סערה: עיר ללא חשמל"),
        ("شهر", "عاصفة في شهر مارس"),
    ],
)
def test_every_script_has_words(tmp_path, query, text):
    words = written(tmp_path, ["ferry harbour", text, "choir song"])
    assert words.best(query, 1, banned=NOBODY).keys.tolist() == [1]


def test_a_word_that_is_asked_twice_counts_twice(tmp_path):
    words = written(tmp_path, TEXTS)
    (once, twice) = (words.best(text, 1, banned=NOBODY).scores[0] for text in ("ferry", "ferry ferry"))
    assert twice == 2 * once


def test_the_order_of_words_changes_no_score(tmp_path):
    draw = np.random.default_rng(0)
    words = [f"word{number}" for number in range(40)]
    index = written(tmp_path, [" ".join(draw.permutation(words)) for _ in range(30)] + ["nothing"])
    for _ in range(5):
        ranking = index.best(" ".join(draw.permutation(words)), 30, banned=NOBODY)
        assert ranking.keys.tolist() == list(range(30))
        assert len(set(ranking.scores.tolist())) == 1


def test_a_word_in_every_text_still_finds_them(tmp_path):
    long = " ".join(f"word{number}" for number in range(300))
    ranking = written(tmp_path, [f"storm {long}", *["storm"] * 20_000]).best("storm", 30_000, banned=NOBODY)
    assert len(ranking) == 20_001
    assert ranking.keys[-1] == 0


def test_banned_rows_are_not_found_and_change_no_score(tmp_path):
    words = written(tmp_path, TEXTS)
    everything = words.best("storm ferry", 9, banned=NOBODY)
    left = words.best("storm ferry", 9, banned=np.array([0]))
    assert (everything.keys.tolist(), left.keys.tolist()) == ([0, 2], [2])
    assert left.scores.tolist() == everything.scores[1:].tolist()


def test_no_words_at_all_find_nothing(tmp_path):
    assert len(written(tmp_path, ["", "?!"]).best("storm", 3, banned=NOBODY)) == 0


@settings(deadline=None, max_examples=40)
@given(
    texts=st.lists(st.lists(st.sampled_from(["a", "b", "c", "dd", "e1"]), max_size=7).map(" ".join), min_size=1, max_size=12),
    query=st.lists(st.sampled_from(["a", "b", "c", "dd", "zz"]), max_size=6).map(" ".join),
    k=st.integers(1, 14),
)
def test_scores_are_those_of_the_formula(tmp_path_factory, texts, query, k):
    ranking = written(tmp_path_factory.mktemp("words"), texts).best(query, k, banned=NOBODY)
    expected = Reference([Passage(str(row), text) for row, text in enumerate(texts)]).by_words(query, range(len(texts)))
    np.testing.assert_allclose(ranking.scores, [score for _, score in expected[:k]], atol=1e-5)
    assert all(abs(score - dict(expected)[row]) < 1e-5 for row, score in zip(ranking.keys.tolist(), ranking.scores, strict=True))


def test_most_texts_may_be_empty(tmp_path):
    texts = ["ferry storm", "ferry", *[""] * 18]
    ranking = written(tmp_path, texts).best("ferry", 3, banned=NOBODY)
    expected = Reference([Passage(str(row), text) for row, text in enumerate(texts)]).by_words("ferry", range(20))
    np.testing.assert_allclose(ranking.scores, [score for _, score in expected], atol=1e-5)


def test_more_words_than_are_remembered_change_nothing(tmp_path, monkeypatch):
    written(tmp_path / "a", TEXTS)
    monkeypatch.setattr("spacy_synthesizrr.stores.keywords.CACHED", 2)
    hashes = _Hashes()
    assert [hashes[word] for word in ("a", "b", "c", "a")] == [hash_word(word) for word in ("a", "b", "c", "a")]
    assert len(hashes) <= 2
    written(tmp_path / "b", TEXTS)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_words_are_indexed_by_the_first_search_that_needs_them(tmp_path):
    store = built(tmp_path)
    store.search([Query("storm")], 2)
    store.search([Query("storm")], 2, how=Search("hybrid", alpha=1.0))
    assert not (tmp_path / "index" / "keywords").exists()
    assert found(store, "storm ferry") == ["id0", "id2"]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "index" / "keywords").iterdir()}
    assert found(MemoryStore(tmp_path / "index"), "storm ferry") == ["id0", "id2"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "index" / "keywords").iterdir()} == before
    assert store.complete()


def test_files_of_words_hold_no_pickle_and_depend_on_nothing_else(tmp_path):
    for name in "ab":
        found(built(tmp_path / name), "storm")
    files = sorted((tmp_path / "a" / "index" / "keywords").iterdir())
    assert [path.name for path in files] == ["ends.npy", "keywords.json", "rows.npy", "shares.npy", "terms.npy"]
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


@pytest.mark.parametrize("name", ["rows.npy", "keywords.json", "terms.npy"])
def test_damaged_words_are_indexed_anew(tmp_path, name):
    expected = found(built(tmp_path), "storm ferry")
    path = tmp_path / "index" / "keywords" / name
    path.write_bytes(path.read_bytes()[:-3])
    assert found(MemoryStore(tmp_path / "index"), "storm ferry") == expected
    assert path.is_file()


def test_words_of_another_index_are_not_used(tmp_path):
    store = built(tmp_path)
    assert found(store, "storm") == ["id2", "id0"]
    about = tmp_path / "index" / "keywords" / "keywords.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "index": "another"}))
    assert found(MemoryStore(tmp_path / "index"), "storm") == ["id2", "id0"]
    assert json.loads(about.read_text())["index"] != "another"


def test_a_changed_corpus_changes_the_words(tmp_path):
    store = built(tmp_path)
    assert found(store, "storm") == ["id2", "id0"]
    store.index([Passage("new", "storm at last"), Passage("other", "choir")], make_lsa_embedder())
    assert found(store, "storm") == ["new"]


def test_what_a_killed_writer_left_is_no_foreign_file(tmp_path):
    store = built(tmp_path)
    left = tmp_path / "index" / ".keywords.0123.part"
    left.mkdir()
    store.index([Passage("new", "storm at last"), Passage("other", "choir")], make_lsa_embedder())
    left.mkdir(exist_ok=True)
    assert found(store, "storm") == ["new"]
    assert not left.exists()


def test_words_that_cannot_be_written_say_so(tmp_path, monkeypatch):
    store = built(tmp_path)

    def full(*parts, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(StoreError, match="cannot be indexed in .*No space left on device.*search by vector"):
        found(store, "storm")
    monkeypatch.undo()
    assert sorted(path.name for path in (tmp_path / "index").iterdir() if path.is_dir()) == ["embedder"]
    assert found(store, "storm") == ["id2", "id0"]


def test_deleted_and_excluded_passages_share_the_counts_of_words(tmp_path):
    store = built(tmp_path)
    (before,) = store.search([Query("storm ferry")], 9, how=BY_WORDS)
    (left,) = store.search([Query("storm ferry")], 9, how=BY_WORDS, filter=Filter(frozenset(["id0"])))
    store.delete(["id0"])
    assert store.search([Query("storm ferry")], 9, how=BY_WORDS) == [left]
    assert [hit.similarity for hit in left] == [before[1].similarity]


MEASURED = """
    import sys
    from array import array
    from pathlib import Path
    from spacy_synthesizrr.stores.keywords import write_keywords

    def texts():
        for n in range(int(sys.argv[2])):
            yield " ".join(f"word{(n * step) % 997}" for step in range(1, 12))

    Path(sys.argv[1]).mkdir()
    write_keywords(Path(sys.argv[1]), texts(), total=int(sys.argv[2]), index="key")
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the peak memory from /proc")
def test_memory_while_indexing_words_does_not_follow_their_number(tmp_path):
    def peak(count):
        command = [sys.executable, "-c", textwrap.dedent(MEASURED), str(tmp_path / str(count)), str(count)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert peak(100_000) < 1.25 * peak(10_000)


def test_searching_words_imports_no_scipy(tmp_path):
    found(built(tmp_path), "storm")
    probe = f"""
        import sys
        from pathlib import Path
        from spacy_synthesizrr.stores.base import Query, Search
        from spacy_synthesizrr.stores.memory import MemoryStore
        print(len(MemoryStore(Path({str(Path(tmp_path / "index"))!r})).search([Query("storm")], 5, how=Search("keyword"))[0]))
        print(*(name for name in ("scipy", "sklearn", "spacy") if name in sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(probe)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2"]
