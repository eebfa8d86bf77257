"""`prepare` settles what a run is: it checks everything first, and rewrites nothing that is unchanged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from conftest import FIXTURES, ROOT

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError, InputError, RunFolderError, TaskFileError, TeacherError
from spacy_synthesizrr.steps.prepare import Choices, run


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project folder with the German task, as working directory."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(FIXTURES / "de", tmp_path / "task")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def choices(**changes):
    return Choices(**({"task": "task", "run": "one", "lang": "de"} | changes))


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_second_time_nothing_changed(here):
    assert [run(choices()), run(choices())] == [True, False]


def test_inputs_name_every_file_with_its_hash(here):
    run(choices())
    files = Context.open("one").inputs["files"]
    assert set(files) == {"corpus", "seeds", "dev", "test"}
    assert all(len(about["sha256"]) == 64 and about["path"].startswith("task/") for about in files.values())


def test_a_missing_file_names_its_key(here):
    (here / "task" / "dev.jsonl").unlink()
    with pytest.raises(TaskFileError, match=r"'dev.path': there is no file .*dev\.jsonl"):
        run(choices())


def test_a_wrong_label_is_found_before_anything_else_is_done(here):
    edit(here / "task" / "dev.jsonl", '"kochen"', '"kohen"')
    with pytest.raises(InputError, match=r"dev\.jsonl:\d+: .*'kohen'.*Did you mean 'kochen'"):
        run(choices())
    assert not (here / "runs" / "one" / "inputs.json").exists()


def test_an_unknown_language_names_the_nearest(here):
    with pytest.raises(ConfigError, match="spaCy has no language 'dee'. Did you mean 'de'"):
        run(choices(lang="dee"))


def test_a_run_keeps_its_account_and_one_made_anew_gets_another(here):
    run(choices())
    first = Context.open("one").scope
    run(choices(per_label=7))
    assert Context.open("one").scope == first
    shutil.rmtree(here / "runs" / "one")
    run(choices())
    second = Context.open("one").scope
    assert first != second and first.startswith("one/") and second.startswith("one/")


def test_a_run_from_before_there_were_ids_goes_by_its_name(here):
    run(choices())
    path = here / "runs" / "one" / "inputs.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    del found["id"]
    path.write_text(json.dumps(found), encoding="utf-8")
    assert Context.open("one").scope == "one"
    run(choices())
    assert Context.open("one").scope == "one"


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b/c", "a/../b", "/a", "a/.b"])
def test_a_run_has_a_plain_name(here, name):
    with pytest.raises(RunFolderError, match="is not a name for a run"):
        run(choices(run=name))


def test_another_combination_under_one_name_is_refused_and_changes_nothing(here):
    run(choices())
    before = (here / "runs" / "one" / "inputs.json").read_bytes()
    with pytest.raises(RunFolderError, match="strategy is 'retricl', was 'synthesizrr'.*--vars.run NAME"):
        run(choices(strategy="retricl"))
    assert (here / "runs" / "one" / "inputs.json").read_bytes() == before


def test_another_student_does_not_make_another_run(here):
    run(choices())
    shutil.copyfile(here / "configs" / "student.bow.cfg", here / "configs" / "student.mine.cfg")
    assert run(choices(student="mine"))


def test_the_project_may_be_moved(here, monkeypatch):
    run(choices())
    moved = here.parent / "moved"
    shutil.copytree(here, moved)
    monkeypatch.chdir(moved)
    assert not run(choices())


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("configs/curate.cfg", "[", "# x\n["), ("task/task.yml", "ein oder zwei", "zwei"), ("task/seeds.jsonl", "kochen", "verkehr")],
)
def test_a_step_refuses_what_changed_since(here, name, old, new):
    run(choices())
    edit(here / name, old, new)
    with pytest.raises(RunFolderError, match=f"Changed since `prepare` looked at it: {name}"):
        Context.open("one")


def test_an_index_that_is_gone_is_made_again(here):
    run(choices())
    receipt = here / "runs" / "one" / "receipts" / "index.json"
    receipt.write_text('{"key": "", "counts": {}, "outputs": {}}')
    (here / "runs" / "one" / "index.json").write_text('{"store": "index/gone"}')
    assert run(choices())
    assert not receipt.exists()


@pytest.mark.parametrize("place", ["http://127.0.0.1:8080, collection Synthesizrr_abc", "embedded Weaviate, collection Synthesizrr_abc"])
def test_an_index_on_a_server_is_not_missed_because_there_is_no_such_folder(here, place):
    run(choices())
    receipt = here / "runs" / "one" / "receipts" / "index.json"
    receipt.write_text('{"key": "", "counts": {}, "outputs": {}}')
    (here / "runs" / "one" / "index.json").write_text(f'{{"store": "{place}"}}')
    run(choices())
    assert receipt.exists()


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("[passage]\nmin_words = 5", r"unknown section \[passage\]. Did you mean 'passages'"),
        ("[vectorcache]\nenabled = false", r"unknown section \[vectorcache\]. Did you mean 'vector_cache'"),
        ('[index]\nnam = "news"', r"\[index\] unknown key 'nam'. Did you mean 'name'"),
    ],
)
def test_a_slip_in_the_store_config_is_found_before_work_starts(here, section, says):
    path = here / "configs" / "store.memory.cfg"
    path.write_text(f"{path.read_text()}\n{section}\n")
    with pytest.raises(ConfigError, match=says):
        run(choices())


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        (
            "teacher.extractive",
            "Extractive.v1",
            "Extractiv.v1",
            r"\[teacher\] there is no 'synthesizrr.Extractiv.v1' among @llm_models. Did you",
        ),
        ("teacher.extractive", "[teacher]", "[techer]", r"unknown section \[techer\]. Did you mean 'teacher'"),
        ("store.memory", "MemoryStore", "MemryStore", r"\[store\] there is no .* Did you mean 'synthesizrr.MemoryStore.v1'"),
        ("store.memory", "LsaEmbedder", "LsaEmbeder", r"\[embedder\] there is no .* Did you mean 'synthesizrr.LsaEmbedder.v1'"),
        ("student.bow", "TextCatBOW.v3", "TextCatBoW.v3", r"\[components.textcat.model\] .* Did you mean 'spacy.TextCatBOW.v3'"),
        ("student.bow", '@optimizers = "', '@optimizer = "', "'@optimizer' is no kind of registered function"),
        ("curate", "NearCopy.v1", "NearCopie.v1", r"\[row_filters.near_copy\] there is no .* Did you mean 'synthesizrr.NearCopy.v1'"),
        ("curate", "[gate]", "[set_filter]\n\n[gate]", r"unknown section \[set_filter\]. Did you mean 'set_filters'"),
        ("curate", "max_share", "max_shar", r"\[gate\] unknown key 'max_shar'. Did you mean 'max_share'"),
        (
            "curate",
            "[gate]",
            "[set_filters.map]\nkeep = null\n\n[gate]",
            r"\[set_filters.map\] describes no filter. It needs a line such as @misc",
        ),
        ("measure", "sample = 10000", "sampel = 10000", r"\[measure\] unknown key 'sampel'. Did you mean 'sample'"),
        ("strategy.synthesizrr", "[plan.quotas]", "[quotas]", r"unknown section \[quotas\]"),
    ],
)
def test_a_slip_in_a_config_is_found_before_work_starts(here, name, old, new, says):
    edit(here / "configs" / f"{name}.cfg", old, new)
    with pytest.raises((ConfigError, TeacherError), match=says):
        run(choices())
    assert not (here / "runs" / "one" / "inputs.json").exists()


def test_an_old_name_of_spacy_is_none_too_little(here):
    edit(here / "configs" / "student.bow.cfg", "spacy.TextCatBOW.v3", "spacy.TextCatBOW.v1")
    assert run(choices())


def test_what_a_config_names_is_not_imported(here):
    code = "import sys; from spacy_synthesizrr.steps.prepare import *; run(Choices(task='task', run='one', lang='de'))"
    code += "; print([name for name in ('sklearn', 'torch', 'transformers', 'weaviate', 'matplotlib') if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=here)
    assert told.stdout.strip() == "[]"


def test_a_section_that_others_take_values_from_is_none_too_many(here):
    edit(here / "configs" / "store.memory.cfg", "max_words = 200", "max_words = ${sizes.most}\n\n[sizes]\nmost = 200")
    assert run(choices())
