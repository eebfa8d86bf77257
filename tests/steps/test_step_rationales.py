"""The step `rationales` and the strategies that write without retrieval, with a chat server as teacher."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import FIXTURES
from faulty import Fault, FaultServer, prompt_of, text_of
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import InputError, PlanError, TeacherError
from spacy_synthesizrr.steps import curate, index, plan, prepare, preview, rationales, synthesize
from spacy_synthesizrr.trace import trace
from spacy_synthesizrr.yaml_lines import load_yaml, plain

ASKS = "different reasons"


def answer(number, body):
    """Lists for those who ask for reasons, each of its own label, and for places; else a text of its own."""
    prompt = prompt_of(body)
    if '"place"' in prompt:
        return Fault(answer="1. a port\n2. a hill")
    label = "sport" if "sport" in prompt else "cooking"
    listed = "\n".join(f"{place}. {label} reason {place}" for place in range(1, 21))
    return Fault(answer=f"Sure! Here are 20 reasons:\n\n{listed}" if ASKS in prompt else text_of(number))


@pytest.fixture
def server():
    with FaultServer(answer) as running:
        yield running


@pytest.fixture
def run(walked_project, tmp_path, monkeypatch, server):
    """An indexed run with the server as teacher."""
    shutil.copytree(walked_project, tmp_path / "project")
    shutil.copytree(FIXTURES / "pair", tmp_path / "project" / "pair")
    monkeypatch.chdir(tmp_path / "project")
    block = ["[teacher]", '@llm_models = "synthesizrr.ChatCompletions.v1"', f'base_url = "{server.url}"', 'model = "m"']
    Path("configs/teacher.chat.cfg").write_text("\n".join(block) + "\n")

    def set_up(strategy: str = "s3-seed", *, task: str = "tiny", teacher: str = "chat", name: str = "s3") -> Context:
        prepare.run(prepare.Choices(task, name, strategy=strategy, teacher=teacher, per_label=4))
        context = Context.open(name)
        index.run(context)
        return context

    return set_up


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def rows(context: Context, name: str) -> list[dict]:
    return [json.loads(line) for line in context.folder.file(name).read_text().splitlines()]


def test_every_label_is_asked_once_and_every_row_is_written_from_three_reasons_of_its_own(run, server):
    context = run()
    assert rationales.run(context)
    assert not rationales.run(context)
    assert [ASKS in prompt for prompt in server.prompts] == [True, True]
    assert plan.run(context)
    planned = rows(context, "planned.jsonl")
    assert [row["labels"] for row in planned[:4]] == [["sport"], ["cooking"]] * 2
    assert all(len({*row["rationales"]}) == 3 and row["strategy"] == "s3-seed" and "passage_id" not in row for row in planned)
    assert synthesize.run(context)
    for prompt in server.prompts[2:]:
        label, other = ("sport", "cooking") if "about sport" in prompt else ("cooking", "sport")
        assert prompt.startswith("Reasons:\n- ") and prompt.count(f"- {label} reason ") == 3 and other not in prompt
        assert f"Write a text about {label}. Base it on what is listed above." in prompt
    assert curate.run(context)
    assert len(rows(context, "accepted.jsonl")) == 8


def test_trace_tells_what_a_row_was_written_from(run):
    context = run()
    rationales.run(context)
    plan.run(context)
    told = trace(context, rows(context, "planned.jsonl")[0]["id"])
    assert told.count("Reasons: sport reason ") == 3
    assert "(description; sport)" in told


def test_an_edited_file_is_kept_and_changes_the_plan(run, server):
    context = run()
    rationales.run(context)
    plan.run(context)
    before = rows(context, "planned.jsonl")
    path = context.folder.file("rationales.yml")
    path.write_text(path.read_text().replace("sport reason 7", "a whistle in the fog"))
    text, asked = path.read_text(), len(server.asked)
    assert rationales.run(context)
    assert (path.read_text(), len(server.asked)) == (text, asked)
    assert plan.run(context)
    assert [row["id"] for row in rows(context, "planned.jsonl")] != [row["id"] for row in before]
    assert "a whistle in the fog" in context.folder.file("rationales.jsonl").read_text()


def test_a_plan_keeps_the_reasons_it_was_made_from(run):
    """Who edits the file and does not plan again still gets the prompts that the plan promises."""
    context = run()
    rationales.run(context)
    plan.run(context)
    before = list(preview.preview(context, per_label=1))
    path = context.folder.file("rationales.yml")
    path.write_text(path.read_text().replace("reason", "cause"))
    assert list(preview.preview(context, per_label=1)) == before


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("  cooking:", "  cookin:", 26, "'cookin' is no label of the task. Did you mean 'cooking'"),
        ("    - sport reason 2\n", "    - sport  Reason 1.\n", 7, "stands there twice"),
        ("    - sport reason 2\n", "    - 1984\n", 7, "is no text: 1984. Put it into quotes"),
        ("    - sport reason 2\n", "    -\n", 7, "is no text: None. Write something there"),
        ("rationale:", "rationales:", 4, "'rationales' is no dimension of the strategy"),
        ("    - sport reason 2\n", "   - sport reason 2\n", None, "This is not YAML"),
    ],
)
def test_a_wrong_edit_is_named_with_its_line(run, old, new, line, words):
    context = run()
    rationales.run(context)
    change(context.folder.file("rationales.yml"), old, new)
    with pytest.raises(InputError) as error:
        plan.run(context)
    assert words in str(error.value)
    assert line is None or f"rationales.yml:{line}: " in str(error.value)


def test_too_few_reasons_are_named(run):
    context = run()
    rationales.run(context)
    path = context.folder.file("rationales.yml")
    path.write_text("rationale:\n  sport: [a goal, a race]\n  cooking: [soup, bread, salt]\n")
    with pytest.raises(InputError, match="'sport' of 'rationale' has 2 values, and every row takes 3"):
        rationales.run(context)


def test_reasons_may_be_written_by_hand_and_lie_elsewhere(run, server):
    Path("mine.yml").write_text("rationale:\n  sport: [a goal, a race, a coach]\n  cooking: [soup, bread, salt]\n")
    change(Path("configs/strategy.s3-seed.cfg"), "[plan]\n", '[plan]\nrationales = "mine.yml"\n')
    context = run(teacher="extractive")
    rationales.run(context)
    assert plan.run(context)
    assert not server.asked
    assert {row["text"] for row in rows(context, "rationales.jsonl")} == {"a goal", "a race", "a coach", "soup", "bread", "salt"}


def test_attributes_stand_beside_reasons(run, server):
    path = Path("configs/strategy.s3-seed.cfg")
    path.write_text(
        path.read_text() + '\n[plan.dimensions.style]\nvalues = ["dry", "excited"]\n\n[plan.dimensions.place]\nn = 2\nby_label = false\n'
    )
    context = run()
    rationales.run(context)
    assert [ASKS in prompt for prompt in server.prompts] == [True, True, False]
    assert '"place"' in server.prompts[2] and "about sport / about cooking" in server.prompts[2]
    assert "style" not in context.folder.file("rationales.yml").read_text()
    plan.run(context)
    shown = "\n".join(preview.preview(context, per_label=1))
    assert shown.count("Reasons:\n- ") == 2 and shown.count("\nStyle: ") == 2 and shown.count("\nPlace: ") == 2


def test_a_teacher_that_only_copies_is_refused_before_anything_is_written(run):
    context = run(teacher="extractive")
    with pytest.raises(TeacherError, match="'s3-seed' needs a teacher that writes without a passage"):
        rationales.run(context)
    assert not context.folder.file("rationales.yml").exists()


def test_no_list_is_an_error_that_names_the_label(run, monkeypatch, server):
    server.plan = lambda number, body: (
        Fault(answer="I'm sorry, but I can't help with that.") if "sport" in prompt_of(body) else answer(number, body)
    )
    context = run()
    with pytest.raises(TeacherError, match="no list of values for 1 of the questions: 'rationale' of 'sport': refused"):
        rationales.run(context)
    assert not context.folder.file("rationales.yml").exists()


def told(lists: dict[str, str]):
    """A plan of a server: the lists, by what the question is about."""
    return lambda number, body: Fault(answer=next(text for label, text in lists.items() if f"about {label}" in prompt_of(body)))


SHARED = {"sport": "1. a goal\n2. a warm day\n3. a race\n4. a coach", "cooking": "1. soup\n2. A warm day.\n3. bread\n4. salt"}


def written(context: Context) -> dict[str, list[str]]:
    return {label: [*texts] for label, texts in plain(load_yaml(context.folder.file("rationales.yml")))["rationale"].items()}


def test_a_reason_that_the_teacher_gives_for_two_labels_is_left_out_of_both(run, server, capsys):
    server.plan = told(SHARED)
    change(Path("configs/strategy.s3-seed.cfg"), "n = 20", "n = 4")
    context = run()
    rationales.run(context)
    assert written(context) == {"sport": ["a goal", "a race", "a coach"], "cooking": ["soup", "bread", "salt"]}
    said = capsys.readouterr().out
    assert "'a warm day' was given for sport and cooking and is left out." in said
    assert "Fewer values than the 4 asked for: 'rationale' of 'sport' 3, 'rationale' of 'cooking' 3." in said


def test_a_shared_reason_stays_where_a_row_would_lack_reasons_without_it(run, server, capsys):
    server.plan = told(SHARED | {"cooking": "1. soup\n2. A warm day.\n3. bread"})
    change(Path("configs/strategy.s3-seed.cfg"), "n = 20", "n = 4")
    context = run()
    rationales.run(context)
    assert written(context)["sport"] == ["a goal", "a warm day", "a race", "a coach"]
    assert "'a warm day' was given for sport and cooking and stays: one of them would have too few values" in capsys.readouterr().out


def test_where_most_reasons_of_a_label_are_another_labels_too_none_is_left_out(run, server, capsys):
    common = [f"{number}. a day like {word}" for number, word in enumerate(("rain", "snow", "fog", "sleet", "hail"), 1)]
    own = {"sport": ["6. a goal", "7. a race", "8. a coach"], "cooking": [f"{number}. dish {number}" for number in range(6, 13)]}
    server.plan = told({label: "\n".join([*common, *lines]) for label, lines in own.items()})
    change(Path("configs/strategy.s3-seed.cfg"), "n = 20", "n = 12")
    context = run()
    rationales.run(context)
    assert [len(texts) for texts in written(context).values()] == [8, 12]
    said = capsys.readouterr().out
    assert "More than half of the values of 'rationale' that were given for sport were given for other labels too" in said
    assert "set by_label = false in [plan.dimensions.rationale]" in said


def test_labels_may_share_a_reason_if_the_config_says_so(run, server, capsys):
    server.plan = told(SHARED)
    change(Path("configs/strategy.s3-seed.cfg"), "n = 20", "n = 4\nshared = true")
    context = run()
    rationales.run(context)
    rationales.run(context)
    assert written(context)["cooking"] == ["soup", "A warm day.", "bread", "salt"]
    assert "warm day" not in capsys.readouterr().out


def test_what_people_wrote_for_two_labels_is_told_and_stays(run, capsys):
    Path("mine.yml").write_text("rationale:\n  sport: [a goal, a race, a coach]\n  cooking: [soup, A race, salt]\n")
    path = Path("configs/strategy.s3-seed.cfg")
    change(path, "[plan]\n", '[plan]\nrationales = "mine.yml"\n')
    path.write_text(path.read_text() + '\n[plan.dimensions.place]\nvalues = {"sport": ["a hall", "a hill"], "cooking": ["a hall"]}\n')
    rationales.run(run(teacher="extractive"))
    said = capsys.readouterr().out
    assert "mine.yml: 'a race' stands there for sport and cooking." in said
    assert "[plan.dimensions.place] values: 'a hall' stands there for sport and cooking." in said
    assert "set shared = true in [plan.dimensions.place] if it is meant" in said
    assert "A race" in Path("mine.yml").read_text()


def test_other_strategies_have_nothing_to_ask(run, server):
    context = run("synthesizrr")
    assert not rationales.run(context)
    assert not server.asked
    assert context.folder.receipt("rationales")["counts"] == {"dimensions": {}, "values": ""}


def test_zerogen_shows_the_label_alone(run, server):
    context = run("zerogen")
    rationales.run(context)
    plan.run(context)
    synthesize.run(context)
    assert {*server.prompts} == {f"Write a text about {label}.\n\nAnswer:" for label in ("sport", "cooking")}
    assert len(rows(context, "synthesized.jsonl")) == 8


@pytest.mark.parametrize("strategy", ["zerogen", "s3-seed"])
def test_a_pair_task_keeps_the_fields_of_seeds_whatever_their_labels(run, server, strategy, capsys):
    context = run(strategy, task="pair")
    rationales.run(context)
    plan.run(context)
    assert ("Not used, because the task has fields that are not written: rationale" in capsys.readouterr().out) == (strategy == "s3-seed")
    synthesize.run(context)
    premises = {row["premise"]: row["label"] for row in map(json.loads, Path("pair/seeds.jsonl").read_text().splitlines())}
    made = rows(context, "synthesized.jsonl")
    assert len(made) == 8
    assert {row["fields"]["premise"] for row in made} <= {*premises}
    assert any(row["labels"] != [premises[row["fields"]["premise"]]] for row in made)
    assert all(prompt.startswith("Premise: ") and ASKS not in prompt for prompt in server.prompts)


def test_a_field_that_is_the_passage_comes_from_a_passage_drawn_at_random(run, server):
    change(Path("pair/task.yml"), "name: premise, header", "name: premise, from: passage, header")
    context = run("zerogen", task="pair")
    plan.run(context)
    synthesize.run(context)
    passages = {json.loads(line)["text"] for line in Path("pair/corpus.jsonl").read_text().splitlines()}
    made = rows(context, "synthesized.jsonl")
    assert len(made) == 8 and len({row["fields"]["premise"] for row in made}) == 8
    assert all(any(row["fields"]["premise"] in passage for passage in passages) for row in made)
    assert all(prompt.startswith("Background:\n") and "in the manner of the background" in prompt for prompt in server.prompts)


def test_extrapolation_is_planned_by_a_loop(run):
    Path("configs/strategy.more.cfg").write_text('[plan]\nmode = "extrapolate"\n')
    with pytest.raises(PlanError, match="a loop plans it"):
        plan.run(run("more"))


def test_the_command_tells_what_it_did(run):
    run()
    done = CliRunner().invoke(app, ["rationales", "--run", "s3"])
    assert done.exit_code == 0, done.output
    assert "Look at runs/s3/rationales.yml before you go on" in done.output
