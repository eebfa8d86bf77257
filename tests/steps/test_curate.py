"""`curate`: the finished set is judged, every rejected row is kept with its reason, the funnel is counted."""

import json
import shutil
from pathlib import Path

import pytest
from spacy.util import registry

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, REJECTED, Candidate, Event
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.verdicts import ACCEPT, reject
from spacy_synthesizrr.errors import ConfigError, RunFolderError
from spacy_synthesizrr.jsonl import read_jsonl, write_json, write_jsonl
from spacy_synthesizrr.labelled import read_seeds
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.set_filters.running import SetBinder
from spacy_synthesizrr.steps import curate, index, prepare
from spacy_synthesizrr.stores.opening import open_store

ROOT = Path(__file__).parents[2]
ASKED = 2


@pytest.fixture
def ctx(tmp_path, monkeypatch):
    """A run of the pair task, prepared, with the shipped configs in its project folder, but without set filters."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    path = Path("configs/curate.cfg")
    head, _, rest = path.read_text().partition("[set_filters.labels]\n")
    path.write_text(head + rest.partition("\n\n")[2])
    return prepared()


def prepared():
    prepare.run(prepare.Choices(task=str(ROOT / "tests" / "fixtures" / "pair"), run="r", per_label=ASKED))
    return Context.open(Path("runs/r"))


def fill(ctx, rows, *, arm="", passage_ids=None):
    """Write what `plan` and `synthesize` would: `rows` are label, text and end (status and reason) of each planned candidate."""
    folder = ctx.folder.path / arm
    seeds = {seed.labels[0]: seed for seed in read_seeds(ctx.task)}
    ids = passage_ids or [f"p{number}" for number in range(len(rows))]
    planned = [
        Candidate.plan(task=ctx.task.name, strategy="s", seed=seeds[label], passage_id=passage)
        for passage, (label, *_) in zip(ids, rows, strict=True)
    ]
    done = [
        row.after(Event("synthesize", *end), fields={"premise": "It rains.", "hypothesis": text})
        for row, (_, text, end) in zip(planned, rows, strict=True)
    ]
    write_jsonl(folder / "planned.jsonl", (row.to_dict() for row in planned))
    write_jsonl(folder / "synthesized.jsonl", (row.to_dict() for row in done if row.status == ACCEPTED))
    write_jsonl(folder / "turned_away.jsonl", (row.to_dict() for row in done if row.status != ACCEPTED))


def finish(ctx, *arms):
    """Leave the receipts of `plan` and `synthesize` for the main arm and others."""
    about = {"wanted": ASKED, "turned_away": {"leak": 3, "rank": 5}}
    write_json(ctx.folder.file("plan.json"), {"leaks": {"counts": {}}, "labels": {"entailment": about, "not_entailment": about}})
    folders = ["", *(f"controls/{arm}/" for arm in arms)]
    plan = [f"{folder}planned.jsonl" for folder in folders]
    both = [f"{folder}{name}" for folder in folders for name in ("synthesized.jsonl", "turned_away.jsonl")]
    run_step(ctx.folder, "plan", after=(), settings={}, outputs=["plan.json", *plan], body=dict)
    run_step(ctx.folder, "synthesize", after=("plan",), settings={}, outputs=both, body=dict)


ROWS = [
    ("entailment", "The street is wet.", (ACCEPTED,)),
    ("not_entailment", "The sun shines.", (ACCEPTED,)),
    ("entailment", "It rains.", (REJECTED, "near_copy", {"score": 1.0})),
    ("not_entailment", "Nobody is outside.", (ACCEPTED,)),
    ("entailment", "", (FAILED, "timeout")),
]


def read(ctx, name):
    return list(read_jsonl(ctx.folder.file(name), Candidate.from_dict))


def test_without_set_filters_accepted_rows_pass_as_they_are(ctx):
    fill(ctx, ROWS)
    finish(ctx)
    assert curate.run(ctx) is True
    assert read(ctx, "accepted.jsonl") == read(ctx, "synthesized.jsonl")
    assert [row.fields["hypothesis"] for row in read(ctx, "accepted.jsonl")] == [
        "The street is wet.",
        "The sun shines.",
        "Nobody is outside.",
    ]


def test_rejected_rows_keep_reason_and_score(ctx):
    fill(ctx, ROWS)
    finish(ctx)
    curate.run(ctx)
    rejected = read(ctx, "rejected.jsonl")
    assert [(row.status, row.reason) for row in rejected] == [(REJECTED, "near_copy"), (FAILED, "timeout")]
    assert rejected[0].events[-1].detail == {"score": 1.0}


def test_funnel_explains_the_shortfall_and_is_printed(ctx, capsys):
    fill(ctx, ROWS)
    finish(ctx)
    curate.run(ctx)
    found = json.loads(ctx.folder.file("funnel.json").read_text())
    assert found["labels"]["not_entailment"] | {"accepted": 2, "short": 0} == found["labels"]["not_entailment"]
    sentence = "'entailment': asked 2, got 1, short by 1: 3 planned, 1 failed (timeout 1), 1 rejected (near_copy 1)."
    assert found["shortfalls"][0].startswith(sentence)
    assert sentence in capsys.readouterr().out
    assert found["labels"]["entailment"]["passed_over"] == {"leak": 3}


def test_zero_survivors_end_without_an_error_and_are_reported(ctx, capsys):
    fill(ctx, [("entailment", "", (FAILED, "timeout")), ("not_entailment", "x", (REJECTED, "too_short"))])
    finish(ctx)
    curate.run(ctx)
    assert read(ctx, "accepted.jsonl") == []
    out = capsys.readouterr().out
    assert "'entailment': asked 2, got 0" in out and "'not_entailment': asked 2, got 0" in out


def test_controls_are_curated_too(ctx, capsys):
    fill(ctx, ROWS)
    fill(ctx, ROWS[:2], arm="controls/random")
    finish(ctx, "random")
    curate.run(ctx)
    assert len(read(ctx, "controls/random/accepted.jsonl")) == 2
    assert ctx.folder.file("controls/random/rejected.jsonl").read_text() == ""
    assert json.loads(ctx.folder.file("controls/random/funnel.json").read_text())["total"]["short"] == 2
    assert "Control 'random': 2 of 4 rows, short by 2." in capsys.readouterr().out


def test_arm_that_synthesize_did_not_write_is_left_alone(ctx):
    fill(ctx, ROWS)
    fill(ctx, ROWS[:2], arm="controls/random")
    finish(ctx)
    curate.run(ctx)
    assert not ctx.folder.file("controls/random/accepted.jsonl").exists()


def test_running_again_does_nothing(ctx):
    fill(ctx, ROWS)
    finish(ctx)
    assert [curate.run(ctx), curate.run(ctx)] == [True, False]


def test_synthesize_has_to_run_first(ctx):
    with pytest.raises(RunFolderError, match="step 'synthesize'"):
        curate.run(ctx)


def rains(inputs):
    """Takes away the rows whose passage speaks of rain; looks the passages up."""

    def judge(rows):
        for row in rows:
            passage = inputs.lookup.passages([row])[row.passage_id].text
            yield reject("wet", passage.count("rain")) if "rain" in passage else ACCEPT

    return judge


def add_set_filter(name):
    registry.misc.register("test.Rains.v1", func=lambda: SetBinder(rains))
    path = Path("configs/curate.cfg")
    path.write_text(path.read_text() + f'\n[set_filters.wet]\n@misc = "{name}"\n')


def test_set_filter_takes_rows_away_with_reason_and_score(ctx):
    corpus = Path("wet.jsonl")
    texts = ["Much rain and more rain fell on the small town in the hills for the whole of a long week " * 2, "The sun shone " * 12]
    corpus.write_text("".join(json.dumps({"text": text.strip() + "."}) + "\n" for text in texts))
    task = Path("task.yml")
    task.write_text((ROOT / "tests/fixtures/pair/task.yml").read_text().replace("path: corpus.jsonl", "path: wet.jsonl"))
    for kind in ("seeds", "dev", "test"):
        shutil.copy(ROOT / "tests/fixtures/pair" / f"{kind}.jsonl", f"{kind}.jsonl")
    add_set_filter("test.Rains.v1")
    prepare.run(prepare.Choices(task="task.yml", run="wet", per_label=ASKED))
    ctx = Context.open(Path("runs/wet"))
    index.run(ctx)
    store = open_store(ctx)
    ids = [passage.id for passage, _ in store.iterate()]
    store.close()
    fill(ctx, ROWS[:2], passage_ids=ids)
    finish(ctx)
    curate.run(ctx)
    (taken,) = read(ctx, "rejected.jsonl")
    assert taken.events[-1] == Event("curate", REJECTED, "wet", {"filter": "wet", "score": 4})
    assert [row.fields["hypothesis"] for row in read(ctx, "accepted.jsonl")] == ["The sun shines."]
    assert json.loads(ctx.folder.file("funnel.json").read_text())["labels"]["entailment"]["rejected"] == {"curate": {"wet": 1}}
    assert json.loads(ctx.folder.file("curation.json").read_text())["arms"] == {
        "main": {"filters": {"wet": {"kind": "test.Rains.v1"}}, "off": []}
    }


def test_unknown_set_filter_is_a_config_error(ctx):
    add_set_filter("test.Nothing.v1")
    with pytest.raises(ConfigError, match=r"configs/curate.cfg: \[set_filters.*test.Nothing.v1"):
        prepared()


def test_funnel_tells_the_leaks_that_the_plan_turned_away(demo):
    assert set(demo.json("news_demo", "funnel.json")["leaks"]) >= {"seeds", "passages"}
