import json
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Passage, passage_id
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import ConfigError, StoreError
from spacy_synthesizrr.stores.base import Filter, Query
from spacy_synthesizrr.stores.memory import MemoryStore, make_memory_store
from spacy_synthesizrr.stores.passages import Seen
from spacy_synthesizrr.stores.publish import LOCK, locked

TOPICS = ["ferry harbour storm", "choir concert song", "keeper penalty match", "loan bank interest"]


def passages(n=12, start=0):
    texts = [f"{TOPICS[number % 4]} number{number} told twice{number % 3}" for number in range(start, start + n)]
    return [Passage(passage_id("paper", str(number), 0, text), text, "paper", str(number)) for number, text in enumerate(texts, start)]


def built(tmp_path, rows=None, **parameters):
    store = make_memory_store(str(tmp_path / "index"))
    store.index(iter(passages() if rows is None else rows), make_lsa_embedder(**parameters))
    return store


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_search_finds_the_topic_and_ranks_from_one(tmp_path):
    store = built(tmp_path)
    first, second = store.search([Query("a storm in the harbour"), Query("a penalty")], 3)
    assert [hit.rank for hit in first] == [1, 2, 3]
    assert all("harbour" in passage.text for passage in store.get([hit.passage_id for hit in first]))
    assert all("penalty" in passage.text for passage in store.get([hit.passage_id for hit in second]))


def test_similarity_is_the_cosine_of_numpy(tmp_path):
    store = built(tmp_path)
    vectors = np.array([vector for _, vector in store.iterate(with_vectors=True)])
    (hits,) = store.search([Query("storm and song")], 12)
    expected = vectors @ store.embedder.embed(["storm and song"])[0]
    np.testing.assert_allclose([hit.similarity for hit in hits], sorted(expected, reverse=True), atol=2e-6)


def test_a_passage_is_closest_to_itself(tmp_path):
    (hits,) = built(tmp_path).search([Query(passages()[5].text)], 1)
    assert (hits[0].passage_id, hits[0].similarity) == (passages()[5].id, 1.0)


def test_vectors_of_queries_need_not_have_length_one(tmp_path):
    store = built(tmp_path)
    vector = store.embedder.embed(["storm"])[0]
    assert store.search([Query("", vector * 40)], 5) == store.search([Query("storm")], 5)


def test_a_query_without_known_words_has_similarity_zero(tmp_path):
    (hits,) = built(tmp_path).search([Query("")], 4)
    assert [hit.similarity for hit in hits] == [0.0] * 4


def test_an_empty_passage_is_never_nearer_than_zero(tmp_path):
    store = built(tmp_path, [*passages(), Passage("empty", "")])
    (hits,) = store.search([Query("storm")], 13)
    assert {hit.passage_id: hit.similarity for hit in hits}["empty"] == 0.0


def test_equal_similarities_stand_in_the_order_of_the_corpus(tmp_path):
    rows = [Passage(f"id{number}", "ferry harbour storm") for number in (3, 1, 2)] + passages(4)
    (hits,) = built(tmp_path, rows).search([Query("ferry harbour storm")], 3)
    assert [hit.passage_id for hit in hits] == ["id3", "id1", "id2"]


def test_more_hits_than_passages_gives_all(tmp_path):
    (hits,) = built(tmp_path, passages(3)).search([Query("storm")], 500)
    assert len(hits) == 3


def test_excluded_passages_are_not_found(tmp_path):
    store = built(tmp_path)
    (hits,) = store.search([Query("storm")], 12, filter=Filter(frozenset([passages()[0].id, "nobody"])))
    assert len(hits) == 11
    assert passages()[0].id not in {hit.passage_id for hit in hits}


def test_no_queries_give_no_hits(tmp_path):
    assert built(tmp_path).search([], 3) == []


def test_k_below_one_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="k must be 1 or more"):
        built(tmp_path).search([Query("storm")], 0)


def test_a_vector_of_another_length_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"shape \(3,\).*Embed queries with the embedder of the index"):
        built(tmp_path).search([Query("", np.ones(3, dtype=np.float32))], 3)


