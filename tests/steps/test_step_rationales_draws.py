"""The step `rationales` with teachers whose lists are short or no lists: it asks again, now or in a later run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty import BROKEN, Fault, FaultServer, prompt_of
from offline import answer_all, answered, broken, rows, write
from test_step_rationales import change, written
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import BudgetReached, TeacherError, WaitsForAnswers
from spacy_synthesizrr.steps import prepare, rationales
from spacy_synthesizrr.steps.asked_values import Question

CONFIG = Path("configs/strategy.s3-seed.cfg")
WHOLE = "1. a goal\n2. a race\n3. a coach\n4. a cup"
SOUP = "1. soup\n2. bread\n3. salt\n4. rice"
SORRY = "I'm sorry, but I can't help with that."
SEEDED = ("[teacher.parameters]", "seed = 0")
CUT = Fault(answer=WHOLE, finish="length")


def by_draw(*sport: str | Fault):
    """A plan of a server: what it says about sport at each draw, the last one over and over. About cooking it has a whole list."""

    def answer(number, body):
        said = SOUP if "about sport" not in prompt_of(body) else sport[min(body["seed"], len(sport) - 1)]
        return said if isinstance(said, Fault) else Fault(answer=said)

    return answer


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


@pytest.fixture
def run(walked_project, tmp_path, monkeypatch, server):
    """A run that wants four reasons per label; call it with lines of its teacher's config, that of the server by default."""
    shutil.copytree(walked_project, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    change(CONFIG, "n = 20", "n = 4")

    def set_up(*lines: str, name: str = "s3") -> Context:
        told = lines or (*chat(server), *SEEDED, "[teacher.requests]", "max_retries = 0")
        Path("configs/teacher.mine.cfg").write_text("\n".join(["[teacher]", *told]) + "\n")
        prepare.run(prepare.Choices("tiny", name, strategy="s3-seed", teacher="mine", per_label=4))
        return Context.open(name)

    return set_up


def chat(server: FaultServer) -> tuple[str, ...]:
    return ('@llm_models = "synthesizrr.ChatCompletions.v1"', f'base_url = "{server.url}"', 'model = "m"')


def draws(server: FaultServer) -> list[int]:
    """The draws in which sport was asked for."""
    return [body["seed"] for body in server.asked if "about sport" in prompt_of(body)]


@pytest.mark.parametrize("first", [SORRY, "Reasons:", "word " * 70, CUT, Fault("empty")])
def test_a_list_that_cannot_be_read_is_asked_for_again(run, server, first):
    server.plan = by_draw(first, WHOLE)
    context = run()
    rationales.run(context)
    assert written(context) == {"sport": ["a goal", "a race", "a coach", "a cup"], "cooking": ["soup", "bread", "salt", "rice"]}
    assert {*draws(server)} == {0, 1}
    assert sum("about cooking" in prompt for prompt in server.prompts) == 1


def test_the_items_of_all_draws_are_joined_each_once_and_no_more_than_asked_for(run, server):
    server.plan = by_draw("1. a goal\n2. a race", "1. A race.\n2. a coach", "1. a cup\n2. a whistle")
    context = run()
    rationales.run(context)
    assert written(context)["sport"] == ["a goal", "a race", "a coach", "a cup"]
    assert draws(server) == [0, 1, 2]


def test_no_more_is_asked_than_draws_allow_and_few_values_are_told(run, server, capsys):
    change(CONFIG, "n = 4", "n = 4\ndraws = 2")
    server.plan = by_draw("1. a goal\n2. a race", "1. a coach\n2. a race", "1. a cup")
    rationales.run(run())
    assert draws(server) == [0, 1]
    assert "Fewer values than the 4 asked for: 'rationale' of 'sport' 3." in capsys.readouterr().out


def test_no_list_after_all_draws_is_an_error_with_a_cure_that_works(run, server):
    server.plan = by_draw("Reasons:", SORRY, "word " * 70, WHOLE)
    context = run()
    with pytest.raises(TeacherError) as error:
        rationales.run(context)
    assert "no list of values for 1 of the questions: 'rationale' of 'sport': malformed (word word" in str(error.value)
    assert ", asked 3 times. Running the step again is no cure: raise `draws`, ask for fewer with `n`, or write" in str(error.value)
    assert not context.folder.file("rationales.yml").exists()
    server.forget()
    change(CONFIG, "n = 4", "n = 4\ndraws = 4")
    rationales.run(run())
    assert written(context)["sport"] == ["a goal", "a race", "a coach", "a cup"]
    assert draws(server) == [3]


def test_a_draw_that_got_no_answer_is_asked_by_the_next_run_and_the_error_says_so(run, server):
    server.plan = by_draw("1. a goal\n2. a race", BROKEN)
    context = run()
    with pytest.raises(TeacherError) as error:
        rationales.run(context)
    assert "did not answer 1 of the questions: 'rationale' of 'sport': server_error (status 500" in str(error.value)
    assert "with 2 of 4 values until then. Run the step again; what was answered is kept." in str(error.value)
    assert "no cure" not in str(error.value)
    server.forget()
    server.plan = by_draw("1. other\n2. things", "1. a coach\n2. a cup")
    rationales.run(context)
    assert written(context)["sport"] == ["a goal", "a race", "a coach", "a cup"]
    assert [body["seed"] for body in server.asked] == [1]


def test_a_cap_is_named_with_its_cure(run, server):
    server.plan = by_draw("1. a goal\n2. a race", WHOLE)
    context = run(*chat(server), *SEEDED, "[teacher.budget]", "max_requests = 2")
    with pytest.raises(
        TeacherError, match=r"'sport': budget .*max_requests = 2.*Raise the cap in \[teacher.budget\] and run the step again"
    ):
        rationales.run(context)


@pytest.mark.parametrize("said", ["1. a goal\n2. a race\n3. a coach", SORRY])
def test_who_says_the_same_twice_is_not_asked_a_third_time(run, server, said):
    server.plan = by_draw(said)
    context = run()
    if said == SORRY:
        with pytest.raises(TeacherError, match=r"asked 2 times.*in other words with `instruction` or at a higher temperature"):
            rationales.run(context)
    else:
        rationales.run(context)
    assert draws(server) == [0, 1]


def test_answers_that_were_cut_off_are_not_taken_for_the_same_one(run, server):
    server.plan = by_draw(CUT, CUT, WHOLE)
    rationales.run(run())
    assert draws(server) == [0, 1, 2]


def test_a_teacher_that_always_takes_the_likeliest_token_is_asked_once(run, server):
    server.plan = by_draw("1. a goal\n2. a race\n3. a coach", WHOLE)
    rationales.run(run(*chat(server), *SEEDED, "temperature = 0.0"))
    assert draws(server) == [0]


def test_a_step_that_was_killed_between_two_draws_pays_none_of_them_twice(run, server):
    server.plan = by_draw("1. a goal\n2. a race", Fault("hang"))
    context = run()
    step = subprocess.Popen([sys.executable, "-m", "spacy_synthesizrr", "rationales", "--run", "s3"], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 100
    while draws(server) != [0, 1]:
        assert time.monotonic() < end and step.poll() is None
        time.sleep(0.05)
    step.kill()
    step.wait()
    assert not context.folder.file("rationales.yml").exists()
    server.forget()
    server.plan = by_draw("1. other\n2. things", "1. a coach\n2. a cup")
    rationales.run(context)
    assert written(context)["sport"] == ["a goal", "a race", "a coach", "a cup"]
    assert [body["seed"] for body in server.asked] == [1]


def test_every_draw_of_a_teacher_without_a_store_of_its_own_is_kept(run):
    """This one would say something else if it were asked again: its answers go by the order of its calls."""
    said = ["1. a goal\n2. a race", SOUP, "1. a coach\n2. a cup"]
    context = run('@llm_models = "synthesizrr.Scripted.v1"', f"answers = {json.dumps(said)}")
    for _ in range(2):
        rationales.run(context)
        assert written(context) == {"sport": ["a goal", "a race", "a coach", "a cup"], "cooking": ["soup", "bread", "salt", "rice"]}
        context.folder.file("rationales.yml").unlink()


@pytest.mark.parametrize(
    ("kind", "defers", "goes_on"),
    [
        ("truncated", False, True),
        ("refused", True, True),
        ("too_long", False, False),  # the next draw is as long
        ("timeout", False, False),  # a later run may be answered
        ("timeout", True, True),  # an error that a batch ended with is not asked again by any run
        ("missing", True, False),  # it waits
    ],
)
def test_which_failures_ask_for_another_draw(kind, defers, goes_on):
    question = Question("rationale", "sport", wanted=4, draws=3)
    question.take({"failed": kind, "detail": "so"}, defers=defers)
    assert question.open == goes_on


# ── a teacher that answers in a later run


BATCH = ('@llm_models = "synthesizrr.Batch.v1"', 'model = "m"', 'endpoint_identity = "somebody"')
PLACE = '\n[plan.dimensions.place]\nn = 2\nby_label = false\ninstruction = "Name {n} places."\n'


def requests() -> list[Path]:
    return sorted(Path("runs/s3/batch").glob("requests-*.jsonl"))


def asked(path: Path) -> list[tuple[str, int]]:
    """What a requests file asks about, and in which draw."""
    return [(topic(row["body"]), row["body"]["seed"]) for row in rows(path)]


def topic(body: dict) -> str:
    return next(word for word in ("sport", "cooking", "places") if word in prompt_of(body))


def respond(path: Path, **said: str) -> None:
    """Answer a requests file by what its questions are about."""
    write(path.with_name(f"answers-{path.name}"), [answered(row, lambda _, row=row: said[topic(row["body"])]) for row in rows(path)])


def test_first_draws_of_all_labels_and_dimensions_go_out_together_and_second_ones_after_them(run):
    CONFIG.write_text(CONFIG.read_text() + PLACE)
    context = run(*BATCH, *SEEDED)
    told = CliRunner().invoke(app, ["rationales", "--run", "s3"])
    assert told.exit_code == 4 and "requests-0001.jsonl: 3 new requests" in told.output, told.output
    assert asked(requests()[0]) == [("sport", 0), ("cooking", 0), ("places", 0)]
    respond(requests()[0], sport="1. a goal\n2. a race", cooking=SOUP, places=SORRY)
    assert CliRunner().invoke(app, ["rationales", "--run", "s3"]).exit_code == 4
    assert asked(requests()[1]) == [("sport", 1), ("places", 1)]
    assert not context.folder.file("rationales.yml").exists()
    respond(requests()[1], sport="1. a coach\n2. a cup", places="1. a port\n2. a hill")
    done = CliRunner().invoke(app, ["rationales", "--run", "s3"])
    assert done.exit_code == 0, done.output
    assert written(context)["sport"] == ["a goal", "a race", "a coach", "a cup"]
    assert len(requests()) == 2


def test_the_batch_teacher_gives_the_values_of_a_server(run, server):
    server.plan = by_draw("1. a goal\n2. a race", SORRY, "1. a coach\n2. a race")
    expected = run(name="online")
    rationales.run(expected)
    context = run(*BATCH, *SEEDED)
    for draw in range(3):
        with pytest.raises(WaitsForAnswers):
            rationales.run(context)
        bodies = {topic(row["body"]): row["body"] for row in rows(requests()[draw])}
        respond(requests()[draw], **{about: server.plan(0, body).answer for about, body in bodies.items()})
    rationales.run(context)
    assert written(context) == written(expected)


def test_a_draw_that_the_batch_ended_with_an_error_gives_way_to_the_next(run):
    context = run(*BATCH, "max_retries = 0", *SEEDED)
    with pytest.raises(WaitsForAnswers):
        rationales.run(context)
    sport, cooking = rows(requests()[0])
    write(Path("runs/s3/batch/answers.jsonl"), [broken(sport), answered(cooking, lambda _: SOUP)])
    with pytest.raises(WaitsForAnswers):
        rationales.run(context)
    assert asked(requests()[1]) == [("sport", 1)]


def test_what_still_waits_keeps_nothing_else_from_being_asked(run):
    context = run(*BATCH, *SEEDED)
    with pytest.raises(WaitsForAnswers):
        rationales.run(context)
    sport, _ = rows(requests()[0])
    write(Path("runs/s3/batch/answers.jsonl"), [answered(sport, lambda _: "1. a goal")])
    with pytest.raises(WaitsForAnswers, match="2 prompts wait"):
        rationales.run(context)
    assert asked(requests()[1]) == [("sport", 1)]


def test_a_cap_that_keeps_a_second_draw_from_being_written_ends_the_step_as_a_cap_does(run):
    context = run(*BATCH, *SEEDED, "[teacher.budget]", "max_requests = 2")
    with pytest.raises(WaitsForAnswers):
        rationales.run(context)
    answer_all(Path("runs/s3/batch"), lambda prompt: "1. one")
    with pytest.raises(BudgetReached, match="max_requests = 2"):
        rationales.run(context)
    assert not context.folder.file("rationales.yml").exists()
