import pytest
from given_store import TEXT, GivenStore, at_angles, make_seed, make_task, passage

from spacy_synthesizrr.curation.leaks import Gold
from spacy_synthesizrr.sourcing.plan import plan
from spacy_synthesizrr.sourcing.randomly import RandomPlan, draw_passages
from spacy_synthesizrr.sourcing.settings import PlanSettings, Window
from spacy_synthesizrr.sourcing.summary import count_labels

A, A2, B = make_seed("a", "seed of a"), make_seed("a", "another seed of a"), make_seed("b", "seed of b")
GOLD = "the harbour of the old town will be closed for the whole winter because its walls must be mended"
VECTORS = {"seed of a": 0.0, "another seed of a": 6.0, "seed of b": 90.0, GOLD: 170.0}
NAMES = [f"p{n}" for n in range(12)]


def store(*planted, at=1.0):
    texts = [*planted, *(f"{name} {TEXT} {name}" for name in NAMES)]
    names = [*(f"planted{n}" for n in range(len(planted))), *NAMES]
    angles = [*(at + n for n in range(len(planted))), *(8.0 * n for n in range(12))]
    return GivenStore(
        [passage(n, text=t) for n, t in zip(names, texts, strict=True)],
        at_angles(angles),
        dict(zip(VECTORS, at_angles(list(VECTORS.values())), strict=True)),
    )


def make(found, mode="zero-shot", gold=Gold([GOLD], ["test:7"]), *, ranks=None, **leaks):  # noqa: B008
    ranks = ranks or ((3, 20) if mode == "retricl" else (1, 20))
    every = {"low": 0, "high": 1}
    chosen = PlanSettings.model_validate(
        {
            "mode": mode,
            "ranks": ranks,
            "window": every,
            "pair_window": every,
            "margin": {"on": False},
            "leaks": {"similarity": None, **leaks},
        }
    )
    return plan([A, A2, B], found, task=make_task("a", "b"), settings=chosen, per_label=9, seed=0, gold=gold)


def used(made, found):
    rows = [*made.candidates(), *RandomPlan(made, draw_passages(made, found)).candidates()]
    return {row.passage_id for row in rows} | {shot.passage_id for row in rows for shot in row.shots if shot.passage_id}


PLANTED = [GOLD, "Yesterday it was said that " + GOLD.upper() + ", and nobody knew of another way to do it."]


@pytest.mark.parametrize("mode", ["zero-shot", "retricl", "non-retricl"])
def test_gold_text_in_corpus_is_never_retrieved(mode):
    found = store(*PLANTED)
    assert {"planted0", "planted1"} & used(make(found, mode, gold=Gold()), found)
    made = make(found, mode)
    assert used(made, found) <= set(NAMES)
    assert {(leak.id, leak.reason, leak.gold) for leak in made.facts.leaks} == {
        ("planted0", "equal", "test:7"),
        ("planted1", "ngram", "test:7"),
    }


def test_leaks_are_counted_among_the_reasons():
    found = store(*PLANTED)
    assert {key: count.turned_away["leak"] for key, count in count_labels(make(found)).items()} == {"a": 4, "b": 2}


def test_passages_closer_to_a_gold_text_than_the_window_allows_are_leaks():
    found = store()
    assert "p11" in used(make(found), found)
    made = make(found, similarity=0.13)
    assert "p11" not in used(made, found)
    assert {leak.id for leak in made.facts.leaks if leak.reason == "similarity"} == {"p11"}


def test_random_passages_are_checked_too_though_no_seed_finds_them():
    found = store(*PLANTED, at=-120.0)
    drawn = [draw_passages(make(found, gold=gold, ranks=(1, 4)), found) for gold in (Gold(), Gold([GOLD], ["test:7"]))]
    without, checked = ({name.decode() for name in names} for names in drawn)
    assert {"planted0", "planted1"} <= without
    assert checked and checked <= set(NAMES)
    assert not make(found, ranks=(1, 4)).facts.leaks


def test_near_copies_count_by_the_window_only_where_its_edge_is_a_similarity():
    gate = PlanSettings().leaks
    assert gate.threshold(Window(kind="absolute", low=0.4, high=0.8), 0.8) == 0.8
    assert gate.threshold(Window(), 0.39) == 0.9
    assert gate.threshold(Window(), 0.95) == 0.95
    assert [gate.threshold(Window(), edge, mode) for edge, mode in ((17.3, "keyword"), (0.99, "hybrid"))] == [0.9, 0.9]
    assert PlanSettings(leaks={"similarity": 0.7}).leaks.threshold(Window(), 0.39) == 0.7
    assert PlanSettings(leaks={"similarity": None}).leaks.threshold(Window(), 0.39) is None
