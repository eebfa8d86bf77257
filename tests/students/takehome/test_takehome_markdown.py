"""Text that stays text in Markdown."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.students.takehome.markdown import escape, table

HOSTILE = "a | b\n# title <script>alert(1)</script> [link](http://example.com) `code` *b* _i_ ![x](y) &amp; $1$ ~~s~~"


@given(st.text())
def test_nothing_is_lost_but_blanks_and_what_cannot_be_seen(text):
    shown = re.sub(r"\\([\\`*_{}\[\]<>()#+!|~&$.=-])", r"\1", escape(text))
    assert [sign for sign in shown if not sign.isspace()] == [
        sign
        for sign in text
        if not sign.isspace() and not re.match(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]", sign)
    ]


@given(st.text())
def test_every_sign_that_means_something_is_escaped(text):
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_{}\[\]<>()#+!|~&$]", escape(text))
    assert "\n" not in escape(text)


@pytest.mark.parametrize(("text", "shown"), [
    ("- item", "\\- item"), ("1. item", "1\\. item"), ("77.2 ± 1.0", "77.2 ± 1.0"), ("===", "==\\="), ("-1", "-1"), ("a-b", "a-b"),
    ("2)", "2\\)"),
])  # fmt: skip
def test_beginnings_of_lists_and_lines_are_escaped_and_numbers_are_not(text, shown):
    assert escape(text) == shown


def test_a_cell_cannot_break_its_table():
    made = table(("label", "rows"), [(HOSTILE, 3)])
    lines = made.splitlines()
    assert lines[:2] == ["| label | rows |", "| --- | --: |"]
    assert len(lines) == 3
    assert len(re.findall(r"(?<!\\)\|", lines[2])) == 3
    assert html.unescape(made).count("<") == made.count("\\<")
