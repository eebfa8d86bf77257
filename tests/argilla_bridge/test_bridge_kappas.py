import itertools
from collections import Counter

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from argilla_bridge.measures.kappas import cohen, library_alpha, masi_distances, measures, of_label, table

# Fleiss, Psychological Bulletin 76 (1971), p. 378; as in the article "Fleiss' kappa" of Wikipedia: 10 subjects, 14 raters, 0.210
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), part C: four observers, twelve units, nominal alpha 0.743
OBSERVERS = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]


def patterns(rows):
    """From rows of answers to counts of patterns."""
    return Counter(tuple(sorted(Counter(map(frozenset, row)).items(), key=lambda item: sorted(item[0]))) for row in rows)


def spread(counts):
    return [[[f"label{place}"] for place, count in enumerate(row) for _ in range(count)] for row in counts]


def units():
    return [[[value] for value in column if value != "."] for column in zip(*OBSERVERS, strict=True)]


def test_fleiss_own_example():
    found = measures(patterns(spread(FLEISS)), seed=0)
    assert found["fleiss"]["value"] == pytest.approx(0.210, abs=0.0005)
    assert found["percent"]["value"] == pytest.approx(0.378, abs=0.0005)


def test_krippendorffs_own_example():
    found = measures(patterns(units()), seed=0)
    assert found["alpha"]["value"] == pytest.approx(0.743, abs=0.0005)
    assert found["alpha"]["low"] < 0.743 < found["alpha"]["high"]


def test_a_unit_with_one_answer_does_not_count():
    assert measures(patterns(units()), seed=0)["percent"]["n"] == 11


def test_cohen_of_two_readers_of_grant_proposals():
    """The first example of the article "Cohen's kappa" of Wikipedia: 20 + 15 of 50 alike, kappa 0.4."""
    yes, no = frozenset(["yes"]), frozenset(["no"])
    found = cohen({(yes, yes): 20, (yes, no): 5, (no, yes): 10, (no, no): 15}, seed=0)
    assert (found["percent"]["value"], found["kappa"]["value"]) == (0.7, 0.4)
    # its large-sample standard error is 0.127 (Fleiss, Cohen and Everitt 1969)
    assert found["kappa"]["low"] == pytest.approx(0.4 - 1.96 * 0.127, abs=0.05)
    assert found["kappa"]["high"] == pytest.approx(0.4 + 1.96 * 0.127, abs=0.05)


LABELS = st.sampled_from("abcd")


