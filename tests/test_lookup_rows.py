"""What a prompt needs of a planned row."""

import pytest
from given_store import make_task

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.dimensions import Value
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.taskfile import TaskSpec

TASK = make_task("a", "b", "c")
REASON = Value("r1", "rationale", "Reasons", "a goal", "a")


def planned(seed: Seed, *, task: TaskSpec = TASK, seeds=None, chosen=(REASON,), **more):
    candidate = Candidate.plan(task="t", strategy="s", seed=seed, passage_id=None, **more)
    return Lookup(task, None, [seed] if seeds is None else seeds, chosen).planned(candidate, {})


def test_an_error_brings_its_text_and_what_it_was_taken_for():
    error = Seed.make(["a"], {"text": "wrong"}, "error", ["b"])
    found = planned(error)
    assert (found["parent"], found["avoid"]) == ("wrong", [TASK.labels["b"].verbalization])


def test_labels_that_are_right_are_not_avoided():
    assert planned(Seed.make(["a", "b"], {"text": "x"}, "error", ["b", "c"]))["avoid"] == [TASK.labels["c"].verbalization]


def test_a_seed_is_no_parent():
    found = planned(Seed.make(["a"], {"text": "x"}))
    assert (found["parent"], found["avoid"], found["rationales"]) == ("", [], [])


def test_a_row_is_written_from_the_values_it_names():
    assert planned(Seed.make(["a"], {"text": "x"}), rationales=["r1"])["rationales"] == [
        {"dimension": "rationale", "header": "Reasons", "text": "a goal"}
    ]


def test_a_value_that_is_gone_is_named():
    with pytest.raises(RunFolderError, match="r2 is not among those of the plan any more"):
        planned(Seed.make(["a"], {"text": "x"}), rationales=["r2"])


def test_the_descriptions_of_label_sets_are_known_beside_the_seeds():
    gold = Seed.make(["a"], {"text": "x"})
    lookup = Lookup(TASK, None, [gold])
    assert lookup.seed(TASK.description(["a"]).id).origin == "description"
    assert [*lookup.seeds] == [gold.id]
    with pytest.raises(RunFolderError, match="not among the task's seeds"):
        lookup.seed(TASK.description(["b"]).id)


def test_an_error_of_a_task_whose_field_is_the_passage_keeps_its_own():
    fields = [{"name": "premise", "from": "passage"}, {"name": "text", "generated": True}]
    task = TaskSpec.model_validate({**TASK.model_dump(), "fields": fields, "seeds": {"path": "seeds.jsonl"}})
    found = planned(Seed.make(["a"], {"premise": "P", "text": "x"}, "error"), task=task)
    assert (found["fields"], found["from_passage"]) == ({"premise": "P"}, [])
