"""What a run will take, told before the first request: nothing is left out that can be known."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from faulty import Fault, FaultServer, text_of

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.steps import index, plan, plan_cost, prepare, preview, synthesize
from spacy_synthesizrr.steps.plan_cost import sums_of


@pytest.fixture
def server():
    with FaultServer(lambda number, body: Fault(answer=text_of(number))) as running:
        yield running


@pytest.fixture
def planned(walked_project, tmp_path, monkeypatch, server):
    """A planned run with the server as teacher, set up by lines for its config."""
    shutil.copytree(walked_project, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")

    def set_up(*lines: str, run: str = "chat") -> Context:
        block = ["[teacher]", '@llm_models = "synthesizrr.ChatCompletions.v1"', f'base_url = "{server.url}"', 'model = "m"', *lines]
        Path(f"configs/teacher.{run}.cfg").write_text("\n".join(block) + "\n")
        prepare.run(prepare.Choices("tiny", run, teacher=run, per_label=4))
        context = Context.open(run)
        index.run(context)
        plan.run(context)
        return context

    return set_up


def sums(context, name):
    return sums_of(plan_cost.plan_cost(context), name)


def test_the_system_prompt_is_paid_with_every_request(planned):
    without, long = planned(run="a"), planned(f'system = "{"word " * 1000}"', run="b")
    calls = sums(without, "calls")
    assert sums(long, "calls") == calls
    more = [b - a for a, b in zip(sums(without, "prompt_tokens"), sums(long, "prompt_tokens"), strict=True)]
    assert all(1250 * count <= extra <= 1350 * count for count, extra in zip(calls, more, strict=True))


def test_answers_that_are_kept_are_taken_off(planned, server):
    context = planned()
    before = sums(context, "calls")
    assert not context.folder.file("answers.sqlite").exists()
    synthesize.run(context)
    paid = server.count
    found = plan_cost.plan_cost(context)
    kept, sampled = sum(row.kept for row in found), sum(row.sampled for row in found)
    assert 0 < kept <= sampled
    calls = sums_of(found, "calls")
    assert calls[2] == before[2] and calls[1] == before[1] - kept and calls[0] < before[0]
    said = f"{kept} of {sampled} sampled prompts have their answers already"
    assert said in list(plan_cost.table(found))[-1] and said in plan_cost.headline(found)
    assert server.count == paid


def test_a_shared_store_is_looked_into_too(planned):
    first = planned('responses = "shared.sqlite"', run="a")
    synthesize.run(first)
    second = plan_cost.plan_cost(planned('responses = "shared.sqlite"', run="b"))
    assert sum(row.kept for row in second) > 0


def test_the_likely_case_rounds_up(tmp_path):
    seed = Seed.make(["sport"], {"text": "A seed."})
    rows = [Candidate.plan(task="t", strategy="s", seed=seed, passage_id=f"p{number}", reserve=number > 0).to_dict() for number in range(3)]
    write_jsonl(tmp_path / "planned.jsonl", rows)
    assert list(plan_cost._calls(tmp_path / "planned.jsonl").values()) == [(1, 2, 3)]


def test_the_sample_is_spread_over_what_will_likely_be_asked(tmp_path):
    seed = Seed.make(["sport"], {"text": "A seed."})
    rows = [Candidate.plan(task="t", strategy="s", seed=seed, passage_id=f"p{number:03}").to_dict() for number in range(300)]
    write_jsonl(tmp_path / "planned.jsonl", rows)
    key = Candidate.from_dict(rows[0]).key
    found = [candidate.passage_id for candidate in plan_cost._sample(tmp_path / "planned.jsonl", {key: (80, 100, 300)})]
    assert found == [f"p{number:03}" for number in range(0, 100, 2)]


def test_preview_and_plan_cost_agree(planned):
    context = planned('system = "Be brief."', "[teacher.parameters]", "max_tokens = 77")
    found = plan_cost.plan_cost(context)
    lines = [line for line in preview.preview(context, per_label=1) if "prompts if every row is accepted" in line]
    assert [line.split(":")[0] for line in lines] == list(dict.fromkeys(row.arm for row in found))
    for line in lines:
        rows = [row for row in found if line.startswith(f"{row.arm}:")]
        numbers = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", line)]
        calls, asked, told = (sums_of(rows, name) for name in ("calls", "prompt_tokens", "answer_tokens"))
        assert numbers[:2] == [calls[0], calls[2]] and numbers[3:] == [asked[0], asked[2], told[0], told[2]]
        assert told[2] == 77 * calls[2]


def test_questions_to_the_teacher_as_a_judge_of_labels_are_counted(planned):
    lines = ('parameters = {"max_tokens": 100}', 'price = {"input_per_million": 1.0, "output_per_million": 2.0}')
    without = plan_cost.plan_cost(planned(*lines, run="a"))
    config = Path("configs/curate.cfg")
    config.write_text(
        f'{config.read_text()}\n[set_filters.blind]\n@misc = "synthesizrr.VerifyLabels.v1"\njudges = ["gold", "teacher"]\ndraws = 2\n'
    )
    found = plan_cost.plan_cost(planned(*lines, run="b"))
    more = found[len(without) :]
    rows = sum(row.firm for row in without if row.arm == "main")
    assert more[0].arm == "main" and more[0].label == "judging: blind"
    assert 2 * rows < more[0].calls[0] == more[0].calls[2] <= 2 * (rows + 100)
    assert more[0].cost and 0 < more[0].cost[0] < more[0].cost[2]
    assert [row for row in found[: len(without)]] == without
