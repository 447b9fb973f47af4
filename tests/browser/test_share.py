"""Taking an answer along: files that open anywhere, a link that restores the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

NASTY = "<b>bold</b> ${1+1} {{x}} </script>"
QUESTION = "Who is the director of the Halden Workshop?"


@pytest.fixture
def here(visit, slow_url):
    return visit(slow_url)


def saved(here, kind: str) -> Path:
    with here.page.expect_download() as download:
        here.page.click(f"#kb-save-{kind}")
    assert download.value.suggested_filename == f"answer-1.{kind}"
    return Path(download.value.path())


def test_an_answer_is_saved_as_json_csv_and_a_page_of_its_own(here, browser, tmp_path):
    here.cell(0, 2).fill(NASTY)
    here.page.get_by_role("button", name="Take it along").click()
    here.page.click("#kb-save-json")
    expect(here.page.locator("#kb-share-notice")).to_contain_text("Ask a question first")
    here.ask(QUESTION)
    content = json.loads(saved(here, "json").read_text(encoding="utf-8"))
    assert NASTY in content["answer"] and content["attention"]["answer"]["tokens"]
    assert NASTY in saved(here, "csv").read_text(encoding="utf-8")
    file = tmp_path / "answer.html"
    file.write_bytes(saved(here, "html").read_bytes())
    page = browser.new_context(offline=True).new_page()
    trouble = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    page.goto(file.as_uri())
    expect(page.locator(".js-plotly-plot .heatmaplayer image, .js-plotly-plot .heatmaplayer path").first).to_be_attached()
    expect(page.locator(".answer")).to_contain_text(NASTY)
    page.context.close()
    assert not trouble


def test_a_link_restores_question_settings_and_table_for_someone_else(here, visit, slow_url):
    here.cell(0, 2).fill(NASTY)
    here.page.fill("#kb-question textarea", QUESTION)
    here.page.click("#kb-options button")
    here.page.click("#kb-options input >> nth=0")
    here.page.get_by_role("option", name="Without the copy gate").click()
    here.page.get_by_role("button", name="Take it along").click()
    here.page.click("#kb-copy-link")
    expect(here.page.locator("#kb-link input")).to_have_value(re.compile("#kblam="))
    link = here.page.locator("#kb-link input").input_value()
    there = visit(link)
    expect(there.cell(0, 2)).to_have_value(NASTY)
    expect(there.page.locator("#kb-question textarea")).to_have_value(QUESTION)
    there.page.click("#kb-options button")
    expect(there.page.locator("#kb-options input >> nth=0")).to_have_value("Without the copy gate")
    expect(there.ask(QUESTION)).to_contain_text(NASTY)
    there.page.click("#kb-undo")
    expect(there.cell(0, 2)).to_have_value("Ingrid Solvang")


def test_after_an_edit_a_reload_shows_the_edit_and_no_longer_the_link(here, visit):
    here.page.get_by_role("button", name="Take it along").click()
    here.page.click("#kb-copy-link")
    expect(here.page.locator("#kb-link")).to_be_visible()
    there = visit(here.page.locator("#kb-link input").input_value())
    there.page.reload()
    expect(there.page.locator("#kb-undo")).to_be_enabled()  # the link's table again, over the own one
    there.cell(0, 2).fill("Priya Raman")
    there.cell(0, 2).blur()
    there.page.wait_for_function("location.hash === ''")
    there.page.reload()
    expect(there.cell(0, 2)).to_have_value("Priya Raman")


def test_a_broken_link_is_said_in_words(visit, slow_url):
    there = visit(f"{slow_url}/#kblam=broken")
    expect(there.page.locator("#kb-notice")).to_contain_text("could not be read")
    expect(there.cell(0, 2)).to_have_value("Ingrid Solvang")
