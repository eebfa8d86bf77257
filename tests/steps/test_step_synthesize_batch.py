"""The step `synthesize` with a teacher that answers later: round trips end with the rows that a server would have given at once."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from faulty import Fault, FaultServer, text_of
from faulty import prompt_of as asked_of
from offline import answer_all, answered, broken, expired, garbled, rows, write
from typer.testing import CliRunner

from spacy_synthesizrr import synthesis
from spacy_synthesizrr.cli import app
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import BudgetReached, WaitsForAnswers
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.steps import index, plan, prepare, synthesize

ARMS = ("", "controls/random/", "controls/fewgen/")
NAME = 'endpoint_identity = "somebody"'


def answer(prompt: str) -> str:
    """What the teacher says: each third prompt gets an answer that a filter turns away."""
    number = int(hashlib.sha256(prompt.encode()).hexdigest(), 16) % 3000
    if number % 3 == 0:
        return "Too short."
    return text_of(number)


@pytest.fixture
def project(walked_project, tmp_path, monkeypatch):
    """A project as working directory; call it with the name of a run and lines of its teacher's config."""
    shutil.copytree(walked_project, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")

    def set_up(run: str, *lines: str, per_label: int = 4) -> Context:
        Path(f"configs/teacher.{run}.cfg").write_text("\n".join(["[teacher]", *lines]) + "\n")
        prepare.run(prepare.Choices("tiny", run, teacher=run, per_label=per_label))
        context = Context.open(run)
        index.run(context)
        plan.run(context)
        return context

    return set_up


def batch(*lines: str) -> tuple[str, ...]:
    """The config of a batch teacher."""
    return ('@llm_models = "synthesizrr.Batch.v1"', 'model = "m"', NAME, *lines)


def chat(server: FaultServer, *lines: str) -> tuple[str, ...]:
    """The config of the same teacher behind a server."""
    return ('@llm_models = "synthesizrr.ChatCompletions.v1"', 'model = "m"', f'base_url = "{server.url}"', NAME, *lines)


def results(run: str) -> dict[str, list]:
    """What the step wrote, for every arm."""
    return {
        arm + name: [json.loads(line) for line in Path("runs", run, arm + name).read_text().splitlines()]
        for arm in ARMS
        for name in synthesis.FILES
    }


def online(project, per_label: int = 4) -> dict[str, list]:
    """What a server that answers at once gives."""
    with FaultServer(lambda number, body: Fault(answer=answer(asked_of(body)))) as server:
        synthesize.run(project("online", *chat(server), per_label=per_label))
    return results("online")


def call(*words: str, code: int = 0, run: str = "later") -> str:
    done = CliRunner().invoke(app, [*words, "--run", run])
    assert done.exit_code == code, done.output
    return done.output


def requests(folder: str = "runs/later/batch") -> list[Path]:
    return sorted(Path(folder).glob("requests-*.jsonl"))


def spent(path: str = "runs/later/answers.sqlite") -> int:
    with ResponseStore(path) as store:
        return sum(row["requests"] for row in ledger.accounts(store))


def kept(path: str = "runs/later/answers.sqlite") -> int:
    with ResponseStore(path) as store:
        return len(store)


def test_the_first_pass_writes_the_requests_of_all_arms_into_one_file_and_says_what_to_do(project):
    project("later", *batch(), per_label=4)
    told = call("synthesize", code=4)
    [path] = requests()
    asked = rows(path)
    assert 3 * 2 * 4 < len(asked) <= 3 * 2 * 6  # three arms, two labels, four rows and half more
    assert f"{path}: {len(asked)} new requests, about " in told
    assert "into runs/later/batch as .jsonl files" in told and "run the same command again" in told
    assert not Path("runs/later/receipts/synthesize.json").exists()
    assert not Path("runs/later/synthesized.jsonl").exists()
    again = call("synthesize", code=4)
    assert f"{path}: " in again and "still wait for answers to this file" in again
    assert requests() == [path] and rows(path) == asked


@pytest.mark.parametrize("extra", [0.0, 0.3, 2.0])
def test_the_rows_are_those_of_a_server_that_answers_at_once(project, extra):
    expected = online(project)
    project("later", *batch(f"extra = {extra}"))
    trips = 0
    while CliRunner().invoke(app, ["synthesize", "--run", "later"]).exit_code == 4:
        trips += 1
        answer_all(Path("runs/later/batch"), answer)
        assert trips < 10
    assert results("later") == expected
    assert {"accepted", "rejected"} <= {row["status"] for name in expected for row in expected[name]}
    assert trips >= 2 if extra == 0.0 else trips >= 1
    ids = [row["custom_id"] for path in requests() for row in rows(path)]
    assert len(ids) == len(set(ids)) == spent() == kept()


def test_asking_for_more_than_is_needed_spares_round_trips(project):
    trips = {}
    for run, extra in (("none", 0.0), ("more", 2.0)):
        project(run, *batch(f"extra = {extra}"))
        trips[run] = 0
        while CliRunner().invoke(app, ["synthesize", "--run", run]).exit_code == 4:
            trips[run] += 1
            answer_all(Path("runs", run, "batch"), answer)
    assert trips["more"] < trips["none"]
    assert results("more") == results("none")


@pytest.mark.parametrize("seed", range(3))
def test_a_service_that_shuffles_drops_and_breaks_answers_changes_no_row(project, seed):
    expected = online(project)
    project("later", *batch())
    folder, rng = Path("runs/later/batch"), random.Random(seed)
    answered_files: set[Path] = set()
    for trip in range(20):
        done = CliRunner().invoke(app, ["synthesize", "--run", "later"])
        if done.exit_code == 0:
            break
        assert done.exit_code == 4, done.output
        new = [path for path in requests() if path not in answered_files]
        answered_files |= set(new)
        if not new:  # nothing more will come for what was dropped
            for path in requests():
                path.unlink()
        lines = [line for path in new for row in rows(path) if (line := by_chance(row, rng, calm=trip > 3))]
        rng.shuffle(lines)
        write(folder / f"answers-{trip}.jsonl", ["no json", '{"custom_id": "stranger", "response": {"body": {}}, "error": "x"}', *lines])
    assert done.exit_code == 0, done.output
    assert results("later") == expected
    assert "is no JSON" in call("responses", "import", str(folder / "answers-0.jsonl"))


def by_chance(row: dict, rng: random.Random, *, calm: bool) -> str:
    """One answer of a bad service; it breaks no request for ever."""
    number = rng.random()
    if calm or number < 0.6:
        return answered(row, answer)
    if number < 0.7 or row["custom_id"][32:]:
        return ""
    return (broken if number < 0.8 else expired if number < 0.9 else garbled)(row)


def test_what_is_turned_away_is_replaced_and_only_that_is_asked_for(project):
    project("later", *batch("extra = 0"))
    call("synthesize", code=4)
    first = rows(requests()[0])
    lines = [
        answered(row, lambda _, number=number: "Too short." if number >= len(first) - 2 else text_of(number))
        for number, row in enumerate(first)
    ]
    write(Path("runs/later/batch/answers.jsonl"), lines)
    told = call("synthesize", code=4)
    assert len(rows(requests()[1])) == 2
    assert f"{requests()[1]}: 2 new requests" in told


def test_a_request_that_is_refused_for_good_gives_way_to_the_reserve(project):
    project("later", *batch("extra = 0"))
    call("synthesize", code=4)
    first = rows(requests()[0])
    bad = json.dumps({"custom_id": first[0]["custom_id"], "response": {"status_code": 400, "body": {"error": {"message": "moderation"}}}})
    lines = [answered(row, lambda _, number=number: text_of(number)) for number, row in enumerate(first)]
    write(Path("runs/later/batch/answers.jsonl"), [bad, *lines[1:]])
    call("synthesize", code=4)
    assert len(rows(requests()[1])) == 1
    write(Path("runs/later/batch/more.jsonl"), [answered(rows(requests()[1])[0], lambda _: text_of(1000))])
    call("synthesize")
    assert [row["events"][-1]["reason"] for name in ARMS for row in results("later")[name + "turned_away.jsonl"]] == ["refused"]


def test_a_cap_holds_and_with_nothing_left_to_wait_for_it_ends_the_step_as_a_cap_does(project):
    context = project("later", *batch("[teacher.budget]", "max_requests = 5"))
    told = call("synthesize", code=4)
    assert len(rows(requests()[0])) == 5 and "requests are not written: max_requests = 5" in told
    answer_all(Path("runs/later/batch"), answer)
    with pytest.raises(BudgetReached, match="max_requests = 5"):
        synthesize.run(context)
    assert len(requests()) == 1
    context = project("later", *batch("[teacher.budget]", "max_requests = 500"))
    with pytest.raises(WaitsForAnswers):
        synthesize.run(context)
    asked = [row["custom_id"] for path in requests() for row in rows(path)]
    assert len(asked) == len(set(asked)) > 5


def test_an_error_in_a_later_arm_leaves_no_half_file(project, monkeypatch):
    context = project("later", *batch())
    real = synthesize._run_arm

    def failing(ctx, arm, *more):
        if arm.name == "random":
            raise KeyboardInterrupt
        return real(ctx, arm, *more)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(synthesize, "_run_arm", failing)
        synthesize.run(context)
    assert requests() == []
    with pytest.raises(WaitsForAnswers):
        synthesize.run(context)
    assert {row["custom_id"][32:] for row in rows(requests()[0])} == {""}


def test_a_run_may_begin_with_a_batch_and_end_with_a_server(project):
    expected = online(project)
    shared = 'responses = "answers/answers.sqlite"'
    project("later", *batch(shared, "extra = 0"))
    call("synthesize", code=4)
    answer_all(Path("answers/batch"), answer)
    call("synthesize", code=4)
    known = kept("answers/answers.sqlite")
    with FaultServer(lambda number, body: Fault(answer=answer(asked_of(body)))) as server:
        synthesize.run(project("now", *chat(server, shared)))
        assert len(server.asked) == kept("answers/answers.sqlite") - known > 0
    assert results("now") == expected
    call("synthesize")
    assert results("later") == expected


def test_answers_from_elsewhere_are_imported_by_hand(project):
    project("later", *batch("extra = 3"))
    call("synthesize", code=4)
    path = answer_all(Path("runs/later/batch"), answer).rename("from-elsewhere.jsonl")
    count = len(rows(requests()[0]))
    assert call("responses", "import", str(path)) == f"{path}: {count} answers taken in\n"
    assert call("responses", "import", str(path)) == f"{path}: 0 answers taken in, {count} known before\n"
    call("synthesize")
    assert spent() == kept() == count
    assert "cannot be opened" in call("responses", "import", "nowhere.jsonl", code=2)


def test_plan_cost_and_preview_write_no_requests(project):
    project("later", *batch())
    call("plan-cost")
    call("preview")
    assert not Path("runs/later/batch").exists()


def test_the_script_in_the_docs_is_a_teacher(project):
    page = (ROOT / "docs" / "teachers.md").read_text(encoding="utf-8")
    [script] = [code for code in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "custom_id" in code]
    project("later", *batch("extra = 3"))
    call("synthesize", code=4)
    with FaultServer(lambda number, body: Fault(answer=answer(asked_of(body)))) as server:
        code = script.replace("http://127.0.0.1:11434/v1", server.url)
        words = [sys.executable, "-W", "error", "-c", code, str(requests()[0])]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    Path("runs/later/batch/answers-0001.jsonl").write_text(done.stdout)
    call("synthesize")
    assert kept() == len(rows(requests()[0]))