def test_another_embedder_is_refused(tmp_path):
    built(tmp_path)
    other = make_lsa_embedder(dimensions=3)
    other.fit((passage.text for passage in passages()), seed=0)
    with pytest.raises(StoreError, match="cannot be compared: leave the embedder out"):
        MemoryStore(tmp_path / "index", other).search([Query("storm")], 3)


def test_an_embedder_that_was_exchanged_on_disk_is_refused(tmp_path):
    store = built(tmp_path)
    other = make_lsa_embedder()
    other.fit((passage.text for passage in passages()), seed=1)
    path = tmp_path / "index" / "embedder" / "embedder.json"
    path.write_text(path.read_text().replace(store.embedder.id[-16:], other.id[:16]))
    with pytest.raises(StoreError, match="cannot be compared"):
        MemoryStore(tmp_path / "index").search([Query("storm")], 3)


def test_get_keeps_the_order_and_all_values(tmp_path):
    rows = [*passages(5), Passage("ä/ö", "größe\n\u2028 “x”", "s", "d", 3, {"year": 2020, "tags": ["a"]})]
    assert built(tmp_path, rows).get(["ä/ö", rows[2].id, rows[2].id]) == [rows[5], rows[2], rows[2]]


def test_get_names_the_id_that_is_missing(tmp_path):
    with pytest.raises(StoreError, match=r"1 of 2 passages .* 'nobody'.*run the steps 'index' and 'plan' again"):
        built(tmp_path).get([passages()[0].id, "nobody"])


def test_iterate_gives_the_order_of_the_corpus(tmp_path):
    assert [(passage, vector) for passage, vector in built(tmp_path).iterate()] == [(passage, None) for passage in passages()]


def test_sample_draws_different_passages_by_the_seed(tmp_path):
    store = built(tmp_path)
    drawn = store.sample(5, seed=1)
    assert len({passage.id for passage in drawn}) == 5
    assert drawn == store.sample(5, seed=1)
    assert drawn != store.sample(5, seed=2)


def test_sample_gives_all_when_there_are_fewer(tmp_path):
    assert sorted(passage.id for passage in built(tmp_path).sample(99, seed=0)) == sorted(passage.id for passage in passages())


@settings(deadline=None, max_examples=30)
@given(gone=st.sets(st.integers(0, 11), max_size=12), seed=st.integers(0, 99))
def test_sample_leaves_out_what_is_excluded(tmp_path_factory, gone, seed):
    folder = tmp_path_factory.getbasetemp() / "shared_index"
    store = MemoryStore(folder)
    if not store.complete():
        store.index(passages(), make_lsa_embedder())
    drawn = store.sample(12, seed=seed, filter=Filter(frozenset(passages()[row].id for row in gone)))
    assert sorted(passage.id for passage in drawn) == sorted(passage.id for row, passage in enumerate(passages()) if row not in gone)


def test_deleted_passages_are_not_found_counted_drawn_or_walked(tmp_path):
    store = built(tmp_path)
    gone = {passages()[0].id, passages()[4].id}
    assert store.delete([*gone, "nobody"]) == 2
    assert store.delete([*gone]) == 0
    (hits,) = MemoryStore(tmp_path / "index").search([Query("storm")], 12)
    left = [{hit.passage_id for hit in hits}, {p.id for p, _ in store.iterate()}, {p.id for p in store.sample(12, seed=0)}]
    assert left == [{passage.id for passage in passages()} - gone] * 3
    assert store.count() == 10


def test_indexing_again_brings_deleted_passages_back(tmp_path):
    store = built(tmp_path)
    store.delete([passages()[0].id])
    store.index(passages(), make_lsa_embedder())
    assert store.count() == 12


def test_indexing_twice_writes_nothing_new(tmp_path):
    store = built(tmp_path)
    before = stamps(tmp_path / "index")
    counts = store.index(iter(passages()), make_lsa_embedder())
    assert not counts.written
    assert counts.passages == 12
    assert stamps(tmp_path / "index") == before


