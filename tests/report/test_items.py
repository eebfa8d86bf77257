import json
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Candidate, Event, Passage, Seed, Shot
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.report.items import CUTS, Item, Shown, candidates_shown, cut, fitted, gold_items, inside_script

SEED = Seed.make(["sport"], {"text": "A match."})
PASSAGE = Passage("p1", "Well, the old bridge was closed on Monday, alas.", "Gazette", "d7", 0)


class Texts:
    """What `Lookup` offers, from two passages."""

    task = SimpleNamespace(generated=SimpleNamespace(name="text"))
    seeds = {SEED.id: SEED}

    def __init__(self):
        self.asked = []

    def known(self, seed_id):
        return self.seeds.get(seed_id)

    def seed(self, seed_id):
        return self.seeds[seed_id]

    def passages(self, candidates):
        ids = {candidate.passage_id for candidate in candidates}
        self.asked.append(len(candidates))
        return {one.id: one for one in (PASSAGE, Passage("p2", "Another one.")) if one.id in ids}


def candidate(text="The old bridge was closed on Monday.", *, passage="p1", status="accepted", reason="", **more):
    events = (Event("synthesize", "generated"), Event("curate", status, reason, more.pop("detail", {})))
    about = {"rank": 3, "similarity": 0.4321, "margin": 0.1, "fields": {"text": text}, "status": status, "events": events}
    return Candidate("a1" * 16, "synthesizrr", ("sport",), SEED.id, passage, (Shot(SEED.id),), **about, **more)


def shown(*rows, texts=None):
    return candidates_shown([("main", row) for row in rows], texts or Texts())


def test_a_row_has_its_passage_with_the_copied_words_and_its_seed():
    found = shown(candidate())
    (item,) = found.items
    text, source = found.passages[item.passage]
    assert [text[start:end] for start, end in item.marks] == ["the old bridge was closed on Monday"]
    assert source == "Gazette · d7"
    assert found.seeds[item.seed] == (("text", "A match."),)
    assert dict(item.facts) == {"similarity": "0.432", "margin": "0.100", "rank": "3", "words copied": "100 %", "shots": "1"}


def test_passages_and_seeds_of_several_rows_are_kept_once_and_asked_for_in_batches():
    texts = Texts()
    found = shown(*(candidate() for _ in range(90)), texts=texts)
    assert (len(found.items), len(found.passages), len(found.seeds)) == (90, 1, 1)
    assert texts.asked == [40, 40, 10]


def test_what_curation_found_out_is_told():
    detail = {
        "label_score": 0.8765,
        "judges": {"student": 0.5, "gold": 1.0},
        "relabelled_from": "science",
        "before": "Old  text\nhere",
        "none": None,
    }
    (item,) = shown(candidate(detail=detail)).items
    facts = dict(item.facts)
    assert facts["label score"] == "0.876" and facts["judges student"] == "0.5" and facts["relabelled from"] == "science"
    assert facts["before"] == "Old text here" and "none" not in facts
    assert item.history[1].startswith("curate: accepted (label score 0.876; judges student 0.5")


def test_a_rejected_row_has_its_reason():
    (item,) = shown(candidate(status="rejected", reason="near_copy", detail={"score": 0.9})).items
    assert (item.status, item.reason, item.history[1]) == ("rejected", "near_copy", "curate: rejected, near copy (score 0.9)")


def test_a_row_whose_seed_is_gone_and_without_a_passage_is_shown():
    (item,) = shown(Candidate("b" * 32, "fewgen", ("sport",), "gone", None, status="failed")).items
    assert (item.seed, item.passage, item.fields, item.reason) == (None, None, (("text", ""),), "unknown")


def test_long_texts_are_cut_everywhere_alike():
    long = Shown(
        [Item("a", "main", "accepted", "x", fields=(("text", "y" * 90),), passage=0, marks=((5, 20), (30, 80), (85, 88)))],
        [("z" * 90, "s")],
    )
    small = long.cut(40)
    assert small.items[0].fields == (("text", "y" * 40 + " …"),)
    assert small.passages == [("z" * 40 + " …", "s")]
    assert small.items[0].marks == ((5, 20), (30, 40))
    assert cut("short", 40) == "short"


def test_texts_are_cut_no_more_than_needed():
    rows = Shown([Item(str(number), "main", "accepted", "x", fields=(("text", "ж" * 3000),)) for number in range(20)])
    assert fitted(rows)[1] == CUTS[0]
    small, letters = fitted(rows, most=40_000)
    assert letters == 700
    assert len(inside_script(small.to_dict()).encode()) <= 40_000
    assert fitted(rows, most=1)[1] == CUTS[-1]


@given(st.text() | st.dictionaries(st.text(), st.lists(st.text() | st.integers() | st.none())))
def test_json_for_a_page_is_json_without_markup(value):
    text = inside_script(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_test_rows_say_what_the_student_said():
    rows = [LabelledRow({"text": f"Row {line}."}, ("sport",) if line != 3 else (), line) for line in range(1, 6)]
    found = gold_items(rows, {2: ("science",), 3: (), 4: ("sport",)})
    assert {line: (item.status, item.label, item.reason) for line, item in found.items()} == {
        2: ("wrong", "sport", "taken for science"),
        3: ("right", "(none)", ""),
        4: ("right", "sport", ""),
    }
    assert found[2].id == "test:2" and dict(found[2].facts)["student's label"] == "science"
