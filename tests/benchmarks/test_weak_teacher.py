"""The benchmark of a weak teacher: its configs are the project's, and its table holds every arm, finished or not."""

import importlib.util
import json
import sys

import pytest
from conftest import ROOT

from spacy_synthesizrr.configs import read_config, section
from spacy_synthesizrr.models.chat.model import make_chat_completions
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.students.config import StudentTask, count_steps, read_student_config
from spacy_synthesizrr.taskfile import read_task


@pytest.fixture(scope="module")
def weak():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("weak_teacher", ROOT / "benchmarks" / "weak_teacher.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
        patch.setitem(sys.modules, "weak_teacher", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def scratch(weak, tmp_path):
    """A scratch folder with the project in it."""
    found = weak.Scratch(tmp_path)
    weak.make_project(found)
    return found


def write_run(run, *, accuracy: float, arms: tuple[str, ...]) -> None:
    """The files of a finished run that the benchmark reads: three calls, one of them cut."""
    (run / "receipts").mkdir(parents=True)
    (run / "receipts" / "evaluate.json").write_text(json.dumps({"versions": {"spacy": "3"}}))
    rows = [{"name": arm, "run": True, "why": "", "rows": 2, "steps": 201} for arm in arms]
    for row in rows:
        row["test"] = {"mean": accuracy, "sd": 0.0, "seeds": [accuracy]}
        row["per_label"] = {"a": {"p": 1.0, "r": 1.0, "f": 1.0, "rows": 1}}
    (run / "evaluation.json").write_text(json.dumps({"arms": rows}))
    total = {"sent": 3, "answered": 2, "failed": {"truncated": 1}, "rejected": {"synthesize": {"too_long": 1}}, "accepted": 1, "short": 0}
    (run / "funnel.json").write_text(json.dumps({"total": total}))
    details = [{"request": name, "prompt_tokens": 30, "answer_tokens": count} for name, count in (("a", 10), ("b", 20))]
    events = [[{"detail": {}}, {"detail": detail}] for detail in [*details, {"request": "c", "detail": "cut"}]]
    (run / "generated.jsonl").write_text("".join(json.dumps({"events": event}) + "\n" for event in events))


def test_every_strategy_is_one_that_the_project_can_plan(weak, scratch):
    for name, strategy in weak.STRATEGIES.items():
        path = scratch.project / "configs" / f"strategy.weak-{name}.cfg"
        settings = section(read_config(path), "plan", PlanSettings, path=path)
        assert (settings.mode, settings.shots, settings.margin.on) == (strategy.mode, strategy.shots, strategy.margin)


def test_every_arm_comes_from_a_strategy_that_has_it(weak):
    for strategy, arm in sys.modules["weak_runs"].ARMS.values():
        assert arm == "main" or arm in weak.STRATEGIES[strategy].controls


def test_every_strategy_shows_in_the_table(weak):
    assert {strategy for strategy, arm in sys.modules["weak_runs"].ARMS.values() if arm == "main"} == {*weak.STRATEGIES}


def test_the_task_is_one(scratch, weak):
    task = read_task(ROOT / "benchmarks" / "tasks" / "agnews_brief.yml")
    assert task.prompt.max_words > 60 and len(task.labels) == 4


def test_the_teacher_shares_one_store_and_asks_as_often_as_the_server_answers(weak, scratch):
    weak.write_teacher(scratch, "draw0-fewgen", "http://127.0.0.1:1/v1", "tiny")
    block = read_config(scratch.project / "configs" / "teacher.draw0-fewgen.cfg")["teacher"]
    assert block.pop("@llm_models") == "synthesizrr.ChatCompletions.v1"
    assert block["responses"] == str(scratch.answers) and block["requests"]["max_in_flight"] == weak.IN_FLIGHT
    make_chat_completions(**block)


@pytest.mark.parametrize("rows", [40, 200, 11_000])
def test_all_students_take_the_same_number_of_steps(weak, scratch, rows):
    config = read_student_config(scratch.project / "configs" / "student.weak.cfg", StudentTask(("a", "b"), True, "en"))
    assert count_steps(config.interpolate()["training"], rows) == weak.STUDENT_STEPS + 1


def test_what_is_not_run_is_named_and_what_is_run_is_counted(weak, scratch, monkeypatch):
    monkeypatch.setattr("weak_results.seconds_of", lambda _: {"a": 2.0, "b": 6.0})
    scratch.answers.touch()
    for draw, accuracy in ((0, 0.5), (2, 0.7)):
        write_run(scratch.run(draw, "zero-shot"), accuracy=accuracy, arms=("main", "retrieve-only"))
    results = weak.collect(scratch, "tiny")
    assert (results["draws_done"], results["draws_wanted"]) == (0, weak.DRAWS)
    assert {name for name, arm in results["arms"].items() if "test" in arm} == {"refine zero-shot, by rank", "retrieve-only, by rank"}
    main = results["arms"]["refine zero-shot, by rank"]
    assert main["state"] == "2 of 3 draws" and main["test"] == pytest.approx(0.6)
    cut = weak.PARAMETERS["max_tokens"]
    assert (main["calls"], main["prompt_tokens"], main["answer_tokens"], main["seconds"]) == (3, 90, 30 + cut, 3)
    assert "calls" not in results["arms"]["retrieve-only, by rank"]
    shown = weak.table(results)
    assert "| refine zero-shot, by rank | 2 | 60.0 ± 14.1 | 2 | 3 |" in shown and "truncated 2, too_long 2" in shown
    assert all(f"| {name} | 0 | not run yet |" in shown for name, arm in results["arms"].items() if "test" not in arm)


def test_a_draw_is_done_when_all_its_strategies_are(weak, scratch, monkeypatch):
    monkeypatch.setattr("weak_results.seconds_of", lambda _: {"a": 2.0, "b": 6.0})
    scratch.answers.touch()
    for name, strategy in weak.STRATEGIES.items():
        assert weak.collect(scratch, "tiny")["draws_done"] == 0
        write_run(scratch.run(1, name), accuracy=0.5, arms=("main", *strategy.controls))
    assert weak.collect(scratch, "tiny")["draws_done"] == 1


def test_a_run_that_another_process_has_in_work_is_left_to_it(weak, tmp_path):
    scratch = weak.Scratch(tmp_path)
    with weak.alone(scratch, 0, "fewgen") as first:
        with weak.alone(scratch, 0, "fewgen") as second, weak.alone(scratch, 1, "fewgen") as other:
            assert (first, second, other) == (True, False, True)
    with weak.alone(scratch, 0, "fewgen") as again:
        assert again
