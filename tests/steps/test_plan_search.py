"""The demo planned by each kind of search, through the steps."""

import json
import shutil
from collections import Counter
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from confection import Config
from conftest import ROOT

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.steps import index, plan, prepare
from spacy_synthesizrr.stores.base import Query, Search
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.stores.passages import hash_text

MODES = ["vector", "keyword", "hybrid"]
SOURCE = "Vale and Upland Tribune"


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """The demo with its index; some test texts are planted in the corpus."""
    path = tmp_path_factory.mktemp("demo") / "project"
    shutil.copytree(ROOT / "configs", path / "configs")
    shutil.copytree(ROOT / "assets", path / "assets")
    gold = [json.loads(line)["text"] for line in (path / "assets/news_demo/test.jsonl").read_text().splitlines()[:40]]
    leaks = [{"id": f"leak{n}", "source": "x", "title": "", "text": f"{text} {text} {text}"} for n, text in enumerate(gold)]
    with (path / "assets/news_demo/corpus.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in leaks)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.setenv("CI", "1")
        prepare.run(prepare.Choices(task="assets/news_demo", run="first", per_label=6))
        index.run(Context.open("first"))
    return path


@pytest.fixture
def demo(shared, monkeypatch) -> Path:
    monkeypatch.chdir(shared)
    monkeypatch.setenv("CI", "1")
    return shared


def planned(run: str, *, base: str = "synthesizrr", **values) -> Context:
    """Plan the demo by a strategy with other values in [plan] and its sections."""
    config = Config().from_disk(f"configs/strategy.{base}.cfg")
    config["plan"] = Config(config["plan"]).merge(values)
    config.to_disk(f"configs/strategy.{run}.cfg")
    prepare.run(prepare.Choices(task="assets/news_demo", run=run, strategy=run, per_label=6))
    ctx = Context.open(run)
    index.run(ctx)
    assert plan.run(ctx)
    return ctx


def rows(ctx: Context, name="planned.jsonl") -> list[Candidate]:
    return list(read_jsonl(ctx.folder.file(name), Candidate.from_dict))


def about(ctx: Context) -> dict:
    return json.loads(ctx.folder.file("plan.json").read_text())


def passages(ctx: Context, found: list[Candidate]) -> list:
    return open_store(ctx).get([row.passage_id for row in found])


@pytest.mark.parametrize("mode", MODES)
def test_each_search_plans_every_label_within_its_window_and_quotas(demo, mode):
    ctx = planned(f"all-{mode}", search=mode)
    found, window = rows(ctx), about(ctx)["windows"]["inputs"]
    assert {key: count["planned"] for key, count in about(ctx)["labels"].items()} == dict.fromkeys(
        ["politics", "business", "sport", "science"], 6
    )
    assert all(window["low"] - 1e-4 <= row.similarity <= window["high"] + 1e-4 for row in found)
    assert Counter(row.passage_id for row in found).most_common(1)[0][1] == 1
    assert all(row.margin is not None for row in found)
    assert len(rows(ctx, "controls/random/planned.jsonl")) == len(found)


def test_searches_find_different_passages_and_say_what_their_scores_are(demo):
    plans = {mode: planned(f"some-{mode}", search=mode) for mode in MODES}
    chosen = {mode: frozenset(row.passage_id for row in rows(ctx)) for mode, ctx in plans.items()}
    assert len(set(chosen.values())) == 3
    said = {mode: " ".join(about(ctx)["remarks"]) for mode, ctx in plans.items()}
    assert "no cosines" not in said["vector"]
    assert "keyword search: similarities are BM25 scores" in said["keyword"]
    assert "hybrid search: similarities are fused scores (alpha = 0.25)" in said["hybrid"]
    assert max(row.similarity for row in rows(plans["keyword"])) > 1
    assert max(row.similarity for row in rows(plans["hybrid"])) <= 1


@pytest.mark.parametrize(
    "how",
    [
        Search("keyword"),
        Search("hybrid", alpha=0.25, min_similarity=0.2),
        Search("hybrid", diversity=0.6, fetch=60),
        Search("vector", diversity=0.5, per_document=1),
    ],
    ids=str,
)
def test_rows_carry_rank_and_score_of_the_search(demo, how):
    retrieval = {name: value for name, value in asdict(how).items() if value is not None and name != "mode"}
    ctx = planned(f"ranks-{hash_text(str(how))}", search=how.mode, retrieval=retrieval)
    seeds = {json.loads(line)["id"]: json.loads(line) for line in ctx.folder.file("seeds.jsonl").read_text().splitlines()}
    for row in rows(ctx)[:5]:
        (hits,) = open_store(ctx).search([Query(seeds[row.seed_id]["fields"]["text"])], 50, how=how)
        assert hits[row.rank - 1].passage_id == row.passage_id
        assert hits[row.rank - 1].similarity == pytest.approx(row.similarity, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_test_text_in_the_corpus_is_never_planned(demo, mode):
    ctx = planned(f"leaky-{mode}", search=mode)
    everything = [*rows(ctx), *rows(ctx, "controls/random/planned.jsonl")]
    assert not [passage for passage in passages(ctx, everything) if passage.document.startswith("leak")]
    assert about(ctx)["leaks"]["counts"]["passages"]
    assert about(ctx)["leaks"]["threshold"] >= 0.9


def test_pairs_of_retricl_come_from_the_search_too(demo):
    ctx = planned("pairs-hybrid", base="retricl", search="hybrid")
    shown = {shot.passage_id for row in rows(ctx) for shot in row.shots}
    assert shown
    assert not shown & {row.passage_id for row in rows(ctx)}


def test_conditions_hold_for_rows_and_the_random_control(demo):
    where = [["source", "==", SOURCE], ["number", "<=", 2]]
    ctx = planned("where", search="keyword", overgenerate=1.0, retrieval={"where": where})
    found = [*rows(ctx), *rows(ctx, "controls/random/planned.jsonl")]
    assert found
    assert {(passage.source, passage.number <= 2) for passage in passages(ctx, found)} == {(SOURCE, True)}
    assert f"Only passages with source == '{SOURCE}' and number <= 2 are used." in about(ctx)["remarks"]


def test_a_threshold_and_a_quota_hold_before_the_window(demo):
    free = planned("free", search="hybrid")
    held = planned("held", search="hybrid", retrieval={"min_similarity": 0.4, "per_document": 1})
    assert sum(count["hits"] for count in about(held)["labels"].values()) < sum(count["hits"] for count in about(free)["labels"].values())
    assert about(held)["histogram"]["edges"][0] >= 0.4


def test_diverse_hits_resemble_each_other_less(demo):
    alike = []
    for balance in (None, 0.3):
        ctx = planned(f"diverse{balance}", search="vector", hits=10, ranks=[1, 10], retrieval={"diversity": balance} if balance else {})
        by_seed: dict[str, list[str]] = {}
        for row in rows(ctx):
            by_seed.setdefault(row.seed_id, []).append(row.passage_id)
        vectors = [open_store(ctx).vectors(names) for names in by_seed.values() if len(names) > 1]
        alike.append(np.mean([(v @ v.T)[np.triu_indices(len(v), 1)].mean() for v in vectors]))
    assert alike[1] < alike[0]


def test_an_absolute_window_is_refused_where_scores_have_no_fixed_scale(demo):
    Path("configs/strategy.absolute.cfg").write_text(
        '[plan]\nsearch = "keyword"\n[plan.window]\nkind = "absolute"\nlow = 0.2\nhigh = 0.8\n'
    )
    prepare.run(prepare.Choices(task="assets/news_demo", run="absolute", strategy="absolute", per_label=6))
    index.run(Context.open("absolute"))
    with pytest.raises(ConfigError, match=r'search = "keyword" has scores without a fixed scale; set \[plan.window\] kind = "quantile"'):
        plan.run(Context.open("absolute"))


def test_calibration_shows_scores_and_proposes_no_cosines(demo):
    text = plan.calibrate(planned("calibrated", search="keyword"))
    assert "similarities are BM25 scores" in text
    assert "Absolute windows" not in text


def test_equal_settings_give_equal_plans(demo):
    written = [planned(f"again{n}", search="hybrid", retrieval={"diversity": 0.6, "per_document": 2}) for n in (1, 2)]
    assert written[0].folder.file("planned.jsonl").read_bytes() == written[1].folder.file("planned.jsonl").read_bytes()
    scores = [row.similarity for row in rows(written[0])]
    assert not all(one >= other for one, other in pairwise(scores))
