import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argilla_bridge.rows import ReviewRow, Suggestion, content_id
from argilla_bridge.schema import METADATA, review_schema
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.making import dataset_of, is_blind, priority, review_rows, share
from argilla_bridge.showing.marking import unescaped
from spacy_synthesizrr.candidates import ACCEPTED, GENERATED, Candidate, Event, Passage, Seed
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.stores.memory import make_memory_store
from spacy_synthesizrr.taskfile import TaskSpec

PASSAGES = [
    Passage("p1", "Heavy rain fell on the town for *three* days, <b>officials</b> said."),
    Passage("p2", "The sun will shine on every beach of the island this week."),
    Passage("p3", "Engines, gears and belts are sold by the dozen."),
]
RAIN, SUN = Seed.make(["rain"], {"text": "It pours."}), Seed.make(["sun"], {"text": "How hot it is!"})
SHOWN, BLIND = ReviewSettings(blind=0), ReviewSettings(blind=1)
PAIR = [{"name": "premise", "from": "passage"}, {"name": "claim", "generated": True}, {"name": "source", "from": "seed"}]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = make_memory_store(str(tmp_path_factory.mktemp("store") / "index"))
    made.index(PASSAGES, make_lsa_embedder(dimensions=2))
    yield made
    made.close()


def make_task(**more):
    labels = {"rain": {"verbalization": "about rain"}, "sun": {"verbalization": "about sun"}}
    data = {"path": "/t/task.yml", "name": "weather", "labels": labels, "prompt": {"instruction": "{verbalization}"}}
    return TaskSpec.model_validate({**data, "seeds": {"path": "seeds.jsonl"}, **more})


def candidate(text="In that town heavy rain fell on the town.", *, seed=RAIN, passage="p1", events=(), **more):
    said = (Event("synthesize", GENERATED, detail={"model": "teacher-8b"}), Event("curate", ACCEPTED), *events)
    fields = more.pop("fields", {"text": text})
    labels = more.pop("labels", seed.labels)
    return Candidate(f"c-{len(text)}", "refine", labels, seed.id, passage, status=ACCEPTED, fields=fields, events=said, **more)


def rows(store, *candidates, task=None, settings=SHOWN, seeds=(RAIN, SUN), embedder=None):
    task = task or make_task()
    lookup = Lookup(task, store, seeds)
    return list(review_rows(candidates, task=task, settings=settings, lookup=lookup, embedder=embedder, agent="robot"))


def test_a_row_shows_text_passage_and_seed_made_harmless(store):
    (row,) = rows(store, candidate("In *that* town heavy rain fell on the town."))
    assert dict(row.fields) == {
        "text": "In &#42;that&#42; town heavy rain fell on the town.",
        "passage": "<mark>Heavy rain fell on the town</mark> for &#42;three&#42; days, &#60;b&#62;officials&#60;/b&#62; said.",
        "seed": "It pours.",
    }
    assert row.suggestion == Suggestion(("rain",), None, "robot")


def test_the_fields_come_in_the_order_of_the_schema_and_no_others(store):
    fields = {"premise": "Rain fell.", "claim": "It was wet.", "source": "A paper"}
    seed = Seed.make(["sun"], {"premise": "p", "claim": "c", "source": "A paper"})
    task = make_task(fields=PAIR)
    (row,) = rows(store, candidate(fields=fields, seed=seed), task=task, seeds=[seed])
    schema = review_schema(task, SHOWN, dimensions={})
    assert list(row.fields) == ["premise", "claim", "source", "passage", "seed"] == [shape.name for shape in schema.fields]
    assert row.fields["seed"] == "p<br>c<br>A paper"


def test_a_field_that_is_the_passage_is_marked_and_not_shown_twice(store):
    fields = {"premise": PASSAGES[1].text, "claim": "On every beach of the island it rains."}
    seed = Seed.make(["rain"], {"premise": "p", "claim": "c"})
    (row,) = rows(store, candidate(fields=fields, seed=seed, passage="p2"), task=make_task(fields=PAIR[:2]), seeds=[seed])
    assert list(row.fields) == ["premise", "claim", "seed"]
    assert row.fields["premise"] == "The sun will shine <mark>on every beach of the island</mark> this week."


