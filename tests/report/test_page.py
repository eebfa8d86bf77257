import copy
import functools
import html
import html.parser
import re

import pytest

from spacy_synthesizrr.candidates import Candidate, Event, Seed, Shot
from spacy_synthesizrr.report.page import PLOTS, SECTIONS, Samples, draw_plots, render
from spacy_synthesizrr.report.rows import Row, mark_copied

HOSTILE = '</p><script>alert(1)</script> {{ 7 * 7 }} {% raw %} <img src="http://example.com/x.png" onerror="x()"> & "quoted"'
SCORES = {"p": 0.75, "r": 0.5, "f": 0.6, "rows": 4}
SPREAD = {"n": 2, "mean": 9.5, "sd": 0.7, "min": 9, "p5": 9.0, "p25": 9.2, "median": 9.5, "p75": 9.7, "p95": 9.9, "max": 10}
COUNTS = {"asked": 2, "planned": 2, "reserve": 1, "sent": 3, "answered": 2, "failed": {"timeout": 1}, "accepted": 1, "short": 1}
SIZED = {name: {"value": 0.5, "n": 2} for name in ("distinct_1", "distinct_2", "distinct_3", "compression_ratio")}
REASONS = ("rank", "leak", "below_window", "margin", "surplus")


def arm(name, dev=(), test=(), rows=12, why=""):
    splits = {
        split: {"scores": list(s), "mean": sum(s) / len(s) if s else None, "sd": 0.01 if s else None}
        for split, s in (("dev", dev), ("test", test))
    }
    about = {"name": name, "about": f"what {name} is", "rows": None if why else rows, "steps": None if why else 90, "why": why}
    interval = {"value": 0.75, "low": 0.7, "high": 0.81, "level": 0.95, "resamples": 1000} if test else None
    return {**about, **splits, "interval": interval, "ece": {"mean": 0.12, "sd": 0.01} if test else None}


def label_plan():
    return {"wanted": 2, "planned": 2, "reserve": 1, "missing": 0, "seeds": 3, "hits": 9, "turned_away": dict.fromkeys(REASONS, 1)}


NUMBERS = {
    "v": 1,
    "run": "tiny",
    "asked": {
        "task": "tiny", "task_file": "tiny/task.yml", "labels": ["sport", "science"], "exclusive": True, "strategy": "synthesizrr",
        "store": "memory", "teacher": "extractive", "student": "bow", "per_label": 2, "seed": 0, "lang": "en", "gpu_id": -1,
        "mode": "zero-shot", "copies": True, "documents": 5, "passages": 1234, "embedder": "lsa-256",
    },
    "findings": [{"tone": "bad", "text": "The student does not beat seed-only."}],
    "metric": "accuracy",
    "arms": [arm("main", [0.8, 0.9], [0.7, 0.8]), arm("seed-only", [0.8], [0.85]), arm("fewgen", why="not run: this teacher only copies")],
    "evaluation": {
        "rows": 8, "why": "", "per_label": {"sport": SCORES, "science": SCORES}, "majority": {"label": "sport", "score": 0.5},
        "copies": {"rows": 4, "equal": 3}, "seed": 1, "thresholds": {},
        "intervals": {name: {"value": 0.8, "low": 0.66, "high": 0.9, "level": 0.95, "resamples": 1000} for name in ("score", "macro_f")},
        "finish": {"v": 1, "temperature": 0.5, "rows": 60, "why": "", "dev": {}, "thresholds": {}, "notes": []},
        "calibration": {
            "temperature": 0.5, "rows": 8, "bins": 15, "ece": {"before": 0.31, "after": 0.12}, "brier": {"before": 0.4, "after": 0.3},
            "nll": {"before": 0.9, "after": 0.7},
            "reliability": [
                {"low": 0.6, "high": 2 / 3, "count": 3, "score": 0.64, "share": 1 / 3},
                {"low": 14 / 15, "high": 1.0, "count": 5, "score": 0.97, "share": 1.0},
            ],
        },
        "confusion": {
            "labels": ["sport", "science"],
            "cells": [
                {"gold": "sport", "predicted": "sport", "count": 4, "rows": [1, 2, 3, 4]},
                {"gold": "science", "predicted": "sport", "count": 3, "rows": [5, 7, 8]},
            ],
        },
    },
    "gold_left_out": {"dev": 0, "test": 3},
    "funnel": {
        "v": 1, "total": {**COUNTS, "rejected": {"synthesize": {"near_copy": 1}}},
        "labels": {"sport": {**COUNTS, "rejected": {"synthesize": {"near_copy": 1}}}}, "shortfalls": ["'sport': asked 2, got 1."],
    },
    "switched_off": ["near_copy is off."],
    "plan": {
        "v": 1, "mode": "zero-shot", "remarks": ["Similarity window of inputs: 0.10-0.80."],
        "labels": {"sport": label_plan(), "science": label_plan()},
        "windows": {"inputs": {"low": 0.1, "high": 0.8, "said": ""}, "pairs": {"low": 0.2, "high": 0.9, "said": ""}},
        "histogram": {"edges": [0.0, 0.5, 1.0], "counts": {"sport": [3, 1], "science": [2, 2]}},
        "settings": {"leaks": {"ngram": 8, "similarity": "window"}},
        "leaks": {"threshold": 0.9},
    },
    "leaks": {
        "counts": {"seeds": {}, "passages": {"equal": 1}},
        "head": [{"id": "abc", "what": "passage", "reason": "equal", "score": 1.0, "gold": "test:3"}],
    },
    "measures": {
        "sets": {
            name: {"labels": {"n": 2}, "lengths": {"words": SPREAD, "per_label": {"sport": {"words": SPREAD}}}}
            for name in ("main", "seeds")
        },
        "equal": {"n": 2, "seed": 0, "sets": {"main": SIZED, "seeds": SIZED}},
    },
    "versions": {"spacy": "3.8.18", "spacy-synthesizrr": "0.1.0"},
    "files": {
        "corpus": {"path": "tiny/corpus.jsonl", "bytes": 123456, "sha256": "ab" * 32},
        "config: store": {"path": "configs/store.memory.cfg", "sha256": "cd" * 32},
    },
    "keys": {},
    "reproduce": "python -m spacy project run all . --vars.run tiny",
}  # fmt: skip


