"""The explorer with a stand-in model: tokens and facts linked both ways, by mouse and by keyboard, without asking again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.app.fakes import FakeKblam
from tests.serving import app_with

DIRECTOR = "Who is the director of the Halden Workshop?"
LOCKED = "#kb-explorer [aria-pressed=true]"


@pytest.fixture(scope="module")
def model() -> FakeKblam:
    return FakeKblam()


@pytest.fixture(scope="module")
def quick_url(model):
    with app_with(lambda: model) as url:
        yield url


@pytest.fixture
def here(visit, quick_url):
    here = visit(quick_url, viewport={"width": 1280, "height": 1800})
    here.ask(DIRECTOR)
    here.tab(1)
    here.page.locator("#kb-heatmap .js-plotly-plot").wait_for()
    return here


def tokens(here):
    return here.page.locator(".kb-token")


def facts(here):
    return here.page.locator(".kb-pick")


def test_the_first_look_ranks_the_facts_and_marks_the_cited_value(here):
    expect(facts(here).first).to_contain_text("Ingrid Solvang")
    expect(facts(here).first.locator(".kb-number")).to_contain_text("%")
    expect(here.page.locator(".kb-token.kb-cited")).to_have_text(["Ingrid", "Solvang."])
    assert here.page.locator(".kb-explorer").bounding_box()["y"] < here.page.locator("#kb-heatmap").bounding_box()["y"]


def test_a_token_ranks_the_facts_and_a_second_click_clears(here, model):
    asked = len(model.asked)
    title = here.page.locator(".kb-list-title")
    whole = title.text_content()
    tokens(here).nth(3).hover()
    expect(title).to_contain_text("director")
    expect(here.page.locator(LOCKED)).to_have_count(0)
    here.page.mouse.move(2, 2)
    expect(title).to_have_text(whole)
    tokens(here).nth(3).click()
    here.page.mouse.move(2, 2)
    expect(title).to_contain_text("director")
    expect(here.page.locator(LOCKED)).to_have_text("director")
    expect(here.page.locator(".kb-live")).to_contain_text("to the table")
    tokens(here).nth(3).click()
    expect(here.page.locator(LOCKED)).to_have_count(0)
    expect(title).to_have_text(whole)
    assert len(model.asked) == asked


def test_a_fact_lights_up_its_tokens_here_in_the_map_and_in_the_table(here):
    facts(here).first.click()
    here.page.mouse.move(2, 2)
    lit = here.page.eval_on_selector_all(".kb-token", "all => all.map(one => Number(one.style.getPropertyValue('--kb-lit')))")
    assert max(lit) == 1 and min(lit) < 0.7
    expect(here.page.locator("#kb-heatmap .kb-tick-on")).to_contain_text(["Halden Workshop"])
    here.tab(0)
    expect(here.page.locator("#kb-facts-table .kb-chosen")).to_have_count(1)
    here.tab(1)
    here.page.keyboard.press("Escape")
    expect(here.page.locator(LOCKED)).to_have_count(0)
    expect(here.page.locator("#kb-heatmap .kb-tick-on")).to_have_count(0)


def test_a_cell_of_the_map_and_a_row_of_the_table_choose_their_fact(here):
    cells = here.page.locator("#kb-heatmap .heatmaplayer .hm").first.bounding_box()
    here.page.mouse.click(cells["x"] + 20, cells["y"] + 15)
    expect(here.page.locator(f"{LOCKED}.kb-pick")).to_contain_text("Ingrid Solvang")
    here.tab(0)
    row = here.row_of("Halden Workshop", "founder")
    here.rows().nth(row).locator("th").click()
    expect(here.page.locator(f"{LOCKED}.kb-pick")).to_contain_text("founder")
    expect(here.page.locator("#kb-explorer")).to_be_visible()


def test_a_row_is_picked_by_keyboard_and_one_without_attention_says_so(here):
    here.tab(0)
    pick = here.page.locator("#kb-facts-table .kb-row-pick")
    row = here.row_of("Halden Workshop", "founder")
    here.rows().nth(row).locator(".kb-row-pick").hover()  # previews: the tokens light up, nothing is locked
    lit = "[...document.querySelectorAll('.kb-token')].some((one) => Number(one.style.getPropertyValue('--kb-lit')) > 0)"
    here.page.wait_for_function(lit)
    here.page.mouse.move(2, 2)
    here.page.wait_for_function(f"!{lit}")
    here.rows().nth(row).locator(".kb-row-pick").focus()
    here.page.keyboard.press("Enter")
    expect(here.page.locator(f"{LOCKED}.kb-pick")).to_contain_text("founder")
    here.tab(0)
    pick.last.focus()  # of another entity: not among the facts that the stand-in's trace keeps
    here.page.keyboard.press("Enter")
    expect(here.page.locator(".kb-live")).to_contain_text("not among the")
    expect(here.page.locator(LOCKED)).to_have_count(0)
    here.page.keyboard.press("Escape")
    expect(here.page.locator(".kb-live")).to_contain_text("Pick a word")


def test_a_row_picked_before_the_tab_was_opened_is_chosen_there(visit, quick_url):
    here = visit(quick_url)
    here.ask(DIRECTOR)
    here.rows().nth(here.row_of("Halden Workshop", "founder")).locator(".kb-row-pick").click()
    expect(here.page.locator(f"{LOCKED}.kb-pick")).to_contain_text("founder")


def test_a_cell_of_the_map_previews_its_fact(here):
    cells = here.page.locator("#kb-heatmap .heatmaplayer .hm").first.bounding_box()
    here.page.mouse.move(cells["x"] + 20, cells["y"] + 15)
    expect(here.page.locator(".kb-pick.kb-preview")).to_contain_text("Ingrid Solvang")
    expect(here.page.locator(LOCKED)).to_have_count(0)
    here.page.mouse.move(2, 2)
    expect(here.page.locator(".kb-preview")).to_have_count(0)


def test_the_keyboard_reaches_all_of_it(here):
    tokens(here).first.focus()
    here.page.keyboard.press("ArrowRight")
    expect(tokens(here).nth(1)).to_be_focused()
    expect(here.page.locator(".kb-list-title")).to_contain_text("“is”")  # focus previews
    here.page.keyboard.press("Enter")
    expect(here.page.locator(LOCKED)).to_have_text("is")
    here.page.keyboard.press("Escape")
    expect(here.page.locator(LOCKED)).to_have_count(0)
    here.page.keyboard.press("Tab")  # the answer's tokens
    here.page.keyboard.press("End")
    expect(tokens(here).last).to_be_focused()
    here.page.keyboard.press("Tab")  # the facts
    here.page.keyboard.press("ArrowDown")
    here.page.keyboard.press("Enter")
    expect(facts(here).nth(1)).to_have_attribute("aria-pressed", "true")
    expect(facts(here).nth(1)).to_be_focused()


def test_typed_markup_stays_text(visit, quick_url):
    here = visit(quick_url)
    here.cell(0, 2).fill("<img src=x onerror=alert(1)> ${1} {{x}}")
    here.ask(DIRECTOR)
    here.tab(1)
    expect(facts(here).first).to_contain_text("<img src=x onerror=alert(1)> ${1} {{x}}")
    expect(here.page.locator("#kb-explorer img")).to_have_count(0)


def test_a_choice_is_kept_while_the_map_changes_and_goes_with_the_next_answer(here):
    facts(here).first.click()
    here.page.locator("#kb-rows label").nth(1).click()
    expect(here.page.locator("#kb-heatmap .gtitle")).to_contain_text("question")
    expect(here.page.locator("#kb-heatmap .kb-tick-on")).to_contain_text(["Halden Workshop"])
    here.ask("What is the price of the Corvin Lathe?")
    expect(here.page.locator(LOCKED)).to_have_count(0)
    expect(facts(here).first).to_contain_text("2,480")


def test_leaving_a_fact_out_shows_both_answers_and_keeps_the_table(here):
    here.page.click(".kb-leave-out")
    cards = here.page.locator(".kb-card:not([aria-busy])")
    expect(cards).to_have_count(2)
    expect(cards.nth(0)).to_contain_text("Ingrid Solvang")
    expect(cards.nth(1)).not_to_contain_text("Ingrid Solvang")
    expect(here.page.locator(".kb-verdict")).to_be_visible()
    here.page.locator("#kb-difference button").first.click()
    expect(here.page.locator("#kb-difference-map .js-plotly-plot")).to_be_visible()
    here.tab(0)
    expect(here.cell(here.row_of("Halden Workshop", "director"), 2)).to_have_value("Ingrid Solvang")
    assert here.bubbles().count() == 1


def test_another_value_for_the_chosen_fact_is_asked_with_enter(here):
    facts(here).nth(0).click()
    box = here.page.locator(".kb-what-if input")
    box.focus()
    here.page.keyboard.press("Enter")
    expect(here.page.locator("#kb-comparison")).to_contain_text("Type the other value")
    box.fill("Priya Raman")
    here.page.keyboard.press("Enter")
    expect(here.page.locator(".kb-card mark").last).to_have_text("Priya Raman")
    expect(here.page.locator(".kb-verdict")).to_contain_text("follows")
    expect(here.ask(DIRECTOR)).to_contain_text("Ingrid Solvang")
    expect(here.page.locator(".kb-card")).to_have_count(0)


def test_a_cell_of_the_overview_opens_its_layer_and_head(here, model):
    asked = len(model.asked)
    here.page.locator("#kb-overview-box button").first.click()
    matrix = here.page.locator(".kb-matrix")
    expect(matrix).to_have_count(2)
    expect(matrix.first.locator("td")).to_have_count(9)
    pressed = matrix.first.locator('[aria-pressed="true"]')
    expect(pressed).to_have_count(1)
    matrix.first.get_by_label("layer 9, head 2").click()
    expect(here.page.locator("#kb-heatmap .gtitle")).to_contain_text("layer 9, head 2")
    expect(pressed).to_be_focused()
    here.page.keyboard.press("ArrowLeft")
    here.page.keyboard.press("Enter")
    expect(here.page.locator("#kb-heatmap .gtitle")).to_contain_text("layer 9, head 1")
    here.page.keyboard.press("ArrowLeft")
    here.page.keyboard.press("ArrowLeft")
    here.page.keyboard.press("Enter")
    expect(here.page.locator("#kb-heatmap .gtitle")).to_contain_text("layer 9, mean of all heads")
    assert len(model.asked) == asked


def test_the_scale_is_a_visible_choice_named_in_the_title(here):
    title = here.page.locator("#kb-heatmap .gtitle")
    for words in ("share within the table", "relative to each fact's largest", "share of all attention"):
        here.choose("#kb-scale", words)
        expect(title).to_contain_text(words)
    expect(here.page.locator("#kb-same input")).to_be_checked()
    expect(here.page.locator("#kb-attention-note a")).to_have_attribute("href", "https://arxiv.org/abs/1902.10186")
