"""The spacy-llm task: prompts from plans, candidates from answers, labels, examples, state."""

import pickle

import pytest
import spacy
from spacy.training import Example

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.errors import ConfigError, PlanError
from spacy_synthesizrr.prompts import Answer, Failure
from spacy_synthesizrr.tasks.registry import make_fewgen_task, make_refine_task

LABELS = {"sport": "about sport", "firms": {"verbalization": "about firms", "definition": "Trade."}}
NLP = spacy.blank("en")


def plan(label="sport", passage="It rained.", draw=0, **more):
    seed = Seed.make([label] if isinstance(label, str) else label, {"text": "seed"})
    candidate = Candidate.plan(task="t", strategy="s", seed=seed, passage_id="p" if passage else None, draw=draw)
    return {"candidate": candidate.to_dict(), "passage": passage, "verbalizations": [], "fields": {}, "shots": [], **more}


def doc_with(*planned, text="seed"):
    doc = NLP.make_doc(text)
    doc._.synthesizrr_planned = list(planned)
    return doc


def prompts_of(task, doc, **more):
    [(prompts, shards)] = list(task.generate_prompts([doc], **more))
    assert all(shard is doc for shard in shards)
    return prompts


def test_one_prompt_per_planned_candidate_in_plan_order():
    prompts = prompts_of(make_refine_task(LABELS), doc_with(plan(), plan("firms", draw=1), plan(draw=2)))
    assert [(prompt.label, prompt.draw) for prompt in prompts] == [("about sport", 0), ("about firms", 1), ("about sport", 2)]


def test_the_plans_words_go_before_the_tasks():
    [prompt] = prompts_of(make_refine_task(LABELS), doc_with(plan("firms", verbalizations=["on money"])))
    assert (prompt.label, prompt.fields["definition"]) == ("on money", "Trade.")


def test_the_plans_words_do_for_a_label_that_the_task_lacks():
    [prompt] = prompts_of(make_refine_task(), doc_with(plan(["a", "b"], verbalizations=["on a", "on b"])))
    assert prompt.label == "on a and on b"


def test_an_unknown_label_is_an_error_with_choices():
    with pytest.raises(ConfigError, match="no label 'sprot'.*Did you mean 'sport'"):
        prompts_of(make_refine_task(LABELS), doc_with(plan("sprot")))


def test_more_than_32_planned_candidates_are_refused():
    with pytest.raises(PlanError, match="33 planned candidates; the most is 32"):
        prompts_of(make_refine_task(LABELS), doc_with(*[plan(draw=draw) for draw in range(33)]))


def test_refining_nothing_is_refused():
    with pytest.raises(PlanError, match="has no passage"):
        prompts_of(make_refine_task(LABELS), doc_with(plan(passage="")))


def test_fewgen_shows_no_passage_even_when_the_plan_has_one():
    [prompt] = prompts_of(make_fewgen_task(LABELS), doc_with(plan(passage="It rained.")))
    assert prompt.passage == "" and "It rained." not in prompt


def test_zero_shot_leaves_the_plans_shots_out():
    [prompt] = prompts_of(make_refine_task(LABELS), doc_with(plan(shots=[{"document": "D", "text": "shown?"}])))
    assert "shown?" not in prompt


def test_fixed_examples_of_the_label_stand_in_for_missing_shots():
    task = make_refine_task(LABELS, examples=[{"label": "sport", "text": "won", "document": "match"}, {"label": "firms", "text": "sold"}])
    [prompt] = prompts_of(task, doc_with(plan()))
    assert "match" in prompt and "won" in prompt and "sold" not in prompt


def test_the_plans_shots_go_before_the_fixed_ones():
    task = make_refine_task(LABELS, mode="retricl", examples=[{"label": "sport", "text": "fixed"}])
    [prompt] = prompts_of(task, doc_with(plan(shots=[{"document": "D", "text": "planned"}])))
    assert "planned" in prompt and "fixed" not in prompt


def test_the_models_context_bounds_the_passage():
    passage = "It rained all day. " * 50
    [short] = prompts_of(make_refine_task(LABELS), doc_with(plan(passage=passage)), context_length=40)
    assert short.passage.split()[-1] == "day." and len(short.passage.split()) <= 20


def parse(task, doc, answers):
    return list(task.parse_responses([[doc]], [answers]))[0]._.synthesizrr


def test_answers_become_candidates_on_the_doc():
    task = make_refine_task(LABELS)
    rows = parse(task, doc_with(plan(), plan("firms", fields={"premise": "P"})), [Answer("A", request="r"), Failure("timeout")])
    first, second = map(Candidate.from_dict, rows)
    assert (first.status, first.fields["text"], first.request) == ("generated", "A", "r")
    assert (second.status, second.reason, dict(second.fields)) == ("failed", "timeout", {"premise": "P"})


def test_missing_answers_are_failures_and_surplus_ones_are_dropped():
    task = make_refine_task(LABELS)
    assert [row["status"] for row in parse(task, doc_with(plan(), plan(draw=1)), ["A"])] == ["generated", "failed"]
    assert len(parse(task, doc_with(plan()), ["A", "B"])) == 1


def test_no_list_of_answers_at_all_gives_a_doc_with_failures():
    doc = doc_with(plan(), plan(draw=1))
    [done] = make_refine_task(LABELS).parse_responses([[doc]], [])
    assert [row["events"][-1]["reason"] for row in done._.synthesizrr] == ["missing", "missing"]


def test_a_flat_string_is_one_answer_and_not_its_letters():
    rows = parse(make_refine_task(LABELS), doc_with(plan(), plan(draw=1)), "An answer.")
    assert [row.get("fields") for row in rows] == [{"text": "An answer."}, None]