def row(text, passage, *, status="accepted", reason="", labels=("sport",)):
    seed = Seed.make(labels, {"text": "A seed."})
    candidate = Candidate(
        "a1" * 16, "synthesizrr", labels, seed.id, "p1", (Shot(seed.id),), rank=3, similarity=0.4321, margin=0.1, status=status,
        fields={"text": text}, events=(Event("synthesize", status, reason, {"score": 0.9}),),
    )  # fmt: skip
    pieces, copied = mark_copied(text, passage)
    return Row(candidate, (("text", text),), pieces, "The Source", copied, (("text", "A seed."),), "score 0.9")


@functools.cache
def drawn():
    return draw_plots(NUMBERS, Samples(similarity=(1, 0)))


def page(samples=None, plots=None, **changes):
    return render({**copy.deepcopy(NUMBERS), **changes}, samples or Samples(), drawn() if plots is None else plots)


class Outline(html.parser.HTMLParser):
    """Collects what the tests ask about, and whether every tag is closed."""

    VOID = {"meta", "link", "br", "img", "use", "path", "rect"}

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
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_the_page_is_whole():
    outline = Outline(page(Samples([row("A text.", "A passage.")], {"near_copy": [row("x", "y", status="rejected", reason="near_copy")]})))
    assert outline.crossed == outline.open == []
    assert len(set(outline.ids())) == len(outline.ids())
    assert outline.tags.count("h1") == 1


def test_the_same_numbers_give_the_same_page():
    assert page() == page(plots=draw_plots(NUMBERS, Samples(similarity=(1, 0))))


def test_the_page_asks_for_nothing_from_outside():
    outline = Outline(page(Samples([row("A text.", "A passage.")])))
    assert not {"script", "link", "img", "iframe", "object", "video"} & set(outline.tags)
    targets = [value for name, value in outline.attributes if name in ("href", "src", "action", "srcset", "data")]
    assert targets
    assert all(target.startswith(("#", "../", "numbers.json")) for target in targets)
    assert "@import" not in page() and "url(http" not in page()


def test_every_link_inside_the_page_has_its_target():
    outline = Outline(page())
    links = {value[1:] for name, value in outline.attributes if name == "href" and value.startswith("#")}
    assert {anchor for anchor, _ in SECTIONS} <= links <= set(outline.ids())