def test_a_task_field_with_a_taken_name_is_shown_under_another(store):
    task = make_task(fields=[{"name": "label", "generated": True}])
    seed = Seed.make(["rain"], {"label": "It pours."})
    (row,) = rows(store, candidate(fields={"label": "Wet."}, seed=seed), task=task, seeds=[seed])
    assert row.fields["label_"] == "Wet."


def test_several_labels_are_suggested_together(store):
    seed = Seed.make(["rain", "sun"], {"text": "A rainbow."})
    (row,) = rows(store, candidate(seed=seed), task=make_task(exclusive=False), seeds=[seed])
    assert row.suggestion.labels == ("rain", "sun")
    assert row.metadata["planned_label"] == "rain + sun"


def test_a_row_without_a_passage_has_none(store):
    (row,) = rows(store, candidate(passage=None), embedder=store.embedder)
    assert list(row.fields) == ["text", "seed"]
    assert list(row.vectors) == ["text_vector"]
    assert "copy_rate" not in row.metadata


def test_a_blind_row_tells_its_label_nowhere(store):
    seed = Seed.make(["sun"], {"text": "sun. about sun"}, "description")
    (row,) = rows(store, candidate("The wettest day.", seed=seed), settings=BLIND, seeds=[seed])
    assert row.suggestion is None
    assert "sun" not in repr([dict(row.fields), dict(row.metadata)])
    assert row.metadata["blind"] == "yes"


def test_the_id_is_a_hash_of_the_texts_that_are_judged(store):
    (shown,) = rows(store, candidate("Wet & windy."))
    (blind,) = rows(store, candidate("Wet & windy.", labels=("sun",)), settings=BLIND)
    (other,) = rows(store, candidate("Wet and windy."))
    assert shown.id == blind.id == content_id({"text": "Wet & windy.", "passage": PASSAGES[0].text})
    assert other.id != shown.id
    assert unescaped(shown.fields["text"]) == "Wet & windy."


def test_metadata_hold_what_is_known_under_names_of_the_schema(store):
    events = (
        Event("verify", ACCEPTED, detail={"label_score": 0.2, "neighbour": "c-9", "round": 2}),
        Event("verify", ACCEPTED, detail={"label_score": 0.87654321, "confidence": 0.5}),
    )
    (row,) = rows(store, candidate(events=events, similarity=0.5, rank=3, margin=-0.25))
    assert row.metadata == {
        "planned_label": "rain", "strategy": "refine", "teacher": "teacher-8b", "neighbour": "c-9", "blind": "no",
        "candidate": row.candidate_id, "similarity": 0.5, "margin": -0.25, "label_score": 0.8765, "confidence": 0.5,
        "priority": 0.1235, "rank": 3, "round": 2, "copy_rate": 0.6667,
    }  # fmt: skip
    kinds = {"terms": str, "float": float, "integer": int}
    assert all(type(value) is kinds[METADATA[name][1]] for name, value in row.metadata.items())
    assert row.priority == 0.1235


def test_row_that_no_round_asked_for_is_of_round_0(store):
    (row,) = rows(store, candidate("Wet & windy."))
    assert row.metadata["round"] == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "high", True])
def test_what_is_no_number_has_no_key(store, value):
    events = (Event("verify", ACCEPTED, detail={"label_score": value, "confidence": value, "round": value}),)
    (row,) = rows(store, candidate(events=events, similarity=math.nan))
    assert not {"label_score", "confidence", "round", "similarity"} & row.metadata.keys()
    assert row.suggestion.score is None


def test_a_score_out_of_range_is_none(store):
    made = candidate(events=(Event("verify", ACCEPTED, detail={"label_score": 1.5}),), margin=0.0)
    assert (rows(store, made)[0].suggestion.score, priority(made)) == (None, 0.5)


def test_doubtful_rows_come_first():
    scored = [candidate(events=(Event("verify", ACCEPTED, detail={"label_score": score}),), margin=0.9) for score in (0.1, 0.5, 0.9)]
    assert [round(priority(one), 6) for one in scored] == [0.9, 0.5, 0.1]
    assert [priority(candidate(margin=margin)) for margin in (-2.0, -0.5, 0.0, 0.5, 2.0)] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert priority(candidate()) == 0.5


