"""A walk through the attention explorer on the real default model: the tests go on from one another, most of them on one page.

Elsewhere on the real model: the chat, a refusal, an empty table, the heatmap's layer and head, and an edit (test_main_job.py); five ways
side by side with times and correctness (test_compare.py). With a stand-in model: the same by keyboard and every detail of the explorer
(test_explorer.py, test_first_look.py), "hardly from the table", a state that the default model was not brought to (test_states.py),
thousands of rows and every kind of file (test_table.py), narrow and dark (test_states.py, test_accessibility.py).
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect

from kblam_core import Kblam
from tests.browser.steps import ANSWER_TIMEOUT, Visit
from tests.browser.test_accessibility import AT_REST, grave
from tests.serving import app_with

DIRECTOR = "Who is the director of the Halden Workshop?"
PRICE = "What is the price of the Corvin Lathe?"
LOCKED = "#kb-explorer [aria-pressed=true]"
PRICES = "name,price,maker\nOsprey Lamp,75 euros,Ida Brand\nPlain Desk,310 euros,Olaf Berg\n"


@pytest.fixture(scope="module")
def here(shared_visit, real_url) -> Visit:
    """One page for the walk, with one answer."""
    here = shared_visit(real_url, viewport={"width": 1400, "height": 1600})
    here.ask(DIRECTOR)
    return here


@pytest.fixture
def explorer(here) -> Visit:
    here.tab(1)
    here.page.locator("#kb-heatmap .js-plotly-plot").wait_for()
    here.page.keyboard.press("Escape")
    here.page.mouse.move(2, 2)
    expect(here.page.locator(LOCKED)).to_have_count(0)
    return here


def lit(here: Visit) -> list[str]:
    """The answer's tokens that the chosen fact lights up brightly."""
    return here.page.eval_on_selector_all(
        ".kb-say:nth-of-type(2) .kb-token",
        "all => all.filter(one => Number(one.style.getPropertyValue('--kb-lit')) > 0.5).map(one => one.innerText)",
    )


def shares(here: Visit) -> list[int]:
    """The facts' shares, in percent, as they are ranked."""
    texts = here.page.locator(".kb-pick .kb-number").all_text_contents()
    return [0 if "<" in text else int(text.split("\u00a0")[0]) for text in texts]


def test_a_token_ranks_the_facts_and_escape_clears(explorer):
    expect(explorer.page.locator(".kb-pick").first).to_contain_text("Ingrid Solvang")
    title = explorer.page.locator(".kb-list-title")
    whole = title.text_content()
    cited = explorer.page.locator(".kb-token.kb-cited").first
    cited.click()
    explorer.page.mouse.move(2, 2)
    expect(title).to_contain_text(f"“{cited.text_content()}”")
    expect(explorer.page.locator(".kb-live")).to_contain_text("to the table")
    ranked = shares(explorer)
    assert ranked == sorted(ranked, reverse=True) and ranked[0] > 50
    expect(explorer.page.locator(".kb-pick").first).to_contain_text("Ingrid Solvang")
    explorer.page.keyboard.press("Escape")
    expect(explorer.page.locator(LOCKED)).to_have_count(0)
    expect(title).to_have_text(whole)


def test_a_fact_lights_up_its_tokens_from_the_list_the_map_and_the_table(explorer):
    page, chosen = explorer.page, explorer.page.locator(f"{LOCKED}.kb-pick")
    page.locator(".kb-pick").first.click()
    page.mouse.move(2, 2)
    expect(chosen).to_contain_text("Ingrid Solvang")
    assert lit(explorer), "the fact that was used lights up no token of the answer"
    expect(page.locator("#kb-heatmap .kb-tick-on")).to_contain_text(["Halden Workshop"])
    page.locator(".kb-pick").first.click()  # a second click clears
    expect(page.locator(LOCKED)).to_have_count(0)

    cells = page.locator("#kb-heatmap .heatmaplayer .hm").first
    cells.scroll_into_view_if_needed()
    box = cells.bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 15)
    expect(chosen).to_contain_text("Ingrid Solvang")
    page.keyboard.press("Escape")

    explorer.tab(0)
    explorer.rows().nth(explorer.row_of("Halden Workshop", "director")).locator(".kb-row-pick").click()
    expect(chosen).to_contain_text("Ingrid Solvang")
    expect(page.locator("#kb-explorer")).to_be_visible()
    assert lit(explorer)