@pytest.mark.parametrize("place", ["text", "passage", "rejected", "remark", "finding", "label", "run", "arm"])
def test_hostile_text_stays_text(place):
    numbers = copy.deepcopy(NUMBERS)
    samples = Samples([row(HOSTILE if place == "text" else "A text.", HOSTILE if place == "passage" else "A passage.")])
    if place == "rejected":
        samples = Samples(rejected={HOSTILE: [row(HOSTILE, HOSTILE, status="rejected", reason=HOSTILE)]})
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
    made = render(numbers, samples, draw_plots(numbers, samples) if place in ("label", "arm") else drawn())
    outline = Outline(made)
    assert "script" not in outline.tags and "img" not in outline.tags
    assert "onerror" not in {name for name, _ in outline.attributes}
    assert "{{ 7 * 7 }}" in made and "49 {%" not in made
    assert outline.crossed == outline.open == []


def test_copied_words_are_marked():
    assert "<mark>the old bridge was closed on Monday</mark>" in page(
        Samples([row("The old bridge was closed on Monday.", "Well, the old bridge was closed on Monday, alas.")])
    )


def test_a_row_shows_where_it_comes_from():
    text = words(page(Samples([row("A text.", "A passage.")])))
    for part in ("The Source", "A seed.", "similarity 0.432", "margin 0.100", "rank 3", "synthesizrr trace a1a1a1a1a1a1 --run tiny"):
        assert part in text


def test_a_row_without_passage_is_shown():
    shown = row("A text.", "")
    bare = Row(shown.candidate, shown.fields, (), "", None, (), "")
    text = words(page(Samples([bare])))
    assert "A text." in text
    assert "words copied" not in text


def test_a_row_of_several_fields_names_them():
    shown = row("An answer.", "A passage.")
    pair = Row(
        shown.candidate, (("question", "Why?"), ("answer", "An answer.")), shown.passage, "", 0.0, (("question", "Q"), ("answer", "A")), ""
    )
    assert "question Why? answer An answer." in words(page(Samples([pair]))).replace("  ", " ")


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


def test_a_run_without_students_is_shown():
    changes = {"arms": [], "evaluation": None}
    plots = draw_plots({**NUMBERS, **changes}, Samples())
    assert set(plots) == {"funnel", "similarity"}
    text = words(page(plots=plots, **changes))
    assert "Students: not available. The step evaluate" in text


def test_a_task_without_test_rows_says_so():
    evaluation = {**NUMBERS["evaluation"], "rows": 0, "why": "no test rows", "confusion": None, "per_label": {}, "majority": None}
    assert "Not available: no test rows." in words(page(evaluation=evaluation))


def test_a_plan_without_retrieval_says_so():
    plan = {name: value for name, value in NUMBERS["plan"].items() if name not in ("windows", "histogram", "settings")}
    plan["labels"] = {"sport": {**label_plan(), "turned_away": {}}}
    numbers = {**NUMBERS, "plan": plan}
    plots = draw_plots(numbers, Samples())
    assert "similarity" not in plots
    assert "this strategy retrieves no passages" in words(page(plan=plan, plots=plots))


def test_gold_rows_left_out_are_told():
    text = words(page())
    assert "3 gold train rows equal a test row and were left out." in text
    assert "gold train rows equal a dev row" not in text


def test_plots_have_names_for_screen_readers():
    made = page()
    assert made.count('role="img"') == 6
    assert made.count("<title id=") == made.count("<desc id=") == 6


def test_every_table_has_a_caption_and_headers():
    made = page()
    assert made.count("<table>") == made.count("<caption>") > 8
    assert made.count('scope="col"') > 20


def test_many_labels_are_shown_without_a_matrix():
    labels = [f"label{number}" for number in range(60)]
    cells = [{"gold": label, "predicted": labels[0], "count": 1, "rows": [1]} for label in labels]
    evaluation = {**NUMBERS["evaluation"], "confusion": {"labels": labels, "cells": cells}}
    plots = draw_plots({**NUMBERS, "evaluation": evaluation}, Samples())
    assert set(plots) == set(PLOTS) - {"confusion", "acceptance"}
    assert "label1 label0 1 1" in words(page(evaluation=evaluation, plots=plots))


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
