"""The parts about measures: n and length beside, ceilings and floors beside, and a reason where there is nothing."""

import json
from types import SimpleNamespace

import pytest
from report_numbers import measured

from spacy_synthesizrr.report import measures


@pytest.fixture(scope="module")
def metrics():
    return measured()


def tables(part):
    return {table.caption: table for table in part.tables}


def parts(found):
    return {part.anchor: part for make in measures.PARTS if (part := make({"measures": found, "run": "r"}))}


def test_variety_is_shown_at_the_largest_size_that_gold_has_too(metrics):
    found = tables(parts(metrics)["measures"])
    table = found["Variety, on 40 rows of each set"]
    assert [row[0] for row in table.rows] == ["main", "dev"] and table.rows[0][1] == "20.5"
    assert table.head[-1] == "Self-BLEU-5" and table.rows[0][-1] == "0.100"
    assert found["Self-BLEU-5 within each label"].rows == (("a", 30, "0.100"),)
    assert "Length in words" in found


def test_mauve_stands_between_its_floor_and_its_ceiling(metrics):
    part = parts(metrics)["closeness"]
    (table,) = [table for table in part.tables if table.caption.startswith("MAUVE")]
    assert "0.500: nothing in common" in table.caption and table.head == ("label", "rows on each side", "clusters", "main", "gold")
    assert table.rows[0] == ("all labels", "40", 4, "0.800 ± 0.020", "0.970")
    assert table.rows[1][1] == "9 rows on each side; 30 are needed." and table.rows[1][3] is None


def test_coverage_and_gaps_have_gold_beside_them(metrics):
    found = tables(parts(metrics)["closeness"])
    assert [row[0] for row in found["Words and lengths against dev rows, 20 of each set"].rows] == ["main", "gold"]
    assert found["Words that the rows use"].rows[0] == ("more often than gold", "delve")
    assert any("20 of each set" in caption and "as near as half" in caption for caption in found)


def test_heat_maps_of_rows_and_gold_share_a_scale(metrics):
    plots = parts(metrics)["closeness"].plots
    assert len(plots) == 2 and {plot.legend for plot, _ in plots} == {plots[0][0].legend}
    assert "a and b 0.10" in plots[0][0].svg and plots[0][0].svg.count("<svg") == 1


def test_labels_kept_stand_beside_gold_and_shuffled_labels(metrics):
    part = parts(metrics)["preserved"]
    table = tables(part)["Rows whose label a judge finds again"]
    assert table.rows == (("main", 60, "70.0", "60.0 to 80.0", "25.0", 2),)
    assert "40 dev rows" in part.sentences[0] and "90.0 %" in part.sentences[0]


def test_entities_name_the_pipeline_and_the_most_named(metrics):
    part = parts(metrics)["entities"]
    assert "en_x 1.0" in part.sentences[0] and "main 20.5" in part.sentences[0]
    assert tables(part)["Most named entities"].rows == (("main: PERSON", 9, 4, "<b>Ann</b> (55.0)", "40.0"),)


def test_sources_say_against_what_rows_are_novel(metrics):
    found = tables(parts(metrics)["sources"])
    assert found["N-grams that stand nowhere in the corpus (99 passages), in percent"].rows == (
        ("main", 60, "20.0", "10.0", "20.0", "30.0", "50.0"),
    )
    assert found["Where rows come from"].rows[0] == ("main: passages", 60, 30, 5, "25.0")


def test_what_was_not_measured_says_why(metrics):
    nothing = {
        name: {"missing": f"No {name}."}
        for name in ("entities", "preservation", "gaps", "vectors", "mauve", "novelty", "sources", "labels")
    }
    found = parts({**metrics, **nothing})
    assert found["entities"].missing == "No entities." and found["preserved"].missing == "No preservation."
    assert found["sources"].missing == "No sources. No novelty." and "No mauve." in found["closeness"].missing
    assert "Variety, on 40 rows of each set" in tables(found["measures"])


def test_numbers_of_an_earlier_release_have_the_parts_that_they_have(metrics):
    old = {name: metrics[name] for name in ("sets", "equal")}
    assert list(parts(old)) == ["measures"] and "Variety, on 20 rows of each set" in tables(parts(old)["measures"])
    assert parts(None)["measures"].missing


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("exported", "3 rows of the main arm give a dev or test row away; they are neither exported nor measured."),
        ("accepted", "Of those of the main arm 3 give a dev or test row away and are not exported"),
    ],
)
def test_rows_that_are_not_exported_are_counted_where_they_would_flatter(metrics, rows, said):
    gate = {"arms": {"main": {"rows": 60, "equal": 1, "ngram": 2, "similarity": 0}}}
    numbers = {"measures": {**metrics, "rows": rows}, "run": "r", "gate": gate}
    for part in (measures.closeness(numbers), measures.preserved(numbers)):
        assert said in " ".join(part.sentences)


def test_labels_kept_says_that_filters_chose_the_rows(metrics):
    filters = {"labels": {"acted": "review"}, "doubt": {"acted": "reject"}, "map": {"labels": {"a": {}}, "keep": "confidence"}}
    curation = {"arms": {"main": {"filters": filters}}}
    assert "Set filters (doubt, map) left the rows" in " ".join(measures.preserved({"measures": metrics, "curation": curation}).sentences)
    assert "Set filters" not in " ".join(measures.preserved({"measures": metrics}).sentences)


def test_parts_come_from_what_measure_writes(walked):
    found = json.loads(SimpleNamespace(path=walked.folder.file("metrics.json")).path.read_text())
    assert {"measures", "closeness", "preserved", "entities", "sources"} == set(parts(found))