def test_a_changed_corpus_replaces_the_index(tmp_path):
    store = built(tmp_path)
    assert store.index(passages(6, start=8), make_lsa_embedder()).written
    assert [passage for passage, _ in store.iterate()] == passages(6, start=8)


def test_another_seed_or_embedder_replaces_the_index(tmp_path):
    store = built(tmp_path)
    before = store.embedder.id
    store.index(passages(), make_lsa_embedder(dimensions=4))
    assert store.embedder.id != before
    assert store.index(passages(), make_lsa_embedder(dimensions=4), seed=1).written


def test_equal_ids_are_written_once_and_counted(tmp_path):
    store = make_memory_store(str(tmp_path / "index"))
    counts = store.index([*passages(), *passages(3)], make_lsa_embedder())
    assert (counts.passages, counts.equal_ids, counts.equal_texts) == (12, 3, 0)
    assert store.count() == 12


def test_equal_texts_are_kept_and_counted(tmp_path):
    rows = [*passages(), Passage("other", passages()[0].text)]
    counts = make_memory_store(str(tmp_path / "index")).index(rows, make_lsa_embedder())
    assert (counts.passages, counts.equal_ids, counts.equal_texts) == (13, 0, 1)


def test_no_passage_at_all_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(StoreError, match="no passage to index"):
        built(tmp_path, [])
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_an_error_while_reading_leaves_the_old_index(tmp_path):
    store = built(tmp_path)

    def breaks():
        yield passages()[0]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        store.index(breaks(), make_lsa_embedder())
    assert store.count() == 12
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["index"]


def test_a_folder_of_the_user_is_never_replaced(tmp_path):
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="holds 'thesis.txt'.*a folder of its own"):
        built(tmp_path)


def test_a_missing_index_says_how_to_build_it(tmp_path):
    with pytest.raises(StoreError, match="no index in .*nowhere.*run the step 'index'"):
        MemoryStore(tmp_path / "nowhere").count()


def test_the_embedder_of_a_missing_index_says_how_to_build_it(tmp_path):
    with pytest.raises(StoreError, match="no index in .*nowhere.*run the step 'index'"):
        _ = MemoryStore(tmp_path / "nowhere").embedder


@pytest.mark.parametrize("name", ["vectors.npy", "passages.jsonl", "ids.npy", "embedder/projection.npy"])
def test_a_damaged_index_is_refused_and_built_anew(tmp_path, name):
    path = built(tmp_path).notes.parent / name
    path.write_bytes(path.read_bytes()[:-3])
    store = MemoryStore(tmp_path / "index")
    assert not store.complete()
    with pytest.raises(StoreError, match="damaged.*Delete that folder"):
        store.count()
    assert store.index(passages(), make_lsa_embedder()).written
    assert store.search([Query("storm")], 1)


def test_a_store_goes_to_another_process_as_its_path(tmp_path):
    store = built(tmp_path)
    expected = store.search([Query("storm")], 3)
    data = pickle.dumps(store)
    assert len(data) < 1000
    assert pickle.loads(data).search([Query("storm")], 3) == expected


def test_a_store_opens_again_after_close(tmp_path):
    store = built(tmp_path)
    expected = store.search([Query("storm")], 3)
    store.close()
    assert store.search([Query("storm")], 3) == expected


def test_files_hold_no_pickle_and_no_time(tmp_path):
    built(tmp_path / "a")
    built(tmp_path / "b")
    files = [path for path in (tmp_path / "a" / "index").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".jsonl", ".npy", ".txt"}
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    assert np.load(tmp_path / "a" / "index" / "vectors.npy", allow_pickle=False).dtype == np.float32


