"""The system's Chromium, the real page, and a page with a slow stand-in model for what a quick model hides."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.app.fakes import FakeKblam
from tests.browser.steps import Visit
from tests.serving import app_with, real_app

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    """The system's browser. Without one the tests are skipped, but fail where CI is set: there they must run."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        missing = "there is no Chromium on this machine; install the system's chromium package"
        if os.environ.get("CI"):
            pytest.fail(f"{missing} (CI is set, so the browser tests are not skipped)", pytrace=False)
        pytest.skip(missing)
    return program


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def real_url(tmp_path_factory) -> Iterator[str]:
    with real_app(tmp_path_factory.mktemp("app") / "app.log") as url:
        yield url


@pytest.fixture(scope="module")
def slow_url() -> Iterator[str]:
    """A stand-in model that needs a quarter of a second for each word."""
    with app_with(lambda: FakeKblam(delay=0.25)) as url:
        yield url


@contextlib.contextmanager
def watched_pages(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Yields what opens the page at an address; afterwards fails for script errors and for requests to other machines.

    script: run in the new page before its own ones; other names go to the browser's context.
    """
    pages: list[Page] = []
    trouble: list[str] = []

    def watch(page: Page, url: str) -> None:
        def request(request) -> None:
            if not request.url.startswith((url.split("/#")[0], "data:", "blob:")):
                trouble.append(f"request to {request.url}")

        page.on("request", request)
        page.on("pageerror", lambda error: trouble.append(f"script error: {error}"))
        page.on(
            "console",
            lambda message: trouble.append(f"console: {message.text}") if message.type == "error" else None,
        )

    def open_page(url: str, *, script: str = "", **context) -> Visit:
        page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}).new_page()
        page.add_init_script(script)
        watch(page, url)
        pages.append(page)
        page.goto(url)
        page.wait_for_selector("#kb-header h1", timeout=30_000)
        page.wait_for_selector("#kb-facts-table tbody tr", timeout=30_000)
        return Visit(page)

    yield open_page
    for page in pages:
        page.context.close()
    assert not trouble


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens the page at an address."""
    with watched_pages(browser) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def shared_visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """The same for a page that several tests of a file walk through."""
    with watched_pages(browser) as open_page:
        yield open_page
