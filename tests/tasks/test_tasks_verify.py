"""The blind judge: what it is shown, how its answers are read, and how often it is asked."""

import pickle

import pytest
import spacy
from confection import Config
from conftest import FIXTURES
from hypothesis import given
from hypothesis import strategies as st
from spacy_llm.registry import registry

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.prompts import Answer, Failure
from spacy_synthesizrr.taskfile import read_task
from spacy_synthesizrr.tasks.verify import make_verify_task, parse_vote, verify_config

LABELS = {"sport": {"verbalization": "about sport", "definition": "Games."}, "firms": "about firms", "science": "about science"}
NAMES = ("sport", "firms", "science")


def order_in(prompt):
    lines = prompt.splitlines()
    return [name for line in lines for name in NAMES if line.startswith(f"- {name}:")]


def test_prompts_show_text_and_definitions_and_ask_for_a_name():
    [prompt] = make_verify_task(LABELS, draws=1).prompts({"text": "It  rained.\nAll day."})
    assert "Text: It rained. All day." in prompt
    assert "- sport: Games." in prompt and "- firms: about firms" in prompt
    assert prompt.endswith("Label:")


def test_nothing_in_a_prompt_comes_from_a_candidate():
    """Whatever the Doc carries beside its fields, also for teachers that work by rule, prompts are the same."""
    task, nlp = make_verify_task(LABELS), spacy.blank("en")
    bare, full = nlp("It rained."), nlp("It rained.")
    full._.synthesizrr_planned = [{"candidate": {"labels": ["sport"], "id": "c"}, "verbalizations": ["about sport"]}]
    full.cats = {"sport": 1.0}
    [(first, _)], [(second, _)] = task.generate_prompts([bare]), task.generate_prompts([full])
    assert [(p, p.messages, p.label, p.key, p.id, p.passage, p.fields) for p in first] == [
        (p, p.messages, p.label, p.key, p.id, p.passage, p.fields) for p in second
    ]
    assert {(p.label, p.key, p.id) for p in first} == {("", "", "")}


def test_over_draws_each_label_stands_in_every_place_once():
    orders = [order_in(prompt) for prompt in make_verify_task(LABELS, draws=3).prompts({"text": "x"})]
    assert all(sorted(place) == sorted(NAMES) for place in zip(*orders, strict=True))


def test_the_first_order_follows_from_seed_and_text_alone():
    tasks = [make_verify_task(LABELS, seed=seed) for seed in (0, 0, 1)]
    first = [[order_in(task.prompts({"text": str(number)})[0]) for number in range(20)] for task in tasks]
    assert first[0] == first[1] != first[2]
    assert len({tuple(order) for order in first[0]}) > 2


def test_draws_are_numbered_so_that_stores_tell_them_apart():
    assert [prompt.draw for prompt in make_verify_task(LABELS, draws=4).prompts({"text": "x"})] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        ("sport", ["sport"]),
        (" Sport. ", ["sport"]),
        ("Label: sport", ["sport"]),
        ("**Label:** `sport`", ["sport"]),
        ('"**Sport.**"', ["sport"]),
        ("- sport", ["sport"]),
        ("sport\nBecause a match is played.", ["sport"]),
        ("<think>It may be firms.</think>\nsport", ["sport"]),
        ("sport\nsport", ["sport"]),
    ],
)
def test_a_name_of_a_label_is_a_vote(answer, labels):
    assert parse_vote(Answer(answer), NAMES, exclusive=True, header="Label:") == {"labels": labels}


@pytest.mark.parametrize(
    "answer",
    ["It is about sport", "sport or firms", "sport\nfirms", "Because.\nsport", "sports", "", "<think>sport", "none", "sport, firms"],
)
def test_anything_else_is_no_vote(answer):
    assert "failed" in parse_vote(Answer(answer), NAMES, exclusive=True, header="Label:")


@pytest.mark.parametrize(
    ("answer", "label"),
    [("U.S.", "U.S."), ("Label: **U.S.**", "U.S."), ("- u.s..", "U.S."), ("_other", "_other"), ("**_other**", "_other"), ("*", "*"),
     ('"quoted"', '"quoted"'), ("us", "us"), ("US.", "US"), ("World.", "World"), ("`*`", "*")],
)  # fmt: skip
def test_labels_may_end_with_a_stop_hold_marks_or_differ_by_case(answer, label):
    labels = ("U.S.", "_other", "*", '"quoted"', "US", "us", "World")
    assert parse_vote(Answer(answer), labels, exclusive=True, header="Label:") == {"labels": [label]}
    assert "failed" in parse_vote(Answer("Us"), labels, exclusive=True)


@pytest.mark.parametrize("exclusive", [True, False])
def test_an_answer_that_was_cut_off_is_no_vote(exclusive):
    assert parse_vote(Answer("sport\nfirms", finish="length"), NAMES, exclusive=exclusive)["failed"] == "truncated"


def test_a_failure_keeps_its_kind():
    assert parse_vote(Failure("budget", "used up"), NAMES, exclusive=True) == {"failed": "budget", "detail": "used up"}
    assert parse_vote(3, NAMES, exclusive=True)["failed"] == "malformed"


def test_several_labels_stand_one_a_line_or_none_fits():
    assert parse_vote("firms\n- sport", NAMES, exclusive=False) == {"labels": ["sport", "firms"]}
    assert parse_vote("None.", NAMES, exclusive=False) == {"labels": []}
    assert "failed" in parse_vote("firms\nand so on", NAMES, exclusive=False)


@given(st.text(max_size=60), st.booleans())
def test_reading_never_raises_and_votes_only_for_labels(text, exclusive):
    vote = parse_vote(text, NAMES, exclusive=exclusive, header="Label:")
    assert ("failed" in vote) != ("labels" in vote)
    assert set(vote.get("labels", ())) <= set(NAMES)


def judge(answers, **settings):
    nlp = spacy.blank("en")
    task = {"@llm_tasks": "synthesizrr.Verify.v1", "labels": LABELS, **settings}
    nlp.add_pipe("llm_synthesizrr", config={"task": task, "model": {"@llm_models": "synthesizrr.Scripted.v1", "answers": answers}})
    return nlp


def test_agreement_over_draws_is_the_score_and_answers_that_name_no_label_do_not_count():
    doc = judge(["sport", "I think firms", "firms", "sport"], draws=4)("A match.")
    assert doc.cats == {"sport": pytest.approx(2 / 3), "firms": pytest.approx(1 / 3), "science": 0.0}
    assert doc._.synthesizrr_votes[1]["failed"] == "malformed"


def test_without_a_vote_a_doc_gets_no_scores():
    assert judge(["no idea"])("A match.").cats == {}


def test_a_task_files_section_survives_the_text_of_a_config():
    spec = read_task(FIXTURES / "pair")
    read = Config().from_str(Config({"task": {**verify_config(spec), "draws": 2}}).to_str())
    task = registry.resolve(read)["task"]
    assert task.labels == tuple(spec.labels)
    [first, _] = task.prompts({"premise": "It rains.", "hypothesis": "It is wet."})
    assert first.index("It rains.") < first.index("It is wet.")


def test_a_task_survives_pickling():
    task = make_verify_task(LABELS)
    assert pickle.loads(pickle.dumps(task)).prompts({"text": "x"}) == task.prompts({"text": "x"})


@pytest.mark.parametrize(
    ("settings", "message"), [({"draws": 0}, "draws = 0"), ({"draws": 33}, "from 1 to 32"), ({"labels": ["one"]}, "at least two")]
)
def test_wrong_settings_are_config_errors(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_verify_task(**{"labels": LABELS, **settings})
