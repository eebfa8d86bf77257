import functools
import json
import random

import pytest
from report_numbers import HOSTILE, NUMBERS
from test_page import Outline, words

from argilla_bridge.measures.agreement import agreement
from argilla_bridge.measures.judged import Judged
from argilla_bridge.rows import SUBMITTED, Vote
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.report import review
from spacy_synthesizrr.report.page import Samples, make_parts, render


@functools.cache
def found(*, people=("ann", "bob"), blind=True, label="sport", scores=True):
    """What `agreement` measures on some answers."""
    rng, rows = random.Random(0), []
    for place in range(80):
        labels = (label,) if place % 2 else ("science",)
        votes = tuple(
            Vote(
                f"r{place}",
                name,
                SUBMITTED,
                labels if rng.random() < 0.8 else ("cooking",),
                updated_at=f"2026-01-01T10:{place % 60:02}:00Z",
            )
            for name in people
        )
        rows.append(Judged(votes, labels, 0.3 + 0.6 * (place % 3) / 2 if scores else None, not blind or place % 4 > 0))
    return agreement(rows, labels=(label, "science", "cooking"))


@functools.cache
def page(**about):
    numbers = {**NUMBERS, "review": found(**about)}
    return render(numbers, Samples(), make_parts(numbers, Samples()))


def test_the_page_has_a_section_on_the_review():
    outline = Outline(page())
    assert outline.crossed == outline.open == []
    assert ("href", "#review") in outline.attributes and ("id", "review") in outline.attributes
    text = words(page())
    for part in ("80 of 80 rows were answered by 2 people", "Krippendorff&#39;s alpha, nominal", "ann and bob", "they copy in"):
        assert part in text


def test_what_became_of_the_rows_is_told():
    decided = {"human": 70, "unreviewed": 7, "waiting": 0, "reasons": {"unusable": 2, "tie": 1}}
    rows = review.decided_table({**found(), "decided": decided}).rows
    assert rows == (("labelled by people", 70), ("labelled by nobody", 7), ("turned away: unusable", 2), ("turned away: tie", 1))
    assert review.decided_table(found()).rows == ()


def test_a_run_that_nobody_reviews_has_no_such_section():
    assert review.part(NUMBERS) is None
    made = render(NUMBERS, Samples(), make_parts(NUMBERS, Samples()))
    assert 'id="review"' not in made and "#review" not in made


def test_sections_stand_in_the_order_of_the_navigation():
    outline = Outline(page())
    known = {part.anchor for part in make_parts({**NUMBERS, "review": found()}, Samples())} | {"rows", "asked"}
    links = list(dict.fromkeys(value[1:] for name, value in outline.attributes if name == "href" and value[1:] in known))
    ids = [value for value in outline.ids() if value in known]
    assert links == ids
    assert links.index("review") == links.index("measures") + 1


def test_every_estimate_comes_with_its_interval():
    table = review.people_table(found())
    assert [row[0] for row in table.rows] == ["ann", "bob"]
    value, rest = table.rows[0][4].split(" (", 1)
    low, high = rest.rstrip(")").split(" to ")
    assert float(low) < float(value) < float(high)


def test_acceptance_is_drawn_for_all_rows_and_for_each_bin():
    plot = review.acceptance(found())
    for part in ("all rows", "score 0.3 to 0.4", "score 0.6 to 0.7", "score 0.9 to 1.0", "mean score"):
        assert part in plot.svg or part in str(plot.legend)
    assert [meaning.split(" (")[0] for _, meaning in plot.legend][:2] == ["suggestion shown", "blind: no suggestion shown"]
    assert "(60 rows)" in plot.legend[0][1] and "(20 rows)" in plot.legend[1][1]


def test_the_same_numbers_give_the_same_plot():
    assert review.acceptance(found()).svg == review.acceptance(json.loads(json.dumps(found()))).svg


def test_without_scores_there_are_no_bins():
    assert "Acceptance of suggestions by their score" not in words(page(scores=False))
    assert "mean score" not in str(review.acceptance(found(scores=False)).legend)


def test_without_blind_rows_the_pull_is_not_known():
    assert "How the suggestions pull is not known" in words(page(blind=False))


def test_one_person_agrees_with_nobody():
    text = words(page(people=("ann",)))
    assert "answered by 1 person:" in text
    assert "Pairs of people" not in text and "Agreement between people" not in text


@pytest.mark.parametrize("about", [{"people": (HOSTILE, "bob")}, {"label": HOSTILE}], ids=["person", "label"])
def test_hostile_names_stay_text(about):
    outline = Outline(page(**about))
    assert not {"script", "img"} & set(outline.tags)
    assert outline.crossed == outline.open == []
    assert "{{ 7 * 7 }}" in page(**about)


def test_what_became_of_suggestions_leaves_out_those_that_were_accepted():
    rows = review.changes_table(found()).rows
    assert {row[1] for row in rows} == {"cooking"}


def test_the_file_is_read_when_its_receipt_stands(tmp_path):
    folder, receipt = RunFolder(tmp_path), {"outputs": {"review/agreement.json": {}}}
    write_json(tmp_path / "review" / "agreement.json", found())
    assert review.read_review(folder, receipt)["rows"]["answered"] == 80
    assert review.read_review(folder, {}) is None
    assert review.read_review(folder, {"outputs": {}}) is None


def test_before_anybody_answered_there_is_nothing_to_show(tmp_path):
    write_json(tmp_path / "review" / "agreement.json", agreement([Judged((), ("sport",))], labels=("sport", "science")))
    assert review.read_review(RunFolder(tmp_path), {"outputs": {"review/agreement.json": {}}}) is None


def test_a_file_of_another_release_says_what_to_do(tmp_path):
    write_json(tmp_path / "review" / "agreement.json", {"v": 1, "rows": {"asked": 1}})
    with pytest.raises(RunFolderError, match="Run the step 'agreement' again"):
        review.read_review(RunFolder(tmp_path), {"outputs": {"review/agreement.json": {}}})
