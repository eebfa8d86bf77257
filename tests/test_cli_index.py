"""`synthesizrr index`: the step as before, and commands that look after the indexes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.embedders.lsa import LsaEmbedder


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output + repr(done.exception)
    return done.output


@pytest.fixture
def key(walked) -> str:
    """Of the index of the run "tiny"."""
    return json.loads(walked.folder.file("index.json").read_text())["key"]


@pytest.fixture
def second_store(walked) -> str:
    """A store like the first, in another folder."""
    text = Path("configs/store.memory.cfg").read_text()
    Path("configs/store.second.cfg").write_text(text.replace('path = "index"', 'path = "second"'))
    return "second"


def test_the_step_is_still_there(walked):
    assert run("index", "--run", "tiny").strip() == "index: nothing changed"


def test_the_step_without_a_run_names_the_usual_one(walked):
    assert "news_demo" in run("index", code=2)


def test_help_shows_step_and_commands(walked):
    out = run("index", "--help")
    assert "--run" in out and all(name in out for name in ("ls", "show", "export", "import", "delete"))


def test_ls_marks_the_index_of_the_run(walked, key):
    out = run("index", "ls", "--run", "tiny")
    assert f"{key}  whole  24 passages" in out and "← tiny" in out and "1 index in index" in out


def test_the_run_may_stand_before_the_command(walked, key):
    assert run("index", "--run", "tiny", "ls") == run("index", "ls", "--run", "tiny")


def test_show_takes_the_first_digits_of_a_key(walked, key):
    out = run("index", "show", "--store", "memory", "--key", key[:6])
    assert f"key: {key}" in out and "passages: 24" in out and "corpus.json: " in out and "embedder: lsa-v1" in out


def test_a_key_that_nobody_has_says_how_to_list_them(walked):
    assert "synthesizrr index ls" in run("index", "show", "--store", "memory", "--key", "zzz", code=2)


def test_a_store_without_a_key_or_run_asks_which_index(walked):
    assert "Say which index: --key KEY" in run("index", "export", "x.parquet", "--store", "memory", code=2)


def test_an_index_goes_to_another_store_where_a_run_finds_it(walked, key, second_store, monkeypatch):
    out = run("index", "export", "x.parquet", "--run", "tiny")
    assert "24 passages, embedder lsa-v1" in out and "synthesizrr index import x.parquet" in out
    run("prepare", "--task", "tiny", "--run", "other", "--store", second_store, "--per-label", 4)
    out = run("index", "import", "x.parquet", "--run", "other")
    assert f"second/{key}" in out and "The run 'other' will find it." in out
    monkeypatch.setattr(LsaEmbedder, "fit", lambda *_, **__: pytest.fail("fitted again"))
    assert "24 passages from 24 documents" in run("index", "--run", "other")
    assert json.loads(Path("runs/other/index.json").read_text())["key"] == key


def test_a_dry_run_takes_nothing_in(walked, second_store):
    run("index", "export", "x.parquet", "--run", "tiny")
    assert "24 passages, " in run("index", "import", "x.parquet", "--store", second_store, "--dry-run")
    assert not Path("second").exists()


def test_a_second_import_says_that_all_is_there(walked, second_store):
    run("index", "export", "x.parquet", "--run", "tiny")
    run("index", "import", "x.parquet", "--store", second_store)
    assert "all of it is there already" in run("index", "import", "x.parquet", "--store", second_store)


def test_a_run_with_other_settings_is_told_that_it_will_not_use_it(walked):
    text = Path("configs/store.memory.cfg").read_text()
    Path("configs/store.other.cfg").write_text(text.replace("max_words = 200", "max_words = 100").replace('"index"', '"other"'))
    run("index", "export", "x.parquet", "--run", "tiny")
    run("prepare", "--task", "tiny", "--run", "other", "--store", "other", "--per-label", 4)
    assert "will not use it" in run("index", "import", "x.parquet", "--run", "other", "--dry-run")


def test_deleted_passages_are_said_to_stay_behind(walked, key):
    from spacy_synthesizrr.stores.opening import open_store

    store = open_store(walked)
    store.delete([next(iter(store.iterate()))[0].id])
    assert "23 passages, embedder" in run("index", "export", "x.parquet", "--run", "tiny")
    assert "1 deleted ones are left out" in run("index", "export", "x.parquet", "--run", "tiny")


def test_an_index_that_is_not_whole_is_not_exported(walked, key):
    (Path("index") / key / "vectors.npy").unlink()
    assert "is not whole" in run("index", "export", "x.parquet", "--run", "tiny", code=2)
    assert not Path("x.parquet").exists()


def test_delete_asks_first(walked, key):
    assert "would be deleted; do it with --yes" in run("index", "delete", "--run", "tiny")
    assert run("index", "ls", "--run", "tiny").count("whole") == 1
    assert f"{key}  whole" in run("index", "delete", "--run", "tiny", "--yes")
    assert "0 indexes" in run("index", "ls", "--run", "tiny")
    assert [path.name for path in Path("index").iterdir() if path.name != ".lock"] == []


def test_a_run_whose_index_is_gone_does_not_mean_another_that_begins_like_it(walked, key):
    (Path("index") / key).rename(Path("index") / f"{key}-of-somebody")
    for command in ("show", "delete"):
        out = run("index", command, "--run", "tiny", *(["--yes"] if command == "delete" else []), code=2)
        assert f"The index {key} of the run 'tiny' is not in index." in out
    assert (Path("index") / f"{key}-of-somebody").is_dir()


def test_an_empty_key_means_no_index(walked, key):
    assert "--key is empty" in run("index", "delete", "--run", "tiny", "--key", "", "--yes", code=2)
    assert (Path("index") / key).is_dir()


def test_an_index_with_a_name_that_another_corpus_made_is_told_from_that_of_the_run(walked):
    path = Path("configs/store.memory.cfg")
    Path("configs/store.named.cfg").write_text(path.read_text().replace('"index"', '"named"') + '\n[index]\nname = "news"\n')
    for name, per_label in (("one", 4), ("two", 4)):
        run("prepare", "--task", "tiny", "--run", name, "--store", "named", "--per-label", per_label)
    run("index", "--run", "one")
    run("index", "export", "x.parquet", "--run", "one")
    assert "The run 'two' will find it." in run("index", "import", "x.parquet", "--run", "two", "--dry-run")
    corpus = Path("tiny/corpus.jsonl")
    corpus.write_text("".join(corpus.read_text().splitlines(keepends=True)[:20]))
    run("prepare", "--task", "tiny", "--run", "two", "--store", "named", "--per-label", 4)
    out = run("index", "import", "x.parquet", "--run", "two", "--dry-run")
    assert "built from another corpus" in out and "will bring it up to date" in out


def test_a_missing_file_is_one_line(walked):
    out = run("index", "import", "nothing.parquet", "--run", "tiny", code=2)
    assert out.startswith("✘ nothing.parquet: ") and out.count("\n") == 1


def test_a_missing_extra_is_named(walked, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "spacy-synthesizrr[parquet]" in run("index", "export", "x.parquet", "--run", "tiny", code=2)


def test_a_store_that_is_not_there_gets_the_names(walked):
    shutil.copyfile("configs/store.memory.cfg", "configs/store.third.cfg")
    assert "'third'" in run("index", "ls", "--store", "thrd", code=2)
