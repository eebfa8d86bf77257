"""What the table and the figure of a grid say."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from spacy_synthesizrr.ablations.figure import figure
from spacy_synthesizrr.ablations.overlap import shared_plans, shared_rows
from spacy_synthesizrr.ablations.results import over_draws
from spacy_synthesizrr.ablations.table import HERE, UNCLEAR, markdown, notes, table, verdict
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.receipts import RunFolder


def gap(value, low, high, draws=(), over=None):
    draws = [{"draw": f"seed{number}", "value": one} for number, one in enumerate(draws)]
    return {"value": value, "low": low, "high": high, "draws": draws, "over_draws": over and dict(zip(("low", "high"), over, strict=True))}


def run(draw, score, **more):
    return {"draw": draw, "run": f"g/a.{draw}", "rows": 8, "short": 0, "steps": 4, "seeds": [score], "score": score, "show": {}, **more}


def document(*arms, draws=2, **more):
    about = {"grid": "g", "about": "Why?", "metric": "accuracy", "baseline": "a", "base": {}, "test": [200], "spent": None}
    return about | {"draws": [{"name": f"seed{n}", "changes": {"seed": n}} for n in range(draws)], "arms": list(arms)} | more


def arm(name, runs, difference=None):
    return {"name": name, "changes": {"per_label": 2}, "runs": runs, "score": {"mean": 0.5, "sd": 0.01}, "difference": difference}


BASE = arm("a", [run("seed0", 0.5), run("seed1", 0.5)])
OTHER = arm("b", [run("seed0", 0.6), run("seed1", 0.4)], gap(0.031, 0.01, 0.05, (0.1, -0.04), (-0.9, 0.96)))


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (gap(0.02, 0.01, 0.03), ""),
        (gap(-0.02, -0.03, -0.01, (-0.02, -0.02), (-0.03, -0.01)), ""),
        (gap(0.02, -0.01, 0.05, (0.02, 0.02), (0.01, 0.03)), UNCLEAR),
        (gap(0.02, 0.01, 0.03, (0.05, -0.01), (-0.3, 0.4)), HERE),
        (gap(0.02, 0.0, 0.03), UNCLEAR),
    ],
)
def test_a_difference_is_clear_when_neither_test_rows_nor_draws_could_turn_it(found, word):
    assert verdict(found) == word


def test_draws_that_share_their_rows_make_no_difference_sure():
    clear = gap(0.02, 0.01, 0.03, (0.02, 0.02), (0.01, 0.03))
    found = document(BASE, arm("b", [run("seed0", 0.6), run("seed1", 0.6)], clear) | {"shared": 0.75})
    assert HERE in list(table(found))[3]
    assert any("up to 75 % of their rows in common (b)" in line for line in notes(found))
    found["arms"][1]["shared"] = 0.05
    assert HERE not in list(table(found))[3] and not any("in common" in line for line in notes(found))


def test_shared_rows_are_counted_between_draws(tmp_path):
    folders = []
    for name, texts in {"a": ["One.", "Two."], "b": ["one", "Three.", "Four."], "c": []}.items():
        folders.append(RunFolder(tmp_path / name))
        rows = [Candidate(text, "s", ("x",), "seed", None, fields={"text": text}).to_dict() for text in texts]
        write_jsonl(tmp_path / name / "accepted.jsonl", rows)
    assert shared_rows(folders) == 0.5
    assert shared_rows(folders[1:]) is None


def test_shared_plans_are_known_before_anybody_is_asked(tmp_path):
    folders = []
    for name, ids in {"a": "pqr", "b": "qrs", "c": ""}.items():
        folders.append(RunFolder(tmp_path / name))
        rows = [Candidate(id, "s", ("x",), "seed", None, reserve=id in "rs").to_dict() for id in ids]
        write_jsonl(tmp_path / name / "planned.jsonl", rows)
    assert shared_plans(folders) == 1.0  # q of b stands in a; rows of the reserve do not count
    assert shared_plans(folders[1:]) is None


def test_a_row_has_difference_interval_and_draws():
    lines = list(table(document(BASE, OTHER)))
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == [
        "b", "8", "50.0 ± 1.0", f"+3.1 [+1.0, +5.0] {HERE}", "+10.0, −4.0 [−90.0, +96.0]",
    ]  # fmt: skip
    assert len({len(line) for line in lines}) == 1


def test_numbers_of_metrics_are_columns():
    shown = [arm(name, [run("seed0", 0.5, show={"distinct.2": value})], None) for name, value in (("a", 0.25), ("b", None))]
    lines = list(table(document(*shown, draws=1)))
    assert "distinct.2" in lines[0] and "0.25" in lines[2] and lines[3].rstrip(" |").endswith("–")


def test_what_is_missing_is_told():
    lost = arm("b", [run("seed0", 0.6, short=3), {"draw": "seed1", "why": "No row."}])
    said = "\n".join(notes(document(BASE, lost, test=[12], spent={"requests": 1200, "tokens": 9, "cost": None})))
    assert "b.seed0: 3 rows fewer" in said and "b.seed1: No row." in said
    assert "too narrow" in said and "1,200 requests" in said and "price unknown" in said
    assert "(1 of 2 draws)" in "\n".join(table(document(BASE, lost)))


def test_a_grid_of_which_nothing_is_finished_has_a_table():
    waiting = [{**arm(name, [{"draw": "seed0", "why": "not done yet"}]), "score": None} for name in ("a", "b")]
    assert "No run is finished." in markdown(document(*waiting, draws=1))
    figure(document(*waiting, draws=1))


def test_many_comparisons_come_with_a_warning():
    said = "\n".join(notes(document(BASE, *(arm(f"b{number}", [run("seed0", 0.5)]) for number in range(6)))))
    assert "6 comparisons" in said


def test_the_figure_is_a_picture_of_its_own():
    root = ElementTree.fromstring(figure(document(BASE, OTHER)))
    assert root.tag.endswith("svg") and root.get("width") and root.get("height")
    text = " ".join(root.itertext())
    assert "b +3.1 (+1.0 to +5.0)" in text and "--ink" in text
    assert not [node for node in root.iter() if any("http" in value for name, value in node.items() if name.endswith("href"))]


def test_the_interval_over_draws_is_students_t():
    found = over_draws([0.067, 0.018, 0.0])
    assert (found["low"], found["high"]) == pytest.approx((-0.0576, 0.1143), abs=1e-3)
    assert over_draws([0.1]) is None
