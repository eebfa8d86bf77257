import re
from html.parser import HTMLParser

import pytest
from made_loop import Plan, make_loop

from spacy_synthesizrr.loop.ledger import make_ledger
from spacy_synthesizrr.loop.page import render, write_page

HOSTILE = ' </p><script>alert(1)</script> {{ 7 * 7 }} <img src="http://example.com/x.png" onerror="x()">'
VOID = {"meta", "link", "br", "img", "use", "path", "rect"}


class Outline(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.crossed, self.ids = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.crossed.append(tag)


def words(text):
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_loop(tmp_path_factory.mktemp("page") / "tiny-text", Plan(rows=15, test=15, seeds=2, hostile=HOSTILE))


@pytest.fixture(scope="module")
def page(folder):
    return write_page(folder).read_text()


def test_the_page_is_whole(page):
    outline = Outline(page)
    assert outline.crossed == outline.open == []
    assert len(set(outline.ids)) == len(outline.ids)
    assert outline.tags.count("h1") == 1


def test_texts_of_rows_are_shown_and_not_obeyed(page):
    outline = Outline(page)
    assert "script" not in outline.tags and "img" not in outline.tags
    assert "alert(1)" in page and "{{ 7 * 7 }}" in page


def test_the_page_asks_for_nothing_from_outside(page):
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)


def test_the_same_loop_gives_the_same_page(page, folder):
    assert render(folder, make_ledger(folder)) == page


def test_every_anchor_has_a_target(page):
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(Outline(page).ids)


def test_the_page_says_what_every_difference_means(page, folder):
    said = words(page)
    assert len(re.findall(r"Against (?:start|goldgen|more-seed)", said)) == 3
    assert "too good" in said and "too narrow" in said


def test_new_rows_stand_beside_their_parents(page):
    assert "loop, round 1" in words(page) and "goldgen, round 2" in words(page) and "more-seed, round 1" not in words(page)
    assert "the student said" in page and "synthesizrr trace" in page


def test_a_loop_that_was_not_tested_has_a_page(tmp_path):
    folder = make_loop(tmp_path / "bare", Plan(rows=12, seeds=1, tested=False, skill={"start": [0.5], "loop": [0.8]}))
    page = write_page(folder).read_text()
    assert "nothing can be said" in words(page) and Outline(page).crossed == []


def test_a_loop_without_a_round_has_a_page(tmp_path):
    folder = make_loop(tmp_path / "none", Plan(rows=12, seeds=1, skill={"start": [0.5], "loop": []}))
    assert "nothing to compare" in words(write_page(folder).read_text())


def test_the_starting_run_is_linked_where_it_has_a_report(tmp_path):
    folder = make_loop(tmp_path / "linked", Plan(rows=12, seeds=1, skill={"start": [0.5], "loop": []}))
    report = tmp_path / "tiny" / "report"
    report.mkdir(parents=True)
    (report / "index.html").write_text("")
    assert 'href="../tiny/report/index.html"' in write_page(folder).read_text()
