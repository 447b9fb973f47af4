"""Makes the pictures of the main states from the real page: `python -m tests.browser.take_screenshots [address] [words of names]`.

Those that the repository keeps go to assets/screenshots, the others to runs/screenshots.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import FLAGS
from tests.browser.steps import ANSWER_TIMEOUT, Visit
from tests.serving import ROOT, real_app

KEPT_FOLDER, OTHER_FOLDER = ROOT / "assets" / "screenshots", ROOT / "runs" / "screenshots"
KEPT = set(
    "chat-light chat-dark attention-light attention-dark overview-light leave-out-light compare-light two-answers-light "
    "empty-light import-light guide-light example-light chat-phone attention-phone".split()
)
SCREENS = {"light": (1400, 900, "light"), "dark": (1400, 900, "dark"), "phone": (390, 844, "light")}
DIRECTOR = "Who is the director of the Halden Workshop?"
PRICE = "What is the price of the Corvin Lathe?"
MISSING = "Who is the director of Linden House?"
PRICES = "name,price,maker,delivery time\nOsprey Lamp,75 euros,Ida Brand,two days\nPlain Desk,310 euros,Olaf Berg,\n"


def with_palette(picture: Image.Image) -> Image.Image:
    """In 256 colours: the most frequent as they are, so that grounds stay even, and those that fit the rest, so that scales stay smooth."""
    pixels = np.asarray(picture).reshape(-1, 3)
    colours, places, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)  # (N, 3), (pixels,), (N,)
    fitting = picture.quantize(160, method=Image.Quantize.MAXCOVERAGE).getpalette()[: 3 * 160]
    palette = np.concatenate([colours[np.argsort(-counts)[:96]], np.array(fitting, np.uint8).reshape(-1, 3)]).astype(int)  # (<= 256, 3)
    nearest = np.square(colours[:, None].astype(int) - palette).sum(-1).argmin(1).astype(np.uint8)
    small = Image.fromarray(nearest[places.reshape(-1)].reshape(picture.height, picture.width), "P")
    small.putpalette(palette.astype(np.uint8).tobytes())
    return small


@dataclass
class Camera:
    """One open page and the ending of its pictures' names."""

    visit: Visit
    screen: str

    def take(self, name: str, *, whole: bool = False) -> None:
        """A picture of what is in the window, or of the whole page, in few colours."""
        page = self.visit.page
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement?.blur()")
        if whole:
            page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(700)
        name = f"{name}-{self.screen}"
        file = (KEPT_FOLDER if name in KEPT else OTHER_FOLDER) / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(file), full_page=whole)
        with_palette(Image.open(file).convert("RGB")).save(file, optimize=True)
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1000:.0f} kB", flush=True)


def example(camera: Camera) -> None:
    """Before the first question: the recorded example and its attention."""
    camera.visit.tab(1)
    camera.visit.page.locator("#kb-heatmap .js-plotly-plot").wait_for()
    camera.take("example", whole=True)


def chat(camera: Camera) -> None:
    """A refusal, an answer, and the table."""
    camera.visit.ask(MISSING)
    camera.take("refused")
    camera.visit.ask(DIRECTOR)
    camera.take("chat")


def attention(camera: Camera) -> None:
    """A picked fact and its tokens; all layers and heads."""
    page = camera.visit.page
    camera.visit.ask(DIRECTOR)
    camera.visit.tab(1)
    page.locator("#kb-heatmap .js-plotly-plot").wait_for()
    page.locator(".kb-pick").first.click()
    camera.take("attention", whole=True)
    page.keyboard.press("Escape")
    page.locator("#kb-overview-box button").first.click()
    page.locator(".kb-matrix").last.wait_for()
    page.evaluate("document.querySelector('#kb-overview-box').scrollIntoView({ block: 'end' })")
    camera.take("overview")


