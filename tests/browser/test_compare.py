"""The compare tab in a browser: with a stand-in model for the steps, with the real one for the answers."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.steps import ANSWER_TIMEOUT

QUESTION = "Who is the director of the Halden Workshop?"
TIMES = "first token after"


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
