"""The step `index` with a pretrained embedder: vectors that are kept, vectors that a column brings, an index with a name."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.embedders.cache import PIECE
from spacy_synthesizrr.embedders.fast import make_fast_embedder
from spacy_synthesizrr.embedders.onnx import OnnxModel
from spacy_synthesizrr.errors import ConfigError, InputError, StoreError, TaskFileError
from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.steps import index, prepare
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.exchange.moving import import_index
from spacy_synthesizrr.stores.exchange.writing import export_index
from spacy_synthesizrr.stores.memory import MemoryStore
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.stores.survey import look_up
from spacy_synthesizrr.taskfile import read_task

sys.path.append(str(ROOT / "tests" / "embedders"))
from tiny_onnx import write_model  # noqa: E402

TASK = """
name: towns
labels:
  sport: {verbalization: about sport}
  money: {verbalization: about money}
prompt: {instruction: "Write a headline {verbalization}."}
corpus: {path: CORPUS, id: id}
"""
STORE = """
[store]
@misc = "synthesizrr.MemoryStore.v1"
path = "index"

[embedder]
@misc = "synthesizrr.FastEmbed.v1"
folder = "model"

[passages]
min_words = 1
max_words = 8
"""
NAMED = STORE + '\n[index]\nname = "news"\n'
VECTOR = TASK.replace("id: id", "id: id, vector: vector")
WORDS = "storm harbour ferry choir song keeper penalty".split()


def texts(count, *, first=0):
    return [
        " ".join(WORDS[(number + place) % 7] for place in range(1 + number % 5)) + f" {number}" for number in range(first, first + count)
    ]


def rows(some):
    return [{"id": text, "text": text} for text in some]


def project(folder, found, *, run="one", store=STORE, task=TASK, name="corpus.jsonl"):
    """A run that `prepare` has set up, in the working directory."""
    if not (folder / "model").is_dir():
        write_model(folder / "model")
    (folder / "task.yml").write_text(task.replace("CORPUS", name))
    (folder / f"{run}.cfg").write_text(store)
    if found is not None:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in found))
    inputs = {
        "identity": {"task": "task.yml"},
        "settings": {"seed": 0, "lang": "en"},
        "task": {"fingerprint": read_task(folder / "task.yml").fingerprint()},
        "files": {"corpus": {"path": name, **fingerprint(folder / name)}},
        "configs": {"store": {"path": f"{run}.cfg", "sha256": fingerprint(folder / f"{run}.cfg")["sha256"]}},
    }
    (folder / "runs" / run).mkdir(parents=True, exist_ok=True)
    (folder / "runs" / run / "inputs.json").write_text(json.dumps(inputs))
    return Context(RunFolder(Path("runs") / run), inputs)


def about(ctx):
    return json.loads(ctx.folder.file("index.json").read_text())


def indexes(folder):
    return {path.name for path in (folder / "index").iterdir() if path.is_dir()} - {"vectors"}


def embedder():
    found = make_fast_embedder(folder="model")
    found.fit((), seed=0)
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """Texts that a model was asked for."""
    found, embed = [], OnnxModel.embed

    def counting(self, some, batch):
        found.extend(some)
        return embed(self, some, batch)

    monkeypatch.setattr(OnnxModel, "embed", counting)
    return found


# ── vectors that are kept ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_corpus_that_changed_a_little_embeds_what_is_new(folder, asked, capsys):
    index.run(project(folder, rows(texts(40))))
    asked.clear()
    index.run(project(folder, rows(texts(43))))
    assert set(asked) & set(texts(43)) == set(texts(3, first=40))
    assert "3 texts embedded; 40 vectors were there already (index/vectors/onnx-" in capsys.readouterr().out


def test_another_cut_embeds_what_is_new(folder, asked):
    long = [{"id": "d", "text": "storm harbour ferry. choir song keeper."}]
    index.run(project(folder, long))
    index.run(project(folder, long, store=STORE.replace("max_words = 8", "max_words = 3"), run="two"))
    index.run(project(folder, long, store=STORE.replace("max_words = 8", "max_words = 4"), run="three"))
    assert asked.count("storm harbour ferry.") == 1


def test_vectors_of_an_index_are_the_same_with_and_without_those_kept(folder):
    found = []
    for run, store in [("one", STORE), ("two", STORE), ("three", STORE + "\n[vector_cache]\nenabled = false\n")]:
        ctx = project(folder, rows(texts(30)), run=run, store=store)
        index.run(ctx)
        found.append(np.array([vector for _, vector in open_store(ctx).iterate(with_vectors=True)]))
        shutil.rmtree(folder / "index" / about(ctx)["key"])
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_they_lie_where_the_config_says(folder):
    index.run(project(folder, rows(texts(5)), store=STORE + '\n[vector_cache]\npath = "kept"\n'))
    assert len(list((folder / "kept").glob("*.sqlite"))) == 1
    assert not (folder / "index" / "vectors").exists()


def test_they_are_not_kept_where_the_config_says_so(folder):
    index.run(project(folder, rows(texts(5)), store=STORE + "\n[vector_cache]\nenabled = false\n"))
    assert not list(folder.rglob("*.sqlite"))


def test_an_unknown_setting_is_refused(folder):
    ctx = project(folder, rows(texts(5)), store=STORE + '\n[vector_cache]\nfolder = "kept"\n')
    with pytest.raises(ConfigError, match=r"\[vector_cache\] unknown key 'folder'"):
        index.run(ctx)


def test_a_killed_step_goes_on_where_it_stopped(folder, asked):
    count = 5 * PIECE
    ctx = project(folder, rows(texts(count)))
    code = """
        import os, signal
        from spacy_synthesizrr.context import Context
        from spacy_synthesizrr.embedders.onnx import OnnxModel
        from spacy_synthesizrr.steps import index
        embed, log = OnnxModel.embed, open("log", "a", buffering=1)
        def dying(self, some, batch):
            if open("log").read().count("\\n") > 300:
                os.kill(os.getpid(), signal.SIGKILL)
            found = embed(self, some, batch)
            log.write("".join(text + "\\n" for text in some))
            return found
        OnnxModel.embed = dying
        index.run(Context.open("one"))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, env={**os.environ, "CI": "1"})
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    before = set((folder / "log").read_text().splitlines()) & set(texts(count))
    assert len(before) > 2 * PIECE
    index.run(ctx)
    assert len(before & set(asked)) <= PIECE
    assert open_store(ctx).count() == count


