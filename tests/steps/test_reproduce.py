"""The commands that make a run again, and its lock."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.steps import prepare
from spacy_synthesizrr.steps.prepare import Choices
from spacy_synthesizrr.steps.reproduce import lock, told


def test_a_run_with_the_configs_of_its_project_is_one_command(walked):
    (command,) = lock("tiny")["commands"]
    assert command.startswith("python -m spacy project run all . --vars.task tiny/task.yml --vars.run tiny")


def test_the_lock_names_versions_files_and_configs(walked):
    found = lock("tiny")
    assert found["versions"]["spacy"] and found["settings"]["per_label"] == 4 and not found["changed"]
    assert set(found["files"]) == {"corpus", "seeds"} and {"strategy", "curate"} <= set(found["configs"])
    assert found["steps"]["plan"] == walked.folder.receipt("plan")["key"]
    assert all(line.startswith(("#", "python -m ")) for line in told(found))


def test_what_has_changed_since_is_told(walked):
    Path("tiny/seeds.jsonl").write_text("{}\n")
    Path("configs/curate.cfg").unlink()
    changed = lock("tiny")["changed"]
    assert "tiny/seeds.jsonl says something else" in changed and "configs/curate.cfg is gone" in changed


def test_a_task_file_that_says_something_else_is_told(walked):
    task = Path("tiny/task.yml")
    task.write_text(task.read_text().replace("k_seeds: 2", "k_seeds: 3"))
    assert lock("tiny")["changed"] == ["tiny/task.yml says something else"]
    task.write_text("labels: 3\n")
    assert lock("tiny")["changed"][0].startswith("tiny/task.yml cannot be read: ")


def test_a_step_whose_files_are_gone_is_told(walked):
    walked.folder.file("planned.jsonl").unlink()
    assert "the step 'plan' is older than what it was made from, or its files are gone" in lock("tiny")["changed"]


def test_a_run_with_configs_of_its_own_names_every_step(walked):
    own = Path("own/strategy.cfg")
    own.parent.mkdir()
    own.write_text(Path("configs/strategy.synthesizrr.cfg").read_text().replace("hits = 50", "hits = 60"))
    Path("own/curate.cfg").write_text(Path("configs/curate.cfg").read_text())
    wanted = Choices("tiny", "group/mine", strategy="own/strategy.cfg", curate="own/curate.cfg", per_label=4)
    prepare.run(wanted)
    assert Context.open("group/mine").config("strategy")["plan"]["hits"] == 60
    first, *rest = lock("group/mine")["commands"]
    assert not rest  # nothing was done yet
    words = shlex.split(first)
    assert words[words.index("--curate") + 1] == "own/curate.cfg" and words[words.index("--run") + 1] == "group/mine"


def test_a_run_in_a_run_is_refused(walked):
    with pytest.raises(prepare.RunFolderError, match="is a run itself"):
        prepare.run(Choices("tiny", "tiny/mine"))


def test_a_run_of_a_grid_spends_on_the_account_of_the_grid(walked):
    Path("runs/group").mkdir()
    Path("runs/group/grid.json").write_text('{"v": 1, "id": "abcd", "file": "grids/g.yml"}')
    prepare.run(Choices("tiny", "group/mine"))
    ctx = Context.open("group/mine")
    assert (ctx.scope, ctx.shared) == ("group/abcd", Path("runs/group"))
    assert lock("group/mine")["grid"] == "grids/g.yml"
    assert walked.scope != ctx.scope and walked.shared == walked.folder.path


def test_a_run_that_is_not_there_is_an_error(walked):
    with pytest.raises(InputError, match="This file is missing"):
        lock("none")