def test_vectors_are_those_of_text_and_passage(store):
    (row,) = rows(store, candidate(PASSAGES[1].text), embedder=store.embedder)
    assert row.vectors["text_vector"] == pytest.approx(store.vectors(["p2"])[0].tolist(), abs=1e-6)
    assert row.vectors["passage_vector"] == store.vectors(["p1"])[0].tolist()


def test_a_text_without_a_known_word_has_no_vector(store):
    (row,) = rows(store, candidate("Qwfp zxcd."), embedder=store.embedder)
    assert list(row.vectors) == ["passage_vector"]


def test_no_vectors_where_the_settings_want_none(store):
    (row,) = rows(store, candidate(), settings=ReviewSettings(vectors=False), embedder=store.embedder)
    assert row.vectors == {}


def test_rows_are_made_as_they_are_asked_for(store):
    taken = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield candidate(f"Text {number}")
            number += 1

    lookup = Lookup(make_task(), store, [RAIN])
    made = review_rows(endless(), task=make_task(), settings=SHOWN, lookup=lookup, embedder=None, agent="robot")
    assert [next(made).fields["text"] for _ in range(300)] == [f"Text {number}" for number in range(300)]
    assert len(taken) < 500


def test_a_seed_that_is_gone_says_what_to_do(store):
    with pytest.raises(RunFolderError, match="Run the step 'plan' again"):
        rows(store, candidate(), seeds=[])


@given(st.text(), st.text(), st.integers())
def test_a_share_lies_in_its_range_and_stays(id, salt, seed):
    assert 0 <= share(id, salt, seed) < 1
    assert share(id, salt, seed) == share(id, salt, seed)


def test_a_share_is_the_same_in_every_process():
    code = "from argilla_bridge.showing.making import share; print(share('id', 'blind', 3))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}).stdout
    assert float(said) == share("id", "blind", 3)


def test_a_row_stays_as_people_saw_it_whatever_the_share_says_now(store):
    lookup = Lookup(make_task(), store, (RAIN, SUN))
    how = {"task": make_task(), "lookup": lookup, "embedder": None, "agent": "robot"}
    (shown,) = review_rows([candidate()], settings=BLIND, shown=lambda id: True, **how)
    (blind,) = review_rows([candidate()], settings=SHOWN, shown=lambda id: False, **how)
    assert (shown.suggestion is None, blind.suggestion is None) == (False, True)
    assert (shown.metadata["blind"], blind.metadata["blind"]) == ("no", "yes")


def test_shares_are_even_and_blind_and_overlap_do_not_hang_together():
    counts = [[0] * 10 for _ in range(10)]
    for number in range(20_000):
        counts[int(share(f"{number}", "blind", 0) * 10)][int(share(f"{number}", "overlap", 0) * 10)] += 1
    # chi-squared of 100 cells against 200 rows each: 99 degrees of freedom, 160 has a tail of 0.0001
    assert sum((count - 200) ** 2 / 200 for line in counts for count in line) < 160


def test_another_seed_draws_other_rows():
    drawn = [{id for id in map(str, range(1000)) if is_blind(id, ReviewSettings(blind=0.1, seed=seed))} for seed in (0, 1)]
    assert all(70 < len(ids) < 130 for ids in drawn)
    assert len(drawn[0] & drawn[1]) < 30


def test_a_larger_share_keeps_the_rows_of_a_smaller_one():
    small, large = ReviewSettings(blind=0.1, overlap=0.1), ReviewSettings(blind=0.3, overlap=0.3)
    made = [ReviewRow(str(number), "c", {}) for number in range(500)]
    assert {row.id for row in made if is_blind(row.id, small)} < {row.id for row in made if is_blind(row.id, large)}
    overlapping = [{row.id for row in made if dataset_of(row, settings) == "overlap"} for settings in (small, large)]
    assert overlapping[0] < overlapping[1]
    assert {dataset_of(row, ReviewSettings(overlap=0)) for row in made} == {"main"}
    assert {dataset_of(row, ReviewSettings(overlap=1)) for row in made} == {"overlap"}
