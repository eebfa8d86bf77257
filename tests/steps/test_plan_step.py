import json
import shutil
from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import Candidate, Seed
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


def used_seeds(ctx: Context) -> list[Seed]:
    return list(read_jsonl(ctx.folder.file("seeds.jsonl"), Seed.from_dict))


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
    assert TEST.upper() not in [seed.fields["text"] for seed in used_seeds(ctx)]
    assert "1 seeds share text with dev or test" in capsys.readouterr().out


def test_label_whose_seeds_all_equal_a_test_text_is_named(project):
    with Path("task/test.jsonl").open("a") as file:
        file.writelines(json.dumps({"text": text, "label": "money"}) + "\n" for text in SEEDS["money"])
    ctx = prepared()
    index.run(ctx)
    with pytest.raises(PlanError, match=r"All 3 seeds of the label 'money' equal a dev or test text"):
        plan.run(ctx)


def test_seeds_that_the_plan_uses_are_written(project, capsys):
    ctx = planned()
    found = used_seeds(ctx)
    assert {(seed.labels, seed.fields["text"]) for seed in found} == {((label,), text) for label, own in SEEDS.items() for text in own}
    assert {row.seed_id for row in rows(ctx)} <= {seed.id for seed in found}
    assert "seeds.jsonl" in ctx.folder.receipt("plan")["outputs"]
    assert "seeds_per_label" not in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["zero-shot", "fewgen"])
def test_only_the_seeds_that_were_drawn_are_written(project, mode, capsys):
    Path("configs/strategy.small.cfg").write_text(STRATEGY.replace('mode = "zero-shot"', f'mode = "{mode}"\nseeds_per_label = 2'))
    ctx = planned()
    found = used_seeds(ctx)
    assert [sum(seed.labels == (label,) for seed in found) for label in SEEDS] == [2, 2]
    assert {shot.seed_id for row in rows(ctx) for shot in row.shots} | {row.seed_id for row in rows(ctx)} <= {seed.id for seed in found}
    assert about(ctx)["seeds"] == {"used": 4, "left_out": 2}
    assert "2 seeds are not used, because seeds_per_label" in capsys.readouterr().out


def test_receipt_names_the_arms_that_have_a_plan(project):
    assert planned().folder.receipt("plan")["counts"]["arms"] == ["main", "random", "fewgen"]
    assert planned(strategy="fewgen", run="two").folder.receipt("plan")["counts"]["arms"] == ["main"]


def test_plans_of_controls_that_this_plan_did_not_make_are_removed(project):
    assert list(planned().folder.path.glob("controls/*/planned.jsonl"))
    Path("configs/strategy.small.cfg").write_text(STRATEGY.replace("zero-shot", "fewgen"))
    ctx = planned()
    assert not list(ctx.folder.path.glob("controls/*/planned.jsonl"))


def test_plan_tells_the_threshold_above_which_a_passage_was_a_leak(project):
    first = about(planned())
    assert first["leaks"]["threshold"] == max(0.9, first["windows"]["inputs"]["high"])
    Path("configs/strategy.small.cfg").write_text(STRATEGY + "\n[plan.leaks]\nsimilarity = 0.95\n")
    assert about(planned(run="two"))["leaks"]["threshold"] == 0.95
    Path("task/task.yml").write_text(TASK.replace("test: {path: test.jsonl}\n", ""))
    assert about(planned(run="three"))["leaks"]["threshold"] is None


def pair_task(origin: str) -> None:
    """Make the task one of pairs whose other field comes from the passage or the seed."""
    fields = f"fields: [{{name: premise, from: {origin}}}, {{name: text, generated: true}}]\n"
    Path("task/task.yml").write_text(TASK + fields)
    pairs = [{"premise": f"{label} came up. {text}", "text": text, "label": label} for label, own in SEEDS.items() for text in own]
    write_rows(Path("task/seeds.jsonl"), pairs)
    write_rows(Path("task/test.jsonl"), [{"premise": TEST, "text": "They will play.", "label": "sport"}])


def test_control_that_cannot_be_planned_is_explained(project, capsys):
    pair_task("passage")
    ctx = planned()
    why = "not run: the field 'premise' comes from the passage, and FewGen has none"
    assert about(ctx)["controls"]["fewgen"] == {"rows": 0, "why": why}
    assert f"The control 'fewgen' is {why}." in capsys.readouterr().out
    counts = ctx.folder.receipt("plan")["counts"]
    assert (counts["arms"], counts["not_planned"]) == (["main", "random"], {"fewgen": why})
    assert not ctx.folder.file("controls/fewgen/planned.jsonl").exists()


def test_every_field_of_a_pair_is_checked_and_a_row_is_equal_when_all_are(project):
    pair_task("seed")
    given = Path("task/seeds.jsonl").read_text()
    same = {"premise": TEST.upper(), "text": "they will play", "label": "sport"}
    write_rows(Path("more.jsonl"), [{**same, "text": "They will not play."}, same])
    Path("task/seeds.jsonl").write_text(given + Path("more.jsonl").read_text())
    ctx = planned()
    assert about(ctx)["leaks"]["counts"]["seeds"] == {"ngram": 1, "equal": 1}
    assert [seed.fields["text"] for seed in used_seeds(ctx) if seed.fields["premise"] == TEST.upper()] == ["They will not play."]


def test_store_is_closed_when_the_plan_fails(project, monkeypatch):
    ctx = prepared(per_label=2)
    index.run(ctx)
    closed = []
    store = open_store(ctx)
    monkeypatch.setattr(type(store), "close", lambda self: closed.append(self))
    monkeypatch.setattr(plan, "open_store", lambda ctx: store)
    monkeypatch.setattr(plan, "make_plan", lambda *args, **more: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plan.run(ctx)
    assert closed == [store]


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


def test_unknown_key_in_the_strategy_is_named_before_anything_is_done(project):
    Path("configs/strategy.small.cfg").write_text("[plan]\nshot = 3\n")
    with pytest.raises(ConfigError, match=r"strategy.small.cfg: \[plan\] unknown key 'shot'. Did you mean 'shots'"):
        prepared()


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
