import pytest

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.stores.asking import Condition, Filter, Search, conditions, document_of, read_search

PASSAGE = Passage("id", "text", "paper", "2026/3", 4, {"date": "2026-03-01", "year": 2026, "share": 0.5, "open": True, "tags": ["a", "b"]})


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("source", "==", "paper"),
        ("document", "==", "2026/3"),
        ("number", ">=", 4),
        ("number", "<", 4.5),
        ("date", ">", "2026-02-28"),
        ("date", "<=", "2026-03-01"),
        ("year", "in", (2025, 2026)),
        ("year", "==", 2026.0),
        ("share", "!=", 0.25),
        ("open", "==", True),
        ("open", "in", (False, True)),
        ("tags", "==", "b"),
        ("tags", "in", ("b", "c")),
        ("tags", ">", "a"),
        ("tags", "!=", "c"),
        ("missing", "!=", "anything"),
        ("year", "!=", "2026"),
        ("open", "!=", 1),
    ],
)
def test_what_holds(field, op, value):
    assert Condition(field, op, value).holds(PASSAGE)


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("source", "==", "pape"),
        ("source", "==", "Paper"),
        ("number", ">", 4),
        ("number", "==", "4"),
        ("date", "<", 3000),
        ("year", "<", "3000"),
        ("year", "in", (2025, "2026")),
        ("open", "==", 1),
        ("share", "==", True),
        ("tags", "==", "ab"),
        ("tags", "!=", "a"),
        ("missing", "==", "anything"),
        ("missing", "<", 10),
        ("missing", "in", ("anything",)),
    ],
)
def test_what_does_not_hold(field, op, value):
    assert not Condition(field, op, value).holds(PASSAGE)


@pytest.mark.parametrize("value", [None, {"a": 1}, [], [None], [["a"]]])
def test_a_value_that_is_no_text_number_or_truth_passes_only_unequal(value):
    passage = Passage("id", "text", meta={"odd": value})
    assert Condition("odd", "!=", "a").holds(passage)
    assert not any(Condition("odd", op, "a").holds(passage) for op in ("==", "<", "<=", ">", ">="))


@pytest.mark.parametrize(
    ("field", "op", "value", "says"),
    [
        ("year", "=", 1, r"no operator '='. Valid: '==', '!=', '<', '<=', '>', '>=', 'in'"),
        ("", "==", 1, "names no field. Give 'source', 'document', 'number' or a key of the metadata"),
        ("year", "==", (1, 2), "'==' takes one value; for a list of them write 'in'"),
        ("year", "in", 1, "'in' takes a list of values"),
        ("year", "in", (), "passes nothing: its list is empty"),
        ("year", "==", None, "neither text nor a finite number"),
        ("year", "<", float("nan"), "neither text nor a finite number"),
        ("open", "<", True, "nothing is smaller or larger than True"),
    ],
)
def test_a_wrong_condition_is_refused(field, op, value, says):
    with pytest.raises(ConfigError, match=says):
        Condition(field, op, value)


def test_a_filter_passes_what_is_not_excluded_and_fits_every_condition():
    both = (Condition("source", "==", "paper"), Condition("year", ">", 2000))
    assert Filter(where=both).passes(PASSAGE)
    assert not Filter(frozenset(["id"]), both).passes(PASSAGE)
    assert not Filter(where=(*both, Condition("open", "==", False))).passes(PASSAGE)


def test_conditions_are_made_of_lists():
    made = conditions([("source", "in", ["a", "b"]), ("number", "==", 3)])
    assert made == (Condition("source", "in", ("a", "b")), Condition("number", "==", 3))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"mode": "vektor"}, r"no search by mode 'vektor'. Did you mean 'vector'\? Valid: 'vector', 'keyword', 'hybrid'"),
        ({"alpha": 1.1}, "alpha must lie between 0 and 1"),
        ({"diversity": -0.1}, "diversity must lie between 0 and 1"),
        ({"min_similarity": float("inf")}, "min_similarity must be a finite number"),
        ({"fetch": 0}, "fetch must be 1 or more"),
        ({"per_document": 0}, "per_document must be 1 or more"),
    ],
)
def test_a_wrong_search_is_refused(values, says):
    with pytest.raises(ConfigError, match=says):
        Search(**values)


@pytest.mark.parametrize(
    ("values", "k", "candidates"),
    [
        ({}, 50, 50),
        ({"mode": "keyword", "min_similarity": 1.0, "fetch": 300}, 50, 50),
        ({"mode": "hybrid"}, 10, 100),
        ({"mode": "hybrid"}, 50, 200),
        ({"diversity": 0.5}, 50, 200),
        ({"per_document": 1, "fetch": 70}, 50, 70),
        ({"mode": "hybrid", "fetch": 20}, 50, 50),
    ],
)
def test_how_many_candidates_a_search_looks_at(values, k, candidates):
    assert Search(**values).candidates(k) == candidates


def test_a_passage_without_a_document_is_one_by_itself():
    one, other = Passage("a", "", "s"), Passage("b", "", "s")
    assert document_of(one) != document_of(other)
    assert document_of(Passage("a", "", "s", "d")) == document_of(Passage("b", "", "s", "d"))
    assert document_of(Passage("a", "", "s", "d")) != document_of(Passage("b", "", "t", "d"))


def test_a_search_is_read_from_a_config():
    made = read_search({"mode": "hybrid", "alpha": 0.7, "where": [["source", "==", "news"]]})
    assert made == (Search("hybrid", alpha=0.7), Filter(where=(Condition("source", "==", "news"),)))
    assert read_search({}) == (Search(), Filter())
    with pytest.raises(ConfigError, match="has no 'mod'. Did you mean 'mode'"):
        read_search({"mod": "hybrid"})
