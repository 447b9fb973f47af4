"""Makes the pictures in assets/screenshots from the real page: `python -m tests.browser.take_screenshots`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.steps import Visit
from tests.serving import ROOT, real_app

FOLDER = ROOT / "assets" / "screenshots"
ANSWERED = "Who is the director of the Halden Workshop?"
MISSING = "Who is the director of Linden House?"


def open_page(browser: Browser, url: str, width: int, height: int, scheme: str) -> Visit:
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    page.goto(url)
    page.wait_for_selector("#kb-facts-table tbody tr")
    return Visit(page)


def take(visit: Visit, name: str, *, whole: bool = False) -> None:
    visit.page.mouse.move(0, 0)
    visit.page.wait_for_timeout(700)
    visit.page.screenshot(path=str(FOLDER / f"{name}.png"), full_page=whole)


def pictures(browser: Browser, url: str) -> None:
    for scheme in ("light", "dark"):
        visit = open_page(browser, url, 1280, 900, scheme)
        take(visit, f"first-{scheme}")
        visit.ask(MISSING)
        visit.ask(ANSWERED)
        take(visit, f"chat-{scheme}")
        visit.ask("What is the price of the Corvin Lathe?")
        visit.tab(1)
        visit.page.locator("#kb-heatmap .js-plotly-plot").wait_for()
        take(visit, f"attention-{scheme}", whole=True)
        visit.tab(3)
        take(visit, f"how-{scheme}", whole=True)
        visit = open_page(browser, url, 390, 844, scheme)
        visit.ask(ANSWERED)
        take(visit, f"phone-{scheme}", whole=True)
    visit = open_page(browser, url, 1280, 900, "light")
    visit.cell(0, 2).fill("")
    visit.cell(3, 1).fill("founding year")
    visit.cell(3, 1).blur()
    take(visit, "problems-light")
    visit.page.click("#kb-clear-table")
    visit.ask(ANSWERED)
    take(visit, "empty-light")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium") or sys.exit("no Chromium on this machine")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        if len(sys.argv) > 1:
            pictures(browser, sys.argv[1])
        else:
            with real_app(Path(folder) / "app.log") as url:
                pictures(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
