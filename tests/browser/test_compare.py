"""The compare tab in a browser: with a stand-in model for the steps, with the real one for the answers."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.app.fakes import FakeKblam
from tests.browser.steps import ANSWER_TIMEOUT
from tests.serving import app_with

QUESTION = "Who is the director of the Halden Workshop?"
TIMES = "first token after"


@pytest.fixture(scope="module")
def quick_url():
    with app_with(FakeKblam) as url:
        yield url


def start(here, question: str):
    here.page.get_by_role("tab", name="Compare").click()
    here.page.fill("#kb-compare-question textarea", question)
    here.page.click("#kb-compare-start")
    return here.page.locator("#kb-compare-result .kb-card")


def test_answers_appear_one_by_one_and_can_be_stopped(visit, slow_url):
    here = visit(slow_url)
    cards = start(here, QUESTION)
    expect(cards).to_have_count(5)
    expect(cards.nth(0)).to_contain_text("Ingrid Solvang", timeout=15_000)
    assert TIMES not in cards.nth(4).inner_text()
    here.page.click("#kb-compare-stop")
    expect(here.page.locator("#kb-compare-start")).to_be_visible()
    expect(cards.first).to_contain_text("Ingrid Solvang")


def test_the_real_model_in_five_ways(visit, real_url):
    here = visit(real_url)
    cards = start(here, QUESTION)
    for number in range(5):
        expect(cards.nth(number)).to_contain_text(TIMES, timeout=ANSWER_TIMEOUT)
    expect(cards.first).to_contain_text("Ingrid Solvang")
    expect(cards.first).to_contain_text("holds the value")
    expect(here.page.locator("#kb-compare-start")).to_be_visible()


def test_the_right_answer_can_be_chosen_and_all_are_judged_by_it(visit, quick_url):
    here = visit(quick_url)
    cards = start(here, QUESTION)
    expect(cards.nth(4)).to_contain_text(TIMES)
    judged = here.page.locator(".kb-judged")
    expect(judged).to_contain_text("Ingrid Solvang, the fact that KBLaM cites")
    here.page.click("#kb-judge input")
    here.page.get_by_role("option", name="none: the question should be refused").click()
    expect(judged).to_contain_text("should be refused")
    expect(cards.first).to_contain_text("should have refused")
    here.page.click("#kb-judge input")
    here.page.keyboard.press("ControlOrMeta+a")
    here.page.keyboard.type("Laurel House")  # the list is searched by typing
    here.page.get_by_role("option", name="Laurel House · director").click()
    expect(judged).to_contain_text("Laurel House · director")
    expect(cards.first).to_contain_text("does not hold the value")


def test_an_answer_is_compared_with_the_one_before_the_edit(visit, quick_url):
    here = visit(quick_url)
    here.page.get_by_role("tab", name="Compare").click()
    expect(here.page.locator("#kb-pair-hint")).to_contain_text("Ask twice")
    here.ask(QUESTION)
    here.tab(0)
    here.cell(here.row_of("Halden Workshop", "director"), 2).fill("Priya Raman")
    here.ask(QUESTION)
    here.page.get_by_role("tab", name="Compare").click()
    result = here.page.locator("#kb-pair-result")
    expect(result).to_contain_text("Ingrid Solvang → Priya Raman")
    expect(result.locator(".kb-verdict")).to_contain_text("follows the edit")
    expect(result.locator("mark")).to_have_text(["Ingrid Solvang", "Priya Raman"])
    plot = here.page.locator("#kb-pair-map .js-plotly-plot")
    expect(plot).to_be_visible()
    assert plot.bounding_box()["width"] > 400
    here.ask("What is the price of the Corvin Lathe?")
    here.choose("#kb-pair-first", f"1. {QUESTION}")
    expect(result).to_contain_text("two different questions")
    expect(plot).to_be_hidden()
