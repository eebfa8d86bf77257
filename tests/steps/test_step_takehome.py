"""What the teacher of a run costs: measured by the ledger, estimated by its price, and never asked."""

from __future__ import annotations

import pytest
from student_run import StudentRun

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.budget import Spent
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.steps.takehome import teacher_cost
from spacy_synthesizrr.students.takehome.labelling import BY_RULE, HERE, LOST, UNKNOWN

CHAT = '[teacher]\n@llm_models = "synthesizrr.ChatCompletions.v1"\nmodel = "m"\nbase_url = "{url}"\napi_key_env = "NO_SUCH_KEY"\n'
FAR, NEAR = CHAT.format(url="https://example.com/v1"), CHAT.format(url="http://127.0.0.1:9/v1")
PRICE = "\n[teacher.price]\ninput_per_million = 2.0\noutput_per_million = 8.0\n"
TEXTS = ["The coach praised the striker after the match."] * 3


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = StudentRun.make(tmp_path_factory.mktemp("taught"))
    made.accept(2)
    made.ready()
    return made


def context(run, tmp_path, config):
    """The run with this teacher's config."""
    path = tmp_path / "teacher.cfg"
    path.write_text(config)
    ctx = Context.open(run.folder.path)
    return Context(ctx.folder, {**ctx.inputs, "configs": {**ctx.inputs["configs"], "teacher": {"path": str(path), "sha256": ""}}})


def spend(ctx, path, *, cost):
    purpose = ledger.Purpose(ctx.scope, "model", "synthesize main", 0)
    with ResponseStore(path) as store:
        ledger.prepare(store)
        with store.transaction(flush=False) as connection:
            ledger.write(connection, [ledger.Entry(Spent(4, 800, 200), "sport", cost=cost)], identity="i", purpose=purpose)


def test_a_teacher_that_works_by_rule_says_so(run, tmp_path):
    found = teacher_cost(context(run, tmp_path, '[teacher]\n@llm_models = "synthesizrr.Extractive.v1"\n'), TEXTS)
    assert found == {"measured": None, "labelling": None, "note": BY_RULE}


def test_a_price_gives_an_estimate_without_a_key_or_a_server(run, tmp_path):
    found = teacher_cost(context(run, tmp_path, FAR + PRICE), TEXTS)
    about = found["labelling"]
    assert about["cost"] == pytest.approx((about["prompt_tokens"] * 2.0 + about["answer_tokens"] * 8.0) / 1e6)
    assert (found["measured"], found["note"]) == (None, "")


@pytest.mark.parametrize(("config", "cost", "note"), [(FAR, None, UNKNOWN), (NEAR, 0.0, HERE)], ids=["elsewhere", "here"])
def test_a_price_that_is_not_known_and_one_that_is_nothing_are_told_apart(run, tmp_path, config, cost, note):
    found = teacher_cost(context(run, tmp_path, config), TEXTS)
    assert (found["labelling"]["cost"], found["note"]) == (cost, note)


@pytest.mark.parametrize(("cost", "per_thousand"), [(0.01, 2.5), (None, None)])
def test_what_the_run_spent_is_read_from_its_ledger(run, tmp_path, cost, per_thousand):
    path = tmp_path / "answers.sqlite"
    ctx = context(run, tmp_path, f'{FAR}responses = "{path}"\n')
    spend(ctx, path, cost=cost)
    found = teacher_cost(ctx, TEXTS)["measured"]
    assert found == {"requests": 4, "prompt_tokens": 200_000, "answer_tokens": 50_000, "cost": per_thousand}


def test_other_runs_in_the_same_ledger_do_not_count(run, tmp_path):
    path = tmp_path / "answers.sqlite"
    ctx = context(run, tmp_path, f'{FAR}responses = "{path}"\n')
    spend(Context(ctx.folder, {**ctx.inputs, "id": "abcd"}), path, cost=1.0)
    assert teacher_cost(ctx, TEXTS)["measured"] is None


def test_a_teacher_of_somebody_else_is_not_built(run, tmp_path):
    config = (
        '[teacher]\n@llm_models = "spacy.Llama2.v1"\nname = "Llama-2-7b-hf"\n\n[price]\ninput_per_million = 1.0\noutput_per_million = 1.0\n'
    )
    found = teacher_cost(context(run, tmp_path, config), TEXTS)
    assert found["labelling"]["cost"] > 0


@pytest.mark.parametrize(("config", "reason"), [
    (FAR + "no_such_setting = 1\n", "model.no_such_setting: unexpected argument"),
    (CHAT.format(url="http://bob:hunter2@host/v1") + 'api_key = "sk-123456"\n', "model.api_key: unexpected argument"),
    ('[teacher]\n@llm_models = "synthesizrr.HFCausalLM.v1"\nmodel = "/home/alice/m.gguf"\n', "/home/alice/m.gguf"),
], ids=["unknown setting", "secret", "moved weights"])  # fmt: skip
def test_why_a_price_cannot_be_found_is_said_and_not_kept(run, tmp_path, capsys, config, reason):
    found = teacher_cost(context(run, tmp_path, config), TEXTS)
    assert (found["labelling"]["cost"], found["note"]) == (None, LOST)
    said = capsys.readouterr().out
    assert "The price of the teacher cannot be found: " in said and reason in said
    assert "hunter2" not in said and "sk-123456" not in said
