from collections import Counter

import numpy as np
import pytest
from given_store import GivenStore, at_angles, make_seed, make_task, passage
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Seed
from spacy_synthesizrr.errors import PlanError
from spacy_synthesizrr.sourcing.plan import Plan, plan
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.sourcing.summary import count_labels, refuse_empty_labels, shortfalls

TASK = make_task("a", "b")
A, B = make_seed("a", "seed of a"), make_seed("b", "seed of b")
ALL = {"low": 0.0, "high": 1.0}
OPEN = {"window": ALL, "pair_window": ALL, "margin": {"on": False}, "hits": 50}


def settings(**more) -> PlanSettings:
    return PlanSettings.model_validate({**OPEN, **more})


def store(angles: dict[str, float], seeds: list[tuple[Seed, float]], **documents: str) -> GivenStore:
    """Passages and seeds in a plane, each at an angle."""
    vectors = dict(zip((seed.fields["text"] for seed, _ in seeds), at_angles([angle for _, angle in seeds]), strict=True))
    passages = [passage(name, document=documents.get(name, "")) for name in angles]
    return GivenStore(passages, at_angles(list(angles.values())), vectors)


def make(given_store: GivenStore, seeds=(A, B), *, per_label: int = 10, seed: int = 0, task=TASK, **more) -> Plan:
    return plan(seeds, given_store, task=task, settings=settings(**more), per_label=per_label, seed=seed)


