"""States a quick model hides: loading, streaming, stop, a second question meanwhile, failure; narrow, dark and Russian pages."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from kblam_core import MissingWeightsError
from tests.app.fakes import FakeKblam
from tests.serving import app_with

QUESTION = "Who is the director of the Halden Workshop?"
BOX = "#kb-question textarea"


@pytest.fixture
def here(visit, slow_url):
    return visit(slow_url)


def begin(here, question: str = QUESTION) -> None:
    here.page.fill(BOX, question)
    here.page.click("#kb-ask")
    expect(here.page.locator(".kb-streaming")).to_contain_text("The")


def test_words_arrive_one_by_one_and_stop_keeps_them(here):
    begin(here)
    here.page.click("#kb-stop")
    bubble = here.page.locator(".kb-stopped")
    expect(bubble).to_contain_text("The")
    expect(bubble).not_to_contain_text("Solvang")
    expect(here.page.locator("#kb-ask")).to_be_visible()
    expect(here.ask(QUESTION)).to_contain_text("Ingrid Solvang")


def test_a_second_question_meanwhile_is_kept(here):
    begin(here)
    here.page.fill(BOX, "What is the price of the Corvin Lathe?")
    here.page.keyboard.press("Enter")
    expect(here.page.locator("#kb-notice")).to_contain_text("still being answered")
    expect(here.page.locator(BOX)).to_have_value("What is the price of the Corvin Lathe?")
    here.answer(0)
    expect(here.page.locator("#kb-notice")).not_to_contain_text("still")
    here.page.click("#kb-ask")
    expect(here.answer(1)).to_contain_text("2,480")


def test_two_visitors_at_once_are_both_answered(visit, slow_url):
    first, second = visit(slow_url), visit(slow_url)
    begin(first)
    second.page.fill(BOX, "What is the price of the Corvin Lathe?")
    second.page.click("#kb-ask")
    expect(first.answer(0)).to_contain_text("Ingrid Solvang")
    expect(second.answer(0)).to_contain_text("2,480")


def test_a_visitor_who_leaves_does_not_block_the_next(visit, slow_url):
    first, second = visit(slow_url), visit(slow_url)
    begin(first)
    first.page.close()
    expect(second.ask("What is the price of the Corvin Lathe?")).to_contain_text("2,480", timeout=20_000)


def test_an_empty_and_a_huge_question_are_answered_with_words(here):
    here.page.click("#kb-ask")
    expect(here.page.locator("#kb-notice")).to_contain_text("Type a question")
    huge = "why?" * 2_500
    here.page.fill(BOX, huge)
    here.page.click("#kb-ask")
    expect(here.page.locator("#kb-notice")).to_contain_text("10,000")
    expect(here.page.locator(BOX)).to_have_value(huge)
    expect(here.bubbles()).to_have_count(0)


def test_the_page_works_while_the_model_loads(visit):
    ready = threading.Event()

    def load():
        ready.wait(60)
        return FakeKblam()

    with app_with(load) as url:
        here = visit(url)
        expect(here.page.locator("#kb-banner")).to_contain_text("Loading the model")
        here.page.fill(BOX, QUESTION)
        here.page.click("#kb-ask")
        expect(here.page.locator("#kb-chat .kb-note")).to_contain_text("Loading the model")
        ready.set()
        expect(here.answer(0)).to_contain_text("Ingrid Solvang")
        expect(here.page.locator("#kb-banner")).not_to_contain_text("Loading")


def test_missing_weights_are_said_in_words(visit):
    def load():
        raise MissingWeightsError("The weights are not here and the network does not answer.")

    with app_with(load) as url:
        here = visit(url)
        expect(here.page.locator("#kb-banner")).to_contain_text("The weights are not here")
        bubble = here.ask(QUESTION)
        expect(bubble).to_have_class("kb-turn kb-error")
        expect(bubble).to_contain_text("The weights are not here")
        here.cell(0, 2).fill("still editable")
        expect(here.cell(0, 2)).to_have_value("still editable")


def test_an_inner_error_is_a_plain_sentence(visit):
    with app_with(lambda: FakeKblam(error=RuntimeError("secret detail"))) as url:
        here = visit(url)
        bubble = here.ask(QUESTION)
        expect(bubble).to_have_class("kb-turn kb-error")
        expect(bubble).to_contain_text("Something went wrong")
        assert "secret detail" not in here.page.content()  # gradio has a setting named "secret"


class Forgetful(FakeKblam):
    """Answers, though almost none of its attention goes to the table."""

    def _answer(self, *parts):
        return replace(super()._answer(*parts), kb_mass=0.005)


def test_an_answer_that_hardly_looked_at_the_table_is_a_state_of_its_own(visit):
    with app_with(Forgetful) as url:
        bubble = visit(url).ask(QUESTION)
        expect(bubble).to_have_class("kb-turn kb-low")
        expect(bubble.locator(".kb-badge-low")).to_have_text("Hardly from the table")
        expect(bubble).to_contain_text("check this answer")  # the reason
        expect(bubble.locator(".kb-fact").first).to_contain_text("Halden Workshop")  # the nearest facts
        expect(bubble).to_contain_text("add the missing fact")  # what to do


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-US"), ("dark", "ru-RU")])
def test_at_390_pixels_the_chat_comes_first_and_nothing_sticks_out(visit, slow_url, scheme, locale):
    here = visit(slow_url, viewport={"width": 390, "height": 844}, color_scheme=scheme, locale=locale)
    chat = here.page.locator("#kb-left").bounding_box()
    table = here.page.locator("#kb-right").bounding_box()
    assert chat["y"] + chat["height"] <= table["y"] + 1
    here.ask(QUESTION)
    expect(here.page.get_by_role("tab")).to_have_count(4)  # none is folded away
    for tab in range(4):
        here.tab(tab)
        here.page.wait_for_timeout(400)
        assert here.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_dark_and_light_follow_the_browser(visit, slow_url):
    def brightness(scheme: str) -> int:
        page = visit(slow_url, color_scheme=scheme).page
        colour = page.evaluate("getComputedStyle(document.querySelector('gradio-app, body')).backgroundColor")
        return sum(int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])

    assert brightness("dark") < 200 < brightness("light")


def test_a_russian_browser_gets_russian_words(visit, slow_url):
    here = visit(slow_url, locale="ru-RU")
    expect(here.page.locator("#kb-ask")).to_have_text("Спросить")
    expect(here.page.locator("#kb-facts-table thead")).to_contain_text("сущность")
    expect(here.ask(QUESTION)).to_contain_text("Использован факт")


def test_a_russian_browser_gets_problems_in_russian(visit, slow_url, tmp_path):
    here = visit(slow_url, locale="ru-RU")
    here.page.click("#kb-ask")
    expect(here.page.locator("#kb-notice")).to_have_text(re.compile("[А-я]"))
    here.cell(0, 2).fill("")
    here.cell(0, 2).blur()
    expect(here.page.locator("#kb-problems")).to_contain_text("В строке 1 нет: значение")
    expect(here.cell(0, 2)).to_have_attribute("title", re.compile("В строке 1 нет"))
    (tmp_path / "prices.csv").write_text("price\n3\n", encoding="utf-8")
    here.upload(tmp_path / "prices.csv")
    expect(here.page.locator("#kb-problems")).to_contain_text("prices.csv: найдены столбцы price; нужны entity, property, value")


def test_the_chat_can_be_used_with_the_keyboard_alone(here):
    here.page.locator("#kb-examples button").first.focus()
    here.page.keyboard.press("Enter")
    here.answer(0)
    here.cell(0, 0).focus()
    here.page.keyboard.press("Enter")
    expect(here.cell(1, 0)).to_be_focused()
