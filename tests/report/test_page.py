import copy
import functools
import html
import html.parser
import json
import re

import pytest
from report_numbers import HOSTILE, NUMBERS, item, label_plan, samples, with_test_rows

from spacy_synthesizrr.report.items import Item
from spacy_synthesizrr.report.page import HERE, Samples, content_hash, make_parts, render


@functools.cache
def drawn():
    return make_parts(NUMBERS, Samples(similarity=(1, 0)))


def page(rows=None, **changes):
    numbers = {**copy.deepcopy(NUMBERS), **changes}
    plain = rows is None and not changes
    return render(numbers, rows or samples(item()), drawn() if plain else make_parts(numbers, rows or samples(item())))


class Outline(html.parser.HTMLParser):
    """Collects what the tests ask about, and whether every tag is closed."""

    VOID = {"meta", "link", "br", "img", "use", "path", "rect", "input"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open, self.crossed = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def ids(self):
        return [value for name, value in self.attributes if name == "id"]


def words(text):
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)).split())


def data(text):
    """What stands in the page as JSON."""
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL).group(1))


def test_the_page_is_whole():
    outline = Outline(page(with_test_rows()))
    assert outline.crossed == outline.open == []
    assert len(set(outline.ids())) == len(outline.ids())
    assert outline.tags.count("h1") == 1


