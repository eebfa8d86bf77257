from collections import Counter

import numpy as np
from given_store import GivenStore, at_angles, make_seed, make_task, passage

from spacy_synthesizrr.sourcing.plan import plan
from spacy_synthesizrr.sourcing.randomly import RandomPlan, draw_passages, store_ids
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.stores.base import Condition, Filter

A, A2, B = make_seed("a", "seed of a"), make_seed("a", "another seed of a"), make_seed("b", "seed of b")
SEEDS = dict(zip(("seed of a", "another seed of a", "seed of b"), at_angles([0, 4, 90]), strict=True))
OPEN = {"window": {"low": 0, "high": 1}, "pair_window": {"low": 0, "high": 1}, "margin": {"on": False}}


def store(passages):
    return GivenStore(passages, at_angles(np.linspace(0, 180, len(passages))), SEEDS)


def make(found, *, seed=0, per_label=3, **more):
    chosen = PlanSettings.model_validate({**OPEN, "ranks": (3, 12), **more})
    return plan([A, A2, B], found, task=make_task("a", "b"), settings=chosen, per_label=per_label, seed=seed)


def test_random_passages_take_the_place_of_retrieved_ones_and_nothing_else_changes():
    found = store([passage(f"p{n}") for n in range(60)])
    made = make(found, mode="retricl", shots=1)
    main, other = list(made.candidates()), list(RandomPlan(made, draw_passages(made, found)).candidates())
    assert [(r.seed_id, r.shots, r.reserve, r.labels) for r in main] == [(r.seed_id, r.shots, r.reserve, r.labels) for r in other]
    assert [r.passage_id for r in main] != [r.passage_id for r in other]
    assert {r.id for r in main}.isdisjoint(r.id for r in other)
    assert all(r.rank is r.similarity is r.margin is None for r in other)


def test_pairs_are_no_random_inputs_either():
    found = store([passage(f"p{n}") for n in range(20)])
    made = make(found, mode="retricl", per_label=10)
    rows = list(RandomPlan(made, draw_passages(made, found)).candidates())
    assert {r.passage_id for r in rows}.isdisjoint(shot.passage_id for r in rows for shot in r.shots)


def test_draw_depends_on_the_seed_alone():
    found = store([passage(f"p{n}") for n in range(60)])
    assert draw_passages(make(found), found).tolist() == draw_passages(make(found), found).tolist()
    assert draw_passages(make(found), found).tolist() != draw_passages(make(found, seed=1), found).tolist()


def test_short_passages_and_full_documents_are_drawn_no_more():
    passages = [passage(f"p{n}", document=f"d{n % 3}") for n in range(30)] + [passage(f"q{n}", text=f"short {n}") for n in range(30)]
    found = store(passages)
    made = make(found, quotas={"per_document": 2}, ranks=(1, 50))
    drawn = [name.decode() for name in draw_passages(made, found)]
    assert len(drawn) == len(made) == 6
    assert set(Counter(int(name[1:]) % 3 for name in drawn).values()) == {2}
    assert all(name.startswith("p") for name in drawn)


def test_passages_are_used_again_only_when_the_quota_allows():
    passages = [passage(f"p{n}") for n in range(5)]
    once = make(store(passages), ranks=(1, 12), per_label=9)
    twice = make(store(passages), ranks=(1, 12), per_label=9, quotas={"per_passage": 2})
    assert len(once) == 5 and len(twice) == 10
    assert len(draw_passages(once, store(passages))) == 5
    rows = list(RandomPlan(twice, draw_passages(twice, store(passages))).candidates())
    assert set(Counter(r.passage_id for r in rows).values()) == {2}
    assert len({r.id for r in rows}) == 10


def test_every_passage_is_as_likely():
    found = store([passage(f"p{n}") for n in range(20)])
    seen = Counter(
        name.decode() for seed in range(200) for name in draw_passages(make(found, seed=seed, overgenerate=1, per_label=5), found)
    )
    assert len(seen) == 20
    assert min(seen.values()) > 60  # 100 expected, standard deviation about 7


def test_ids_of_a_store_come_sorted():
    found = store([passage("p2"), passage("p10"), passage("p1")])
    assert store_ids(found, Filter()).tolist() == [b"p1", b"p10", b"p2"]
    assert store_ids(found, Filter(where=(Condition("document", "!=", "p10"),))).tolist() == [b"p1", b"p2"]


def test_passages_are_drawn_from_those_that_the_plan_may_use():
    found = store([passage(f"p{n}", document=str(n % 4)) for n in range(40)])
    where = {"where": [["document", "in", ["1", "2"]]]}
    drawn = draw_passages(make(found, retrieval=where), found).tolist()
    assert drawn
    assert {int(name[1:]) % 4 for name in drawn} == {1, 2}


def test_the_store_says_what_passes_a_filter():
    """Stores read values in their own way, such as dates; search and random draw must not differ."""

    class Reads(GivenStore):
        def iterate(self, with_vectors=False, filter=None):
            yield from ((found, None) for found in self.passages if filter.where[0].value == "today" and found.id == "p1")

    found = Reads([passage("p0"), passage("p1")], at_angles([0, 1]), SEEDS)
    assert store_ids(found, Filter(where=(Condition("date", "==", "today"),))).tolist() == [b"p1"]
