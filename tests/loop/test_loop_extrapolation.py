"""What a round asks for: other texts like the parents, or the passages nearest to them."""

from __future__ import annotations

from collections import Counter

import pytest
from error_rows import PAIR, make_task, row
from given_store import GivenStore, at_angles, passage
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Event, Seed
from spacy_synthesizrr.configs import section
from spacy_synthesizrr.curation.leaks import Gold
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.loop.extrapolation import ExtrapolateSettings, from_passages, from_text, unseen
from spacy_synthesizrr.loop.parents import Uses, row_parents
from spacy_synthesizrr.sourcing.settings import PlanSettings

TASK = make_task("a", "b", "c")
OPEN = {"window": {"low": 0.0, "high": 1.0}, "pair_window": {"low": 0.0, "high": 1.0}, "quotas": {"per_passage": 1, "per_document": 50}}


def parents(*rows):
    """Label and text of each."""
    return row_parents([row(line, *labels, text=text) for line, (labels, text) in enumerate(rows, 1)])


def passages_of(extrapolated):
    return [one.passage_id for one in extrapolated.candidates]


# --- with = "text" ---


def test_every_parent_is_asked_for_before_any_is_asked_again():
    made = from_text(parents("a1", "b2"), task=TASK, per_error=2, uses=Uses(), round_number=3).candidates
    first, second = (Seed.make((label,), {"text": text}, "error").id for label, text in ("a1", "b2"))
    assert [(one.seed_id, one.draw) for one in made] == [(first, 0), (second, 0), (first, 1), (second, 1)]
    assert {(one.strategy, one.passage_id) for one in made} == {("extrapolate", None)}
    assert made[1].events == (Event("plan", "planned", detail={"round": 3, "parent": 2}),)


@given(st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=6), st.integers(1, 3)), max_size=4))
def test_draws_of_an_arm_never_repeat(rounds):
    """Parents may come back in later rounds, and several times in one."""
    pool, asked = parents("a0", "b1", "c2", "a3"), []
    for number, (chosen, per_error) in enumerate(rounds, 1):
        made = from_text([pool[i] for i in chosen], task=TASK, per_error=per_error, uses=Uses.of(asked), round_number=number)
        assert len(made.candidates) == len(chosen) * per_error
        asked += made.candidates
    assert len({one.id for one in asked}) == len(asked)
    for seed_id, count in Counter(one.seed_id for one in asked).items():
        assert sorted(one.draw for one in asked if one.seed_id == seed_id) == list(range(count))


def test_error_keeps_its_other_fields():
    fields = [{"name": "premise", "from": "passage"}, *PAIR[1:]]
    task = make_task("a", "b", fields=fields)
    parent = row_parents([row(1, "a", premise="It rained.", claim="It was wet.")])[0]
    made = from_text([parent], task=task, per_error=1, uses=Uses(), round_number=1).candidates[0]
    item = Lookup(task, GivenStore([], [], {"x": [1.0]}), [parent.seed]).planned(made, {})
    assert (item["fields"], item["from_passage"], item["parent"]) == ({"premise": "It rained."}, [], "It was wet.")


# --- with = "retrieval" ---


def store(angles, seeds, **documents):
    """Passages and seeds in a plane, each at an angle; seeds: text and angle."""
    vectors = dict(zip(seeds, at_angles(list(seeds.values())), strict=True))
    return GivenStore([passage(name, document=documents.get(name, "")) for name in angles], at_angles(list(angles.values())), vectors)


def retrieve(found, some, *, per_error=1, uses=Uses(), task=TASK, seeds=(), gold=Gold(), **settings):  # noqa: B008
    made = PlanSettings.model_validate({**OPEN, **settings})
    about = {"task": task, "settings": made, "per_error": per_error, "uses": uses, "round_number": 2, "seed": 0}
    return from_passages(some, found, seeds=seeds, gold=gold, **about)


@pytest.fixture
def around():
    return store({f"p{n:02}": 9.0 * n for n in range(11)}, {"one": 0.0, "two": 90.0})


