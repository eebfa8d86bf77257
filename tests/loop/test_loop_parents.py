"""The rows that a round starts from, in every arm."""

from __future__ import annotations

from error_rows import make_task, row, said
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import ERROR, Candidate, Seed
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.loop.clusters import Clustered
from spacy_synthesizrr.loop.parents import (
    Parent,
    Uses,
    error_parents,
    goldgen_parents,
    random_parents,
    read_parents,
    row_parents,
    write_parents,
)

TASK = make_task("a", "b")
ROWS = [row(line, "ab"[line % 2]) for line in range(1, 8)]


def lines(parents):
    return [parent.line for parent in parents]


def test_errors_become_parents_in_their_order():
    parents = error_parents([Clustered(said(7, "a", "b", loss=1.5), 2), Clustered(said(3, "b", "a"))])
    assert [(parent.line, parent.cluster, parent.loss) for parent in parents] == [(7, 2, 1.5), (3, 0, 1.2)]
    assert parents[0].seed == Seed.make(("a",), {"text": "the text of line 7"}, ERROR)


def test_parent_tells_the_wrong_labels_where_prompts_may():
    found = error_parents([Clustered(said(1, ("a", "b"), ("b", "c"))), Clustered(said(2, "a", "a"))], include_prediction=True)
    assert [parent.seed.predicted for parent in found] == [("c",), ()]
    silent = error_parents([Clustered(said(1, ("a", "b"), ("b", "c")))])[0].seed
    assert silent.predicted == () and silent.id == found[0].seed.id


def test_equal_errors_are_one_parent():
    found = error_parents([Clustered(said(line, "a", "b", text="The same.")) for line in (4, 2)])
    assert lines(found) == [4]


def test_row_without_a_label_is_no_parent():
    assert lines(row_parents([row(1), row(2, "a")])) == [2]


def test_controls_tell_mistakes_as_the_loop_does():
    found = row_parents([row(1, "a"), row(2, "b"), row(3, "a")], {1: ("b",), 2: ("b",)})
    assert [parent.seed.predicted for parent in found] == [("b",), (), ()]
    assert {parent.seed.origin for parent in found} == {ERROR}


def test_goldgen_takes_every_row_before_it_goes_round():
    first = goldgen_parents(ROWS, 4, seed=0)
    second = goldgen_parents(ROWS, 5, seed=0, start=4)
    assert sorted(lines([*first, *second[:3]])) == list(range(1, 8))
    assert lines(second[3:]) == lines(first[:2])
    assert goldgen_parents(ROWS, 4, seed=1) != first
    assert goldgen_parents(ROWS[::-1], 4, seed=0) == first


def test_random_rows_are_drawn_anew_for_each_round():
    rounds = [lines(random_parents(ROWS, 5, seed=0, round_number=q)) for q in (1, 1, 2)]
    assert rounds[0] == rounds[1] != rounds[2] and len({*rounds[0]}) == 5


def test_more_random_rows_than_there_are_go_round():
    found = lines(random_parents(ROWS, 16, seed=0, round_number=1))
    assert sorted(found[:7]) == sorted(found[7:14]) == list(range(1, 8)) and len(found) == 16


def test_no_rows_give_no_parents():
    assert goldgen_parents([], 3, seed=0) == random_parents([], 3, seed=0, round_number=1) == []


def test_parents_are_seeds_in_a_file_and_come_back(tmp_path):
    parents = error_parents([Clustered(said(3, "a", "b"), 1)], include_prediction=True) + row_parents([row(5, "b")])
    path = tmp_path / "errors.jsonl"
    assert write_parents(path, [*parents, *parents]) == 2
    assert read_parents(path) == parents
    assert list(read_jsonl(path, Seed.from_dict)) == [parent.seed for parent in parents]


def candidate(parent: Parent, draw: int, passage_id: str | None = None) -> Candidate:
    return Candidate.plan(task="t", strategy="extrapolate", seed=parent.seed, passage_id=passage_id, draw=draw)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5))))
def test_next_draw_lies_above_all_earlier_ones(asked):
    parents = row_parents(ROWS)[:3]
    uses = Uses.of(candidate(parents[index], draw) for index, draw in asked)
    for index, draw in asked:
        assert uses.draws[parents[index].seed.id] > draw
    assert set(uses.draws) == {parents[index].seed.id for index, _ in asked}


def test_passages_of_earlier_rounds_are_known():
    parent = row_parents(ROWS)[0]
    assert Uses.of([candidate(parent, 0, "p1"), candidate(parent, 0, "p2"), candidate(parent, 1)]).passages == {"p1", "p2"}