@given(st.lists(st.tuples(LABELS, LABELS), min_size=2, max_size=40))
def test_cohen_is_that_of_scikit_learn(pairs):
    one, two = zip(*pairs, strict=True)
    found = cohen(Counter((frozenset(a), frozenset(b)) for a, b in pairs), seed=0)["kappa"]["value"]
    if len(set(one) | set(two)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(cohen_kappa_score(one, two), abs=0.0001)


@given(st.lists(st.lists(LABELS, min_size=1, max_size=4), min_size=2, max_size=20))
def test_alpha_is_that_of_the_package_krippendorff(rows):
    from argilla_bridge.measures.kappas import alpha

    answers, counts, frequencies = table(patterns([[[label] for label in row] for row in rows]))
    pairable = {label for row in rows if len(row) > 1 for label in row}
    assert {next(iter(answer)) for answer in answers} == pairable
    if len(pairable) < 2:
        return
    ours = alpha(counts, frequencies[None, :], 1.0 - np.eye(len(answers)))[0]
    coded = [[("abcd".index(row[place]) if place < len(row) else np.nan) for row in rows] for place in range(4)]
    theirs = krippendorff.alpha(reliability_data=coded, value_domain=[0, 1, 2, 3], level_of_measurement="nominal")
    assert ours == pytest.approx(theirs, abs=1e-9)


@given(st.lists(st.lists(st.frozensets(LABELS, min_size=1, max_size=3), min_size=2, max_size=4), min_size=2, max_size=12))
def test_alpha_with_masi_is_that_of_the_package_krippendorff(rows):
    from argilla_bridge.measures.kappas import alpha

    answers, counts, frequencies = table(patterns(rows))
    if len(answers) < 2:
        return
    distances = masi_distances(answers)
    ours = alpha(counts, frequencies[None, :], distances)[0]
    assert ours == pytest.approx(library_alpha(counts, frequencies, distances), abs=1e-9)


def test_masi_distances_of_passonneau():
    """Sets that are equal, one in the other, overlapping, disjoint; LREC 2006, section 4."""
    sets = [frozenset("ab"), frozenset("abc"), frozenset("bd"), frozenset("ef"), frozenset()]
    found = masi_distances(sets)
    assert found[0].tolist() == pytest.approx([0, 1 - 2 / 3 * 2 / 3, 1 - 1 / 3 * 1 / 3, 1, 1])
    assert (found == found.T).all()


def test_label_sets_get_an_alpha_that_knows_how_near_they_are():
    rows = [[["a", "b"], ["a"]], [["a"], ["a"]], [["c"], ["c", "b"]], [["c"], ["c"]]]
    found = measures(patterns(rows), seed=0)
    assert found["alpha"]["value"] < found["alpha_masi"]["value"] < 1
    assert "alpha_masi" not in measures(patterns(units()), seed=0)


def test_who_always_agrees_leaves_some_doubt():
    found = measures(patterns([[["a"], ["a"]]] * 10 + [[["b"], ["b"]]] * 10), seed=0)
    for name in ("percent", "fleiss", "alpha"):
        assert found[name]["value"] == 1.0
        assert 0.5 < found[name]["low"] < 0.95


def test_one_answer_alone_has_no_chance_to_compare_with():
    found = measures(patterns([[["a"], ["a"]]] * 10), seed=0)
    assert (found["percent"]["value"], found["fleiss"]["value"], found["alpha"]["value"]) == (1.0, None, None)


def test_nobody_answered_together():
    found = measures(patterns([[["a"]], [["b"]]]), seed=0)
    assert found["alpha"] == {"value": None, "low": None, "high": None, "n": 0}


def test_specific_agreement_of_two_people():
    """2 a / (2 a + b + c), Cicchetti and Feinstein 1990."""
    rows = [[["x"], ["x"]]] * 6 + [[["x"], ["y"]]] * 3 + [[["y"], ["x"]]] + [[["y"], ["y"]]] * 10
    assert of_label(patterns(rows), "x", seed=0)["specific"]["value"] == 0.75
    assert of_label(patterns(rows), "y", seed=0)["specific"]["value"] == pytest.approx(20 / 24, abs=0.0001)


def test_the_order_of_rows_does_not_matter():
    rows = spread(FLEISS)
    assert measures(patterns(rows), seed=3) == measures(patterns(rows[::-1]), seed=3)


def drawn(rng, rows, right):
    """Two people who are right with a probability, among three labels of equal frequency, and wrong alike otherwise."""
    truth = rng.integers(3, size=rows)
    return [np.where(rng.random(rows) < p, truth, (truth + rng.integers(1, 3, size=rows)) % 3) for p in right]


def test_planted_agreement_lies_in_the_interval():
    """With marginals that are even, kappa and alpha are (a − 1/3) / (2/3), where a = p q + (1 − p)(1 − q) / 2."""
    p, q = 0.9, 0.75
    percent = p * q + (1 - p) * (1 - q) / 2
    kappa = (percent - 1 / 3) / (2 / 3)
    inside = Counter()
    for seed in range(60):
        one, two = drawn(np.random.default_rng(seed), 300, (p, q))
        found = measures(patterns([[[str(a)], [str(b)]] for a, b in zip(one, two, strict=True)]), seed=0)
        pair = cohen(Counter((frozenset(str(a)), frozenset(str(b))) for a, b in zip(one, two, strict=True)), seed=0)
        planted = {"percent": percent, "fleiss": kappa, "alpha": kappa}
        inside.update(name for name, value in planted.items() if found[name]["low"] <= value <= found[name]["high"])
        inside["cohen"] += pair["kappa"]["low"] <= kappa <= pair["kappa"]["high"]
    # of 60 intervals of 95 % each, fewer than 51 hold with a probability below 1 in 10,000
    assert all(inside[name] >= 51 for name in ("percent", "fleiss", "alpha", "cohen")), inside


def test_more_people_on_some_rows_than_on_others():
    rows = [[["a"]] * count + [["b"]] for count in (1, 2, 3, 5)] + [[["b"], ["b"]]]
    pairs = [
        sum(x == y for x, y in itertools.combinations([tuple(one) for one in row], 2)) / (len(row) * (len(row) - 1) / 2) for row in rows
    ]
    assert measures(patterns(rows), seed=0)["percent"]["value"] == pytest.approx(np.mean(pairs), abs=0.0001)


def test_one_row_of_disagreement_has_no_interval():
    found = {**measures(patterns([[["a"], ["b"]]]), seed=0), **cohen({(frozenset("a"), frozenset("b")): 1}, seed=0)}
    assert all(
        found[name]["value"] is not None and found[name]["low"] is found[name]["high"] is None for name in ("fleiss", "alpha", "kappa")
    )


def test_who_never_agrees_leaves_some_doubt():
    found = measures(patterns([[["a"], ["b"]]] * 12), seed=0)
    kappa = cohen({(frozenset("a"), frozenset("b")): 6, (frozenset("b"), frozenset("a")): 6}, seed=0)["kappa"]
    for one in (found["fleiss"], found["alpha"], kappa):
        assert one["low"] <= one["value"] <= one["low"] + 0.1 and -0.7 < one["high"] < -0.3


def test_a_second_answer_that_is_rare_allows_no_interval():
    rows = [[["a"], ["a"]]] * 500 + [[["b"], ["b"]]] * 2
    found = {**measures(patterns(rows), seed=0), **cohen({(frozenset(x), frozenset(x)): n for x, n in (("a", 500), ("b", 2))}, seed=0)}
    for name in ("fleiss", "alpha", "kappa"):
        assert (found[name]["value"], found[name]["low"], found[name]["high"]) == (1.0, None, None)


def test_sets_that_always_differ_alike_have_no_interval_without_width():
    found = measures(patterns([[["a", "b"], ["a"]]] * 10), seed=0)
    assert found["alpha_masi"]["value"] is not None
    assert found["alpha_masi"]["low"] is None or found["alpha_masi"]["low"] < found["alpha_masi"]["high"]


def test_a_label_of_one_row_is_hardly_known():
    rows = [[["x"], ["x"]]] * 49 + [[["y"], ["y"]]]
    found = of_label(patterns(rows), "y", seed=0)
    assert found["alpha"] == {"value": 1.0, "low": None, "high": None, "n": 1}
    # Wilson's interval of 1 of 1 begins at 0.2065, and 2 q / (1 + q) of those who choose it agree then
    assert found["specific"] == {"value": 1.0, "low": pytest.approx(2 * 0.2065 / 1.2065, abs=0.0001), "high": 1.0, "n": 1}


def test_a_label_that_the_others_never_choose_too():
    found = of_label(patterns([[["x"], ["y"]]] * 8 + [[["y"], ["y"]]] * 8), "x", seed=0)["specific"]
    assert (found["value"], found["low"], found["n"]) == (0.0, 0.0, 8) and 0.3 < found["high"] < 0.6


def test_a_label_that_nobody_chose():
    assert of_label(patterns([[["x"], ["x"]]]), "y", seed=0)["specific"] == {"value": None, "low": None, "high": None, "n": 0}


def test_intervals_of_few_rows_hold_nearly_as_often():
    """12 rows, of which nearly all or nearly none agree by chance alone in many draws."""
    p, q = 0.95, 0.9
    percent = p * q + (1 - p) * (1 - q) / 2
    held, told = Counter(), Counter()
    for seed in range(150):
        one, two = drawn(np.random.default_rng(seed), 12, (p, q))
        rows = patterns([[[str(a)], [str(b)]] for a, b in zip(one, two, strict=True)])
        found = {**measures(rows, seed=0), "specific": of_label(rows, "1", seed=0)["specific"]}
        planted = dict.fromkeys(("fleiss", "alpha"), (percent - 1 / 3) / (2 / 3)) | dict.fromkeys(("percent", "specific"), percent)
        for name, value in planted.items():
            if found[name]["low"] is not None:
                told[name] += 1
                held[name] += found[name]["low"] <= value <= found[name]["high"]
    assert all(held[name] >= 0.9 * told[name] > 50 for name in ("fleiss", "alpha", "percent", "specific")), (held, told)