# ── vectors that a column brings ─────────────────────────────────────────────────────────────────────────────────────


def with_vectors(some):
    return [{**row, "vector": vector.tolist()} for row, vector in zip(rows(some), embedder().embed(some) * 2, strict=True)]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_column_brings_the_vectors(folder, asked, suffix):
    write_model(folder / "model")
    some = texts(60)
    found = with_vectors(some)
    if suffix == "parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(found), folder / "corpus.parquet")
    asked.clear()
    ctx = project(folder, None if suffix == "parquet" else found, task=VECTOR, name=f"corpus.{suffix}")
    index.run(ctx)
    assert len(set(asked) & set(some)) == 20  # those by which the embedder is tried
    with_them = [vector for _, vector in open_store(ctx).iterate(with_vectors=True)]
    np.testing.assert_allclose(with_them, embedder().embed(some), atol=1e-6)
    (hits,) = open_store(ctx).search([Query(some[7])], 1)
    assert open_store(ctx).get([hits[0].passage_id])[0].text == some[7]
    assert not list(ctx.folder.path.glob(".vectors*"))
    assert not (folder / "index" / "vectors").exists()


def test_a_row_with_a_vector_is_not_cut(folder):
    write_model(folder / "model")
    some = ["storm harbour ferry.", "storm harbour ferry. choir song keeper. penalty storm harbour."]
    ctx = project(folder, with_vectors(some), task=VECTOR)
    index.run(ctx)
    assert about(ctx)["passages"] == 1
    (told,) = [json.loads(line) for line in ctx.folder.file("corpus_rejected.jsonl").read_text().splitlines()]
    assert (told["line"], told["reason"], told["detail"]) == (2, "too_long", "9 words, 8 at most: a row with a vector is not cut")