def test_the_overview_opens_a_head_and_the_title_names_what_is_shown(explorer):
    page, title = explorer.page, explorer.page.locator("#kb-heatmap .gtitle")
    expect(title).to_contain_text(re.compile(r"layer \d+, head \d+"))  # the strongest
    page.locator("#kb-overview-box button").first.click()
    matrix = page.locator(".kb-matrix")
    expect(matrix).to_have_count(2)
    cell = matrix.last.locator("td .kb-cell").first
    name = cell.get_attribute("aria-label").split(":")[0]
    cell.click()
    expect(title).to_contain_text(name)
    layer = name.split(",")[0].removeprefix("layer ")
    matrix.first.get_by_label(f"layer {layer}, all heads").click()
    expect(title).to_contain_text(f"layer {layer}, mean of all heads")
    for words in ("share within the table", "relative to each fact's largest", "share of all attention"):
        explorer.choose("#kb-scale", words)
        expect(title).to_contain_text(words)
    expect(page.locator("#kb-attention-note")).to_contain_text("went to the table")
    expect(page.locator("#kb-attention-note a")).to_have_attribute("href", "https://arxiv.org/abs/1902.10186")
    expect(page.locator("#kb-heatmap .ytick text").last).to_have_text("other facts")
    assert explorer.bubbles().count() == 1  # none of it asked the model


def test_leaving_the_fact_out_and_changing_its_value_are_asked_again(explorer):
    page, cards = explorer.page, explorer.page.locator("#kb-comparison .kb-card:not([aria-busy])")
    page.click(".kb-leave-out")
    expect(cards).to_have_count(2, timeout=ANSWER_TIMEOUT)
    expect(cards.first).to_contain_text("Ingrid Solvang")
    expect(cards.last.locator(".kb-text")).not_to_contain_text("Ingrid Solvang")
    page.locator(".kb-pick").first.click()
    page.locator(".kb-what-if input").fill("Priya Raman")
    page.locator(".kb-what-if button").click()
    expect(cards.last.locator("mark")).to_have_text("Priya Raman", timeout=ANSWER_TIMEOUT)
    expect(page.locator(".kb-verdict")).to_contain_text("came from this fact")
    page.locator("#kb-difference button").first.click()
    plot = page.locator("#kb-difference-map .js-plotly-plot")
    expect(plot).to_be_visible()
    expect(plot.locator(".gtitle")).to_contain_text("Change of attention")
    assert plot.bounding_box()["width"] > 400


def test_two_answers_before_and_after_an_edit_and_to_two_questions(here):
    here.tab(0)
    here.cell(here.row_of("Halden Workshop", "director"), 2).fill("Priya Raman")
    here.ask(DIRECTOR)
    here.tab(2)
    result = here.page.locator("#kb-pair-result")
    expect(result).to_contain_text("Ingrid Solvang → Priya Raman")
    expect(result.locator(".kb-verdict")).to_contain_text("follows the edit")
    expect(result.locator("mark")).to_have_text(["Ingrid Solvang", "Priya Raman"])
    expect(here.page.locator("#kb-pair-map .js-plotly-plot")).to_be_visible()
    here.ask(PRICE)
    here.choose("#kb-pair-second", f"3. {PRICE}")
    expect(result).to_contain_text("two different questions")
    expect(result.locator(".kb-card").last).to_contain_text("2,480 euros")


def test_the_table_copies_undoes_leaves_out_and_is_kept_over_a_reload(here):
    here.tab(0)
    count = here.rows().count()
    here.rows().first.locator(".kb-duplicate").click()
    expect(here.rows()).to_have_count(count + 1)
    expect(here.cell(0, 0)).to_have_attribute("aria-invalid", "true")
    here.page.click("#kb-undo")
    expect(here.rows()).to_have_count(count)
    director = here.rows().nth(here.row_of("Halden Workshop", "director"))
    director.locator(".kb-include").uncheck()
    expect(here.page.locator("#kb-status")).to_contain_text("1 left out")
    expect(here.ask(DIRECTOR).locator(".kb-text")).not_to_contain_text("Priya Raman")
    director.locator(".kb-include").check()
    here.page.wait_for_function("Object.keys(localStorage).some(key => key.includes('kblam-playground-draft'))")
    here.page.reload()
    here.page.wait_for_selector("#kb-facts-table tbody tr")
    expect(here.cell(here.row_of("Halden Workshop", "director"), 2)).to_have_value("Priya Raman")


