import random
from collections import Counter

import pytest
from given_store import make_seed, make_task
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spacy_synthesizrr.candidates import Seed
from spacy_synthesizrr.dimensions import ALL, Dimension, shared_values, without_shared
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.sourcing.s3_seed import S3SeedPlan, filled_dimensions, plan_s3_seed
from spacy_synthesizrr.sourcing.seeds import group_seeds
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.taskfile import TaskSpec

SEEDS = [make_seed("a", f"a {n}") for n in range(3)] + [make_seed("b", "b")]
REASONS = Dimension("rationale", "Reasons", 3, {label: tuple(f"{label} {n}" for n in range(20)) for label in "ab"})
STYLE = Dimension("style", "Style", 1, {ALL: ("dry", "excited")})


def make(seeds=SEEDS, *, task: TaskSpec | None = None, per_label=4, dimensions=(REASONS, STYLE), mode="s3-seed") -> S3SeedPlan:
    task, settings = task or make_task("a", "b"), PlanSettings(mode=mode)
    grouped = group_seeds(seeds, task=task, settings=settings, seed=0)
    return plan_s3_seed(grouped, None, task=task, settings=settings, dimensions=dimensions, per_label=per_label, seed=0)


def texts_of(plan: S3SeedPlan) -> dict[str, tuple[str, str]]:
    return {value.id: (value.label, value.text) for one in plan.dimensions for value in one.values()}


def test_labels_take_turns_and_rows_get_values_of_their_own_label():
    plan = make()
    rows, known = list(plan.candidates()), texts_of(plan)
    assert [row.key for row in rows] == ["a", "b"] * 8
    assert Counter(row.reserve for row in rows) == {False: 8, True: 8}
    for row in rows:
        *reasons, style = (known[name] for name in row.rationales)
        assert [label for label, _ in reasons] == [row.key] * 3 and len({*reasons}) == 3
        assert style[0] == ALL


def test_no_row_is_tied_to_a_seed_that_it_was_not_written_from():
    assert {row.seed_id for row in make().candidates()} == {make_task("a", "b").description(label).id for label in "ab"}


def test_rows_without_values_have_draws_of_their_own():
    rows = [row for row in make(dimensions=(), mode="zerogen", per_label=50).candidates() if row.key == "b"]
    assert len({row.id for row in rows}) == 100
    assert [row.draw for row in rows] == list(range(100))


def test_a_larger_plan_begins_with_the_rows_of_a_smaller_one():
    small, large = ([row.id for row in make(per_label=number).candidates()] for number in (2, 6))
    assert large[: len(small)] == small


def pairs() -> TaskSpec:
    fields = [{"name": "premise"}, {"name": "text", "generated": True}]
    return TaskSpec.model_validate({**make_task("a", "b").model_dump(), "fields": fields, "seeds": {"path": "seeds.jsonl"}})


def test_each_seed_lends_its_fields_to_every_label_before_any_lends_them_again():
    seeds = [Seed.make((label,), {"premise": f"p {label} {n}", "text": f"t {label} {n}"}) for label in "ab" for n in range(3)]
    rows = list(make(seeds, task=pairs(), per_label=6).candidates())
    for label in "ab":
        lent = [row.seed_id for row in rows if row.key == label]
        assert {*lent[:6]} == {*lent[6:]} == {seed.id for seed in seeds}


@given(st.integers(1, 5), st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True), st.integers())
def test_values_of_a_row_are_different_and_of_its_labels(per_row, labels, seed):
    dimension = Dimension("d", "D", per_row, {label: tuple(f"{label}{n}" for n in range(5)) for label in "abc"})
    drawn = dimension.draw(random.Random(seed), labels)
    assert len({value.id for value in drawn}) == per_row
    counts = Counter(value.label for value in drawn)
    assert {*counts} <= {*labels}
    assert max(counts.values()) - min(counts.get(label, 0) for label in labels) <= 1