def test_other_vectors_of_the_same_texts_are_another_index(folder):
    write_model(folder / "model")
    found = with_vectors(texts(5))
    index.run(project(folder, found, task=VECTOR, store=NAMED))
    found[0]["vector"] = (np.array(found[0]["vector"]) + 0.01).tolist()
    ctx = project(folder, found, task=VECTOR, store=NAMED)
    index.run(ctx)
    kept = np.array([vector for _, vector in open_store(ctx).iterate(with_vectors=True)])
    expected = np.array([row["vector"] for row in found])
    np.testing.assert_allclose(kept, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


def test_an_embedder_that_did_not_make_them_is_refused(folder):
    write_model(folder / "model")
    found = with_vectors(texts(30))
    write_model(folder / "model", seed=4)
    with pytest.raises(StoreError, match="did not make the vectors in the column 'vector' of corpus.jsonl"):
        index.run(project(folder, found, task=VECTOR))
    assert not indexes(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda row: row.pop("vector"), "corpus.jsonl:3: There is no vector in this row"),
        (lambda row: row["vector"].append(1.0), "corpus.jsonl:3: This vector has 7 numbers; those before it have 6"),
        (lambda row: row["vector"].__setitem__(2, float("nan")), "corpus.jsonl:3: .*NaN is no JSON value"),
    ],
)
def test_a_row_whose_vector_is_none_is_told_with_file_and_line(folder, change, says):
    write_model(folder / "model")
    found = with_vectors(texts(5))
    change(found[2])
    with pytest.raises(InputError, match=says):
        index.run(project(folder, found, task=VECTOR))


def test_a_csv_file_cannot_bring_vectors(folder):
    (folder / "corpus.csv").write_text("id,text,vector\na,storm,0.1 0.2\n")
    with pytest.raises(TaskFileError, match=r"task.yml:7: 'corpus' vector: .*CSV holds no lists. Save it as .jsonl or .parquet"):
        project(folder, None, task=VECTOR, name="corpus.csv")


# ── an index with a name ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_index_with_a_name_keeps_its_place(folder, asked):
    first = project(folder, rows(texts(20)), store=NAMED)
    index.run(first)
    before = about(first)
    asked.clear()
    changed = project(folder, rows(texts(22, first=1)), store=NAMED)
    assert index.run(changed)
    assert indexes(folder) == {"news"}
    assert about(changed)["store"] == before["store"] == "index/news"
    assert {passage.text for passage, _ in open_store(changed).iterate()} == set(texts(22, first=1))
    assert set(asked) & set(texts(50)) == set(texts(3, first=20))
    assert about(changed) != before  # so that later steps run again


def test_nothing_is_done_when_nothing_changed(folder):
    ctx = project(folder, rows(texts(5)), store=NAMED)
    index.run(ctx)
    before = {path: path.stat().st_mtime_ns for path in (folder / "index").rglob("*") if path.is_file()}
    assert not index.run(ctx)
    other = project(folder, rows(texts(5)), store=NAMED, run="two")
    assert index.run(other)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_run_is_told_that_its_index_holds_another_corpus_now(folder):
    one = project(folder, rows(texts(20)), store=NAMED)
    index.run(one)
    (folder / "corpus.jsonl").rename(folder / "kept.jsonl")
    two = project(folder, rows(texts(9)), store=NAMED, run="two")
    index.run(two)
    with pytest.raises(StoreError, match=r"index/news holds another corpus.*\[index\] name.*spacy project run all"):
        open_store(one)
    assert not one.folder.receipt_path("index").exists()
    (folder / "kept.jsonl").rename(folder / "corpus.jsonl")
    one = project(folder, None, store=NAMED)
    assert index.run(one)
    assert open_store(one).count() == 20
    with pytest.raises(StoreError, match="holds another corpus"):
        open_store(two)


def test_prepare_forgets_an_index_that_holds_another_corpus(folder):
    one = project(folder, rows(texts(20)), store=NAMED)
    index.run(one)
    assert not prepare._forget_lost_index(one.folder)
    index.run(project(folder, rows(texts(9)), store=NAMED, run="two"))
    assert prepare._forget_lost_index(one.folder)
    assert not one.folder.receipt_path("index").exists()