def test_a_doc_without_a_plan_comes_out_empty():
    task, doc = make_refine_task(LABELS), NLP.make_doc("x")
    [(prompts, shards)] = task.generate_prompts([doc])
    assert (prompts, shards) == ([], [doc])
    assert parse(task, doc, []) == []


def test_the_prompt_template_names_every_parameter():
    base = make_refine_task(LABELS).prompt_template
    others = [
        make_refine_task({"sport": "on sport"}),
        make_refine_task(LABELS, max_words=7),
        make_refine_task(LABELS, mode="retricl"),
        make_refine_task(LABELS, examples=[{"label": "sport", "text": "x"}]),
        make_refine_task(LABELS, chat_turns=True),
        make_refine_task(LABELS, template="{{ passage }} {{ verbalization }}"),
        make_refine_task(LABELS, refusal_marker="NO"),
        make_fewgen_task(LABELS),
    ]
    assert len({base, *(task.prompt_template for task in others)}) == 9


def example(text, **cats):
    doc = NLP.make_doc(text)
    doc.cats = cats
    return Example(doc, doc)


def test_initialize_takes_labels_and_shots_from_examples():
    task = make_refine_task()
    task.initialize(lambda: [example("won", sport=1.0, firms=0.0), example("sold", sport=0.0, firms=1.0)], NLP, n_prompt_examples=1)
    assert task.labels == ("sport", "firms")
    [prompt] = prompts_of(task, doc_with(plan()))
    assert "Answer: won" in prompt


def test_initialize_with_minus_one_takes_all_examples():
    task = make_refine_task(LABELS)
    task.initialize(lambda: [example(text, sport=1.0) for text in ("won", "lost", "drew")], NLP, n_prompt_examples=-1)
    [prompt] = prompts_of(task, doc_with(plan()))
    assert all(text in prompt for text in ("won", "lost", "drew"))


def test_initialize_adds_the_labels_it_is_given_and_keeps_the_others():
    task = make_refine_task(LABELS)
    task.initialize(lambda: [example("x", other=1.0)], NLP, labels=["culture"])
    assert task.labels == ("sport", "firms", "culture")


def test_initialize_reads_nothing_when_nothing_is_wanted():
    def never():
        raise AssertionError("examples were read")

    make_refine_task(LABELS).initialize(never, NLP)


def test_labels_can_be_added_once_and_cleared():
    task = make_refine_task(LABELS)
    assert (task.add_label("new", "Something."), task.add_label("new")) == (1, 0)
    task.clear()
    assert task.labels == ()


@pytest.mark.parametrize(
    ("shot", "part"),
    [({"label": "sport"}, "without 'text'"), ({"text": "x"}, "without 'label'"), ({"label": "sprot", "text": "x"}, "Did you mean 'sport'")],
)
def test_examples_that_cannot_be_used_are_refused(shot, part):
    with pytest.raises(ConfigError, match=part):
        make_refine_task(LABELS, examples=[shot])


def learned():
    task = make_refine_task(LABELS)
    task.initialize(lambda: [example("won", sport=1.0)], NLP, labels=["culture"], n_prompt_examples=1)
    return task


def test_what_was_learned_survives_bytes():
    assert make_refine_task(LABELS).from_bytes(learned().to_bytes()).prompt_template == learned().prompt_template


def test_what_was_learned_survives_the_disk(tmp_path):
    learned().to_disk(tmp_path / "task")
    assert make_refine_task(LABELS).from_disk(tmp_path / "task").prompt_template == learned().prompt_template


def test_settings_are_not_restored_so_that_overrides_hold(tmp_path):
    make_refine_task(LABELS, max_words=9).to_disk(tmp_path / "task")
    other = {"sport": "on sport"}
    task = make_refine_task(other, max_words=5).from_disk(tmp_path / "task")
    assert task.prompt_template == make_refine_task(other, max_words=5).prompt_template


def test_a_task_survives_pickling():
    task = pickle.loads(pickle.dumps(learned()))
    assert task.prompt_template == learned().prompt_template
    assert prompts_of(task, doc_with(plan())) == prompts_of(learned(), doc_with(plan()))


def test_a_fixed_shot_serves_its_labels_in_any_order():
    task = make_refine_task(LABELS, examples=[{"labels": ["firms", "sport"], "text": "club sold"}])
    [prompt] = prompts_of(task, doc_with(plan(["sport", "firms"])))
    assert "club sold" in prompt


def test_a_field_from_the_passage_holds_what_the_teacher_saw():
    passage = "It rained all day. " * 50
    task = make_refine_task(LABELS, max_context=20)
    doc = doc_with(plan(passage=passage, fields={"premise": passage, "other": "o"}, from_passage=["premise"]))
    [prompt] = prompts_of(task, doc)
    [row] = parse(task, doc, ["A"])
    assert row["fields"] == {"premise": prompt.passage, "other": "o", "text": "A"}
    assert prompt.passage.endswith("day.") and len(prompt.passage) < len(passage) / 2


def test_refusals_are_known_in_the_language_of_the_pipeline():
    doc = spacy.blank("de").make_doc("x")
    doc._.synthesizrr_planned = [plan()]
    assert [row["status"] for row in parse(make_refine_task(LABELS), doc, ["Ich kann dabei nicht helfen."])] == ["rejected"]
    assert [row["status"] for row in parse(make_refine_task(LABELS, typical_refusals=False), doc, ["Ich kann dabei nicht helfen."])] == [
        "generated"
    ]