def what_if(camera: Camera) -> None:
    """The same question with another value, and the map of what changed; then without the fact."""
    page = camera.visit.page
    camera.visit.ask(DIRECTOR)
    camera.visit.tab(1)
    page.locator(".kb-what-if input").fill("Priya Raman")
    page.locator(".kb-what-if button").click()
    expect(page.locator("#kb-comparison mark").last).to_have_text("Priya Raman", timeout=ANSWER_TIMEOUT)
    page.locator("#kb-difference button").first.click()
    page.locator("#kb-difference-map .js-plotly-plot").wait_for()
    page.wait_for_timeout(500)  # the box unfolds
    page.evaluate("document.querySelector('#kb-difference').scrollIntoView({ block: 'end' })")
    camera.take("what-if")
    page.locator(".kb-leave-out").click()
    expect(page.locator("#kb-comparison")).to_contain_text("Without Halden Workshop", timeout=ANSWER_TIMEOUT)
    expect(page.locator("#kb-comparison .kb-card:not([aria-busy])")).to_have_count(2, timeout=ANSWER_TIMEOUT)
    page.evaluate("document.querySelector('#kb-difference').scrollIntoView({ block: 'end' })")
    camera.take("leave-out")


def compare(camera: Camera) -> None:
    """One question in five ways."""
    page = camera.visit.page
    camera.visit.tab(2)
    page.fill("#kb-compare-question textarea", DIRECTOR)
    page.click("#kb-compare-start")
    page.locator("#kb-compare-result .kb-card:not([aria-busy])").nth(4).wait_for(timeout=ANSWER_TIMEOUT)
    expect(page.locator("#kb-compare-start")).to_be_visible()
    camera.take("compare", whole=True)


def two_answers(camera: Camera) -> None:
    """Before and after an edit."""
    visit = camera.visit
    visit.ask(DIRECTOR)
    visit.cell(visit.row_of("Halden Workshop", "director"), 2).fill("Priya Raman")
    visit.ask(DIRECTOR)
    visit.tab(2)
    visit.page.locator("#kb-pair-map .js-plotly-plot").wait_for()
    camera.take("two-answers", whole=True)


def table(camera: Camera) -> None:
    """The preview of a file with other columns, marks on cells, an empty table."""
    visit, page = camera.visit, camera.visit.page
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder) / "prices.csv").write_text(PRICES, encoding="utf-8")
        visit.upload(file)
        page.locator("#kb-import-result .kb-preview").wait_for()
    camera.take("import")
    page.click("#kb-import-cancel")
    visit.cell(0, 2).fill("")
    visit.cell(3, 1).fill("founding year")
    visit.cell(3, 1).blur()
    page.locator("#kb-problems li").first.wait_for()
    camera.take("problems")
    page.click("#kb-clear-table")
    visit.ask(DIRECTOR)
    camera.take("empty")


def guide(camera: Camera) -> None:
    """How it works, told with the own answer."""
    camera.visit.ask(PRICE)
    camera.visit.tab(3)
    expect(camera.visit.page.locator(".kb-guide")).to_contain_text(PRICE)
    camera.take("guide", whole=True)


SCENES: tuple[Callable[[Camera], None], ...] = (example, chat, attention, what_if, compare, two_answers, table, guide)


def pictures(browser: Browser, url: str, wanted: list[str]) -> None:
    """Every scene on a new page for each screen. wanted: names of scenes and screens to be content with; empty for all."""
    scenes = [scene for scene in SCENES if scene.__name__ in wanted] or SCENES
    screens = [screen for screen in SCREENS if screen in wanted] or SCREENS
    for screen in screens:
        width, height, scheme = SCREENS[screen]
        for scene in scenes:
            page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
            page.goto(url)
            page.wait_for_selector("#kb-facts-table tbody tr")
            expect(page.locator("#kb-banner .kb-banner-loading")).to_have_count(0, timeout=ANSWER_TIMEOUT)
            scene(Camera(Visit(page), screen))
            page.context.close()


def main() -> None:
    program = shutil.which("chromium") or sys.exit("no Chromium on this machine")
    addresses = [word for word in sys.argv[1:] if word.startswith("http")]
    wanted = [word for word in sys.argv[1:] if word not in addresses]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        if addresses:
            pictures(browser, addresses[0], wanted)
        else:
            with real_app(Path(folder) / "app.log") as url:
                pictures(browser, url, wanted)
        browser.close()


if __name__ == "__main__":
    main()
