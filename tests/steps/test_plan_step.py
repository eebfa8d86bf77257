import json
import shutil
from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError, PlanError
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.steps import index, plan, prepare
from spacy_synthesizrr.stores.opening import open_store

ROOT = Path(__file__).parents[2]
TASK = """
name: towns
labels:
  sport: {verbalization: about sport, definition: "Matches, teams, goals."}
  money: {verbalization: about money, definition: "Banks, loans, shops."}
prompt: {instruction: "Write a headline {verbalization}."}
corpus: {path: corpus.jsonl}
seeds: {path: seeds.jsonl}
test: {path: test.jsonl}
"""
SPORT = "The keeper saved a late penalty and the visitors won the cup match by one goal after extra time in round {} of the season."
MONEY = "The savings bank lowered the interest on loans so that small shops could borrow more money in month {} of the year."
TEST = "The harbour club will play its cup match against the visitors from the island on the last Sunday before the spring fair."
SEEDS = {
    "sport": ["The visitors won the match by a goal.", "A late penalty decided the cup.", "Keeper saves penalty in cup match."],
    "money": ["The bank lowered its interest.", "Small shops ask for loans.", "Loans for shops cost less money."],
}
STRATEGY = """
[plan]
mode = "zero-shot"
overgenerate = 1.5

[plan.window]
low = 0.0
high = 1.0

[plan.context]
min_tokens = 10
"""


def write_rows(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project folder as working directory with a small task."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", "1")
    shutil.copytree(ROOT / "configs", "configs")
    Path("configs/strategy.small.cfg").write_text(STRATEGY)
    Path("task").mkdir()
    Path("task/task.yml").write_text(TASK)
    texts = [text.format(number) for number in range(12) for text in (SPORT, MONEY)]
    write_rows(Path("task/corpus.jsonl"), [{"text": text} for text in texts])
    write_rows(Path("task/seeds.jsonl"), [{"text": text, "label": label} for label, own in SEEDS.items() for text in own])
    write_rows(Path("task/test.jsonl"), [{"text": TEST, "label": "sport"}, {"text": "Rents rise.", "label": "money"}])
    return tmp_path


def prepared(*, strategy="small", per_label=4, task="task", seed=0, run="one") -> Context:
    prepare.run(prepare.Choices(task=task, run=run, strategy=strategy, per_label=per_label, seed=seed))
    return Context.open(run)


def planned(**choices) -> Context:
    ctx = prepared(**choices)
    index.run(ctx)
    assert plan.run(ctx)
    return ctx


def rows(ctx: Context, name="planned.jsonl") -> list[Candidate]:
    return list(read_jsonl(ctx.folder.file(name), Candidate.from_dict))


def about(ctx: Context) -> dict:
    return json.loads(ctx.folder.file("plan.json").read_text())


def texts(ctx: Context, found: list[Candidate]) -> list[str]:
    store = open_store(ctx)
    return [passage.text for passage in store.get([row.passage_id for row in found])]


def test_plan_is_written_with_its_counts_and_controls(project, capsys):
    ctx = planned()
    found = rows(ctx)
    assert {key: n["planned"] for key, n in about(ctx)["labels"].items()} == {"money": 4, "sport": 4}
    assert all(("goal" in text) == (row.key == "sport") for row, text in zip(found, texts(ctx, found), strict=True))
    assert [len(rows(ctx, f"controls/{arm}/planned.jsonl")) for arm in ("random", "fewgen")] == [len(found)] * 2
    assert ctx.folder.receipt("plan")["counts"]["mode"] == "zero-shot"
    assert "wanted  planned  reserve  missing" in capsys.readouterr().out


def test_plan_is_not_made_twice(project):
    ctx = planned()
    assert not plan.run(ctx)


def test_equal_settings_give_equal_files_and_another_seed_another_draw(project):
    first, again, other = planned(run="one"), planned(run="two"), planned(run="three", seed=1)
    read = [ctx.folder.file("controls/random/planned.jsonl").read_bytes() for ctx in (first, again, other)]
    assert read[0] == read[1] != read[2]
    assert first.folder.file("planned.jsonl").read_bytes() == again.folder.file("planned.jsonl").read_bytes()


def test_gold_text_in_corpus_is_never_retrieved(project):
    corpus = Path("task/corpus.jsonl")
    write_rows(Path("planted.jsonl"), [{"text": TEST}, {"text": "We have heard that " + TEST[4:-1] + " if it is dry."}])
    corpus.write_text(Path("planted.jsonl").read_text() + corpus.read_text())
    ctx = planned(per_label=12)
    for name in ("planned.jsonl", "controls/random/planned.jsonl"):
        found = rows(ctx, name)
        assert found and not any("harbour club" in text for text in texts(ctx, found))
    leaks = [json.loads(line) for line in ctx.folder.file("leaks.jsonl").read_text().splitlines()]
    assert [(leak["what"], leak["reason"], leak["gold"]) for leak in sorted(leaks, key=lambda leak: leak["reason"])] == [
        ("passage", "equal", "test:1"),
        ("passage", "ngram", "test:1"),
    ]
    assert about(ctx)["leaks"]["counts"]["passages"] == {"equal": 1, "ngram": 1}
    assert about(ctx)["labels"]["sport"]["turned_away"]["leak"] > 0


