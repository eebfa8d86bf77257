import xml.etree.ElementTree as ET

from spacy_synthesizrr.report.figures import MOST_PARTS, MOST_ROWS, funnel, short, similarities, sizes, students
from spacy_synthesizrr.report.findings import Standing


def texts(plot):
    return "\n".join(ET.fromstring(plot.svg).itertext())


def meanings(plot):
    return [meaning for _, meaning in plot.legend]


def test_the_funnel_names_every_end_with_its_count_the_good_one_first():
    plot = funnel({"sport": {"accepted": 6, "near_copy": 1}, "science": {"near_copy": 2, "refused": 4, "accepted": 5}})
    assert meanings(plot) == ["accepted (11)", "refused (4)", "near copy (3)"]
    assert "sport" in texts(plot) and "science" in texts(plot)


def test_the_funnel_sums_rare_reasons_up():
    reasons = {f"reason{number}": 20 - number for number in range(MOST_PARTS + 2)}
    plot = funnel({"sport": {"accepted": 5, **reasons}})
    assert len(plot.legend) == 1 + MOST_PARTS + 1
    assert plot.legend[-1][1] == "other (25)"


def test_ends_of_the_funnel_have_colors_of_their_own():
    plot = funnel({"sport": {"accepted": 5, **{f"reason{number}": 1 for number in range(MOST_PARTS)}}})
    colors = [color for color, _ in plot.legend]
    assert len(set(colors)) == len(colors) == 1 + MOST_PARTS


def test_a_plot_of_very_many_labels_says_what_it_leaves_out():
    counts = {f"label{number}": {"accepted": 3} for number in range(MOST_ROWS + 5)}
    plot = funnel(counts)
    assert f"label{MOST_ROWS - 1}" in texts(plot)
    assert f"label{MOST_ROWS}\n" not in texts(plot)
    assert f"first {MOST_ROWS} of {MOST_ROWS + 5} labels" in plot.note


def test_a_funnel_without_any_candidate_is_drawn():
    assert meanings(funnel({"sport": {}})) == ["accepted (0)"]


def test_sizes_show_each_count():
    assert "12,000" in texts(sizes({"main": 12000, "seed-only": 40}))


def test_similarities_mark_windows():
    plot = similarities([0.0, 0.5, 1.0], [3, 1], {"window": (0.4, 0.8)}, accepted=[1, 1])
    assert meanings(plot) == ["hits (4)", "accepted rows (2)", "window 0.40 to 0.80"]


def test_a_window_that_reaches_beyond_the_hits_keeps_its_bounds():
    inside, beyond = (similarities([0.2, 0.5], [3], {"window": (0.3, high)}) for high in (0.45, 0.9))
    assert meanings(beyond)[-1] == "window 0.30 to 0.90"
    assert inside.svg.count("stroke-dasharray") == 2
    assert beyond.svg.count("stroke-dasharray") == 1
    assert ">0.9<" not in beyond.svg


def test_students_show_means_and_the_reason_of_an_arm_that_was_not_run():
    arms = [Standing("main", dev=[0.7, 0.8], test=[0.6, 0.8]), Standing("fewgen", why="not run: this teacher only copies")]
    text = texts(students(arms, metric="accuracy"))
    assert "main dev 75.0 ± 7.1 and test 70.0 ± 14.1" in text
    assert text.count("not run: this teacher only copies") == 2


def test_students_are_drawn_from_a_single_training_seed():
    assert "main test 100.0" in texts(students([Standing("main", test=[1.0])], metric="accuracy"))


def test_long_names_are_cut_with_a_sign():
    assert short("a" * 30) == "a" * 21 + "…"
    assert short("sport") == "sport"
