"""What a newcomer meets: a full picture before the model is there, a way through the page by keyboard alone, a picture to keep."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.fakes import FakeKblam
from tests.serving import app_with

ASKED = "What is the price of the Corvin Lathe?"
STOPS = 60  # presses of the Tab key within which everything must be reached


@pytest.fixture(scope="module")
def quick_url():
    with app_with(FakeKblam) as url:
        yield url


def press_tab_until(page: Page, matches: str) -> None:
    """Press Tab until the element with the focus matches the selector."""
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", matches):
            return
    pytest.fail(f"{matches} is not reached by the Tab key")


def test_the_recorded_example_is_there_before_the_model_and_goes_with_the_first_answer(visit):
    ready = threading.Event()

    def load():
        ready.wait(120)
        return FakeKblam()

    with app_with(load) as url:
        try:
            here = visit(url)
            page = here.page
            expect(page.locator("#kb-banner")).to_contain_text("Loading the model")
            expect(page.locator("#kb-chat .kb-example")).to_contain_text("recorded earlier")
            expect(page.locator("#kb-chat .kb-example .kb-fact").first).to_contain_text("Halden Workshop")
            here.tab(1)
            expect(page.locator("#kb-attention-intro")).to_contain_text("recorded earlier")
            expect(page.locator("#kb-heatmap .gtitle")).to_contain_text("head")
            expect(page.locator(".kb-token").first).to_be_visible()
            expect(page.locator(".kb-test")).to_be_hidden()
            page.locator("#kb-overview-box button").first.click()
            expect(page.locator(".kb-matrix")).to_have_count(2)
            here.tab(3)
            expect(page.locator(".kb-guide h2")).to_have_count(6)
            expect(page.locator(".kb-guide")).to_contain_text("example recorded earlier")
        finally:
            ready.set()
        expect(here.ask(ASKED)).to_contain_text("2,480")
        expect(page.locator("#kb-chat .kb-example")).to_have_count(0)
        expect(page.locator(".kb-guide")).to_contain_text(ASKED)
        expect(page.locator(".kb-guide")).to_contain_text("fake-encoder")
        here.tab(1)
        expect(page.locator("#kb-attention-intro")).not_to_contain_text("recorded")
        expect(page.locator(".kb-pick").first).to_contain_text("2,480 euros")
        expect(page.locator(".kb-test")).to_be_visible()


def test_the_main_job_by_keyboard_alone(visit, quick_url):
    page = visit(quick_url).page
    expect(page.locator("#kb-question textarea")).to_be_focused()  # where a visitor begins
    page.keyboard.type(ASKED)
    page.keyboard.press("Enter")
    expect(page.locator("#kb-chat .kb-answered")).to_contain_text("2,480")
    press_tab_until(page, '#kb-tabs [role="tab"]:nth-of-type(2)')
    page.keyboard.press("Enter")
    expect(page.locator(".kb-token").first).to_be_visible()
    press_tab_until(page, ".kb-token")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    chosen = page.locator("#kb-explorer [aria-pressed=true]")
    expect(chosen).to_have_text("is")
    expect(page.locator(".kb-live")).to_contain_text("to the table")
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    press_tab_until(page, ".kb-pick")
    page.keyboard.press("Enter")
    expect(chosen).to_contain_text("2,480 euros")
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)


def test_the_map_is_saved_as_a_picture_at_twice_the_size(visit, quick_url):
    here = visit(quick_url)
    here.tab(1)
    plot = here.page.locator("#kb-heatmap .js-plotly-plot")
    plot.wait_for()
    with here.page.expect_download() as download:
        here.page.get_by_role("button", name="Save this map as PNG").click()
    assert download.value.suggested_filename == "attention.png"
    content = Path(download.value.path()).read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    box = plot.bounding_box()
    assert width == pytest.approx(2 * box["width"], abs=4) and height == pytest.approx(2 * box["height"], abs=4)