def test_seed_that_equals_a_test_text_is_not_used(project, capsys):
    with Path("task/seeds.jsonl").open("a") as file:
        file.write(json.dumps({"text": TEST.upper(), "label": "sport"}) + "\n")
    Path("configs/strategy.small.cfg").write_text(STRATEGY.replace("zero-shot", "non-retricl"))
    ctx = planned(per_label=12)
    assert about(ctx)["labels"]["sport"]["seeds"] == 3
    assert about(ctx)["leaks"]["counts"]["seeds"] == {"equal": 1}
    assert "1 seeds share text with dev or test" in capsys.readouterr().out


def test_shortfall_is_said_before_anything_is_generated(project, capsys):
    ctx = planned(per_label=30)
    said = capsys.readouterr().out
    assert "Label 'sport': " in said and " of 30 rows planned" in said
    assert about(ctx)["labels"]["sport"]["missing"] > 0
    assert any(remark.startswith("Label 'sport'") for remark in about(ctx)["remarks"])


def test_label_without_any_row_stops_the_plan_and_leaves_no_file(project):
    window = '[plan.window]\nkind = "absolute"\nlow = 0.999\nhigh = 1.0\n'
    Path("configs/strategy.small.cfg").write_text('[plan]\nmode = "zero-shot"\n\n' + window)
    ctx = prepared()
    index.run(ctx)
    with pytest.raises(PlanError, match=r"No passage for label 'sport': 0 of \d+ hits .* window 1.00-1.00"):
        plan.run(ctx)
    assert not ctx.folder.file("planned.jsonl").exists()


def test_unknown_key_in_the_strategy_is_named(project):
    Path("configs/strategy.small.cfg").write_text("[plan]\nshot = 3\n")
    ctx = prepared()
    index.run(ctx)
    with pytest.raises(ConfigError, match=r"strategy.small.cfg: \[plan\] unknown key 'shot'. Did you mean 'shots'"):
        plan.run(ctx)


def test_paper_preset_says_that_another_embedder_is_not_the_papers_setting(project, capsys):
    planned(strategy="synthesizrr-paper", per_label=2)
    assert "This is not the paper's setting." in capsys.readouterr().out


@pytest.mark.parametrize("strategy", ["synthesizrr", "retricl", "non-retricl"])
def test_strategies_plan_rows_and_say_when_shots_are_few(project, strategy, capsys):
    ctx = planned(strategy=strategy, per_label=2)
    assert len({row.key for row in rows(ctx)}) == 2
    assert ("Fewer shots than the" in capsys.readouterr().out) == (strategy != "synthesizrr")


def test_fewgen_needs_no_hits_and_has_no_controls_of_its_own(project):
    ctx = planned(strategy="fewgen", per_label=3)
    found = rows(ctx)
    assert len(found) == 12 and all(row.passage_id is None for row in found)
    assert not ctx.folder.file("controls").exists()


def test_controls_that_are_switched_off_are_not_left_behind(project):
    ctx = planned()
    Path("configs/strategy.small.cfg").write_text(STRATEGY + '\n[plan.controls]\narms = ["random"]\n')
    ctx = prepared()
    assert plan.run(ctx)
    assert not ctx.folder.file("controls/fewgen/planned.jsonl").exists()
    assert ctx.folder.file("controls/random/planned.jsonl").exists()


def test_label_descriptions_are_the_queries_when_seeds_are_missing(project):
    Path("task/task.yml").write_text(TASK.replace("seeds: {path: seeds.jsonl}\n", ""))
    ctx = planned(strategy="small", per_label=2)
    found = rows(ctx)
    assert all(("goal" in text) == (row.key == "sport") for row, text in zip(found, texts(ctx, found), strict=True))
    assert all(row.shots == () for row in rows(ctx, "controls/fewgen/planned.jsonl"))


@pytest.mark.parametrize("task", ["multi", "pair", "de"])
def test_other_kinds_of_tasks_are_planned(project, task):
    shutil.copytree(ROOT / "tests" / "fixtures" / task, task)
    ctx = planned(task=task, per_label=2)
    assert {label for row in rows(ctx) for label in row.labels} == set(ctx.task.labels)


def test_calibrate_shows_what_a_plan_would_see(project):
    ctx = prepared()
    index.run(ctx)
    assert "[plan.window]" in plan.calibrate(ctx)
