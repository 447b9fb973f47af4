"""Nothing jumps while the page is used, and a map of 30 tokens x 30 facts can be read."""

from __future__ import annotations

import math
import re
import threading
from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import expect

from kblam_core import Trace
from tests.app.fakes import FakeKblam
from tests.serving import app_with

MOST_SHIFT = 0.1  # cumulative; what browsers call good
# Shifts within half a second of a visitor's click or key are marked hadRecentInput: they are what was asked for.
OBSERVE = """
window.kbShifts = [];
const note = (event) => window.kbShifts.push([0, `${Math.round(event.timeStamp)} ms: click on ${event.target.className}`]);
addEventListener("click", note, true);
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    const moved = entry.sources.map(({ node, previousRect, currentRect }) => {
      const of = node?.nodeType === 1 ? node : node?.parentElement;
      return `${of?.closest("[id]")?.id} ${of?.className} y ${Math.round(previousRect.y)} -> ${Math.round(currentRect.y)}`;
    });
    window.kbShifts.push([entry.value, `${Math.round(entry.startTime)} ms: ${moved.join("; ")}`]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


SLANT = math.radians(60)  # of the words under the columns
LONG = (
    "Please tell me, if you can find it anywhere in the table that is shown on this page, "
    "who the present director of the old Halden Workshop in Brevik is"
)
FITTED = """() => {
  const plot = document.querySelector("#kb-heatmap .js-plotly-plot");
  return plot._fullLayout.width === plot.clientWidth && plot.clientWidth >= plot.layout.meta.least_width;
}"""
BOXES = """(all) => all.map((one) => {
  const { x, y, width, height } = one.getBoundingClientRect();
  return { words: one.textContent, x, y, right: x + width, bottom: y + height, line: one.getBBox().height };
})"""


class Talkative(FakeKblam):
    """Its answers have thirty tokens, and it keeps the attention on thirty facts."""

    def _trace(self, question: str, text: str, kb, best: int) -> Trace:
        asked, said = re.findall(r"\s*\S+", question), [f" {word}" for word in (text * 6).split()[:30]]
        generator = np.random.default_rng(0)
        weights = generator.random((len(self.kb_layers), self.num_heads, len(asked) + len(said), 32))
        weights /= weights.sum(-1, keepdims=True)
        return Trace(asked, said, self.kb_layers, self.num_heads, list(range(30)), weights.astype(np.float16), None)


@pytest.fixture(scope="module")
def talkative_url():
    with app_with(Talkative) as url:
        yield url


@pytest.fixture
def loading():
    """(address, event): a model that loads until the event is set, and then writes slowly enough to be watched."""
    ready = threading.Event()

    def load():
        ready.wait(120)
        return FakeKblam(delay=0.15)

    with app_with(load) as url:
        yield url, ready
        ready.set()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps_in_a_round_of_question_answer_and_explorer(visit, loading, width):
    url, ready = loading
    here = visit(url, script=OBSERVE, viewport={"width": width, "height": 900})
    page = here.page
    expect(page.locator("#kb-banner")).to_contain_text("Loading the model")
    ready.set()
    expect(page.locator("#kb-banner")).not_to_contain_text("Loading")
    here.ask("Who is the director of Linden House?")
    here.ask("Who is the director of the Halden Workshop?")
    here.tab(1)
    page.locator("#kb-heatmap .js-plotly-plot").wait_for()
    page.locator(".kb-token").nth(3).click()
    page.locator(".kb-pick").first.click()
    page.keyboard.press("Escape")
    page.locator("#kb-overview-box button").first.click()
    page.click(".kb-leave-out")
    page.locator("#kb-comparison .kb-card:not([aria-busy])").nth(1).wait_for()
    here.ask("What is the price of the Corvin Lathe?")
    expect(page.locator(".kb-pick").first).to_contain_text("2,480 euros")
    page.wait_for_timeout(600)  # what would still move
    shifts = page.evaluate("window.kbShifts")
    total = sum(value for value, _ in shifts)
    assert total < MOST_SHIFT, f"{total:.3f}\n" + "\n".join(f"{value:.3f} {words}" for value, words in shifts)


@pytest.mark.parametrize("width", [1400, 390])
def test_a_map_of_thirty_tokens_and_thirty_facts_can_be_read(visit, talkative_url, width):
    here = visit(talkative_url, viewport={"width": width, "height": 900})
    page = here.page
    here.ask(LONG)
    here.tab(1)
    page.locator("#kb-heatmap .js-plotly-plot").wait_for()
    page.locator("#kb-top-k input[type=number]").fill("30")
    page.locator("#kb-top-k input[type=number]").press("Tab")
    facts, words = page.locator("#kb-heatmap .ytick text"), page.locator("#kb-heatmap .xtick text")
    expect(facts).to_have_count(31)  # and the other facts
    for rows, whose in ((1, "question"), (0, "answer")):
        page.locator("#kb-rows label").nth(rows).click()
        expect(page.locator("#kb-heatmap .gtitle")).to_contain_text(whose)
        expect(words).to_have_count(30)
        page.wait_for_function(FITTED)
        columns = words.evaluate_all(BOXES)
        for left, right in pairwise(columns):
            apart = (right["right"] - left["right"]) * math.sin(SLANT)  # between two slanted lines of text
            assert apart >= 0.8 * left["line"], f"{left['words']} and {right['words']} run into one another"
        lines = facts.evaluate_all(BOXES)
        for above, below in pairwise(lines):
            assert above["bottom"] <= below["y"] + 1, f"{above['words']} and {below['words']} overlap"
        assert max(line["right"] for line in lines) <= columns[0]["right"]
    assert all(box["words"].strip() for box in lines + columns)
    box = page.locator("#kb-heatmap")
    assert box.bounding_box()["x"] + box.bounding_box()["width"] <= width
    shown, whole, reached = box.evaluate("box => [box.clientWidth, box.scrollWidth, box.tabIndex]")
    assert (reached == 0) == (whole > shown)  # by keyboard, too
    assert whole > shown or max(column["right"] for column in columns) < width  # what does not fit scrolls in its own box
    box.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    assert 0 < words.last.bounding_box()["x"] < width
