"""The step `synthesize` with a chat server as teacher: answers are kept, caps stop it with an exit code of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from faulty import Fault, FaultServer, always, text_of
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import BudgetReached, TeacherError
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.steps import index, plan, prepare, synthesize


def plan_for(number, body):
    return Fault(answer=text_of(number))


@pytest.fixture
def server():
    with FaultServer(plan_for) as running:
        yield running


@pytest.fixture
def run(walked_project, tmp_path, monkeypatch, server):
    """A planned run with the server as teacher; call it with lines for the config."""
    import shutil

    shutil.copytree(walked_project, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")

    def set_up(*lines: str) -> Context:
        block = ["[teacher]", '@llm_models = "synthesizrr.ChatCompletions.v1"', f'base_url = "{server.url}"', 'model = "m"', *lines]
        Path("configs/teacher.chat.cfg").write_text("\n".join(block) + "\n")
        prepare.run(prepare.Choices("tiny", "chat", teacher="chat", per_label=4))
        context = Context.open("chat")
        index.run(context)
        plan.run(context)
        return context

    return set_up


def kept(path):
    with ResponseStore(path) as store:
        return len(store)


def rows(name):
    return [json.loads(line) for line in Path("runs/chat", name).read_text().splitlines()]


def test_a_run_with_a_chat_server_fills_its_rows_and_keeps_its_answers(run, server):
    context = run()
    assert synthesize.run(context)
    assert len(rows("synthesized.jsonl")) == 8
    assert {row["events"][-2]["detail"]["model"] for row in rows("synthesized.jsonl")} == {"m"}
    asked = len(server.asked)
    context.folder.receipt_path("synthesize").unlink()
    assert synthesize.run(context)
    assert len(server.asked) == asked


def test_a_cap_ends_the_step_with_an_exit_code_of_its_own_and_a_higher_one_goes_on(run, server):
    run("[teacher.budget]", "max_requests = 3")
    done = CliRunner().invoke(app, ["synthesize", "--run", "chat"])
    assert (done.exit_code, len(server.asked)) == (3, 3)
    assert "max_requests = 3" in done.output and "Raise the cap" in done.output
    assert not Path("runs/chat/receipts/synthesize.json").exists()
    context = run("[teacher.budget]", "max_requests = 500")
    assert synthesize.run(context)
    assert kept("runs/chat/answers.sqlite") == len(server.asked)


def test_the_cap_counts_over_processes(run, server):
    context = run("[teacher.budget]", "max_requests = 3")
    for _ in range(2):
        with pytest.raises(BudgetReached):
            synthesize.run(context)
    assert len(server.asked) == 3


def test_a_wrong_key_is_one_line_with_the_cure(run, server):
    server.plan = always(Fault("status", 401, body={"error": {"message": "no"}}))
    with pytest.raises(TeacherError, match="api_key_env"):
        synthesize.run(run())


def test_runs_share_the_store_that_the_config_names(run, server):
    context = run('responses = "answers/answers.sqlite"')
    synthesize.run(context)
    assert kept("answers/answers.sqlite") == len(server.asked)
    assert not Path("runs/chat/answers.sqlite").exists()


def call(*words, code=0):
    done = CliRunner().invoke(app, [*words, "--run", "chat"])
    assert done.exit_code == code, done.output
    return done.output


def test_answers_can_be_listed_shown_exported_and_pruned(run, server):
    synthesize.run(run())
    count = len(server.asked)
    listed = call("responses", "ls", "-n", "3").splitlines()
    assert len(listed) == 4 and listed[-1].startswith(f"{count} answers, ")
    shown = call("responses", "show", listed[0].split()[0])
    assert any(text_of(number) in shown for number in range(count + 1)) and "identity:" in shown
    call("responses", "export", "out.jsonl")
    exported = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert len(exported) == count and {row["v"] for row in exported} == {1}
    assert "m at http://127.0.0.1/v1/chat/completions" in call("responses", "ledger")
    assert "0 answers removed" in call("responses", "prune", "--days", "1", "--yes")
    assert f"{count} answers would be removed" in call("responses", "prune", "--model", '"m"')
    assert f"{count} answers removed" in call("responses", "prune", "--model", '"m"', "--yes")
    assert call("responses", "ls").startswith("0 answers, ")


def test_looking_for_what_is_not_there_is_one_line(run):
    run()
    assert "There is no response store" in call("responses", "ls", code=2)


def test_plan_cost_asks_nobody_and_costs_nothing_here(run, server):
    run()
    out = call("plan-cost")
    assert not server.asked
    assert "0.0000 / 0.0000 / 0.0000" in out and "unknown" not in out


def test_plan_cost_multiplies_a_price_and_says_unknown_without_one(run, server):
    lines = ("[teacher.parameters]", "max_tokens = 100", "[teacher.price]", "input_per_million = 1000000", "output_per_million = 0")
    run(*lines)
    last = [line for line in call("plan-cost").splitlines() if line.startswith("all")][0]
    tokens, money = last.split()[6:11:2], last.split()[-5::2]
    assert [float(value.replace(",", "")) for value in money] == [float(value.replace(",", "")) for value in tokens]


def test_a_price_where_the_caps_do_not_see_it_is_refused(run, server):
    run("[price]", "input_per_million = 1", "output_per_million = 1")
    assert "[teacher.price]" in call("plan-cost", code=2)


def test_the_ledger_tells_stage_round_label_and_money(run, server):
    lines = ("[teacher.parameters]", "max_tokens = 100", "[teacher.price]", "input_per_million = 1000000", "output_per_million = 0")
    synthesize.run(run(*lines))
    out = call("responses", "ledger")
    spent = len(server.asked)
    assert f"all: {spent} requests, {10 * spent:,} prompt tokens, {5 * spent:,} answer tokens, {10 * spent:.4f} spent" in out
    assert "synthesize main · round 0 · sport: " in out and "synthesize random · round 0 · cooking: " in out


def test_the_end_tells_what_each_arm_took_and_a_rerun_asks_for_nothing(run, server, capsys):
    context = run("[teacher.price]", "input_per_million = null")
    synthesize.run(context)
    asked = len(server.asked)
    told = [line.split(" ", 2) for line in capsys.readouterr().out.splitlines() if " requests, " in line]
    assert sum(int(count) for _, count, _ in told) == asked
    context.folder.file("receipts/synthesize.json").unlink()
    synthesize.run(context)
    assert len(server.asked) == asked and " requests, " not in capsys.readouterr().out


def test_the_step_says_what_it_will_take_before_it_asks(run, server, capsys):
    context = run("[teacher.parameters]", "max_tokens = 100", "[teacher.budget]", "max_requests = 0")
    with pytest.raises(BudgetReached):
        synthesize.run(context)
    assert not server.asked
    assert "requests (at most" in (out := capsys.readouterr().out) and "costs nothing" in out


def test_plan_cost_of_a_server_elsewhere_is_unknown(run):
    run()
    path = Path("configs/teacher.chat.cfg")
    path.write_text('[teacher]\n@llm_models = "synthesizrr.ChatCompletions.v1"\nbase_url = "https://api.example.com/v1"\nmodel = "m"\n')
    prepare.run(prepare.Choices("tiny", "chat", teacher="chat", per_label=4))
    assert "unknown" in call("plan-cost")