def test_a_file_with_other_columns_is_mapped_and_answered_from(here, tmp_path):
    here.tab(0)
    (tmp_path / "prices.csv").write_text(PRICES, encoding="utf-8")
    here.upload(tmp_path / "prices.csv")
    panel = here.page.locator("#kb-import-panel")
    expect(panel).to_contain_text("This gives 4 facts")
    here.page.click("#kb-import-confirm")
    expect(here.rows()).to_have_count(4)
    expect(here.ask("What is the price of the Osprey Lamp?").locator(".kb-text")).to_contain_text("75 euros")


def test_the_answer_is_taken_along_as_files_and_as_a_link(here, shared_visit):
    page = here.page
    page.locator("#kb-share button").first.click()
    files = {}
    for kind in ("json", "csv", "html"):
        with page.expect_download() as download:
            page.click(f"#kb-save-{kind}")
        files[kind] = Path(download.value.path()).read_text(encoding="utf-8")
    told = json.loads(files["json"])
    assert "75 euros" in told["answer"] and told["attention"]["layers"] and told["settings"]["mode"] == "kblam"
    assert "Osprey Lamp" in files["csv"] and "75 euros" in files["html"]
    page.fill("#kb-question textarea", "Who is the maker of the Plain Desk?")
    page.click("#kb-copy-link")
    field = page.locator("#kb-link input")
    expect(field).to_have_value(re.compile("#kblam="))
    there = shared_visit(field.input_value())
    expect(there.rows()).to_have_count(4)
    there.page.click("#kb-ask")
    expect(there.answer(0).locator(".kb-text")).to_contain_text("Olaf Berg")


def test_the_guide_tells_of_the_own_answer_with_the_real_shapes(here):
    here.tab(3)
    guide = here.page.locator(".kb-guide")
    expect(guide.locator("h2")).to_have_count(6)
    expect(guide).to_contain_text("What is the price of the Osprey Lamp?")
    expect(guide).to_contain_text("384 numbers")  # all-MiniLM-L6-v2's width
    expect(guide).to_contain_text("smollm2-135m")
    expect(guide).to_contain_text("75 euros")
    expect(guide).not_to_contain_text("recorded")


def test_the_used_page_is_accessible(here):
    here.page.add_style_tag(content=AT_REST)
    found = []
    for tab, ready in enumerate(("#kb-facts-table tbody tr", "#kb-heatmap .js-plotly-plot", "#kb-pair-title", ".kb-guide")):
        here.tab(tab)
        here.page.locator(ready).first.wait_for()
        found += grave(here, f"tab {tab}")
    assert not found, "\n".join(found)


def test_the_main_job_by_keyboard_and_the_guide_in_russian(shared_visit, real_url):
    here = shared_visit(real_url, locale="ru-RU")
    page = here.page
    expect(page.locator("#kb-question textarea")).to_be_focused()
    page.keyboard.type(DIRECTOR)
    page.keyboard.press("Enter")
    expect(here.answer(0)).to_contain_text("Использован факт")
    page.get_by_role("tab").nth(1).press("Enter")
    page.locator(".kb-token").first.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(LOCKED)).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(LOCKED)).to_have_count(0)
    page.get_by_role("tab").nth(3).press("Enter")
    expect(page.locator(".kb-guide")).to_contain_text(DIRECTOR)
    expect(page.locator(".kb-guide h2").first).to_have_text(re.compile("[А-я]+"))


def test_the_recorded_example_comes_first_then_a_failure_in_words_then_the_real_answer(visit, tmp_path):
    """The default model, kept from loading at first, and at the first try without its adapter."""
    ready, tries = threading.Event(), []

    def load():
        ready.wait(120)
        tries.append(1)
        return Kblam.load(adapter=None if len(tries) > 1 else str(tmp_path / "no-adapter"))

    with app_with(load) as url:
        try:
            here = visit(url)
            expect(here.page.locator("#kb-banner")).to_contain_text("Loading the model")
            expect(here.page.locator("#kb-chat .kb-example")).to_contain_text("recorded earlier")
            here.tab(1)
            expect(here.page.locator("#kb-heatmap .gtitle")).to_contain_text("head")
            expect(here.page.locator(".kb-pick").first).to_contain_text("Ingrid Solvang")
        finally:
            ready.set()
        expect(here.page.locator("#kb-banner")).to_contain_text("could not be loaded")
        expect(here.page.locator("#kb-banner")).to_contain_text("no-adapter")
        expect(here.ask(PRICE)).to_contain_text("2,480 euros")  # asking tries again
        expect(here.page.locator("#kb-chat .kb-example")).to_have_count(0)