def test_headings_come_in_order():
    levels = [int(tag[1]) for tag in Outline(page(with_test_rows())).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_the_same_numbers_give_the_same_page():
    assert page() == render(NUMBERS, samples(item()), make_parts(NUMBERS, Samples(similarity=(1, 0))))


def test_the_page_asks_for_nothing_from_outside():
    outline = Outline(page())
    assert not {"link", "img", "iframe", "object", "video"} & set(outline.tags)
    targets = [value for name, value in outline.attributes if name in ("href", "src", "action", "srcset", "data")]
    assert targets
    assert all(target.startswith(("#", "../", "numbers.json", "dataset_card.md")) for target in targets)
    assert "@import" not in page() and "url(http" not in page()


def test_only_the_script_of_the_page_may_run():
    made = page()
    (script,) = re.findall(r"<script>(.*?)</script>", made, re.DOTALL)
    (policy,) = [value for name, value in Outline(made).attributes if name == "content" and "script-src" in value]
    assert script == (HERE / "browser.js").read_text(encoding="utf-8")
    assert f"script-src '{content_hash(script)}'" in policy and policy.startswith("default-src 'none'")


def test_every_link_inside_the_page_has_its_target():
    outline = Outline(page(with_test_rows()))
    links = {value[1:] for name, value in outline.attributes if name == "href" and value.startswith("#")}
    parts = {"students", "confusion", "calibration", "money", "funnel", "sourcing", "leaks", "measures", "rows", "asked"}
    assert parts <= links <= set(outline.ids())


@pytest.mark.parametrize("place", ["text", "passage", "source", "rejected", "test", "remark", "finding", "label", "run", "arm"])
def test_hostile_text_stays_text(place):
    numbers = copy.deepcopy(NUMBERS)
    given = {name: HOSTILE for name in ("passage", "source") if place == name}
    rows = samples(item(HOSTILE if place == "text" else "A text."), **given)
    if place == "rejected":
        rows = samples(item(HOSTILE, status="rejected", reason=HOSTILE))
    elif place == "test":
        rows = with_test_rows(HOSTILE, HOSTILE, HOSTILE)
        numbers["evaluation"]["confusion"] = {
            "labels": ["sport", HOSTILE],
            "cells": [{"gold": HOSTILE, "predicted": HOSTILE, "count": 3, "rows": [5]}],
        }
    elif place == "remark":
        numbers["plan"]["remarks"] = [HOSTILE]
    elif place == "finding":
        numbers["findings"] = [{"tone": "bad", "text": HOSTILE}]
    elif place == "label":
        numbers["funnel"]["labels"] = {HOSTILE: numbers["funnel"]["labels"]["sport"]}
    elif place == "run":
        numbers["run"] = HOSTILE
    elif place == "arm":
        numbers["arms"][2]["why"] = HOSTILE
    made = render(numbers, rows, make_parts(numbers, rows) if place != "finding" else drawn())
    outline = Outline(made)
    assert outline.tags.count("script") == 2 and "img" not in outline.tags
    assert "onerror" not in {name for name, _ in outline.attributes}
    assert "{{ 7 * 7 }}" in made and "49 {%" not in made
    assert outline.crossed == outline.open == []


def test_json_in_the_page_is_what_was_given_and_cannot_end_its_element():
    text = f"{HOSTILE} </script> <!-- \u2028 ]]> \U0001f600"
    made = page(samples(item(text)))
    assert data(made)["items"][0]["fields"] == [["text", text]]
    inside = re.search(r'type="application/json">(.*?)</script>', made, re.DOTALL).group(1)
    assert not set("<>&\u2028") & set(inside)


def test_copied_words_are_marked():
    rows = samples(item("The old bridge was closed.", marks=((6, 31),)), passage="Well, the old bridge was closed, alas.")
    assert "<mark>the old bridge was closed</mark>, alas." in page(rows)


def test_a_row_shows_where_it_comes_from():
    text = words(page())
    for part in (
        "The Source",
        "A seed.",
        "similarity 0.432",
        "rank 3",
        "synthesize: accepted",
        "synthesizrr trace a1a1a1a1a1a1 --run tiny",
    ):
        assert part in text


def test_a_row_without_passage_and_seed_is_shown():
    text = words(page(samples(Item("b" * 32, "main", "accepted", "sport", fields=(("text", "A lone text."),)))))
    assert "A lone text." in text
    assert "not among the task's seeds any more" in html.unescape(text)


def test_a_row_of_several_fields_names_them():
    pair = Item("b" * 32, "main", "accepted", "sport", fields=(("question", "Why?"), ("answer", "So.")))
    assert "question Why? answer So." in words(page(samples(pair)))


def test_without_a_script_the_first_rows_and_some_of_each_reason_stand_there():
    rows = [item(f"Text {number}.") for number in range(30)]
    away = [item(f"Away {number}.", status="rejected", reason="near_copy") for number in range(9)]
    made = page(samples(*rows, *away, reasons={"near_copy": 5000}))
    assert "Text 0." in words(made) and "Text 23." in words(made) and "Text 24." not in words(made)
    assert "near copy 5,000 rows, 5 shown" in words(made) and "--reason near_copy" in words(made)
    assert len(data(made)["items"]) == 39


def test_texts_are_cut_when_the_page_would_be_too_large():
    made = page(samples(*(item("x" * 5000) for _ in range(3))))
    assert "Texts of more than 2,000 letters are cut here." in words(made)
    assert {len(row["fields"][0][1]) for row in data(made)["items"]} == {2002}


def test_a_cell_of_the_matrix_leads_to_its_rows():
    made = page(with_test_rows())
    (anchor,) = re.findall(r'href="#([^"]*)" aria-label="3 rows of science, read as sport"', made)
    behind = made[made.index(f'id="{anchor}"') :]
    assert "A test text." in behind[: behind.index("</details>")]
    assert "science, taken for sport 3 rows, 1 shown" in words(made)


def test_the_rows_of_a_cell_can_be_had_by_a_command():
    assert "synthesizrr rows --gold science --student sport --run tiny" in words(page(with_test_rows(), written=["answers.jsonl"]))
    assert "synthesizrr rows --gold" not in words(page(with_test_rows()))


def test_counts_of_the_funnel_lead_to_the_browser():
    (choice,) = {value for name, value in Outline(page()).attributes if name == "data-choose" and "near_copy" in value and "label" in value}
    assert json.loads(choice) == {"arm": "main", "label": "sport", "reason": "near_copy"}


def test_how_many_rows_there_are_is_told():
    assert "1 of the run's 9 rows (7 accepted, 2 rejected)" in html.unescape(words(page()))


def test_a_control_that_was_not_run_stands_in_the_table_with_its_reason():
    assert '<th scope="row">fewgen</th>' in page()
    assert "not run: this teacher only copies" in words(page())


def test_bad_news_is_at_the_top():
    made = page()
    assert made.index("The student does not beat seed-only.") < made.index('id="students"')


def test_the_table_of_arms_gives_percent_with_spread():
    assert "main 12 90 85.0 1.0 75.0 1.0 70.0 to 81.0 12.0 what main is" in words(page())


@pytest.mark.parametrize(("part", "said"), [
    ("evaluation", "Confusion matrix: not available"), ("funnel", "Funnel: not available"), ("plan", "Plan: not available"),
    ("plan", "Leak gate: not available"), ("measures", "Measures: not available"),
])  # fmt: skip
def test_a_step_that_was_not_run_is_said_to_be_missing(part, said):
    changes = {part: None} | ({"leaks": None} if part == "plan" else {})
    assert said in words(page(**changes))


def plots_of(parts):
    return sum(len(part.plots) for part in parts)


def test_a_run_without_students_is_shown():
    made = page(arms=[], evaluation=None)
    assert made.count('role="img"') == 2
    assert "Students: not available. The step 'evaluate'" in html.unescape(words(made))


def test_a_task_without_test_rows_says_so():
    evaluation = {**NUMBERS["evaluation"], "rows": 0, "why": "no test rows", "confusion": None, "per_label": {}, "majority": None}
    assert "Not available: no test rows." in words(page(evaluation=evaluation))


def test_a_plan_without_retrieval_says_so():
    plan = {name: value for name, value in NUMBERS["plan"].items() if name not in ("windows", "histogram", "settings")}
    plan["labels"] = {"sport": {**label_plan(), "turned_away": {}}}
    made = page(plan=plan)
    assert "Similarity of hits" not in made
    assert "this strategy retrieves no passages" in words(made)


def test_gold_rows_left_out_are_told():
    text = words(page())
    assert "3 gold train rows equal a test row and were left out." in text
    assert "gold train rows equal a dev row" not in text


def test_plots_have_names_for_screen_readers():
    made = page()
    assert made.count('role="img"') == plots_of(drawn()) == 5
    assert made.count("<title id=") == made.count("<desc id=") == 5


def test_every_table_has_a_caption_and_headers():
    made = page()
    assert len(re.findall("<table[ >]", made)) == made.count("<caption>") > 8
    assert made.count('scope="col"') > 20


def test_many_labels_are_shown_without_a_matrix():
    labels = [f"label{number}" for number in range(60)]
    cells = [{"gold": label, "predicted": labels[0], "count": 1, "rows": [1]} for label in labels]
    made = page(evaluation={**NUMBERS["evaluation"], "confusion": {"labels": labels, "cells": cells}})
    assert 'class="heat' not in made
    assert "label1 label0 1 1" in words(made)


def test_a_long_line_list_is_cut():
    cells = [{"gold": "sport", "predicted": "science", "count": 40, "rows": list(range(1, 41))}]
    evaluation = {**NUMBERS["evaluation"], "confusion": {"labels": ["sport", "science"], "cells": cells}}
    assert "1, 2, 3, 4, 5, 6, 7, 8 …" in words(page(evaluation=evaluation))


@pytest.mark.parametrize(("threshold", "said"), [
    (0.9, "or have a similarity to one above 0.90, never enter"), (0.9544, "above 0.95, never enter"), (None, "share 8 words in a row with one never enter"),  # noqa: E501
])  # fmt: skip
def test_the_leak_gate_says_what_it_looks_for(threshold, said):
    plan = {**NUMBERS["plan"], "leaks": {"threshold": threshold}}
    text = html.unescape(words(page(plan=plan)))
    assert said in text
    assert "Passages kept out of the plan: 1 (1 by equal)." in text