def dimensions(task=None, **given):
    settings = PlanSettings.model_validate({"mode": "s3-seed", "dimensions": given})
    return filled_dimensions(settings, task or make_task("a", "b"), {"rationale": {ALL: ("x",)}})


def test_values_of_the_config_are_for_all_labels_or_for_each():
    found = dimensions(style={"values": ["dry", "excited"]}, place={"values": {"a": ["sea"], "b": ["hill"]}, "header": "Where"})
    assert [(one.name, one.header, dict(one.lists)) for one in found] == [
        ("style", "Style", {ALL: ("dry", "excited")}),
        ("place", "Where", {"a": ("sea",), "b": ("hill",)}),
    ]


def test_reasons_are_left_out_of_tasks_with_other_fields_unless_asked_for():
    style = {"values": ["dry"]}
    assert [one.name for one in dimensions(pairs(), rationale={"n": 2}, style=style)] == ["style"]
    assert [one.name for one in dimensions(pairs(), rationale={"n": 2, "pairs": True}, style=style)] == ["rationale", "style"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"values": {"a": ["x"], "c": ["y"]}}, "'c', which is no label"),
        ({"values": {"a": ["x"]}}, "no list for the label 'b'"),
        ({"values": ["x", " X."]}, "hold a text twice"),
        ({"values": ["x"], "per_row": 2}, "every row takes per_row = 2"),
    ],
)
def test_wrong_values_of_the_config_are_named(given, words):
    with pytest.raises(ConfigError, match=words):
        dimensions(style=given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "either `values`, or a number"),
        ({"values": ["x"], "n": 3}, "either `values`, or a number"),
        ({"n": 2, "per_row": 3}, "n must be 3 or more"),
        ({"n": 2, "instruction": "Name {n}."}, "lacks {verbalization}"),
        ({"values": ["x"], "instruction": "Name {n}."}, "leave one of them out"),
        ({"values": ["x"], "draws": 2}, "`draws` says how often values are asked for"),
        ({"n": 2, "draws": 0}, "greater than or equal to 1"),
    ],
)
def test_a_dimension_without_sense_is_refused(given, words):
    with pytest.raises(ValidationError, match=words):
        dimensions(style=given)


def test_dimensions_need_the_mode_that_uses_them():
    with pytest.raises(ValidationError, match='needs mode = "s3-seed"'):
        PlanSettings.model_validate({"mode": "zerogen", "dimensions": {"style": {"values": ["dry"]}}})


WINS = {"a": ("a win", "a goal", "rain"), "b": ("A win.", "a deal", "Rain"), "c": ("a vote", "rain")}


def test_shared_values_are_named_with_their_labels():
    assert shared_values(WINS) == {"a win": ("a", "b"), "rain": ("a", "b", "c")}
    assert shared_values({ALL: ("dry", "excited")}) == {}


def test_shared_values_leave_all_their_labels():
    assert without_shared(WINS, least=1) == ({"a": ("a goal",), "b": ("a deal",), "c": ("a vote",)}, ["a win", "rain"])


def test_a_shared_value_that_a_label_needs_stays_with_all_of_them():
    assert without_shared(WINS, least=2) == ({"a": ("a goal", "rain"), "b": ("a deal", "Rain"), "c": ("a vote", "rain")}, ["a win"])
    assert without_shared({"a": ("x",), "b": ("x", "y")}, least=1) == ({"a": ("x",), "b": ("x", "y")}, [])


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from("uvwxyz"), unique=True, min_size=1)), st.integers(1, 3))
def test_no_label_ends_with_fewer_values_than_a_row_takes_for_want_of_shared_ones(lists, least):
    found, gone = without_shared({label: tuple(texts) for label, texts in lists.items()}, least=least)
    assert found.keys() == lists.keys()
    for label, texts in lists.items():
        assert [text for text in texts if text not in gone] == list(found[label])
        assert len(found[label]) >= min(least, len(texts))
