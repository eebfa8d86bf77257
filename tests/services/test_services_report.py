"""The report in a real browser: at the width of a desk and of a telephone, with and without scripts, by mouse and by keys."""

import functools
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from report_numbers import HOSTILE, NUMBERS, item, samples, with_test_rows

from services.browser import artifacts
from spacy_synthesizrr.report.items import Shown
from spacy_synthesizrr.report.page import Samples, make_parts, render

BREAKS_OUT = "<img src=x onerror='window.broken=1'><script>window.broken=2</script></script> & 'so on'"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *about):
        """Say nothing."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The folder for screenshots."""
    return artifacts(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where the page of a small run is served."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "index.html").write_text(made(), encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


def made():
    """Sixty rows, nine of them turned away, one of them hostile, and two test rows."""
    rows = [item(f"Row number {number} about sailing.", label=("sport", "science")[number % 2]) for number in range(50)]
    rows += [item(f"Away {number}.", status="rejected", reason=("near_copy", "too_short")[number > 6]) for number in range(9)]
    rows.append(item(f"{BREAKS_OUT} \U0001f600 the bridge was closed", marks=((2, 23),)))
    tests = with_test_rows()
    one = samples(*rows, *tests.shown.items[1:], passage="\U0001f600 the bridge was closed.", seed=HOSTILE)
    shown = Samples(Shown(one.shown.items, one.shown.passages, one.shown.seeds), one.totals, tests.tested)
    numbers = {**NUMBERS, "written": ["answers.jsonl"], "findings": [*NUMBERS["findings"], {"tone": "good", "text": BREAKS_OUT}]}
    return render(numbers, shown, [replace(part) for part in make_parts(numbers, shown)])


def expect(locator):
    """Playwright's way to wait for something; the page lets nobody run code of his own in it."""
    from playwright.sync_api import expect as waits

    return waits(locator)


def wait_for(page, told):
    """Wait until so many rows are told to be found."""
    expect(page.locator("#found")).to_have_text(told)


@contextmanager
def opened(browser, address, *, width=1280, **settings):
    """The page; at the end it must have asked for nothing else and complained of nothing."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
    context.set_default_timeout(10_000)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    try:
        page.goto(address)
        yield page
        assert [url.partition("#")[0] for url in asked if not url.endswith("favicon.ico")] == [address]
        assert [text for text in said if "favicon" not in text] == []
        assert page.evaluate("window.broken") is None
    finally:
        context.close()


def count(page):
    return page.inner_text("#found")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_sticks_out(browser, address, pictures, width, scheme):
    with opened(browser, address, width=width, color_scheme=scheme) as page:
        page.locator("details").evaluate_all("all => all.forEach((one) => (one.open = true))")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=pictures / f"report-{width}-{scheme}.png", full_page=True)


def test_words_are_searched_and_found_words_are_marked(browser, address):
    with opened(browser, address) as page:
        assert count(page) == "62 rows" and page.locator("#list article").count() == 24
        page.fill("#words", "SAILING number 41")
        wait_for(page, "1 of 62 rows")
        assert page.locator("#list mark.hit").all_inner_texts() == ["number", "41", "sailing"]
        page.fill("#words", "nowhere to be found")
        wait_for(page, "0 of 62 rows")
        assert "the command below looks at all rows" in page.inner_text("#list")
        page.click("text=Show all")
        wait_for(page, "62 rows")


def test_rows_are_chosen_by_what_they_are_and_the_command_says_how_to_get_all(browser, address):
    with opened(browser, address) as page:
        page.select_option("#choose-reason", "near_copy")
        assert count(page) == "7 of 62 rows"
        assert page.inner_text("#command") == "synthesizrr rows --reason near_copy --run tiny"
        assert page.locator("#choose-label option").all_inner_texts()[:3] == ["all", "sport (7)", "science (0)"]
        page.select_option("#choose-reason", "taken for sport")
        assert "--reason 'taken for sport'" in page.inner_text("#command")
        assert "A test text." in page.inner_text("#list")


def test_counts_lead_to_the_rows_behind_them(browser, address):
    with opened(browser, address) as page:
        page.click("table:has-text('Why candidates were turned away') tr:has-text('near copy') a")
        assert count(page) == "7 of 62 rows"
        assert page.input_value("#choose-reason") == "near_copy" and page.input_value("#choose-arm") == "main"
        expect(page.locator("#rows")).to_be_in_viewport()


def test_a_cell_of_the_matrix_opens_its_rows(browser, address):
    with opened(browser, address) as page:
        assert not page.locator("#cell-1 article").first.is_visible()
        page.click(".heat td.wrong a")
        assert page.locator("#cell-1 article").first.inner_text().startswith("science")
        assert "A test text." in page.inner_text("#cell-1")


def test_rows_are_the_same_with_and_without_a_script(browser, address):
    with opened(browser, address, java_script_enabled=False) as page:
        pass_by = page.locator("#list article").all_inner_texts()
        assert len(pass_by) == 24
        assert not page.locator("#tools").is_visible()
        page.click("summary:has-text('near copy')")
        assert page.locator("#away-1 article").first.is_visible()
        page.click(".heat td.wrong a")
        assert page.locator("#cell-1 article").first.is_visible()
    with opened(browser, address) as page:
        assert page.locator("#list article").all_inner_texts() == pass_by


def test_what_a_row_says_stays_text_and_copied_words_are_marked(browser, address):
    with opened(browser, address) as page:
        page.fill("#words", "window.broken=2")
        wait_for(page, "1 of 62 rows")
        page.click("#list summary")
        assert BREAKS_OUT in page.inner_text("#list")
        assert page.locator("#list mark:not(.hit)").all_inner_texts() == ["the bridge was closed"]
        assert page.locator("img").count() == 0


def test_everything_is_reached_by_keys(browser, address):
    with opened(browser, address) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
        page.focus("#list summary")
        page.keyboard.press("Enter")
        assert page.locator("#list details").first.get_attribute("open") is not None
        page.focus("#more")
        page.keyboard.press("Enter")
        assert page.locator("#list article").count() == 48
        focused = "Array.from(document.querySelectorAll('#list summary')).indexOf(document.activeElement)"
        assert page.evaluate(focused) == 24


def test_everything_has_a_name_for_screen_readers(browser, address):
    with opened(browser, address) as page:
        for role in ("searchbox", "combobox", "button", "link", "img", "table", "navigation", "main", "search", "status"):
            assert page.get_by_role(role).count() > 0, role
        for role in ("searchbox", "combobox", "button", "link", "img", "table"):
            unnamed = page.locator("body").aria_snapshot().count(f"- {role}\n")
            assert unnamed == 0, role


def test_it_prints_in_black_on_white_without_what_only_works_on_a_screen(browser, address):
    with opened(browser, address) as page:
        page.emulate_media(media="print")
        assert not page.locator("#tools").is_visible() and not page.locator("nav").is_visible()
        assert page.locator("#list article .quote").first.is_visible()