def by_label(made: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for candidate in made.candidates():
        found.setdefault(candidate.key, []).append(candidate.passage_id)
    return found


@pytest.fixture
def around() -> GivenStore:
    return store({f"p{n:02}": 9.0 * n for n in range(11)}, [(A, 0.0), (B, 90.0)])


def test_labels_take_turns_and_the_closest_passage_comes_first(around):
    rows = list(make(around, quotas={"per_passage": 2}).candidates())
    assert [row.key for row in rows[:4]] == ["a", "b", "a", "b"]
    assert [row.passage_id for row in rows[:4]] == ["p00", "p10", "p01", "p09"]


def test_candidates_know_how_their_passage_was_found(around):
    row = next(make(around).candidates())
    assert (row.rank, row.similarity, row.margin, row.seed_id) == (1, pytest.approx(1.0), None, A.id)


def test_passage_serves_one_label_and_the_closer_one_gets_it(around):
    found = by_label(make(around))
    assert found == {"a": ["p00", "p01", "p02", "p03", "p04", "p05"], "b": ["p10", "p09", "p08", "p07", "p06"]}


def test_window_turns_away_what_is_too_far_and_too_close(around):
    made = make(around, window={"kind": "absolute", "low": 0.85, "high": 0.99}, quotas={"per_passage": 2})
    assert by_label(made) == {"a": ["p01", "p02", "p03"], "b": ["p09", "p08", "p07"]}
    away = count_labels(made)["a"].turned_away
    assert (away["above_window"], away["below_window"]) == (1, 7)


def test_quantile_window_is_taken_from_the_ranks_of_inputs(around):
    made = make(around, ranks=(2, 4), window={"low": 0.5, "high": 1.0})
    assert by_label(made) == {"a": ["p01", "p02"], "b": ["p09", "p08"]}


def test_margin_puts_passages_of_the_own_label_first_and_drops_the_worse_half():
    found = store({"near_both": 44.0, "near_a": 20.0, "far_a": -30.0, "near_b": 80.0}, [(A, 0.0), (B, 90.0)])
    made = make(found, ranks=(1, 4), margin={"on": True, "keep": 0.5}, quotas={"per_passage": 2})
    assert by_label(made)["a"] == ["far_a", "near_a"]
    assert next(made.candidates()).margin == pytest.approx(np.cos(np.radians(30)) - np.cos(np.radians(120)), abs=1e-5)


def test_margin_below_the_minimum_is_turned_away(around):
    found = by_label(make(around, margin={"on": True, "keep": 1.0, "minimum": 0.01}, quotas={"per_passage": 2}))
    assert found == {"a": ["p00", "p01", "p02", "p03", "p04"], "b": ["p10", "p09", "p08", "p07", "p06"]}


def test_seeds_of_a_label_take_turns():
    other = make_seed("a", "another seed of a")
    found = store({"p0": 0.0, "p1": 1.0, "q0": 50.0, "q1": 51.0, "z": 180.0}, [(A, 0.0), (other, 50.0), (B, 180.0)])
    rows = [row.seed_id for row in make(found, [A, other, B], ranks=(1, 2)).candidates() if row.key == "a"]
    assert rows in ([A.id, other.id, A.id, other.id], [other.id, A.id, other.id, A.id])


def test_document_gives_no_more_passages_than_its_quota():
    found = store({"p0": 0.0, "p1": 1.0, "p2": 2.0, "q": 3.0, "z": 90.0}, [(A, 0.0), (B, 90.0)], p0="d", p1="d", p2="d")
    made = make(found, quotas={"per_document": 2}, ranks=(1, 4))
    assert by_label(made) == {"a": ["p0", "p1", "q"], "b": ["z"]}
    assert count_labels(made)["a"].turned_away["document_quota"] == 1


def test_equal_texts_count_as_one_passage():
    twins = [passage("p0", text="x " * 20), passage("p1", text="X  " * 20), passage("z")]
    found = GivenStore(twins, at_angles([0, 1, 90]), dict(zip(("seed of a", "seed of b"), at_angles([0, 90]), strict=True)))
    assert by_label(make(found)) == {"a": ["p0"], "b": ["z"]}


def test_short_passages_are_no_inputs():
    passages = [passage("p0", text="too short"), passage("p1"), passage("z")]
    found = GivenStore(passages, at_angles([0, 1, 90]), dict(zip(("seed of a", "seed of b"), at_angles([0, 90]), strict=True)))
    made = make(found)
    assert by_label(made) == {"a": ["p1"], "b": ["z"]}
    assert count_labels(made)["a"].turned_away["too_short"] == 1


def test_reserve_is_what_lies_beyond_the_wanted_number(around):
    rows = [row for row in make(around, per_label=2, overgenerate=2.0).candidates() if row.key == "a"]
    assert [(row.passage_id, row.reserve) for row in rows] == [("p00", False), ("p01", False), ("p02", True), ("p03", True)]


def test_larger_plan_begins_with_the_smaller_one(around):
    small, large = make(around, per_label=2), make(around, per_label=4)
    for label in ("a", "b"):
        ids = [[row.id for row in made.candidates() if row.key == label] for made in (small, large)]
        assert ids[1][: len(ids[0])] == ids[0]


def test_plan_does_not_depend_on_the_order_of_seeds(around):
    forward = [row.to_dict() for row in make(around, [A, B]).candidates()]
    assert forward == [row.to_dict() for row in make(around, [B, A]).candidates()]


def test_labels_take_turns_in_the_order_of_the_task_file(around):
    quotas = {"per_passage": 2}  # none is contested, so that only the order can change
    forward, back = (list(make(around, task=make_task(*labels), quotas=quotas).candidates()) for labels in ("ab", "ba"))
    assert [row.key for row in forward[:3]] == ["a", "b", "a"] and [row.key for row in back[:3]] == ["b", "a", "b"]
    assert {row.id for row in forward} == {row.id for row in back}


def test_passages_that_one_label_cannot_use_are_left_to_the_other():
    found = store({f"p{n}": 4.0 * n for n in range(10)}, [(A, 0.0), (B, 80.0)])
    assert by_label(make(found, per_label=1, overgenerate=1)) == {"a": ["p0"], "b": ["p9"]}


def test_documents_are_not_used_up_by_rows_that_nobody_needs():
    angles = {"p0": 0.0, "p1": 1.0, "q0": 90.0, "q1": 89.0}
    found = store(angles, [(A, 0.0), (B, 90.0)], p0="x", p1="y", q0="x", q1="y")
    made = make(found, per_label=1, overgenerate=1, quotas={"per_document": 1})
    assert by_label(made) == {"a": ["p0"], "b": ["q1"]}


def test_label_that_has_all_its_rows_tells_of_a_surplus(around):
    away = count_labels(make(around, per_label=1, overgenerate=1))["a"].turned_away
    assert (away["surplus"], away["passage_quota"]) == (10, 0)


def test_one_prompt_asked_twice_has_draws_of_its_own():
    other = make_seed("a", "another seed of a")
    twins = [passage("p0", text="x " * 20), passage("p1", text="X  " * 20), passage("z")]
    vectors = dict(zip(("seed of a", "another seed of a", "seed of b"), at_angles([0, 1, 90]), strict=True))
    made = make(GivenStore(twins, at_angles([0, 1, 90]), vectors), [A, other, B], quotas={"per_passage": 3}, per_label=4)
    draws = {key: [row.draw for row in made.candidates() if row.key == key and row.passage_id != "z"] for key in "ab"}
    assert draws["a"] == list(range(len(draws["a"]))) and len(draws["a"]) > 1
    assert [row.draw for row in made.candidates() if row.key == "b"][0] == 0


def test_different_passages_are_first_draws(around):
    assert {row.draw for row in make(around).candidates()} == {0}


def retricl(seeds: int = 4) -> tuple[GivenStore, list[Seed]]:
    own = [make_seed("a", f"seed {n} of a") for n in range(seeds)]
    angles = {f"p{n:02}": 2.0 * n for n in range(40)} | {f"z{n}": 150.0 + n for n in range(9)}
    return store(angles, [*((seed, 20.0 * n) for n, seed in enumerate(own)), (B, 155.0)]), [*own, B]


def test_retricl_shows_pairs_of_a_seed_and_its_closest_passages():
    found, seeds = retricl()
    made = make(found, seeds, mode="retricl", shots=3, ranks=(3, 10))
    rows = [row for row in made.candidates() if row.key == "a"]
    assert rows
    closest = {seed.id: {hit.passage_id for hit in hits} for seed, hits in zip(seeds, _search(found, seeds, 2), strict=True)}
    for row in rows:
        assert len(row.shots) == 3
        assert row.seed_id not in {shot.seed_id for shot in row.shots}
        assert all(shot.passage_id in closest[shot.seed_id] for shot in row.shots)


def test_passages_kept_for_pairs_are_never_inputs():
    found, seeds = retricl()
    made = make(found, seeds, mode="retricl", ranks=(3, 10))
    rows = list(made.candidates())
    assert {shot.passage_id for row in rows for shot in row.shots}.isdisjoint(row.passage_id for row in rows)
    assert count_labels(made)["a"].turned_away["pair"] > 0


def test_pairs_must_lie_in_their_own_window():
    found, seeds = retricl()
    made = make(found, seeds, mode="retricl", ranks=(3, 10), pair_window={"kind": "absolute", "low": 0.9999, "high": 1.0})
    exact = {f"p{10 * n:02}" for n in range(4)}
    assert {shot.passage_id for row in made.candidates() for shot in row.shots} <= exact


def test_one_seed_alone_is_planned_without_shots():
    found, _ = retricl()
    made = plan([make_seed("a", "seed 0 of a"), B], found, task=TASK, settings=settings(mode="retricl", ranks=(3, 10)), per_label=4, seed=0)
    rows = [row for row in made.candidates() if row.key == "a"]
    assert rows and all(row.shots == () for row in rows)


def test_non_retricl_shows_seeds_without_passages(around):
    other = make_seed("a", "another seed of a")
    found = store({f"p{n}": 1.0 * n for n in range(6)} | {"z": 90.0}, [(A, 0.0), (other, 3.0), (B, 90.0)])
    rows = [row for row in make(found, [A, other, B], mode="non-retricl").candidates() if row.key == "a"]
    assert {(row.seed_id, *((shot.seed_id, shot.passage_id) for shot in row.shots)) for row in rows} == {
        (A.id, (other.id, None)),
        (other.id, (A.id, None)),
    }


def test_label_descriptions_serve_as_queries(around):
    described = [Seed.make(("a",), {"text": "seed of a"}, "description"), Seed.make(("b",), {"text": "seed of b"}, "description")]
    assert by_label(make(around, described)) == by_label(make(around))


def test_label_without_a_seed_is_refused():
    with pytest.raises(PlanError, match="No seed for label 'b'"):
        make(store({"p": 0.0}, [(A, 0.0)]), [A])


def test_more_seeds_than_asked_for_are_drawn_and_counted():
    seeds = [make_seed("a", f"seed {n}") for n in range(6)]
    found = store({"p0": 0.0, "z": 90.0}, [*((seed, 0.0) for seed in seeds), (B, 90.0)])
    made = make(found, [*seeds, B], seeds_per_label=2)
    assert (len(made.seed_set.seeds), made.seed_set.left_out) == (3, 4)
    assert made.seed_set.seeds == make(found, [B, *reversed(seeds)], seeds_per_label=2).seed_set.seeds


def test_plan_reports_shortfall_per_label(around):
    made = make(around, per_label=8, window={"kind": "absolute", "low": 0.85, "high": 0.99})
    said = list(shortfalls(count_labels(made)))
    assert said[0].startswith("Label 'a': 3 of 8 rows planned, 5 missing. Of 11 hits were turned away: 7 below window, 1 above window.")
    assert "[plan.window]" in said[0]


def test_label_without_any_row_is_refused_with_hits_similarities_window_and_cure(around):
    made = make(around, window={"kind": "absolute", "low": 1.1, "high": 1.2})
    with pytest.raises(PlanError) as error:
        refuse_empty_labels(made, count_labels(made), TASK)
    for part in ("label 'a'", "0 of 11 hits", "1.10-1.20", "between 0.00 and 1.00", "11 below window", "[plan.window]"):
        assert part in str(error.value)


def test_empty_store_is_refused():
    made = make(store({}, [(A, 0.0), (B, 90.0)]))
    with pytest.raises(PlanError, match="there is none"):
        refuse_empty_labels(made, count_labels(made), TASK)


def test_label_sets_of_a_multi_label_task_have_rows_of_their_own():
    both = Seed.make(("a", "b"), {"text": "seed of both"})
    found = store({f"p{n}": 10.0 * n for n in range(10)}, [(A, 0.0), (B, 90.0), (both, 45.0)])
    made = make(found, [A, B, both], task=make_task("a", "b", exclusive=False), margin={"on": True, "keep": 1.0}, per_label=2)
    assert Counter(row.key for row in made.candidates()) == {"a": 3, "b": 3, "a + b": 4}
    assert all(row.margin is None for row in made.candidates() if row.key == "a + b")
    refuse_empty_labels(made, count_labels(made), made.task)


def test_every_label_of_the_task_needs_a_seed(around):
    with pytest.raises(PlanError, match="No seed for label 'c'"):
        make(around, task=make_task("a", "b", "c"))


@st.composite
def sources(draw):
    """Random passages in four dimensions, random seeds of two labels, random settings."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    seeds = [make_seed("ab"[n % 2], f"seed {n}") for n in range(draw(st.integers(2, 7)))]
    documents = draw(st.integers(1, 20))
    passages = [passage(f"p{n}", document=f"d{rng.integers(documents)}") for n in range(draw(st.integers(6, 40)))]
    found = GivenStore(
        passages,
        rng.normal(size=(len(passages), 4)),
        {s.fields["text"]: v.tolist() for s, v in zip(seeds, rng.normal(size=(len(seeds), 4)), strict=True)},
    )
    low = draw(st.floats(0, 0.5))
    chosen = PlanSettings(
        mode=draw(st.sampled_from(["zero-shot", "retricl", "non-retricl"])),
        shots=draw(st.integers(0, 4)),
        ranks=(3, draw(st.integers(3, 30))),
        window={"low": low, "high": draw(st.floats(low + 0.1, 1))},
        margin={"on": draw(st.booleans()), "keep": draw(st.floats(0.2, 1))},
        quotas={"per_passage": draw(st.integers(1, 3)), "per_document": draw(st.integers(1, 4))},
    )
    return found, seeds, chosen, draw(st.integers(1, 12))


@given(sources())
def test_laws_of_a_plan(given_sources):
    found, seeds, chosen, per_label = given_sources
    made = plan(seeds, found, task=TASK, settings=chosen, per_label=per_label, seed=1)
    rows = list(made.candidates())
    owner = {seed.id: seed for seed in seeds}
    assert len({row.id for row in rows}) == len(rows)
    assert rows == list(plan(seeds[::-1], found, task=TASK, settings=chosen, per_label=per_label, seed=1).candidates())
    # the window is held by what was measured, give or take 1e-6, of which rows show six decimals
    assert made.window.low - 2e-6 <= min((row.similarity for row in rows), default=1)
    assert made.window.high + 2e-6 >= max((row.similarity for row in rows), default=-1)
    assert made.window.holds(made.hits.similarity[made.selection.order]).all()
    assert all(chosen.input_ranks[0] <= row.rank <= chosen.input_ranks[1] for row in rows)
    assert all(uses <= chosen.quotas.per_passage for uses in Counter(row.passage_id for row in rows).values())
    documents = {p.id: p.document for p in found.passages}
    assert all(uses <= chosen.quotas.per_document for uses in Counter(documents[row.passage_id] for row in rows).values())
    assert [row.reserve for row in rows if row.key == "a"] == sorted(row.reserve for row in rows if row.key == "a")
    for key, count in count_labels(made).items():
        own = [row for row in rows if row.key == key]
        assert (count.planned, count.reserve) == (sum(not row.reserve for row in own), sum(row.reserve for row in own))
        assert count.planned <= per_label and len(own) <= np.ceil(per_label * chosen.overgenerate)
        assert count.hits == len(own) + sum(count.turned_away.values())
        assert len(own) == np.ceil(per_label * chosen.overgenerate) or not count.turned_away["surplus"]

    for row in rows:
        shown = [shot.seed_id for shot in row.shots]
        assert row.seed_id not in shown and len(set(shown)) == len(shown) <= chosen.shots_wanted
        assert all(owner[seed_id].labels == row.labels for seed_id in shown)


def _search(found: GivenStore, seeds: list[Seed], k: int):
    from spacy_synthesizrr.stores.base import Query

    return found.search([Query(s.fields["text"], found.embedder.embed([s.fields["text"]])[0]) for s in seeds], k)


def test_label_without_a_seed_is_no_matter_where_not_every_label_must_have_one(around):
    made = plan([A], around, task=make_task("a", "b"), settings=settings(), per_label=2, seed=0, every_label=False)
    assert by_label(made)["a"][:2] == ["p00", "p01"]
    with pytest.raises(PlanError, match="No seed for label 'b'"):
        plan([A], around, task=make_task("a", "b"), settings=settings(), per_label=2, seed=0)
