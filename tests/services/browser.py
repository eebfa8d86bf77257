"""Chromium, driven by Playwright: the machine's own, as Playwright's download is no package registry."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from services.processes import ServiceError, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", *QUIET)
ARTIFACTS = "SYNTHESIZRR_ARTIFACTS"  # variable with the folder that keeps what tests took pictures of
APT_SECONDS = 600.0
SECONDS = 30.0  # that a page gets for anything


def install_chromium(log: Path) -> str:
    """RETURNS (str): The program; where the machine has none and lets us, Debian's is installed.
    RAISES (ServiceError): When there is none.
    """
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found:
        return found
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise ServiceError("There is no Chromium on the PATH. Install it, on Debian with: apt-get install --no-install-recommends chromium")
    run([apt, "update"], log=log, seconds=APT_SECONDS)
    run([apt, "install", "-y", "--no-install-recommends", "chromium"], log=log, seconds=APT_SECONDS)
    return install_chromium(log)


@contextmanager
def running_chromium(state: Path) -> Iterator[Browser]:
    """A browser while the block runs.

    state (Path): A temporary folder.
    YIELDS (Browser): Playwright's.
    RAISES (ServiceError): When there is no Chromium.
    """
    program = install_chromium(state / "chromium.log")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ServiceError("Playwright is not installed: pip install playwright") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=[*ARGUMENTS])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page of a person of its own, without cookies, that reaches loopback alone.

    YIELDS (Tuple[Page, List[str]]): The page, and every address elsewhere that it asked for in vain.
    """
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(SECONDS * 1000)
    outside: list[str] = []
    local = ("http://127.0.0.1", "data:", "blob:")

    def refuse(route: object) -> None:
        outside.append(route.request.url)  # type: ignore[attr-defined]
        route.abort()  # type: ignore[attr-defined]

    context.route(lambda url: not url.startswith(local), refuse)
    try:
        yield context.new_page(), outside
    finally:
        context.close()


def artifacts(state: Path) -> Path:
    """RETURNS (Path): The folder for pictures that $SYNTHESIZRR_ARTIFACTS names, else one that goes with the test session."""
    folder = Path(os.environ.get(ARTIFACTS) or state)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
