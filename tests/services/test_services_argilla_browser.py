"""What an annotator sees and does in the page, in a real browser, and that it is what is pulled."""

from contextlib import contextmanager

import pytest

from argilla_bridge.rows import ReviewRow, Suggestion, content_id
from argilla_bridge.showing.marking import escaped, highlighted
from services.argilla_reviews import reviewing
from services.browser import artifacts, page_of

EVIL = (
    "<script>window.broken=1</script><img src=http://example.com/a.png onerror='window.broken=2'> ![x](http://example.com/b.png) "
    "**not bold** [no link](javascript:alert(1)) $x^2$ the storm broke the harbour wall in two places."
)
TEXT = "On Sunday the storm broke the harbour wall."
COPIED = "the storm broke the harbour wall"
FONTS = "https://fonts.googleapis.com/"  # the page's own wish, for its letters


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The folder for screenshots."""
    return artifacts(tmp_path_factory.mktemp("pictures"))


def item(number, label="sport", *, strategy="retricl", text=TEXT, blind=False, vector=(1.0, 0.0, 0.0, 0.0)):
    """A row as the bridge makes it; those with a larger number are the more useful."""
    fields = {"text": escaped(f"Row {number}. {text}"), "passage": highlighted(EVIL, text)}
    about = {"strategy": strategy, "priority": number / 100}
    vectors = {"text_vector": list(vector), "passage_vector": list(vector)}
    suggestion = None if blind else Suggestion((label,), 0.9, "teacher")
    return ReviewRow(content_id(fields), f"candidate-{number}", fields, about, vectors, suggestion, number / 100)


@contextmanager
def queue(browser, argilla, *rows, **settings):
    """Ann, logged in, before the first of some rows."""
    with reviewing(argilla, **settings) as review, page_of(browser) as (page, outside):
        assert review.put(*rows) == {}
        page.goto(review.backend.place("main"))
        page.fill("input[name=username], #username, input[type=text]", argilla.ann.name)
        page.fill("input[type=password]", argilla.ann.password)
        page.keyboard.press("Enter")
        page.wait_for_selector("text=/^Row [0-9]+/")
        page.wait_for_load_state("networkidle")
        yield review, page, outside


def shown(page, number):
    """Wait until a row is the one that is shown, and its form can be answered."""
    page.wait_for_selector(f"text=Row {number}.")
    page.wait_for_selector("text=Submit")
    page.wait_for_timeout(300)  # the page puts the focus where keys are heard


def said(review):
    """Row number → what Ann said of it."""
    numbers = {record["external_id"]: int(record["fields"]["text"].split(".")[0].split()[1]) for record in review.records().values()}
    return {numbers[vote.row_id]: (vote.user, vote.status, vote.labels, vote.verdict) for vote in review.votes()}


def test_the_most_useful_row_comes_first_after_logging_in(browser, argilla):
    with queue(browser, argilla, item(10), item(90), item(50)) as (_, page, _):
        for number in (90, 50, 10):
            shown(page, number)
            page.keyboard.press("1")
        page.wait_for_selector("text=/100|no pending|You have no pending/i")


def test_guidelines_can_be_read_beside_the_rows(browser, argilla, pictures):
    with queue(browser, argilla, item(1)) as (_, page, _):
        page.click("text=GUIDELINES")
        page.wait_for_selector("text=How to answer")
        assert "Matches, races and tournaments" in page.inner_text("body")
        page.screenshot(path=pictures / "argilla-guidelines.png")


def test_copied_words_are_marked_and_the_rest_of_a_passage_does_nothing(browser, argilla, pictures):
    with queue(browser, argilla, item(1)) as (_, page, outside):
        page.wait_for_selector("mark")
        assert page.locator("mark").all_inner_texts() == [COPIED]
        assert " ".join(EVIL.split()) in " ".join(page.inner_text("body").split())
        assert page.evaluate("window.broken") is None
        assert page.locator("img[src*=example], a[href*=example], a[href^=javascript], .katex").count() == 0
        assert [url for url in outside if not url.startswith(FONTS)] == []
        page.screenshot(path=pictures / "argilla-row.png")


def test_a_suggestion_is_shown_with_its_score_and_a_blind_row_has_none(browser, argilla):
    with queue(browser, argilla, item(2), item(1, blind=True)) as (_, page, _):
        shown(page, 2)
        page.wait_for_selector("text=0.9")
        page.keyboard.press("1")
        shown(page, 1)
        assert "0.9" not in page.inner_text("body")


def test_what_is_pulled_is_exactly_what_was_done_with_the_keys(browser, argilla):
    rows = [item(number) for number in (60, 50, 40, 30, 20)] + [item(10, blind=True), item(5)]
    with queue(browser, argilla, *rows) as (review, page, _):
        for number, key in ((60, "1"), (50, "Enter"), (40, "5"), (30, "Backspace"), (20, "Control+s")):
            shown(page, number)
            page.keyboard.press(key)
            if key == "Control+s":
                page.wait_for_timeout(1000)
                page.keyboard.press("ArrowRight")
        shown(page, 10)
        page.keyboard.press("4")
        shown(page, 5)
        assert said(review) == {
            60: ("ann", "submitted", ("politics",), ""),
            50: ("ann", "submitted", ("sport",), ""),
            40: ("ann", "submitted", (), "reject"),
            30: ("ann", "discarded", (), ""),
            20: ("ann", "draft", ("sport",), ""),
            10: ("ann", "submitted", ("science",), ""),
        }


def test_rows_are_filtered_by_metadata(browser, argilla):
    with queue(browser, argilla, item(3), item(2, strategy="fewgen"), item(1)) as (_, page, _):
        page.click("text=Filters")
        page.locator("text=Metadata").first.click()
        page.locator("text=Strategy").first.click()
        page.locator("text=fewgen").first.click()
        shown(page, 2)
        assert "of 1" in " ".join(page.inner_text("body").split())


def test_similar_rows_are_found(browser, argilla, pictures):
    far, near = item(2, vector=(-1.0, 0.2, 0.0, 0.0)), item(1, vector=(0.9, 0.1, 0.0, 0.0))
    with queue(browser, argilla, item(3), far, near) as (_, page, _):
        shown(page, 3)
        page.click("text=Find similar")
        page.locator("label:has-text('Text')").first.click()
        page.get_by_role("button", name="Find", exact=True).click()
        page.wait_for_selector("text=Similar to")
        shown(page, 1)
        page.screenshot(path=pictures / "argilla-similar.png")


def test_a_careful_answer_is_pulled_with_all_that_was_written(browser, argilla, pictures):
    with queue(browser, argilla, item(1), mode="careful") as (review, page, _):
        shown(page, 1)
        page.locator("label", has_text="science").first.click()
        page.locator("label", has_text="fix").first.click()
        for title, text in (("Corrected text", "A storm broke the wall."), ("Why?", "It was clumsy.")):
            box = page.locator(f"text={title}").locator("xpath=ancestor::*[.//*[@contenteditable or self::textarea]][1]")
            box.locator("[contenteditable], textarea").first.fill(text)
        page.screenshot(path=pictures / "argilla-careful.png")
        page.get_by_role("button", name="Submit").click()
        page.wait_for_timeout(1500)
        (vote,) = review.votes()
        assert (vote.status, vote.labels, vote.verdict) == ("submitted", ("science",), "fix")
        assert (vote.text, vote.reason) == ("A storm broke the wall.", "It was clumsy.")
