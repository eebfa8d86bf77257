import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError, InputError, StoreError
from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.steps import index
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.memory import MemoryStore
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.taskfile import read_task

TASK = """
name: towns
labels:
  sport: {verbalization: about sport}
  money: {verbalization: about money}
prompt: {instruction: "Write a headline {verbalization}."}
corpus: {path: corpus.jsonl, id: id, source: paper}
"""
STORE = """
[store]
@misc = "synthesizrr.MemoryStore.v1"
path = "index"

[embedder]
@misc = "synthesizrr.LsaEmbedder.v1"
dimensions = 8

[passages]
min_words = 5
max_words = 20
"""
TEXTS = [
    "The keeper of the visitors saved a late penalty in the cup match.",
    "A cup match in the rain ended without a goal for either team.",
    "The savings bank lowered the interest on loans for small shops.",
    "Small shops asked the bank for loans at a lower rate of interest.",
    "Too short.",
]


def project(folder: Path, texts=TEXTS, *, run="one", store=STORE) -> Context:
    """A run that `prepare` has set up, in the working directory."""
    for name, text in (("task.yml", TASK), ("store.cfg", store)):
        (folder / name).write_text(text)
    rows = [json.dumps({"id": f"d{number}", "paper": "courier", "text": text}) for number, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("\n".join(rows) + "\n")
    inputs = {
        "identity": {"task": "task.yml"},
        "settings": {"seed": 0, "lang": "en"},
        "task": {"fingerprint": read_task(folder / "task.yml").fingerprint()},
        "files": {"corpus": {"path": "corpus.jsonl", **fingerprint(folder / "corpus.jsonl")}},
        "configs": {"store": {"path": "store.cfg", "sha256": fingerprint(folder / "store.cfg")["sha256"]}},
    }
    (folder / "runs" / run).mkdir(parents=True, exist_ok=True)
    (folder / "runs" / run / "inputs.json").write_text(json.dumps(inputs))
    return Context(RunFolder(Path("runs") / run), inputs)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def about(ctx):
    return json.loads(ctx.folder.file("index.json").read_text())


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_index_counts_what_it_read(folder):
    ctx = project(folder)
    assert index.run(ctx)
    found = about(ctx)
    assert (found["passages"], found["documents"], found["words"]) == (4, 4, 50)
    assert found["rejected"] == {"too_short": 1}
    assert found["store"] == f"index/{found['key']}"
    assert found["embedder"]["id"].startswith("lsa-v1-d8-")


def test_rejected_pieces_are_listed_with_their_line(folder):
    ctx = project(folder)
    index.run(ctx)
    (row,) = [json.loads(line) for line in ctx.folder.file("corpus_rejected.jsonl").read_text().splitlines()]
    assert (row["v"], row["line"], row["reason"]) == (1, 5, "too_short")


def test_open_store_searches_with_the_stored_embedder(folder):
    ctx = project(folder)
    index.run(ctx)
    store = open_store(ctx)
    (hits,) = store.search([Query("a penalty in the match")], 1)
    assert store.get([hits[0].passage_id])[0].document == "d0"
    assert store.embedder.id == about(ctx)["embedder"]["id"]


def test_a_second_run_of_the_step_does_nothing(folder):
    ctx = project(folder)
    index.run(ctx)
    before = stamps(folder)
    assert not index.run(ctx)
    assert stamps(folder) == before


def test_runs_with_the_same_corpus_share_the_index(folder):
    first, second = project(folder, run="one"), project(folder, run="two")
    index.run(first)
    before = stamps(folder / "index")
    assert index.run(second)
    assert stamps(folder / "index") == before
    assert about(first) == about(second)
    assert second.folder.file("corpus_rejected.jsonl").read_bytes() == first.folder.file("corpus_rejected.jsonl").read_bytes()


@pytest.mark.parametrize("package", ["spacy", "numpy", "scikit-learn", "spacy-synthesizrr"])
def test_another_release_of_what_shapes_an_index_gets_its_own(folder, monkeypatch, package):
    old = project(folder)
    index.run(old)
    versions = index.versions()
    assert package in versions
    monkeypatch.setattr(index, "versions", lambda: {**versions, package: "99.0"})
    new = project(folder, run="two")
    index.run(new)
    assert about(new)["key"] != about(old)["key"]


def test_another_release_of_what_does_not_shape_an_index_shares_it(folder, monkeypatch):
    old = project(folder)
    index.run(old)
    versions = index.versions()
    monkeypatch.setattr(index, "versions", lambda: {**versions, "spacy-llm": "99.0"})
    new = project(folder, run="two")
    index.run(new)
    assert about(new)["key"] == about(old)["key"]


def test_store_is_closed_when_the_step_fails(folder, monkeypatch):
    ctx = project(folder, ["Too short."])
    closed = []
    monkeypatch.setattr(MemoryStore, "close", lambda self: closed.append(self.location))
    with pytest.raises(InputError, match="No passage"):
        index.run(ctx)
    assert [place for place in closed if place != "index"]


def test_a_changed_corpus_gets_an_index_of_its_own_and_the_old_one_stays(folder):
    old = project(folder)
    index.run(old)
    key = about(old)["key"]
    new = project(folder, [*TEXTS, "The ferry stayed in port because of the storm all day."])
    assert index.run(new)
    assert about(new)["key"] != key
    assert {path.name for path in (folder / "index").iterdir() if path.is_dir()} == {key, about(new)["key"]}


@pytest.mark.parametrize("change", [("dimensions = 8", "dimensions = 7"), ("max_words = 20", "max_words = 19")])
def test_another_embedder_or_length_band_gets_another_index(folder, change):
    index.run(project(folder, run="one"))
    ctx = project(folder, run="two", store=STORE.replace(*change))
    index.run(ctx)
    assert len([path for path in (folder / "index").iterdir() if path.is_dir()]) == 2


def test_an_index_that_was_removed_by_hand_is_built_again(folder):
    ctx = project(folder)
    index.run(ctx)
    before = about(ctx)
    shutil.rmtree(folder / "index")
    with pytest.raises(StoreError, match="gone or damaged. Run it again: spacy project run all"):
        open_store(ctx)
    assert index.run(ctx)
    assert about(ctx) == before
    assert open_store(ctx).count() == 4


def test_an_index_without_its_notes_is_completed(folder):
    ctx = project(folder)
    index.run(ctx)
    before, key = about(ctx), about(ctx)["key"]
    (folder / "index" / key / "notes" / "corpus.json").unlink()
    ctx.folder.receipt_path("index").unlink()
    index.run(ctx)
    assert about(ctx) == before


def test_receipt_and_results_hold_no_absolute_path(folder):
    ctx = project(folder)
    index.run(ctx)
    written = [ctx.folder.receipt_path("index"), ctx.folder.file("index.json"), ctx.folder.file("corpus_rejected.jsonl")]
    assert not [path for path in written if str(folder) in path.read_text()]


def test_the_same_work_gives_the_same_receipt(folder):
    ctx = project(folder)
    index.run(ctx)
    first = ctx.folder.receipt_path("index").read_bytes()
    shutil.rmtree(folder / "index")
    shutil.rmtree(ctx.folder.path / "receipts")
    index.run(ctx)
    assert ctx.folder.receipt_path("index").read_bytes() == first


def test_a_corpus_without_any_passage_says_what_was_turned_away(folder):
    ctx = project(folder, ["Too short.", "Also short."])
    with pytest.raises(InputError, match=r"corpus.jsonl: .*too_short 2.*Lower \[passages\] min_words"):
        index.run(ctx)
    assert not ctx.folder.receipt_path("index").exists()
    assert not [path for path in (folder / "index").iterdir() if path.is_dir()]


def test_an_unknown_key_in_the_length_band_is_refused(folder):
    ctx = project(folder, store=STORE + "max_wrods = 3\n")
    with pytest.raises(ConfigError, match="unknown key 'max_wrods'. Did you mean 'max_words'?"):
        index.run(ctx)


def test_open_store_before_index_says_what_to_run(folder):
    with pytest.raises(InputError, match="Run the step 'index' first"):
        open_store(project(folder))


def test_a_killed_step_is_done_whole_by_the_next(folder):
    ctx = project(folder)
    code = """
        import os, signal
        from spacy_synthesizrr.steps import index
        from spacy_synthesizrr.context import Context
        index.describe = lambda embedder: os.kill(os.getpid(), signal.SIGKILL)
        index.run(Context.open("one"))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, env={**os.environ, "CI": "1"})
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not ctx.folder.receipt_path("index").exists()
    assert index.run(ctx)
    assert about(ctx)["rejected"] == {"too_short": 1}


def test_a_broken_gzip_leaves_no_index(folder):
    ctx = project(folder)
    whole = gzip.compress((folder / "corpus.jsonl").read_bytes())
    (folder / "corpus.jsonl.gz").write_bytes(whole[:-20])
    (folder / "task.yml").write_text(TASK.replace("corpus.jsonl", "corpus.jsonl.gz"))
    with pytest.raises(InputError, match=r"corpus\.jsonl\.gz"):
        index.run(ctx)
    assert not ctx.folder.file("index.json").exists()
