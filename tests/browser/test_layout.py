"""Nothing jumps while the page is used, and a map of 30 tokens x 30 facts can be read."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.app.fakes import FakeKblam
from tests.serving import app_with

MOST_SHIFT = 0.1  # cumulative; what browsers call good
# Shifts within half a second of a visitor's click or key are marked hadRecentInput: they are what was asked for.
OBSERVE = """
window.kbShifts = [];
addEventListener("click", (event) => window.kbShifts.push([0, `${Math.round(event.timeStamp)} ms: click on ${event.target.className}`]), true);
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


@pytest.fixture
def loading_url():
    """A model that is still loading when the page opens, and then writes slowly enough to be watched."""

    def load():
        time.sleep(4)
        return FakeKblam(delay=0.15)

    with app_with(load) as url:
        yield url


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps_in_a_round_of_question_answer_and_explorer(visit, loading_url, width):
    here = visit(loading_url, script=OBSERVE, viewport={"width": width, "height": 900})
    page = here.page
    expect(page.locator("#kb-banner")).to_contain_text("Loading the model")
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