def test_the_second_of_two_writers_drops_its_work(tmp_path):
    store, other = MemoryStore(tmp_path / "index"), MemoryStore(tmp_path / "index")

    def slow():
        yield from passages(6)
        assert other.index(passages(), make_lsa_embedder()).written
        yield from passages(6, start=6)

    assert not store.index(slow(), make_lsa_embedder()).written
    assert store.search([Query("storm")], 3) == other.search([Query("storm")], 3)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["index"]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from spacy_synthesizrr.candidates import Passage
    from spacy_synthesizrr.embedders.lsa import LsaEmbedder
    from spacy_synthesizrr.stores.memory import MemoryStore

    class Killed(LsaEmbedder):
        def embed(self, texts):
            if sys.argv[2] == "embedding" and len(texts) < 1024:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().embed(texts)

    def rows():
        for number in range(1100):
            if sys.argv[2] == "reading" and number == 1090:
                os.kill(os.getpid(), signal.SIGKILL)
            yield Passage(str(number), f"word{number % 9} and word{number % 7}")

    MemoryStore(Path(sys.argv[1])).index(rows(), Killed(4, 100, 50))
"""


def test_a_reader_waits_while_a_writer_exchanges_the_folder(tmp_path, monkeypatch):
    folder = built(tmp_path).notes.parent
    away, gone, asked = folder.with_name("away"), threading.Event(), threading.Event()

    def exchange():
        with locked(folder.parent / LOCK):
            folder.rename(away)
            gone.set()
            asked.wait(60)
            away.rename(folder)

    whole = MemoryStore._whole

    def first_look(store):
        found = whole(store)
        asked.set()
        return found

    monkeypatch.setattr(MemoryStore, "_whole", first_look)
    writer = threading.Thread(target=exchange)
    writer.start()
    gone.wait(60)
    assert MemoryStore(folder).complete()
    writer.join()


def test_where_nobody_may_write_an_index_is_complete_or_not(tmp_path):
    folder = built(tmp_path).notes.parent
    (folder.parent / LOCK).unlink()
    assert MemoryStore(folder).complete()
    assert not MemoryStore(folder.parent / "other").complete()
    assert not (folder.parent / LOCK).exists()


@pytest.mark.parametrize("moment", ["reading", "embedding"])
def test_kill_9_leaves_nothing_and_the_next_run_builds_all(tmp_path, moment):
    folder = tmp_path / "index"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), str(folder), moment], capture_output=True)
    assert done.returncode == -9, done.stderr.decode()
    assert not folder.exists()
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
    assert built(tmp_path).count() == 12
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["index"]


MEASURED = """
    import sys
    from pathlib import Path
    from spacy_synthesizrr.candidates import Passage
    from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
    from spacy_synthesizrr.stores.memory import MemoryStore

    words = [f"word{number}" for number in range(997)]
    rows = (Passage(f"id{n}", " ".join(words[(n * step) % 997] for step in range(1, 6))) for n in range(int(sys.argv[2])))
    MemoryStore(Path(sys.argv[1])).index(rows, make_lsa_embedder(16, 2000, 5000))
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the peak memory from /proc")
def test_memory_while_indexing_does_not_follow_the_number_of_passages(tmp_path):
    def peak(count):
        command = [sys.executable, "-c", textwrap.dedent(MEASURED), str(tmp_path / str(count)), str(count)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert peak(100_000) < 1.2 * peak(10_000)


@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=12), max_size=12))
def test_seen_knows_what_came_before(batches):
    seen, known = Seen(), set()
    for batch in batches:
        expected = []
        for value in batch:
            expected.append(value not in known)
            known.add(value)
        assert seen.first_time(batch).tolist() == expected


def test_meta_says_what_belongs_together(tmp_path):
    store = built(tmp_path)
    meta = json.loads((tmp_path / "index" / "meta.json").read_text())
    about = {"id": store.embedder.id, "dimensions": store.embedder.dimensions, "normalised": True}
    assert (meta["embedder"], meta["passages"]) == (about, 12)


def test_an_index_of_a_newer_release_is_refused(tmp_path):
    built(tmp_path)
    path = tmp_path / "index" / "meta.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(StoreError, match="of another release"):
        MemoryStore(tmp_path / "index").count()


def test_an_empty_path_is_refused():
    with pytest.raises(ConfigError, match="'path' is empty"):
        make_memory_store("")
