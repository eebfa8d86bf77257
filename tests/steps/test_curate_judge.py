"""The teacher as a blind judge in `curate`: paid once, kept, on the run's account, and stopped by its cap."""

import random
import shutil
from pathlib import Path

import pytest
from faulty import Fault, FaultServer, prompt_of

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import GRID, Context
from spacy_synthesizrr.errors import BudgetReached
from spacy_synthesizrr.jsonl import read_json, read_jsonl, write_json
from spacy_synthesizrr.models.answers.ledger import stages
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.steps import curate, index, plan, prepare, synthesize

DISH = "soup butter garlic bread oven onions recipe lemon salt sauce dough kitchen pasta honey pie fish parsley".split()
GAME = "goal match striker coach league keeper stadium referee sprint medal race serve captain fans crew penalty cup".split()
FILTER = """
[set_filters.blind]
@misc = "synthesizrr.VerifyLabels.v1"
judges = ["teacher"]
draws = 2
"""


def answered(number, body):
    """As a teacher it writes a new text about what the passage is about; as a judge it names what the text is about."""
    prompt = prompt_of(body)
    judges = "choose the one label" in prompt
    about = prompt.split("Text:")[1] if judges else prompt
    cooking = sum(word in about.lower() for word in DISH) > 2
    if judges:
        return Fault(answer="cooking" if cooking else "sport")
    return Fault(answer=" ".join(random.Random(number).sample(DISH if cooking else GAME, 9)))


@pytest.fixture(scope="module")
def server():
    with FaultServer(answered) as running:
        yield running


@pytest.fixture(scope="module")
def project(walked_project, tmp_path_factory, server):
    """A project as working directory, whose set filter is a blind teacher on a chat server."""
    folder = tmp_path_factory.mktemp("judged") / "project"
    shutil.copytree(walked_project, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("configs/curate.cfg").write_text(Path("configs/curate.cfg").read_text() + FILTER)
        path = Path("configs/strategy.synthesizrr.cfg")  # controls would be judged too
        path.write_text(path.read_text().replace(', "random", "fewgen"]', "]"))
        yield folder


def synthesized(server, requests=None, run="chat"):
    """A run as far as `synthesize`, perhaps with a cap on requests."""
    cap = f"\n[teacher.budget]\nmax_requests = {requests}\n" if requests else "\n"
    lines = ["[teacher]", '@llm_models = "synthesizrr.ChatCompletions.v1"', f'base_url = "{server.url}"', 'model = "m"', cap]
    Path("configs/teacher.chat.cfg").write_text("\n".join(lines))
    prepare.run(prepare.Choices("tiny", run, teacher="chat", per_label=4))
    ctx = Context.open(run)
    for step in (index, plan, synthesize):
        step.run(ctx)
    return ctx


@pytest.fixture(scope="module")
def run(project, server):
    """A run whose labels were judged."""
    ctx = synthesized(server)
    curate.run(ctx)
    return ctx


def judged(server):
    return [body for body in server.asked if "choose the one label" in prompt_of(body)]


def test_every_row_and_every_seed_is_judged_once_per_draw_on_the_account_of_the_run(run, server):
    rows = list(read_jsonl(run.folder.file("accepted.jsonl"), Candidate.from_dict))
    told = read_json(run.folder.file("curation.json"))["arms"]["main"]["filters"]["blind"]
    assert len(rows) == 8 == told["rows"] and told["judges"]["teacher"]["rows"] == 6 and told["judges"]["teacher"]["accuracy"] > 0.8
    assert all(row.events[-1].detail["judges"]["teacher"] > 0.8 for row in rows)
    with ResponseStore(run.folder.file("answers.sqlite")) as store:
        spent = {stage["stage"]: stage["requests"] for stage in stages(store, run.scope)}
    assert spent["verify main"] == 2 * (8 + 6)
    asked = len(judged(server))
    run.folder.receipt_path("curate").unlink()
    curate.run(run)
    assert len(judged(server)) == asked


def test_no_question_tells_the_intended_label_or_the_passage(run, server):
    rows = list(read_jsonl(run.folder.file("accepted.jsonl"), Candidate.from_dict))
    for body in judged(server):
        prompt = prompt_of(body)
        assert prompt.count("- sport:") == prompt.count("- cooking:") == 1 and "about sport" not in prompt
        assert not any(row.id in str(body) or row.passage_id in str(body) for row in rows)
        assert len(body["messages"]) == 1


def test_a_cap_stops_the_step_and_a_higher_one_goes_on(run, server):
    path = Path("configs/curate.cfg")
    path.write_text(path.read_text().replace("draws = 2", "draws = 3"))
    before = len(judged(server))
    cap = len(server.asked) + 5
    with pytest.raises(BudgetReached, match=f"used up while labels are judged: max_requests = {cap}"):
        curate.run(synthesized(server, requests=cap))
    assert len(judged(server)) == before + 5
    assert curate.run(synthesized(server, requests=900))


def test_runs_of_a_grid_pay_the_judge_once(project, server):
    write_json(Path("runs/grid") / GRID, {"v": 1, "id": "1"})
    first, second = (synthesized(server, run=f"grid/{name}") for name in "ab")
    before = len(judged(server))
    curate.run(first)
    asked = len(judged(server))
    curate.run(second)
    assert len(judged(server)) == asked and first.folder.path.parent == second.shared
    assert not first.folder.file("answers.sqlite").exists()
    with ResponseStore(second.shared / "answers.sqlite") as store:
        assert sum(stage["requests"] for stage in stages(store, second.scope) if "verify main" in stage["stage"]) == asked - before
