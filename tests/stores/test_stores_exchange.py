"""An index as a file: all of it comes back, nothing else is taken in, and memory does not follow its size."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import load_embedder, unit_rows
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import ConfigError, InputError, StoreError
from spacy_synthesizrr.receipts import RunFolder, locked
from spacy_synthesizrr.stores.base import Query, Search
from spacy_synthesizrr.stores.exchange import form, reading, writing
from spacy_synthesizrr.stores.exchange.moving import import_index, plan_import
from spacy_synthesizrr.stores.exchange.reading import read_manifest
from spacy_synthesizrr.stores.exchange.writing import export_index
from spacy_synthesizrr.stores.memory import make_memory_store
from spacy_synthesizrr.stores.survey import look_up

KEY = "5f3a"
TOPICS = ["ferry harbour storm", "choir concert song", "keeper penalty match", "loan bank interest"]
ODD = ["", " \n\t", "null\0byte", "Ünïcödé — 日本語 🎈", "ferry " * 3000, '{"id": "x"}']


def passages(n=12):
    texts = [f"{TOPICS[number % 4]} number{number} told twice{number % 3}" for number in range(n)] + ODD
    metas = [{}, {"date": "2026-03-01", "n": 3, "x": -0.5, "yes": True, "none": None}, {"many": ["a", 1, {"b": []}], "ключ": "é"}]
    return [Passage(f"id {i}", text, "paper", str(i // 2), i % 2, metas[i % 3]) for i, text in enumerate(texts)]


def shelf(folder, rows=None):
    """A place that holds one index, with notes."""
    root = make_memory_store(str(folder))
    store = root.at(KEY)
    store.index(iter(passages() if rows is None else rows), make_lsa_embedder(dimensions=8), seed=3)
    store.notes.mkdir()
    (store.notes / "corpus_rejected.jsonl").write_text('{"reason": "short"}\n')
    (store.notes / "corpus.json").write_text(json.dumps({"passages": store.count(), "seed": 3}))
    return root


def export(root, path, key=KEY):
    return export_index(root.at(key), look_up(root, key), path)


@pytest.fixture
def root(tmp_path):
    """A place that holds one index."""
    return shelf(tmp_path / "one")


@pytest.fixture
def file(root, tmp_path):
    """The file of that index."""
    export(root, tmp_path / "index.parquet")
    return tmp_path / "index.parquet"


def everything(store):
    rows = [(passage, vector.tobytes()) for passage, vector in store.iterate(with_vectors=True)]
    return rows, {path.name: path.read_bytes() for path in store.notes.iterdir()}


def test_passages_vectors_and_notes_come_back_to_the_last_bit(root, file, tmp_path):
    other = make_memory_store(str(tmp_path / "two"))
    assert import_index(other, file)
    assert everything(other.at(KEY)) == everything(root.at(KEY))


def test_the_second_file_is_the_first(file, tmp_path):
    other = make_memory_store(str(tmp_path / "two"))
    import_index(other, file)
    export(other, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("mode", ["vector", "keyword", "hybrid"])
def test_searches_give_the_same_hits(root, file, tmp_path, mode):
    other = make_memory_store(str(tmp_path / "two"))
    import_index(other, file)
    queries = [Query("a storm in the harbour"), Query("bank"), Query("")]
    assert other.at(KEY).search(queries, 9, how=Search(mode=mode)) == root.at(KEY).search(queries, 9, how=Search(mode=mode))


def test_the_fitted_embedder_comes_with_it(root, file, tmp_path):
    other = make_memory_store(str(tmp_path / "two"))
    import_index(other, file)
    np.testing.assert_array_equal(other.at(KEY).embedder.embed(["a storm"]), root.at(KEY).embedder.embed(["a storm"]))


def test_indexing_the_corpus_again_finds_it_done(file, tmp_path):
    other = make_memory_store(str(tmp_path / "two"))
    import_index(other, file)
    assert not other.at(KEY).index(iter(passages()), make_lsa_embedder(dimensions=8), seed=3).written


def test_importing_twice_writes_nothing_new(file, tmp_path):
    other = make_memory_store(str(tmp_path / "two"))
    import_index(other, file)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "two").rglob("*")}
    assert not import_index(other, file)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "two").rglob("*")} == stamps


def test_deleted_passages_stay_behind(root, tmp_path):
    root.at(KEY).delete(["id 1", "id 4"])
    manifest = export(root, tmp_path / "some.parquet")
    other = make_memory_store(str(tmp_path / "two"))
    import_index(other, tmp_path / "some.parquet")
    ids = [passage.id for passage, _ in other.at(KEY).iterate()]
    assert ids == [passage.id for passage in passages() if passage.id not in ("id 1", "id 4")]
    assert manifest.passages == len(ids) == json.loads((other.at(KEY).notes / "corpus.json").read_text())["passages"]


def test_an_import_brings_deleted_passages_back(root, file):
    root.at(KEY).delete(["id 1"])
    import_index(root, file)
    assert root.at(KEY).count() == len(passages())


def test_another_key_may_be_given(file, tmp_path):
    other = make_memory_store(str(tmp_path / "two"))
    import_index(other, file, "mine")
    assert other.keys() == ["mine"]


@pytest.mark.parametrize("key", ["../up", "", "a/b", "a b", "-a", "_a", "x" * 65])
def test_a_key_that_is_no_name_is_refused(key):
    with pytest.raises(ConfigError, match="no key of an index"):
        form.check_key(key)


def test_another_index_under_the_key_is_left_alone(file, tmp_path):
    other = shelf(tmp_path / "two", passages(20))
    before = everything(other.at(KEY))
    with pytest.raises(StoreError, match="holds another index under the key 5f3a .* --key"):
        import_index(other, file)
    assert everything(other.at(KEY)) == before


def left_behind(folder):
    return [path.name for path in folder.rglob("*") if path.name != ".lock"] if folder.exists() else []


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(file, tmp_path, share):
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="no whole file of an index"):
        import_index(make_memory_store(str(tmp_path / "two")), file)
    assert left_behind(tmp_path / "two") == []


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """What an index holds, and its file."""
    folder = tmp_path_factory.mktemp("exported")
    root = shelf(folder / "one")
    export(root, folder / "index.parquet")
    return everything(root.at(KEY)), (folder / "index.parquet").read_bytes()


@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_file_with_another_bit_is_refused_or_says_the_same(exported, tmp_path_factory, place, bit):
    """Some bits say nothing, such as those of sizes that only hurry a reader."""
    (held, whole), folder = exported, tmp_path_factory.mktemp("bits")
    content = bytearray(whole)
    content[int(place * len(content))] ^= 1 << bit
    (folder / "index.parquet").write_bytes(content)
    other = make_memory_store(str(folder / "two"))
    try:
        import_index(other, folder / "index.parquet")
    except InputError:
        assert left_behind(folder / "two") == []
    else:
        assert everything(other.at(KEY)) == held


def rewritten(file, change):
    """The same file with another table, and its old description."""
    table = pq.read_table(file)
    about = pq.read_metadata(file).metadata[form.ABOUT]
    table = change(table).replace_schema_metadata({form.ABOUT: about})
    pq.write_table(table, file, row_group_size=1)


CHANGES = {
    "a passage is gone": lambda table: table.slice(1),
    "a passage is there twice": lambda table: pa.concat_tables([table.slice(0, 1), table]),
    "passages changed places": lambda table: pa.concat_tables([table.slice(1, 1), table.slice(0, 1), table.slice(2)]),
    "a file is gone": lambda table: table.slice(0, table.num_rows - 1),
    "a file is there twice": lambda table: pa.concat_tables([table, table.slice(table.num_rows - 1)]),
    "a vector is shorter": lambda table: table.set_column(
        6, "vector", pa.array([row[:-1] if row else row for row in table["vector"].to_pylist()], pa.list_(pa.float32()))
    ),
    "a vector is another one": lambda table: table.set_column(
        6, "vector", pa.array([[-x for x in row] if row else row for row in table["vector"].to_pylist()], pa.list_(pa.float32()))
    ),
    "a file goes up": lambda table: table.set_column(
        7, "file", pa.array([name and name.replace("notes/", "notes/../../") for name in table["file"].to_pylist()])
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_table_that_was_altered_is_refused(file, tmp_path, change):
    rewritten(file, change)
    with pytest.raises(InputError, match="no whole file of an index"):
        import_index(make_memory_store(str(tmp_path / "two")), file)
    assert left_behind(tmp_path / "two") == []


GOOD = {"id": "a", "text": "t", "source": "", "document": "", "number": 0, "meta": "{}", "vector": [1.0, 0.0]}
TOLD = {"key": "k", "passages": 1, "fingerprint": "x", "vectors": "y", "embedder": {"id": "e", "dimensions": 2, "normalised": True}}


def crafted(path, rows=(GOOD,), row_group_size=None, packed=True, **told):
    """A file whose description has the right hash of itself, whatever it says."""
    columns = {name: [row.get(name) for row in rows] for name in form.schema().names}
    with pq.ParquetWriter(path, form.schema(), compression="zstd", use_dictionary=packed) as writer:
        writer.write_table(pa.table(columns, schema=form.schema()), row_group_size=row_group_size)
        writer.add_key_value_metadata({form.ABOUT: form.Manifest(**{**TOLD, **told}).to_text()})
    return path


ROWS_THAT_CANNOT_BE = [
    {"id": None}, {"text": None}, {"source": None}, {"number": None}, {"vector": None}, {"vector": [1.0]}, {"vector": [1.0, float("nan")]},
    {"meta": None}, {"meta": "[1]"}, {"meta": "3"}, {"meta": '{"a": NaN}'}, {"meta": '{"a": [1e999]}'}, {"meta": '{"a": "\\ud800"}'},
    {"meta": '{"a": ' + "[" * 9999 + "]" * 9999 + "}"},
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS_THAT_CANNOT_BE, ids=lambda row: str(row)[:30])
def test_a_row_that_cannot_be_is_refused(tmp_path, row):
    file = crafted(tmp_path / "x.parquet", [{**GOOD, **row}])
    with pytest.raises(InputError, match="no whole file of an index"):
        import_index(make_memory_store(str(tmp_path / "two")), file)


@pytest.mark.parametrize(
    "told",
    [
        {"passages": "many"}, {"passages": -1}, {"passages": 0}, {"passages": True}, {"seed": "x"}, {"key": 3}, {"fingerprint": None},
        {"vectors": 1}, {"embedder": {}}, {"embedder": []}, {"embedder": {**TOLD["embedder"], "dimensions": 0}},
        {"embedder": {**TOLD["embedder"], "dimensions": 2.0}}, {"embedder": {"dimensions": 2}}, {"files": {"notes/x": 3}},
        {"files": {"notes/x": {"bytes": -1, "sha256": ""}}}, {"files": {"notes/x": {"bytes": 1}}}, {"files": 3},
    ],
    ids=str,
)  # fmt: skip
def test_a_description_that_cannot_be_is_refused(tmp_path, told):
    with pytest.raises(InputError, match="no whole file of an index"):
        read_manifest(crafted(tmp_path / "x.parquet", **told))


def test_an_embedder_that_is_none_is_refused(root, tmp_path, monkeypatch):
    monkeypatch.setattr(type(root.at(KEY).embedder), "save", lambda self, folder: not_an_embedder(folder))
    export(root, tmp_path / "x.parquet")
    with pytest.raises(StoreError, match="The embedder of this index cannot be made"):
        import_index(make_memory_store(str(tmp_path / "two")), tmp_path / "x.parquet")


def not_an_embedder(folder):
    folder.mkdir()
    (folder / "embedder.json").write_text('{"factory": "synthesizrr.MemoryStore.v1", "parameters": {}}')


def test_a_file_with_a_huge_row_group_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", None)
    file = crafted(tmp_path / "x.parquet", [GOOD] * (form.ROWS + 1), passages=form.ROWS + 1)
    with pytest.raises(InputError, match="more than 2,048 passages in one piece"):
        import_index(make_memory_store(str(tmp_path / "two")), file)


def test_a_file_that_unpacks_to_very_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGE", 1 << 20)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
    file = crafted(tmp_path / "x.parquet", [{**GOOD, "text": "x" * 9999}] * 999, passages=999, packed=False)
    with pytest.raises(InputError, match="packed more densely than texts can be"):
        import_index(make_memory_store(str(tmp_path / "two")), file)


def test_a_value_that_is_told_many_times_is_not_taken_in(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGE", 1 << 20)
    file = crafted(tmp_path / "x.parquet", [{**GOOD, "text": "x" * 9999}] * 999, passages=999)
    with pytest.raises(InputError, match="packed more densely than texts can be"):
        import_index(make_memory_store(str(tmp_path / "two")), file)


def test_a_file_with_more_passages_than_it_says_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", None)
    file = crafted(tmp_path / "x.parquet", [GOOD] * 5, row_group_size=1)
    with pytest.raises(InputError, match="does not hold as many passages as it says"):
        import_index(make_memory_store(str(tmp_path / "two")), file)


def test_a_row_group_that_holds_more_than_it_says_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_check_size", lambda *_: None)
    file = crafted(tmp_path / "x.parquet", [GOOD] * 5)
    with pytest.raises(InputError, match="holds more passages than it says"):
        import_index(make_memory_store(str(tmp_path / "two")), file)


def test_a_description_cannot_name_a_file_outside(file):
    manifest = read_manifest(file)
    text = form.Manifest(**{**manifest.__dict__, "files": {"notes/../../x": {"bytes": 0, "sha256": ""}}}).to_text()
    with pytest.raises(InputError, match="no file of an index"):
        form.Manifest.from_text(text, file)


def test_a_newer_format_says_that_this_release_is_too_old(file):
    with pytest.raises(InputError, match="Install a newer"):
        form.Manifest.from_text(json.dumps({"v": form.FORMAT + 1}), file)


def test_another_parquet_file_is_no_index(tmp_path):
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="but not of an index"):
        plan_import(make_memory_store(str(tmp_path / "two")), tmp_path / "x.parquet")


def test_an_export_that_fails_leaves_no_file(root, tmp_path, monkeypatch):
    from spacy_synthesizrr.stores.memory import MemoryStore

    whole = MemoryStore.iterate

    def breaks(self, with_vectors=False):
        yield from list(whole(self, with_vectors))[:5]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MemoryStore, "iterate", breaks)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="No space"):
        export(root, tmp_path / "out" / "index.parquet")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("content", [b"my notes", b"PAR1 no parquet PAR1"])
def test_an_export_does_not_replace_what_is_no_index(root, tmp_path, content):
    (tmp_path / "notes.txt").write_bytes(content)
    with pytest.raises(InputError, match="no whole file of an index: it was not touched. Give the index another name"):
        export(root, tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_bytes() == content


def test_an_export_does_not_replace_another_parquet_file_nor_a_folder(root, tmp_path):
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "x.parquet")
    for target in (tmp_path / "x.parquet", tmp_path):
        with pytest.raises(InputError, match="it was not touched"):
            export(root, target)
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 1


def test_an_export_replaces_an_older_one(root, file):
    root.at(KEY).delete(["id 1"])
    export(root, file)
    assert read_manifest(file).passages == len(passages()) - 1


def test_a_step_that_begins_meanwhile_leaves_an_export_into_its_run_folder_alone(root, tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "run")
    whole = writing._write_passages

    def write(*given):
        with locked(run):
            return whole(*given)

    monkeypatch.setattr(writing, "_write_passages", write)
    export(root, run.file("index.parquet"))
    assert read_manifest(run.file("index.parquet")).passages == len(passages())


def test_a_killed_export_stops_no_step_and_the_next_one_clears_it_away(root, tmp_path, monkeypatch):
    run = RunFolder(tmp_path / "run")
    if (child := os.fork()) == 0:
        writing._write_passages = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        export(root, run.file("index.parquet"))
    os.waitpid(child, 0)
    assert [path.name for path in run.path.iterdir()] != []
    with locked(run):
        pass
    export(root, run.file("index.parquet"))
    assert sorted(path.name for path in run.path.iterdir()) == [".lock", "index.parquet"]


def test_an_index_that_changes_meanwhile_is_not_exported(root, tmp_path):
    held = look_up(root, KEY)
    root.at(KEY).delete(["id 1"])
    with pytest.raises(StoreError, match="changed meanwhile"):
        export_index(root.at(KEY), held, tmp_path / "index.parquet")
    assert not (tmp_path / "index.parquet").exists()


def test_no_pickle_is_in_the_file(file):
    names = set(read_manifest(file).files)
    assert names == {f"embedder/{name}" for name in ("embedder.json", "idf.npy", "projection.npy", "vocabulary.json")} | {
        "notes/corpus.json",
        "notes/corpus_rejected.jsonl",
    }
    assert b"pickle" not in file.read_bytes()


def test_the_file_can_be_read_by_anything_that_reads_parquet(root, file):
    table = pq.read_table(file).to_pylist()
    rows = [row for row in table if row["file"] is None]
    assert [row["text"] for row in rows] == [passage.text for passage in passages()]
    np.testing.assert_array_equal(np.array([row["vector"] for row in rows], np.float32), root.at(KEY).vectors([row["id"] for row in rows]))


def test_a_pretrained_embedder_travels_as_its_name(tmp_path):
    from naive_search import WordVectors
    from spacy.util import registry

    registry.misc("tests.WordVectors.v1", func=WordVectors)
    root = make_memory_store(str(tmp_path / "one"))
    root.at(KEY).index(iter(passages()), WordVectors())
    export(root, tmp_path / "index.parquet")
    other = make_memory_store(str(tmp_path / "two"))
    import_index(other, tmp_path / "index.parquet")
    assert everything_of(other) == everything_of(root)
    assert load_embedder(tmp_path / "two" / KEY / "embedder").id == root.at(KEY).embedder.id


def everything_of(root):
    return [(passage, vector.tobytes()) for passage, vector in root.at(KEY).iterate(with_vectors=True)]


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3), min_size=1))
def test_unit_rows_of_unit_rows_are_the_same(rows):
    once = unit_rows(np.array(rows, dtype=np.float32))
    assert unit_rows(once).tobytes() == once.tobytes()


MEMORY = """
    import resource, sys
    import numpy as np
    from spacy_synthesizrr.candidates import Passage
    from spacy_synthesizrr.stores.exchange.moving import import_index
    from spacy_synthesizrr.stores.exchange.writing import export_index
    from spacy_synthesizrr.stores.memory import make_memory_store
    from spacy_synthesizrr.stores.survey import look_up
    from spacy.util import registry
    from pathlib import Path

    class Lengths:
        recipe = id = "lengths"
        dimensions, normalised = 64, True
        def fit(self, texts, *, seed): pass
        def embed(self, texts): return np.array([[len(text) % (n + 2) + 1 for n in range(64)] for text in texts], dtype=np.float32)
        def save(self, folder):
            folder.mkdir()
            (folder / "embedder.json").write_text('{"factory": "tests.Lengths.v1", "parameters": {}}')
        def load(self, folder): return self

    registry.misc("tests.Lengths.v1", func=Lengths)
    def peak(folder, count):
        root, other = make_memory_store(str(folder / "one")), make_memory_store(str(folder / "two"))
        root.at("k").index((Passage(str(n), f"text {n} " * 250) for n in range(count)), Lengths())
        export_index(root.at("k"), look_up(root, "k"), folder / "x.parquet")
        import_index(other, folder / "x.parquet")
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

    print(peak(Path(sys.argv[1]), 3_000), peak(Path(sys.argv[2]), 12_000))
"""


def test_memory_does_not_follow_the_number_of_passages(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(MEMORY), str(tmp_path / "small"), str(tmp_path / "large")]
    small, large = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert large < small + 16  # 9,000 passages more are 27 MB
