"""`measure`: accepted rows beside controls, seeds and dev."""

import json
import shutil
from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError, RunFolderError
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.steps import measure, prepare

ROOT = Path(__file__).parents[2]


def row_set(name, rows):
    return measure.RowSet(name, lambda: iter(rows))


VARIED = [(("sport",), "Oslo wins the cup"), (("science",), "A comet passes Mars"), (("sport",), "Our keeper retires at forty")]
DULL = [(("sport",), "Oslo wins the cup")] * 6


def test_measures_stand_with_their_n():
    found = measure.measure([row_set("main", VARIED)], seed=0)["sets"]["main"]
    assert found["labels"] == {"n": 3, "labels": {"science": 1, "sport": 2}, "sets": {"science": 1, "sport": 2}}
    assert found["lengths"]["words"]["mean"] == pytest.approx(13 / 3)
    assert found["lengths"]["per_label"]["sport"]["words"]["mean"] == 4.5
    assert found["distinct_1"] == {"value": 1.0, "n": 3}
    assert found["compression_ratio"]["n"] == 3


def test_sets_are_compared_at_the_size_of_the_smallest():
    equal = measure.measure([row_set("main", VARIED), row_set("random", DULL)], seed=0)["equal"]
    assert equal["n"] == 3
    assert {name: about["distinct_1"] for name, about in equal["sets"].items()} == {
        "main": {"value": 1.0, "n": 3},
        "random": {"value": pytest.approx(1 / 3), "n": 3},
    }
    assert equal["sets"]["random"]["compression_ratio"]["value"] > equal["sets"]["main"]["compression_ratio"]["value"]


def test_set_without_rows_has_no_values_and_does_not_shrink_the_others():
    found = measure.measure([row_set("main", []), row_set("dev", VARIED)], seed=0)
    assert found["sets"]["main"]["distinct_1"] == {"value": None, "n": 0}
    assert found["equal"]["n"] == 3 and list(found["equal"]["sets"]) == ["dev"]
    assert "  main: no rows" in measure.summary(found)


def test_no_rows_at_all_are_measured_without_an_error():
    found = measure.measure([row_set("main", [])], seed=0)
    assert found["equal"] == {"n": 0, "seed": 0, "sets": {}}
    json.dumps(found, allow_nan=False)


def test_summary_is_one_line_per_set():
    lines = measure.summary(measure.measure([row_set("main", VARIED), row_set("dev", DULL)], seed=0))
    assert len(lines) == 3
    assert lines[1].startswith("  main: 3 rows of 4.3 words; distinct-1 1.000, distinct-2 1.000, distinct-3 1.000, compression ratio ")


def test_texts_without_three_words_have_no_distinct_3():
    found = measure.measure([row_set("main", [(("sport",), "two words")])], seed=0)
    assert "distinct-3 none" in measure.summary(found)[1]


