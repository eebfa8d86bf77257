import copy
import html
import math

import pytest
from report_numbers import NUMBERS, measured
from test_page import Outline, words

from spacy_synthesizrr.report.compared_measures import TITLES
from spacy_synthesizrr.report.comparison import Answered, Compared, compare, comparison_parts, told
from spacy_synthesizrr.report.items import Shown
from spacy_synthesizrr.report.page import environment
from spacy_synthesizrr.report.view import signed

GOLD = [("sport",), ("science",)] * 40


def answered(wrong, file="f1"):
    """Two students that get the first so many rows wrong."""
    said = [(("science", "sport")[place % 2],) if place < wrong else gold for place, gold in enumerate(GOLD)]
    return Answered(file, GOLD, [said, said])


def run(name, wrong=10, *, file="f1", answers=True, **changes):
    numbers = {**copy.deepcopy(NUMBERS), "run": name, **changes}
    return Compared(name, numbers, answered(wrong, file) if answers else None)


def text(found):
    page = environment().get_template("compare.jinja")
    return page.render(title="x", style="", parts=comparison_parts(found), version="0", shown=Shown(), run="one")


def test_a_better_student_is_ahead_with_an_interval():
    found = compare([run("one", 20), run("two", 4)])
    first, second = found["scores"]
    assert first["ahead"] is None
    assert abs(second["ahead"]["value"] - 16 / 80) < 1e-9
    assert 0 < second["ahead"]["low"] < 0.2 < second["ahead"]["high"]
    assert "+20.0 points" in list(told(found))[1]


def test_the_same_answers_show_no_difference():
    (_, second) = compare([run("one", 9), run("two", 9)])["scores"]
    assert second["ahead"]["value"] == 0 and second["ahead"]["low"] < 0 < second["ahead"]["high"]


def test_other_test_rows_or_no_answers_give_no_interval_and_say_why():
    found = compare([run("one"), run("two", file="f2"), run("three", answers=False)])
    assert [one["ahead"] for one in found["scores"]] == [None] * 3
    said = words(text(found))
    assert "two: tested on other rows" in said and "three: not every run has answers.jsonl" in said


def test_what_was_asked_differently_is_told_and_nothing_else():
    other = {**NUMBERS["asked"], "strategy": "retricl", "per_label": 9}
    assert compare([run("one"), run("two", asked=other)])["asked"] == {"strategy": ["synthesizrr", "retricl"], "per_label": ["2", "9"]}
    assert "All runs were asked for the same" in words(text(compare([run("one"), run("two")])))


def test_rows_and_reasons_stand_side_by_side():
    funnel = copy.deepcopy(NUMBERS["funnel"])
    funnel["total"]["rejected"] = {"curate": {"near_copy": 5}, "synthesize": {"near_copy": 1, "too_short": 2}}
    found = compare([run("one"), run("two", funnel=funnel)])
    assert found["funnel"]["accepted"] == [1, 1] and found["funnel"]["answered"] == [2, 2]
    assert found["reasons"] == {"near_copy": [1, 6], "failed: timeout": [1, 1], "too_short": [0, 2]}


def sized(**values):
    """Measures with a group for each n."""
    groups = [
        {"n": int(n[1:]), "sets": {"main": {"distinct_1": {"value": value, "n": int(n[1:])}}, "seeds": {}}} for n, value in values.items()
    ]
    return {"equal": groups[0], "groups": groups}


def beside(*measures, **changes):
    """How the measures of the last run stand beside those of the first."""
    return compare([run(str(place), measures=one, **(changes if place else {})) for place, one in enumerate(measures)])["measures"]


def test_variety_is_compared_at_the_largest_size_that_all_runs_have():
    found = compare(
        [run("one", measures=sized(n5=0.9, n80=0.5)), run("two", measures=sized(n80=0.75, n200=0.7)), run("three", measures=None)]
    )
    assert [one and (one["value"], one["n"]) for one in found["measures"]["values"]["variety"]["distinct-1"]] == [
        (0.5, 80),
        (0.75, 80),
        None,
    ]
    said = words(text(found))
    assert "distinct-1 0.500, n 80 0.750 (+0.250), n 80 –" in said and "three: it was not measured." in said


def test_measures_of_other_sizes_have_no_difference_and_say_so():
    assert "distinct-1 0.900, n 5 0.700, n 200; other n" in words(
        text(compare([run("one", measures=sized(n5=0.9)), run("two", measures=sized(n200=0.7))]))
    )


def test_every_measure_of_metrics_stands_beside_that_of_the_first_run():
    first, other = measured(), measured()
    other["mauve"]["labels"]["all labels"]["sets"]["main"]["mean"] = 0.9
    other["sources"]["main"]["passages"]["effective"] = 20.0
    found = beside(first, other)
    values = found["values"]
    assert list(values) == list(TITLES) and found["missing"]["1"] == {}
    assert all(one[1]["gap"] and not one[1]["why"] for names in values.values() for one in names.values())
    assert values["mauve"]["all labels"][1]["gap"]["value"] == pytest.approx(0.1) and values["mauve"]["all labels"][1]["sd"] == 0.02
    assert values["sources"]["passages: effective number"][1]["gap"]["value"] == -5.0
    assert values["vectors"]["mean cosine across labels"][0] | {"gap": None} == values["vectors"]["mean cosine across labels"][0]