def test_nearest_passages_of_the_parents_are_refined_towards_their_labels(around):
    made = retrieve(around, parents(("a", "one"), ("b", "two")), per_error=2)
    assert passages_of(made) == ["p00", "p10", "p01", "p09"]
    one = made.candidates[1]
    assert (one.labels, one.strategy, one.rank, one.draw) == (("b",), "zero-shot", 1, 0)
    assert one.similarity == pytest.approx(1.0) and one.events[0].detail == {"round": 2, "parent": 2}


def test_labels_without_an_error_are_no_matter(around):
    assert passages_of(retrieve(around, parents(("c", "one")))) == ["p00"]


def test_parents_take_turns_in_their_order(around):
    found = store({"p0": 0.0, "p1": 5.0, "p2": 10.0}, {"one": 0.0, "two": 1.0})
    for order in ((0, 1), (1, 0)):
        some = [parents(("a", "one"), ("a", "two"))[i] for i in order]
        made = retrieve(found, some, per_error=2).candidates
        assert [(one.events[0].detail["parent"] - 1, one.passage_id) for one in made] == [
            (order[0], "p0"), (order[1], "p1"), (order[0], "p2"),
        ]  # fmt: skip


def test_passages_of_earlier_rounds_are_not_used_again(around):
    some = parents(("a", "one"))
    first = retrieve(around, some, per_error=2)
    second = retrieve(around, some, per_error=2, uses=Uses.of(first.candidates))
    assert (passages_of(first), passages_of(second)) == (["p00", "p01"], ["p02", "p03"])
    assert second.turned_away["used_before"] == 2


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))
def test_rows_of_an_arm_never_repeat(rounds, per_error, per_passage):
    found = store({f"p{n:02}": 9.0 * n for n in range(11)}, {"one": 0.0, "two": 20.0, "three": 90.0})
    some, asked = parents(("a", "one"), ("a", "two"), ("b", "three")), []
    for _ in range(rounds):
        quotas = {"per_passage": per_passage, "per_document": 50}
        asked += retrieve(found, some, per_error=per_error, uses=Uses.of(asked), quotas=quotas).candidates
    assert len({one.id for one in asked}) == len(asked)
    prompts = Counter((one.labels, one.passage_id, one.draw) for one in asked)
    assert max(prompts.values()) == 1
    assert max(Counter(one.passage_id for one in asked).values()) <= per_passage


def test_same_text_under_another_id_counts_as_used():
    twins = [passage("p0", text="x " * 30), passage("p1", text="X  " * 30), passage("p2")]
    found = GivenStore(twins, at_angles([0, 1, 30]), {"one": at_angles([0])[0]})
    made = retrieve(found, parents(("a", "one")), uses=Uses(passages=frozenset({"p0"})))
    assert passages_of(made) == ["p2"]


def test_quotas_and_windows_of_the_strategy_hold(around):
    made = retrieve(around, parents(("a", "one")), per_error=4, window={"kind": "absolute", "low": 0.85, "high": 0.99})
    assert passages_of(made) == ["p01", "p02", "p03"]
    assert made.turned_away == {"above_window": 1, "below_window": 7}
    same = store({"p0": 0.0, "p1": 1.0, "p2": 2.0, "q": 3.0}, {"one": 0.0}, p0="d", p1="d", p2="d")
    assert passages_of(retrieve(same, parents(("a", "one")), per_error=4, quotas={"per_document": 2})) == ["p0", "p1", "q"]


def test_passage_that_gives_a_labelled_row_away_is_left_out(around):
    gold = Gold([around.passages[0].text], ["test:1"])
    made = retrieve(around, parents(("a", "one")), gold=gold, leaks={"similarity": None, "ngram": 25})
    assert passages_of(made) == ["p01"]
    assert [(leak.id, leak.gold) for leak in made.leaks] == [("p00", "test:1")]


def test_error_between_two_labels_still_has_passages(around):
    """The margin of the strategy would keep half of the passages at most."""
    found = store({"p0": 0.0, "p1": 40.0, "p2": 46.0, "p3": 90.0}, {"one": 45.0, "two": 44.0})
    made = retrieve(found, parents(("a", "one"), ("b", "two")), per_error=2, margin={"on": True, "keep": 0.25, "minimum": 0.5})
    assert len(made.candidates) == 4


