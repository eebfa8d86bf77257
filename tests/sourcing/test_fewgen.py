import pytest
from given_store import make_seed, make_task

from spacy_synthesizrr.candidates import Seed
from spacy_synthesizrr.errors import PlanError
from spacy_synthesizrr.sourcing.fewgen import FewGenPlan, plan_fewgen
from spacy_synthesizrr.sourcing.seeds import group_seeds
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.taskfile import TaskSpec

SEEDS = [make_seed("a", f"a {n}") for n in range(5)] + [make_seed("b", "b")]


def two_fields(origin: str) -> TaskSpec:
    fields = [{"name": "premise", "from": origin}, {"name": "text", "generated": True}]
    return TaskSpec.model_validate({**make_task("a", "b").model_dump(), "fields": fields, "seeds": {"path": "seeds.jsonl"}})


def make(task: TaskSpec, seeds=SEEDS, *, per_label=4, **more) -> FewGenPlan:
    chosen = PlanSettings.model_validate({"mode": "fewgen", **more})
    grouped = group_seeds(seeds, task=task, settings=chosen, seed=0)
    return plan_fewgen(grouped, task=task, settings=chosen, per_label=per_label, seed=0)


def test_rows_have_no_passage_and_shots_of_their_label():
    labels = {seed.id: seed.labels for seed in SEEDS}
    rows = list(make(make_task("a", "b"), shots=3).candidates())
    assert [row.key for row in rows[:4]] == ["a", "b", "a", "b"]
    assert len(rows) == 16 and sum(not row.reserve for row in rows) == 8
    for row in rows:
        assert row.passage_id is None
        assert len(row.shots) == (3 if row.key == "a" else 1)
        assert all(labels[shot.seed_id] == row.labels and shot.passage_id is None for shot in row.shots)


def test_equal_prompts_have_draws_of_their_own():
    rows = [row for row in make(make_task("a", "b"), shots=0, per_label=50).candidates() if row.key == "b"]
    assert len({row.id for row in rows}) == 100
    assert [row.draw for row in rows] == list(range(100))


def test_larger_plan_begins_with_the_smaller_one():
    small, large = ([row.id for row in make(make_task("a", "b"), per_label=n).candidates() if row.key == "a"] for n in (2, 6))
    assert large[: len(small)] == small


def test_seed_that_lends_its_fields_is_not_among_the_shots():
    seeds = [Seed.make((label,), {"premise": f"premise {n}", "text": f"text {n}"}) for label in "ab" for n in range(4)]
    rows = list(make(two_fields("seed"), seeds, shots=4).candidates())
    assert all(row.seed_id not in {shot.seed_id for shot in row.shots} and len(row.shots) == 3 for row in rows)


def test_task_whose_field_is_the_passage_is_refused():
    with pytest.raises(PlanError, match="field premise comes from the passage"):
        make(two_fields("passage"))
