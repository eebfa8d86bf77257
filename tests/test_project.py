"""The whole way, as a person walks it: `spacy project run all` in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import FIXTURES, ROOT, Project

from spacy_synthesizrr.receipts import STEPS

OUTPUTS = (
    "inputs.json planned.jsonl generated.jsonl accepted.jsonl rejected.jsonl funnel.json metrics.json train.spacy dev.spacy "
    "student/config.cfg student.json report/index.html"
).split()
SMALL = {"per_label": 6}


def use(project: Project, fixture: str, folder: str) -> None:
    """Put a fixture task into a project."""
    shutil.copytree(FIXTURES / fixture, project.path / folder)


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", OUTPUTS)
def test_demo_writes_its_outputs(demo, name):
    assert demo.file("news_demo", name).is_file()


@pytest.mark.parametrize("step", STEPS)
def test_demo_writes_a_receipt_per_step(demo, step):
    assert demo.json("news_demo", f"receipts/{step}.json")["step"] == step


def test_demo_accepts_what_was_asked_or_explains_the_shortfall(demo):
    funnel = demo.json("news_demo", "funnel.json")
    counts = {label: sum(row["labels"] == [label] for row in demo.rows("news_demo", "accepted.jsonl")) for label in funnel["labels"]}
    assert all(counts[label] + about["short"] == 50 for label, about in funnel["labels"].items())


def test_demo_student_is_a_plain_spacy_pipeline(demo):
    import spacy

    nlp = spacy.load(demo.file("news_demo", "student"))
    doc = nlp("Striker scores twice. The home side won the final after extra time in front of a full stadium.")
    assert max(doc.cats, key=doc.cats.get) == "sport"


def test_demo_student_works_in_another_pipeline(demo):
    import spacy

    student = spacy.load(demo.file("news_demo", "student"))
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("textcat", source=student)
    text = "Parliament votes on the budget."
    assert nlp(text).cats == student(text).cats


def test_running_again_does_nothing(demo):
    before = {path: path.stat().st_mtime_ns for path in demo.file("news_demo", "receipts").iterdir()}
    out = ok(demo.run())
    assert "prepare: nothing changed" in out
    assert {path: path.stat().st_mtime_ns for path in demo.file("news_demo", "receipts").iterdir()} == before


def test_running_the_demo_needs_neither_torch_nor_network(demo):
    probe = (
        "import sys, socket; socket.socket.connect = None; import spacy; nlp = spacy.load(sys.argv[1]); "
        "print(sorted({'torch', 'transformers', 'weaviate', 'argilla', 'evaluate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe, str(demo.file("news_demo", "student"))], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_of_every_command_is_shown(demo):
    out = ok(demo.run("--help"))
    assert all(step in out for step in STEPS)


def test_project_document_works(project):
    (project.path / "README.md").write_text("x")
    out = ok(project.command("spacy", "project", "document", "."))
    assert "`synthesize`" in out + (project.path / "README.md").read_text()


def test_readme_table_is_what_project_document_writes(project):
    shutil.copyfile(ROOT / "README.md", project.path / "README.md")
    ok(project.command("spacy", "project", "document", ".", "--output", "README.md"))
    assert (project.path / "README.md").read_text().strip() == (ROOT / "README.md").read_text().strip()


def test_another_task_needs_no_python(project):
    use(project, "de", "my tasks/alltag")  # a blank in the path
    ok(project.run(task="my tasks/alltag", run="de", lang="de", **SMALL))
    assert {row["labels"][0] for row in project.rows("de", "accepted.jsonl")} == {"kochen", "verkehr"}
    meta = json.loads(project.file("de", "student/meta.json").read_text())
    assert meta["lang"] == "de"


def test_every_spelling_of_a_path_is_the_same_task(project):
    use(project, "de", "tasks/alltag")
    for spelling in ("tasks/alltag", "tasks/../tasks/alltag/task.yml", str(project.path / "tasks" / "alltag"), "./tasks/alltag/"):
        ok(project.run(command="prepare", task=spelling, run="de", lang="de", **SMALL))
    assert project.json("de", "inputs.json")["identity"]["task"] == "tasks/alltag/task.yml"


def test_a_task_outside_the_project_folder_works(project):
    shutil.copytree(FIXTURES / "de", project.path.parent / "elsewhere")
    ok(project.run(command="prepare", task="../elsewhere", run="de", lang="de", **SMALL))


@pytest.mark.parametrize("fixture", ["multi", "pair"])
def test_multi_label_and_pair_tasks_pass_up_to_export(project, fixture):
    use(project, fixture, "tasks/t")
    for step in STEPS[: STEPS.index("export") + 1]:
        ok(project.run(command=step, task="tasks/t", run="t", **SMALL))
    accepted = project.rows("t", "accepted.jsonl")
    assert accepted
    if fixture == "multi":
        assert any(len(row["labels"]) == 2 for row in accepted)
    else:
        assert all(set(row["fields"]) == {"premise", "hypothesis"} for row in accepted)


def test_a_run_remembers_what_it_belongs_to(project):
    use(project, "de", "tasks/alltag")
    ok(project.run(command="prepare", run="one", **SMALL))
    for other in ({"task": "tasks/alltag"}, {"teacher": "scripted"}, {"strategy": "retricl"}):
        done = project.run(command="prepare", run="one", **SMALL, **other)
        assert done.returncode != 0
        assert "The run 'one' belongs to something else" in done.stdout + done.stderr
        assert "--vars.run NAME" in done.stdout + done.stderr


def test_going_to_another_task_and_back_does_nothing_new(project):
    use(project, "de", "tasks/alltag")
    small = {**SMALL, "strategy": "synthesizrr"}
    one = {"run": "one", "task": "tasks/alltag", "lang": "de", **small}
    two = {"run": "two", "task": "tasks/alltag", "lang": "de", **small, "seed": 7}
    ok(project.run(**one))
    kept = {path.name: path.read_bytes() for path in project.file("one", "receipts").iterdir()}
    ok(project.run(**two))
    out = ok(project.run(**one))
    assert all(f"{step}: nothing changed" in out for step in STEPS)
    assert {path.name: path.read_bytes() for path in project.file("one", "receipts").iterdir()} == kept


def test_a_loop_that_is_run_again_does_no_work_and_leaves_the_same_ledger(project):
    use(project, "de", "tasks/alltag")
    config = (project.path / "configs/loop.retrieval.cfg").read_text()
    config = config.replace("rounds = 2", "rounds = 1").replace('["goldgen", "random", "more-seed"]', '["more-seed"]')
    (project.path / "configs/loop.short.cfg").write_text(config)
    options = {"command": "loop", "task": "tasks/alltag", "run": "de", "lang": "de", "per_label": 4, "loop": "short"}
    ok(project.run(**options))
    ledger, receipts = project.file("de-short", "ledger.json"), list(project.path.glob("runs/**/receipts/*.json"))
    before, times = ledger.read_bytes(), {path: path.stat().st_mtime_ns for path in receipts}
    assert {arm["name"]: len(arm["rounds"]) for arm in json.loads(before)["arms"]} == {"loop": 1, "more-seed": 1}
    out = ok(project.run(**options))
    assert "Skipping 'curate': nothing changed" in out and ledger.read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in receipts} == times


def test_a_changed_corpus_file_is_noticed(project):
    use(project, "de", "tasks/alltag")
    options = {"run": "de", "task": "tasks/alltag", "lang": "de", **SMALL}
    ok(project.run(command="prepare", **options))
    ok(project.run(command="index", **options))
    before = project.json("de", "index.json")["passages"]
    corpus = project.path / "tasks/alltag/corpus.jsonl"
    lines = corpus.read_text().splitlines(keepends=True)
    corpus.write_text("".join(lines[:-1]))
    ok(project.run(command="prepare", **options))
    assert "index: done" in ok(project.run(command="index", **options))
    assert project.json("de", "index.json")["passages"] == before - 1


def test_an_output_deleted_by_hand_comes_back(project):
    use(project, "de", "tasks/alltag")
    options = {"run": "de", "task": "tasks/alltag", "lang": "de", **SMALL}
    ok(project.run(**options))
    kept = project.file("de", "accepted.jsonl").read_bytes()
    project.file("de", "accepted.jsonl").unlink()
    out = ok(project.run(**options))
    assert "curate: done" in out
    assert "export: done" not in out
    assert project.file("de", "accepted.jsonl").read_bytes() == kept


def test_ctrl_c_at_every_step_loses_and_doubles_nothing(project, tmp_path_factory):
    use(project, "de", "tasks/alltag")
    options = {"run": "de", "task": "tasks/alltag", "lang": "de", **SMALL}
    whole = Project(tmp_path_factory.mktemp("whole") / "project")
    shutil.copytree(project.path, whole.path)
    ok(whole.run(**options))
    interrupted = [step for step in STEPS[1:] if interrupt(project, step, options)]
    assert len(interrupted) >= 5  # the others had ended before the signal came
    ok(project.run(**options))
    for name in ("planned.jsonl", "generated.jsonl", "accepted.jsonl", "rejected.jsonl", "funnel.json", "evaluation.json"):
        assert project.file("de", name).read_bytes() == whole.file("de", name).read_bytes(), name
    assert not list(project.path.rglob(".*.part"))


def interrupt(project: Project, step: str, options: dict[str, object]) -> bool:
    """Start the whole project, and press Ctrl-C as soon as a step has begun.

    RETURNS (bool): Whether the step was cut off.
    """
    words = [part for name, value in options.items() for part in (f"--vars.{name}", str(value))]
    command = [sys.executable, "-m", "spacy", "project", "run", "all", ".", *words]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, cwd=project.path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if f" {step} " in f" {line.strip()} " and "Running" not in line or f"== {step} ==" in line:
            time.sleep(0.3)  # its Python has begun
            break
    receipt = project.file(str(options["run"]), f"receipts/{step}.json")
    with_receipt = receipt.is_file()
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    return not with_receipt


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"teacher": "extractiv"}, "Did you mean 'extractive'"),
        ({"store": "none"}, "Valid: 'memory'"),
        ({"run": "a/b/c"}, "'a/b/c' is not a name for a run"),
        ({"task": "nowhere"}, "There is no task file here"),
        ({"per_label": 0}, "per_label must be at least 1"),
        ({"lang": "xx_not_there"}, "xx_not_there"),
    ],
)
def test_a_wrong_variable_is_one_line_with_the_cure(project, change, words):
    options = {"run": "x", **SMALL, **change}
    done = project.run(command="prepare", **options)
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_fewgen_with_a_teacher_that_only_copies_is_refused(project):
    use(project, "de", "tasks/alltag")
    options = {"run": "de", "task": "tasks/alltag", "lang": "de", "strategy": "fewgen", **SMALL}
    for step in ("prepare", "index", "rationales", "plan"):
        ok(project.run(command=step, **options))
    done = project.run(command="synthesize", **options)
    assert done.returncode != 0
    assert "needs a teacher that writes without a passage" in done.stdout + done.stderr


def test_a_dry_run_with_the_scripted_teacher_goes_the_whole_way(project):
    ok(project.run(run="dry", teacher="scripted", **SMALL))
    arms = {arm["name"]: arm for arm in project.json("dry", "evaluation.json")["arms"]}
    assert arms["main"]["rows"] == arms["fewgen"]["rows"] == 24


def test_every_shot_of_a_pair_task_stands_beside_its_own_premise(project):
    use(project, "pair", "tasks/t")
    options = {"task": "tasks/t", "run": "t", "strategy": "fewgen", "teacher": "scripted", **SMALL}
    for step in ("prepare", "index", "rationales", "plan"):
        ok(project.run(command=step, **options))
    shown = ok(project.command("spacy_synthesizrr", "preview", "--run", "t", "-n", "1"))
    assert shown.count("Premise: ") == shown.count("Statement:")


def test_a_slip_in_the_teachers_name_is_found_before_indexing(project):
    (project.path / "configs" / "teacher.mine.cfg").write_text('[teacher]\n@llm_models = "synthesizrr.Scripte.v1"\n')
    done = project.run(command="prepare", teacher="mine", run="x", **SMALL)
    assert done.returncode != 0
    assert "configs/teacher.mine.cfg" in done.stdout + done.stderr and "Scripted.v1" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_slip_in_the_teachers_config_is_one_line(project):
    (project.path / "configs" / "teacher.mine.cfg").write_text('[teacher]\n@llm_models = "synthesizrr.Scripted.v1"\ntemplat = "x"\n')
    for step in ("prepare", "index", "rationales", "plan"):
        ok(project.run(command=step, teacher="mine", run="x", **SMALL))
    done = project.run(command="synthesize", teacher="mine", run="x", **SMALL)
    assert done.returncode != 0
    assert "configs/teacher.mine.cfg: the teacher cannot be built" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_slip_in_the_plan_is_found_before_indexing(project):
    path = project.path / "configs" / "strategy.synthesizrr.cfg"
    path.write_text(path.read_text().replace("overgenerate", "overgenerat"))
    done = project.run(command="prepare", **SMALL)
    assert "Did you mean 'overgenerate'" in done.stdout + done.stderr


def test_a_german_prompt_is_german_throughout(project):
    use(project, "de", "tasks/alltag")
    options = {"run": "de", "task": "tasks/alltag", "lang": "de", **SMALL}
    for step in ("prepare", "index", "rationales", "plan"):
        ok(project.run(command=step, **options))
    shown = ok(project.command("spacy_synthesizrr", "preview", "--run", "de", "-n", "1"))
    assert "Länge: ein oder zwei Sätze. Wenn der Artikel dafür nicht taugt, schreibe nur: PASST NICHT" in shown
    assert "Length:" not in shown and "If the text" not in shown


def test_every_command_has_help_deps_and_outputs():
    import srsly

    commands = srsly.read_yaml(ROOT / "project.yml")["commands"]
    assert all(command["help"] for command in commands)
    assert all(command["deps"] and command["outputs_no_cache"] for command in commands if command["name"] != "ablate")  # it has many runs


def test_reading_a_corpus_shows_how_long_it_will_take(project):
    import fcntl
    import pty
    import struct
    import termios

    ok(project.run(command="prepare", run="x", **SMALL))
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-m", "spacy_synthesizrr", "index", "--run", "x"], cwd=project.path, env=env, stdout=subprocess.PIPE, stderr=other,
        check=True,
    )  # fmt: skip
    os.close(other)
    shown = os.read(main, 1_000_000).decode()
    os.close(main)
    assert done.returncode == 0
    assert "Reading the corpus: 100%" in shown and "274/274" in shown