def test_parents_without_a_passage_are_counted():
    found = store({"p0": 0.0}, {"one": 0.0, "two": 1.0})
    made = retrieve(found, parents(("a", "one"), ("b", "two")), per_error=2)
    assert (passages_of(made), made.without) == (["p0"], 1)


def test_nothing_is_asked_without_parents(around):
    assert retrieve(around, []).candidates == []


def test_empty_index_has_no_passages():
    found = GivenStore([], [], {"one": [1.0, 0.0]})
    assert retrieve(found, parents(("a", "one"))).without == 1


SEEDS = [Seed.make(("a",), {"text": "gold"}), Seed.make(("a",), {"text": "gold too"})]
PAIRED = {"mode": "retricl", "hits": 6, "ranks": (3, 6), "shots": 1}


def test_shots_are_seeds_of_the_run_with_passages_of_their_own():
    found = store({f"p{n}": 10.0 * n for n in range(10)}, {"one": 0.0, "gold": 80.0, "gold too": 90.0})
    made = retrieve(found, parents(("a", "one")), seeds=SEEDS, **PAIRED)
    assert passages_of(made) == ["p2"]
    shot = made.candidates[0].shots[0]
    assert shot.seed_id in {seed.id for seed in SEEDS} and shot.passage_id in {"p8", "p9", "p7"}


def test_where_seeds_are_descriptions_other_errors_are_shots():
    found = store({f"p{n}": 10.0 * n for n in range(10)}, {"one": 0.0, "two": 90.0})
    some = parents(("a", "one"), ("a", "two"))
    described = [Seed.make(("a",), {"text": "about a"}, "description")]
    made = retrieve(found, some, seeds=described, **PAIRED)
    assert [[shot.seed_id for shot in one.shots] for one in made.candidates] == [[some[1].seed.id], [some[0].seed.id]]


def test_other_fields_of_an_error_come_with_its_passage():
    task = make_task("a", "b", fields=PAIR)
    parent = row_parents([row(1, "a", premise="It rained.", claim="one")])[0]
    found = store({"p0": 0.0}, {"one": 0.0})
    made = retrieve(found, [parent], task=task).candidates[0]
    item = Lookup(task, found, [parent.seed]).planned(made, {"p0": found.passages[0]})
    assert (item["fields"], item["passage"]) == ({"premise": "It rained."}, found.passages[0].text)


def test_several_labels_are_one_set():
    task = make_task("a", "b", exclusive=False)
    found = store({"p0": 0.0, "p1": 5.0}, {"one": 0.0})
    made = retrieve(found, row_parents([row(1, "a", "b", text="one")]), task=task)
    assert made.candidates[0].labels == ("a", "b")


def test_strategy_without_passages_is_refused(around):
    with pytest.raises(
        ConfigError, match=r'with = "retrieval" refines passages, and the strategy\'s mode "fewgen" has none. Set with = "text"'
    ):
        retrieve(around, parents(("a", "one")), mode="fewgen")


# --- settings and what must stay unseen ---


def test_section_has_a_key_called_with():
    assert section({"extrapolate": {"with": "text", "per_error": 3}}, "extrapolate", ExtrapolateSettings).how == "text"
    with pytest.raises(ConfigError, match="'with' Input should be 'text' or 'retrieval'"):
        section({"extrapolate": {"with": "magic"}}, "extrapolate", ExtrapolateSettings)
    with pytest.raises(ConfigError, match="unknown key 'how'. Valid: 'with', 'per_error', 'neighbours', 'include_prediction'"):
        section({"extrapolate": {"how": "text"}}, "extrapolate", ExtrapolateSettings)


def test_dev_test_and_error_rows_must_stay_unseen(tmp_path):
    for name in ("dev", "test"):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"text": "a {name} row", "label": "a"}}\n', encoding="utf-8")
    task = make_task("a", "b", path=tmp_path / "task.yml", dev={"path": "dev.jsonl"}, test={"path": "test.jsonl"})
    gold = unseen(task, [row(9, "a", text="an error")])
    assert dict(zip(gold.places, gold.texts, strict=True)) == {"error:9": "an error", "dev:1": "a dev row", "test:1": "a test row"}
