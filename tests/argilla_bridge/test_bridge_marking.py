import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from argilla_bridge.showing.marking import compared, escaped, highlighted, reads_the_same, shown, unescaped

# what means something to Markdown, HTML or a page that makes links and formulas of plain text
PIECES = [
    "# ", "1. ", "10) ", "- ", "* ", "+ ", "> ", "    ", "\t", "```\n", "~~~", "---", "===", "***x***", "_y_", "`c`", "~~s~~", "\\",
    "$x$", "$$y$$", "![a](http://e.x/a.png)", "[l](javascript:alert(1))", "[x]: http://y.z\n", "[^1]", "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>", "<style>*{display:none}</style>", "<!-- c -->", "<br>", "</mark>", "<a@b.c>", "http://evil.com/x",
    "HTTPS://a.b", "ftp://x.y", "www.foo.com", "wWw.x.y", "a@b.co", "mailto:a@b.co", "&lt;", "&#60;", "&amp;", "|a|b|\n|-|-|\n", "\n",
    "\n\n", "\r\n", "\x85", "\u2028", "\x00", "\x01", "\x02", "\ud800", " ", "word ", "the cat sat on the mat ", "é", "字字字字", "\u200b",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=10).map("".join)
TEXTS = st.one_of(HOSTILE, st.text())
RENDERER = MarkdownIt("commonmark", {"breaks": True}).enable(["table", "strikethrough"])


class Page(HTMLParser):
    """What a browser makes of HTML: its elements, and its text with the line breaks."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.text = [], ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(attrs)))
        self.text += "\n" if tag == "br" else ""

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.tags.append(("comment", ()))


def as_read(text):
    """Blanks are as wide as people see them; those at the ends and before a line break nobody sees."""
    text = text.replace("\xa0", " ").replace("\u2003", "\t")
    return re.sub(r"[^\S\n]+$", "", text, flags=re.MULTILINE).strip()


@given(TEXTS)
def test_escaped_text_reads_the_same_rendered_and_does_nothing(text):
    page = Page(RENDERER.render(escaped(text)))
    assert set(page.tags) <= {("p", ()), ("br", ())}
    assert as_read(page.text) == as_read(shown(text))


@given(TEXTS)
def test_escaped_text_reads_the_same_as_plain_html(text):
    page = Page(escaped(text))
    assert set(page.tags) <= {("br", ())}
    assert as_read(page.text) == as_read(shown(text))


@given(TEXTS, TEXTS)
def test_a_highlighted_passage_reads_the_same_and_only_has_marks(passage, text):
    page = Page(RENDERER.render(highlighted(passage, text)))
    assert set(page.tags) <= {("p", ()), ("br", ()), ("mark", ())}
    assert as_read(page.text) == as_read(shown(passage))


@given(TEXTS)
def test_nothing_that_becomes_a_link_without_brackets_is_left(text):
    assert not re.search(r"(?i)(https?|ftp)://|www\.|@|\$", escaped(text))


@given(TEXTS, TEXTS)
def test_unescaping_gives_the_text_back(passage, text):
    assert unescaped(escaped(passage)) == shown(passage)
    assert unescaped(highlighted(passage, text)) == shown(passage)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])))
def test_a_text_without_control_characters_is_shown_as_it_is(text):
    assert shown(text) == text


def test_ordinary_text_stays_searchable():
    text = 'Don\'t panic: "well-known" prices rose 3.5 % (again); he said so!'
    assert escaped(text) == text


def test_copied_words_are_marked_whatever_their_case_and_punctuation():
    passage = 'Officials said: "The cat sat on the mat", and left.'
    assert highlighted(passage, "the CAT sat, on the mat; nobody came") == (
        'Officials said: "<mark>The cat sat on the mat</mark>", and left.'
    )


def test_runs_that_are_too_short_are_not_marked():
    assert "<mark>" not in highlighted("the cat sat down", "the cat sat up there", min_words=4)
    assert highlighted("the cat sat down", "the cat sat up there", min_words=3) == "<mark>the cat sat</mark> down"


def test_a_short_text_is_marked_where_it_stands_whole():
    assert highlighted("It says: cat sat.", "Cat sat") == "It says: <mark>cat sat</mark>."


def test_marks_may_span_what_is_escaped():
    assert highlighted("# one <b>two</b> three", "one b two b three") == "&#35; <mark>one &#60;b&#62;two&#60;/b&#62; three</mark>"


@pytest.mark.parametrize(
    ("text", "passage", "rate"),
    [
        ("a b c d e", "x a b c d y", 0.8),
        ("a b c d", "a b c", 0.0),
        ("a b c d a b c d", "a b c d", 1.0),
        ("a b", "x a b", 1.0),
        ("", "a b", 0.0),
        ("a b", "", 0.0),
    ],
)
def test_the_copy_rate_is_the_share_of_words_in_copied_runs(text, passage, rate):
    assert compared(passage, text)[1] == rate


@given(HOSTILE, HOSTILE)
def test_the_copy_rate_is_above_zero_just_where_something_is_marked(text, passage):
    assert 0 <= compared(passage, text)[1] <= 1
    assert (compared(passage, text)[1] > 0) == ("<mark>" in highlighted(passage, text))


@pytest.mark.parametrize(
    ("one", "other"), [("a\nb", "a\r\nb"), ("a\rb", "a\nb\n"), (" a", "a"), ("a\u2028b", "a\nb"), ("a\x07", "a\ufffd")]
)
def test_texts_that_differ_in_what_nobody_sees_read_the_same(one, other):
    assert reads_the_same(one, other) and reads_the_same(other, one)


@pytest.mark.parametrize(("one", "other"), [("a b", "a  b"), ("a", "A"), ("a\n\nb", "a\nb")])
def test_other_texts_do_not_read_the_same(one, other):
    assert not reads_the_same(one, other)