def test_label_preservation_has_intervals_of_both_and_of_their_difference():
    other = measured()
    about = {"value": 0.9, "interval": {"value": 0.9, "low": 0.85, "high": 0.94}, "n": 99}
    other["preservation"]["arms"]["main"] |= about
    found = beside(measured(), other)
    _, one = found["values"]["labels_kept"]["the label asked for"]
    assert (one["low"], one["high"], one["n"]) == (0.85, 0.94, 99)  # a share does not move with the number of rows
    assert one["gap"] == {
        "value": pytest.approx(0.2), "low": pytest.approx(0.2 - math.hypot(0.05, 0.1)), "high": pytest.approx(0.2 + math.hypot(0.04, 0.1))
    }  # fmt: skip
    said = words(text(compare([run("one", measures=measured()), run("two", measures=other)])))
    assert "the label asked for 0.700 [0.600 to 0.800], n 60 0.900 [0.850 to 0.940] (+0.200, +0.088 to +0.308), n 99" in said


def test_numbers_that_do_not_measure_the_same_thing_have_no_difference():
    files = {"dev": {"path": "dev.jsonl", "sha256": "another"}}
    values = beside(measured(), measured(), files=files)["values"]
    for topic, name in (
        ("mauve", "all labels"),
        ("labels_kept", "the label asked for"),
        ("coverage", "covered"),
        ("gaps", "words gold has not"),
    ):
        assert values[topic][name][1]["gap"] is None and values[topic][name][1]["why"] == "other gold rows"
    assert values["novelty"]["1 word"][1]["gap"]
    other = measured()
    other["mauve"]["embedder"] = other["vectors"]["embedder"] = "large"
    other["entities"]["n"] = 41
    values = beside(measured(), other)["values"]
    assert values["mauve"]["all labels"][1]["why"] == values["vectors"]["mean distance"][1]["why"] == "other embedder"
    assert values["entities"]["PERSON"][1]["why"] == "other n"


def test_vectors_that_were_fitted_on_a_run_are_compared_with_no_other():
    fitted = measured()
    fitted["vectors"]["fitted"] = fitted["mauve"]["fitted"] = True
    values = beside(fitted, fitted)["values"]
    for topic, name in (("mauve", "all labels"), ("vectors", "mean distance"), ("coverage", "covered")):
        assert values[topic][name][1]["why"] == "vectors fitted on its own rows" and values[topic][name][1]["gap"] is None


def test_what_was_not_measured_of_a_run_says_why():
    other = measured() | {"mauve": {"missing": "too few rows."}, "rows": "accepted"}
    other["vectors"]["coverage"] = {"missing": "no gold"}
    said = words(text(compare([run("one", measures=measured()), run("two", measures=other)])))
    assert "two: MAUVE: too few rows." in said and "two: Gold rows that have a row near them: no gold." in said
    assert "Measured before `export` left out what gives a dev or test row away: two." in said


def test_runs_of_a_grid_have_no_price_for_a_row():
    spent = {"requests": 4, "prompt_tokens": 300, "answer_tokens": 100, "cost": 0.02, "unpriced": 0}
    shared = {"spent": spent, "stages": [], "shared": True}
    said = words(text(compare([run("g/a", money=shared), run("g/b", money={**shared, "spent": None})])))
    assert (
        "g/a 4 400 0.0200 not known" in said
        and "g/b 0 0 0 not known" in said
        and "the one that asked first paid for them: g/a, g/b" in said
    )


def test_money_is_told_for_a_thousand_rows():
    spent = {"requests": 4, "prompt_tokens": 300, "answer_tokens": 100, "cost": 0.02, "unpriced": 0}
    found = compare(
        [run("one"), run("two", money={"spent": spent, "stages": []}), run("three", money={"spent": {**spent, "unpriced": 4, "cost": 0.0}})]
    )
    said = words(text(found))
    assert "two 4 400 0.0200 20.00" in said and "one 0 0 0 0" in said and "three 4 400 not known not known" in said


def test_the_page_is_whole_and_escaped():
    outline = Outline(text(compare([run("one"), run("<b>two</b> & 'three'")])))
    assert outline.crossed == outline.open == [] and "b" not in outline.tags
    assert len(set(outline.ids())) == len(outline.ids())
    assert "<b>two</b>" in html.unescape(text(compare([run("one"), run("<b>two</b>")])))


def test_a_difference_has_a_sign_unless_it_rounds_to_nothing():
    assert [signed(value, 1) for value in (0.04, -0.04, 0.06, -2.0)] == ["0.0", "0.0", "+0.1", "\N{MINUS SIGN}2.0"]
