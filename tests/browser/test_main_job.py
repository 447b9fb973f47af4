"""The main job on the real model: ask, see the fact, edit a cell, ask again, get a refusal, look at the attention."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import ANSWER_TIMEOUT

DIRECTOR = "Who is the director of the Halden Workshop?"


@pytest.fixture
def here(visit, real_url):
    return visit(real_url)


def test_the_first_screen_has_a_chat_and_a_filled_table(here):
    assert here.rows().count() >= 20
    expect(here.page.locator("#kb-examples button")).to_have_count(4)
    left = here.page.locator("#kb-left").bounding_box()
    right = here.page.locator("#kb-right").bounding_box()
    assert left["x"] + left["width"] <= right["x"] + 1


def test_an_answer_names_its_fact_and_a_changed_cell_changes_it(here):
    bubble = here.ask(DIRECTOR)
    expect(bubble.locator(".kb-text")).to_contain_text("Ingrid Solvang")
    expect(bubble.locator(".kb-fact").first).to_contain_text("Ingrid Solvang")
    expect(bubble.locator(".kb-share").first).to_contain_text("%")
    here.page.fill("#kb-question textarea", DIRECTOR)
    here.cell(here.row_of("Halden Workshop", "director"), 2).fill("Priya Raman")
    here.page.click("#kb-ask")  # the cell was never left
    second = here.answer(1)
    expect(second.locator(".kb-text")).to_contain_text("Priya Raman")
    expect(second.locator(".kb-fact").first).to_contain_text("Priya Raman")


def test_pressing_enter_asks_and_examples_ask_at_once(here):
    here.page.fill("#kb-question textarea", "What is the price of the Corvin Lathe?")
    here.page.keyboard.press("Enter")
    expect(here.answer(0)).to_contain_text("2,480 euros")
    expect(here.page.locator("#kb-question textarea")).to_have_value("")
    here.page.locator("#kb-examples button").first.click()
    here.answer(1)


def test_what_the_table_does_not_hold_is_refused_with_near_facts(here):
    bubble = here.ask("Who is the director of Linden House?")
    expect(bubble).to_have_class("kb-turn kb-refused")
    expect(bubble.locator(".kb-badge-refused")).to_be_visible()
    assert bubble.locator(".kb-fact").count() >= 1


def test_a_refusal_still_comes_after_an_answer(here):
    here.ask(DIRECTOR)
    expect(here.ask("Who is the director of Linden House?")).to_have_class("kb-turn kb-refused")


def test_a_cleared_table_is_told_as_empty(here):
    here.page.click("#kb-clear-table")
    expect(here.rows()).to_have_count(0)
    expect(here.page.locator(".kb-table-note")).to_be_visible()
    expect(here.ask(DIRECTOR)).to_have_class("kb-turn kb-empty")
    here.page.click("#kb-undo")
    expect(here.rows().first).to_be_visible()


def test_the_heatmap_follows_layer_head_and_words(here):
    here.ask(DIRECTOR)
    here.tab(1)
    plot = here.page.locator("#kb-heatmap .js-plotly-plot")
    plot.wait_for()
    strongest = plot.locator(".ytick text").first.text_content()
    assert "Halden Workshop" in strongest and "director" in strongest
    expect(here.page.locator("#kb-heatmap .cbtitle, #kb-heatmap .colorbar").first).to_be_attached()
    title = here.page.locator("#kb-heatmap .gtitle")
    expect(title).to_contain_text(re.compile(r"layer \d+, head \d+"))  # the strongest head
    here.choose("#kb-layer", "all (mean)")
    expect(title).to_contain_text("mean of all KB layers, head")
    here.choose("#kb-head", "all (mean)")
    expect(title).to_contain_text("mean of all KB layers, mean of all heads")
    here.page.click("#kb-layer input")
    expect(here.page.get_by_role("option").last).to_have_text(re.compile(r"^\W*\d+\W*$"))  # layers, no longer heads with their shares
    options = here.page.get_by_role("option").all_text_contents()
    assert len(options) >= 2
    here.page.get_by_role("option").last.click()
    expect(title).to_contain_text(f"layer {options[-1].strip(' ✓')}, mean of all heads")
    here.page.locator("#kb-rows label").nth(1).click()
    expect(title).to_contain_text("question")
    words = "".join(plot.locator(".xtick text").all_text_contents())
    assert "director" in words
    assert here.bubbles().count() == 1


def test_hovering_shows_the_whole_fact(here):
    here.ask(DIRECTOR)
    here.tab(1)
    here.page.locator("#kb-heatmap .js-plotly-plot").wait_for()
    here.page.locator("#kb-heatmap .ytick text").first.scroll_into_view_if_needed()
    here.page.wait_for_timeout(500)
    box = here.page.locator("#kb-heatmap .ytick text").first.bounding_box()
    drawn = here.page.locator("#kb-heatmap .heatmaplayer .hm").first.bounding_box()
    here.page.mouse.move(drawn["x"] + 30, box["y"] + box["height"] / 2)
    expect(here.page.locator("#kb-heatmap .hoverlayer")).to_contain_text("Ingrid Solvang")


def test_the_explorer_shows_the_fact_and_leaving_it_out_tests_it(here):
    here.ask(DIRECTOR)
    here.tab(1)
    expect(here.page.locator(".kb-pick").first).to_contain_text("Ingrid Solvang")
    assert "".join(here.page.locator(".kb-token.kb-cited").all_text_contents()).replace(".", "") == "IngridSolvang"
    here.page.locator(".kb-token.kb-cited").first.click()
    expect(here.page.locator(".kb-live")).to_contain_text("to the table")
    here.page.click(".kb-leave-out")
    cards = here.page.locator(".kb-card:not([aria-busy])")
    expect(cards).to_have_count(2, timeout=ANSWER_TIMEOUT)
    expect(cards.first).to_contain_text("Ingrid Solvang")
    expect(cards.last).not_to_contain_text("Ingrid Solvang")
    here.tab(0)
    expect(here.cell(here.row_of("Halden Workshop", "director"), 2)).to_have_value("Ingrid Solvang")


def test_retry_and_take_back(here):
    here.ask(DIRECTOR)
    here.page.locator("#kb-chat").get_by_label("Retry").last.click()
    here.page.wait_for_timeout(300)
    expect(here.answer(0)).to_contain_text("Ingrid Solvang")
    here.page.locator("#kb-chat").get_by_label("Undo").last.click()
    expect(here.bubbles()).to_have_count(0)
    expect(here.page.locator("#kb-question textarea")).to_have_value(DIRECTOR)


def test_two_visitors_have_two_tables(visit, real_url):
    first, second = visit(real_url), visit(real_url)
    first.cell(0, 2).fill("Anna Quist")
    expect(first.ask(DIRECTOR)).to_contain_text("Anna Quist")
    expect(second.ask(DIRECTOR)).to_contain_text("Ingrid Solvang")
