"""The step `synthesize`: outages, arms, filters, and what tells one teacher's answers from another's."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from spacy_synthesizrr import synthesis
from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.models.scripted import make_scripted
from spacy_synthesizrr.steps import plan, prepare, preview, synthesize, teacher
from spacy_synthesizrr.stores.memory import MemoryStore
from spacy_synthesizrr.teachers import identity

TEXT = "A short note {label}, number {id}."
ROW = Candidate.plan(task="tiny", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")


def scripted(fail=None, template=TEXT, per_label=4) -> Context:
    """The run in the working directory with a teacher that answers as told."""
    lines = [
        "[teacher]",
        '@llm_models = "synthesizrr.Scripted.v1"',
        f"template = {json.dumps(template)}",
        f"fail = {json.dumps(fail or {})}",
    ]
    Path("configs/teacher.extractive.cfg").write_text("\n".join(lines) + "\n")
    curate = Path("configs/curate.cfg")  # a script says nearly the same again and again
    curate.write_text(curate.read_text().replace("same_label = false\nenabled = true", "same_label = false\nenabled = false"))
    prepare.run(prepare.Choices("tiny", "tiny", per_label=per_label))
    return Context.open("tiny")


def counts(ctx):
    return ctx.folder.receipt("synthesize")["counts"]


def rows(ctx, name):
    return [json.loads(line) for line in ctx.folder.file(name).read_text().splitlines()]


def test_an_outage_is_an_error_and_leaves_no_receipt(walked):
    ctx = scripted({"every": 1, "kind": "timeout"})
    with pytest.raises(
        TeacherError, match=r"All \d+ requests to the teacher failed \(timeout \d+\): the script says so\. .*Run the step again"
    ):
        synthesize.run(ctx)
    assert not ctx.folder.receipt_path("synthesize").exists()


def test_failures_that_another_try_cannot_mend_point_to_the_config(walked):
    with pytest.raises(TeacherError, match=r"\(truncated \d+\).*Look at the teacher's config"):
        synthesize.run(scripted({"every": 1, "kind": "truncated"}))


def test_a_label_short_by_failures_of_the_moment_is_unfinished_and_asked_again(walked, capsys):
    ctx = scripted({"containing": "about cooking", "kind": "rate_limited"})
    assert synthesize.run(ctx)
    failed = counts(ctx)["main"]["failed"]["rate_limited"]
    assert counts(ctx)["unfinished"] is True
    assert f"main: {failed} requests failed (rate_limited {failed}) and rows are missing; run again" in capsys.readouterr().out
    assert [row["labels"] for row in rows(ctx, "synthesized.jsonl")] == [["sport"]] * 4
    assert synthesize.run(ctx)


def test_a_label_short_for_good_is_finished(walked):
    ctx = scripted({"containing": "about cooking", "kind": "truncated"})
    assert synthesize.run(ctx)
    assert "unfinished" not in counts(ctx)
    assert not synthesize.run(ctx)


def test_failures_that_the_reserve_made_up_for_are_finished(walked):
    ctx = scripted({"every": 1, "times": 1, "kind": "timeout"})
    synthesize.run(ctx)
    assert (counts(ctx)["main"]["accepted"], counts(ctx)["main"]["failed"]) == ({"sport": 4, "cooking": 4}, {"timeout": 1})
    assert "unfinished" not in counts(ctx)


def test_a_wave_in_which_nobody_answered_spares_the_reserve(walked, monkeypatch):
    ctx = scripted({"containing": "about cooking", "kind": "rate_limited"}, per_label=2)
    synthesize.run(ctx)
    everything = counts(ctx)["main"]["failed"]["rate_limited"]
    monkeypatch.setattr(synthesis, "OUTAGE", 2)
    synthesize.run(ctx)
    assert counts(ctx)["main"]["failed"]["rate_limited"] == 4 < everything


def test_arms_are_those_of_the_plans_receipt(walked):
    ctx = scripted()
    synthesize.run(ctx)
    assert {"controls/random/synthesized.jsonl", "controls/fewgen/status.json"} < set(ctx.folder.receipt("synthesize")["outputs"])
    strategy = Path("configs/strategy.synthesizrr.cfg")
    strategy.write_text(re.sub(r"(?m)^arms = .*$", 'arms = ["seed-only"]', strategy.read_text()))
    ctx = scripted()
    assert plan.run(ctx) and synthesize.run(ctx)
    assert [arm.name for arm in teacher.arms(ctx)] == ["main"]
    assert sorted(ctx.folder.receipt("synthesize")["outputs"]) == ["generated.jsonl", "synthesized.jsonl", "turned_away.jsonl"]
    left = {path.name for path in ctx.folder.file("controls").rglob("*.json*")}
    assert not left & {"generated.jsonl", "synthesized.jsonl", "turned_away.jsonl", "status.json"}


def test_an_arm_that_is_not_run_vouches_for_its_status_alone(walked):
    ctx = Context.open("tiny")
    arm = synthesize.Arm("fewgen", ctx.folder.file("controls/fewgen"), "fewgen")
    arm.folder.mkdir(parents=True, exist_ok=True)
    (arm.folder / "synthesized.jsonl").write_text("left over")
    assert synthesize._not_run(arm) == {"not_run": "not run: this teacher only copies"}
    assert "synthesized.jsonl" not in [path.name for path in arm.folder.iterdir()]


def test_typical_refusals_are_the_filters_business(walked):
    ctx = scripted(template="I cannot write this text {label}, number {id}.")
    synthesize.run(ctx)
    assert {row["events"][-1]["reason"] for row in rows(ctx, "turned_away.jsonl")} == {"refused"}
    config = Path("configs/curate.cfg")
    config.write_text(config.read_text().replace("typical = true", "typical = false"))
    ctx = scripted(template="I cannot write this text {label}, number {id}.")
    synthesize.run(ctx)
    assert counts(ctx)["main"]["accepted"] == {"sport": 4, "cooking": 4}


def test_the_filters_know_the_gold_texts(walked):
    Path("tiny/dev.jsonl").write_text('{"text": "Gulls nest on the tower.", "label": "sport"}\n')
    Path("tiny/task.yml").write_text(Path("tiny/task.yml").read_text() + "dev: {path: dev.jsonl}\n")
    ctx = scripted()
    accept, _ = synthesize.row_filters(ctx, synthesize.Lookup(ctx.task, None, []), copies=False)
    judged = accept(replace(ROW, fields={"text": "Gulls nest on the tower!"}), "Gulls nest on the tower!", "")
    assert (judged.accepted, judged.reason) == (False, "gold_copy")


@pytest.mark.parametrize(("lang", "known"), [("en", True), ("de", True), ("fi", False)])
def test_a_language_whose_refusals_nobody_knows_is_said(walked, lang, known):
    ctx = Context.open("tiny")
    ctx = Context(ctx.folder, {**ctx.inputs, "settings": {**ctx.inputs["settings"], "lang": lang}})
    _, remarks = synthesize.row_filters(ctx, synthesize.Lookup(ctx.task, None, []), copies=False)
    assert ["'fi'" in line for line in remarks if "refuse in en, de" in line] == ([] if known else [True])


def test_the_store_is_closed_when_the_teacher_fails_and_after_a_preview(walked, monkeypatch):
    closed = []
    close = MemoryStore.close
    monkeypatch.setattr(MemoryStore, "close", lambda store: closed.append(1) or close(store))
    with pytest.raises(TeacherError):
        synthesize.run(scripted({"every": 1}))
    assert len(closed) == 1
    lines = preview.preview(Context.open("tiny"), per_label=1)
    assert "candidate" in next(lines)
    lines.close()
    assert len(closed) == 2


def test_what_tells_teachers_apart_is_config_identity_and_the_version_of_rules(monkeypatch):
    class Chat:
        def __init__(self, identity):
            self.identity = identity

    block, other = {"@llm_models": "x", "max_tokens": 5}, {"@llm_models": "x", "max_tokens": 6}
    found = {identity(block, Chat("a")), identity(block, Chat("b")), identity(other, Chat("a"))}
    found |= {identity(block, make_scripted())}
    monkeypatch.setattr("spacy_synthesizrr.teachers.versions", lambda: {"spacy-synthesizrr": "99"})
    assert identity(block, Chat("a")) in found
    assert identity(block, make_scripted()) not in found
    assert len(found) == 4


def test_plan_and_synthesize_agree_on_the_arms(walked):
    ctx = scripted()
    plan.run(ctx)
    assert [arm.name for arm in teacher.arms(ctx)] == ctx.folder.receipt("plan")["counts"]["arms"]