@pytest.fixture
def ctx(tmp_path, monkeypatch):
    """A run of the pair task with accepted rows of its own and of one control."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    prepare.run(prepare.Choices(task=str(ROOT / "tests" / "fixtures" / "pair"), run="r"))
    made = Context.open(Path("runs/r"))
    seed = Seed.make(["entailment"], {"premise": "a", "hypothesis": "b"})
    for folder, text in (("", "The ferry is late"), ("controls/random", "Bees sleep")):
        fields = {"premise": "It rains.", "hypothesis": text}
        row = Candidate.plan(task="t", strategy="s", seed=seed, passage_id="p").after(Event("synthesize", ACCEPTED), fields=fields)
        write_jsonl(made.folder.path / folder / "accepted.jsonl", [row.to_dict()])
        write_jsonl(made.folder.path / folder / "synthesized.jsonl", [row.to_dict()])
    names = ["synthesized.jsonl", "controls/random/synthesized.jsonl"]
    run_step(made.folder, "synthesize", after=(), settings={}, outputs=names, body=dict)
    run_step(made.folder, "curate", after=(), settings={}, outputs=["accepted.jsonl"], body=dict)
    return made


def test_step_measures_the_generated_field_of_run_controls_seeds_and_dev(ctx, capsys):
    assert [measure.run(ctx), measure.run(ctx)] == [True, False]
    found = json.loads(ctx.folder.file("metrics.json").read_text())
    assert (found["v"], found["field"]) == (1, "hypothesis")
    assert list(found["sets"]) == ["main", "random", "seeds", "dev"]
    assert found["sets"]["main"]["lengths"]["words"]["mean"] == 4.0
    assert found["sets"]["seeds"]["labels"]["n"] == len((ROOT / "tests/fixtures/pair/seeds.jsonl").read_text().splitlines())
    assert found["equal"]["n"] == 1
    assert "random: 1 rows of 2.0 words" in capsys.readouterr().out


def exported(ctx, *gone):
    """As if `export` had left out rows with these ids."""
    leaks = [{"id": id, "what": arm, "reason": "equal", "score": 1.0, "gold": "dev:1"} for arm, id in gone]
    write_jsonl(ctx.folder.file("gate.jsonl"), leaks)
    run_step(ctx.folder, "export", after=("curate",), settings={"gone": leaks}, outputs=["gate.jsonl"], body=dict)


def test_rows_that_export_leaves_out_are_not_measured(ctx, capsys):
    measure.run(ctx)
    before = json.loads(ctx.folder.file("metrics.json").read_text())
    assert before["rows"] == "accepted" and "Measures of all accepted rows" in capsys.readouterr().out
    own, *_ = read_jsonl(ctx.folder.path / "controls/random/accepted.jsonl", dict)
    exported(ctx, ("random", own["id"]))
    assert [measure.run(ctx), measure.run(ctx)] == [True, False]
    found = json.loads(ctx.folder.file("metrics.json").read_text())
    assert found["rows"] == "exported" and {name: found["sets"][name]["labels"]["n"] for name in ("main", "random")} == {
        "main": 1,
        "random": 0,
    }


def test_a_row_that_another_arm_gives_away_stays(ctx):
    own, *_ = read_jsonl(ctx.folder.path / "controls/random/accepted.jsonl", dict)
    exported(ctx, ("seed-only", own["id"]))
    measure.run(ctx)
    found = json.loads(ctx.folder.file("metrics.json").read_text())["sets"]
    assert {name: found[name]["labels"]["n"] for name in ("main", "random")} == {"main": 1, "random": 1}


def test_rows_are_measured_as_people_left_them(ctx, monkeypatch):
    def reviewed(of, sources):
        row, *_ = read_jsonl(of.folder.file("accepted.jsonl"), Candidate.from_dict)
        yield row.after(Event("review", ACCEPTED), labels=("neutral",), fields={**row.fields, "hypothesis": "The ferry is late today"})

    monkeypatch.setattr(measure, "main_rows", reviewed)
    exported(ctx)
    measure.run(ctx)
    found = json.loads(ctx.folder.file("metrics.json").read_text())["sets"]["main"]
    assert found["lengths"]["words"]["mean"] == 5.0 and found["labels"]["labels"] == {"neutral": 1}


def test_curate_has_to_run_first(ctx):
    ctx.folder.receipt_path("curate").unlink()
    with pytest.raises(RunFolderError, match="step 'curate'"):
        measure.run(ctx)


def test_step_says_what_could_not_be_measured(ctx, capsys):
    measure.run(ctx)
    found = json.loads(ctx.folder.file("metrics.json").read_text())
    assert "no index" in found["novelty"]["missing"]
    assert f"  novelty: {found['novelty']['missing']}" in capsys.readouterr().out.splitlines()


def test_sections_can_be_left_out_and_another_config_does_the_work_again(ctx):
    measure.run(ctx)
    config = Path("configs/measure.cfg")
    config.write_text(config.read_text().replace("leave_out = []", 'leave_out = ["self_bleu", "mauve"]'))
    prepare.run(prepare.Choices(task=str(ROOT / "tests" / "fixtures" / "pair"), run="r"))
    assert measure.run(Context.open(Path("runs/r")))
    found = json.loads(ctx.folder.file("metrics.json").read_text())
    assert "Left out" in found["mauve"]["missing"] and "self_bleu_5" not in found["equal"]["sets"]["main"]


def test_embedder_that_learns_from_a_corpus_is_refused(ctx):
    with Path("configs/measure.cfg").open("a") as file:
        file.write('\n[embedder]\n@misc = "synthesizrr.LsaEmbedder.v1"\n')
    prepare.run(prepare.Choices(task=str(ROOT / "tests" / "fixtures" / "pair"), run="r"))
    with pytest.raises(ConfigError, match=r"configs/measure.cfg: \[embedder\] lsa-v1.* has to learn from a corpus. Name a pretrained one"):
        measure.run(Context.open(Path("runs/r")))


def test_run_that_an_earlier_release_prepared_is_to_be_prepared_again(ctx):
    configs = {kind: about for kind, about in ctx.inputs["configs"].items() if kind != "measure"}
    with pytest.raises(RunFolderError, match="Run `prepare` again"):
        measure.run(Context(ctx.folder, {**ctx.inputs, "configs": configs}))


def test_small_sets_are_left_behind_where_larger_ones_are_compared():
    sets = [row_set("main", VARIED * 4), row_set("random", DULL * 2), row_set("seeds", VARIED)]
    groups = measure.measure(sets, seed=0)["groups"]
    assert [(group["n"], list(group["sets"])) for group in groups] == [(3, ["main", "random", "seeds"]), (12, ["main", "random"])]
    assert groups[1]["sets"]["random"]["self_bleu_3"] == {"value": pytest.approx(1.0), "n": 12}
    assert groups[1]["sets"]["random"]["words"] == {"value": 4.0, "n": 12}