def test_another_embedder_brings_an_index_with_a_name_up_to_date(folder):
    index.run(project(folder, rows(texts(5)), store=NAMED))
    ctx = project(folder, rows(texts(5)), store=NAMED.replace('folder = "model"', 'folder = "model"\npooling = "cls"'))
    assert index.run(ctx)
    assert "-cls-" in open_store(ctx).embedder.id
    assert indexes(folder) == {"news"}


def test_a_killed_update_is_done_whole_by_the_next(folder):
    index.run(project(folder, rows(texts(5)), store=NAMED))
    ctx = project(folder, rows(texts(8)), store=NAMED)
    code = """
        import os, signal
        from spacy_synthesizrr.context import Context
        from spacy_synthesizrr.steps import index
        index.describe = lambda embedder: os.kill(os.getpid(), signal.SIGKILL)
        index.run(Context.open("one"))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, env={**os.environ, "CI": "1"})
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with pytest.raises(StoreError, match="holds another corpus"):
        open_store(ctx)
    assert index.run(ctx)
    assert open_store(ctx).count() == 8


@pytest.mark.parametrize("name", ["a/b", "..", "vectors", "weaviate", "-a", "ü", "a" * 65])
def test_a_name_that_is_none_is_refused(folder, name):
    ctx = project(folder, rows(texts(5)), store=STORE + f'\n[index]\nname = "{name}"\n')
    with pytest.raises(ConfigError, match=r"\[index\] 'name' must be up to 64 letters"):
        index.run(ctx)


def test_an_index_with_a_name_can_be_opened_by_it(folder):
    index.run(project(folder, rows(texts(5)), store=NAMED))
    assert MemoryStore(Path("index")).keys() == ["news"]
    assert MemoryStore(Path("index") / "news").count() == 5


def both_at_once(folder, monkeypatch):
    """Run "two" does all of its step between the moment in which "one" has filled the store and that in which it writes notes."""
    two = project(folder, rows(texts(9)), store=NAMED, run="two", name="other.jsonl", task=TASK)
    one = project(folder, rows(texts(20)), store=NAMED, name="corpus.jsonl")
    fill = MemoryStore.index

    def between(self, *given, **more):
        counts = fill(self, *given, **more)
        monkeypatch.setattr(MemoryStore, "index", fill)
        (folder / "task.yml").write_text(TASK.replace("CORPUS", "other.jsonl"))
        index.run(two)
        (folder / "task.yml").write_text(TASK.replace("CORPUS", "corpus.jsonl"))
        return counts

    monkeypatch.setattr(MemoryStore, "index", between)
    index.run(one)
    return one, two


def test_of_two_runs_at_once_the_earlier_is_told_that_its_index_is_another(folder, monkeypatch):
    one, two = both_at_once(folder, monkeypatch)
    assert MemoryStore(Path("index/news")).count() == 9
    with pytest.raises(StoreError, match="holds another corpus"):
        open_store(one)
    assert open_store(two).count() == 9


def test_notes_about_another_corpus_than_the_store_holds_are_written_anew(folder, monkeypatch):
    one, two = both_at_once(folder, monkeypatch)
    assert prepare._forget_lost_index(one.folder)
    assert index.run(one)
    assert open_store(one).count() == about(one)["passages"] == 20
    with pytest.raises(StoreError, match="holds another corpus"):
        open_store(two)


def test_notes_about_another_corpus_are_not_exported(folder, monkeypatch):
    pytest.importorskip("pyarrow")
    both_at_once(folder, monkeypatch)
    root = MemoryStore(Path("index"))
    manifest = export_index(root.at("news"), look_up(root, "news"), Path("x.parquet"))
    assert "notes/corpus.json" not in manifest.files and manifest.content == ""


def test_an_index_with_a_name_goes_to_another_store(folder):
    pytest.importorskip("pyarrow")
    one = project(folder, rows(texts(20)), store=NAMED)
    index.run(one)
    root = MemoryStore(Path("index"))
    export_index(root.at("news"), look_up(root, "news"), Path("x.parquet"))
    import_index(MemoryStore(Path("second")), Path("x.parquet"))
    two = project(folder, rows(texts(20)), store=NAMED.replace('path = "index"', 'path = "second"'), run="two")
    assert index.run(two)
    assert open_store(two).count() == 20
    assert about(two)["held"] == MemoryStore(Path("second/news")).content()
