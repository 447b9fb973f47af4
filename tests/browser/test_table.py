"""The table in a browser: import and export, add, delete, undo, paste, search, thousands of rows, text shown literally."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

NASTY = "<b>bold</b> ${1+1} {{x}} `c` **d**"


@pytest.fixture
def here(visit, slow_url):
    return visit(slow_url)


def test_import_then_export_gives_the_same_facts(here, tmp_path):
    file = tmp_path / "facts.csv"
    file.write_text('value,entity,property\nOslo,Norway,capital\n"a, ""b""",X,quote\n', encoding="utf-8")
    here.upload(file)
    expect(here.rows()).to_have_count(2)
    expect(here.page.locator("#kb-problems")).to_contain_text("Imported 2 facts from facts.csv")
    with here.page.expect_download() as download:
        here.page.click("#kb-export")
    assert download.value.suggested_filename == "facts.csv"
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert text.splitlines() == ["entity,property,value", "Norway,capital,Oslo", 'X,quote,"a, ""b"""']
    here.page.click("#kb-undo")
    expect(here.cell(0, 0)).to_have_value("Halden Workshop")


def test_a_wrong_file_is_explained_and_the_table_stays(here, tmp_path):
    file = tmp_path / "prices.csv"
    file.write_text("price\n3\n", encoding="utf-8")
    here.upload(file)
    expect(here.page.locator("#kb-problems")).to_contain_text("not imported")
    expect(here.page.locator("#kb-problems")).to_contain_text("price")
    expect(here.cell(0, 0)).to_have_value("Halden Workshop")


def test_a_file_with_other_columns_is_previewed_and_mapped(here, tmp_path):
    file = tmp_path / "prices.csv"
    file.write_text(f'name,price,maker\n"Lamp {NASTY}",3 euros,Ida\nDesk,,Olaf\n', encoding="utf-8")
    here.upload(file)
    panel = here.page.locator("#kb-import-panel")
    expect(panel).to_contain_text("Which column is which?")
    expect(panel).to_contain_text("This gives 3 facts")  # guessed: one entity a row
    expect(panel).to_contain_text(NASTY)
    here.page.get_by_label("one fact a row").check()
    expect(panel).to_contain_text("This gives 1 fact")
    here.choose("#kb-import-value", "price")
    expect(panel).to_contain_text("three different columns")
    expect(here.page.get_by_role("option")).to_have_count(0)
    here.choose("#kb-import-property", "maker")
    expect(panel).to_contain_text("This gives 1 fact")
    expect(here.cell(0, 0)).to_have_value("Halden Workshop")
    here.page.click("#kb-import-cancel")
    expect(panel).to_be_hidden()
    here.upload(file)
    here.page.click("#kb-import-confirm")
    expect(here.rows()).to_have_count(3)
    expect(panel).to_be_hidden()
    expect(here.ask("What is the maker of the Desk?")).to_contain_text("Olaf")


def test_add_fill_and_delete_rows(here):
    count = here.rows().count()
    here.page.click("#kb-add")
    expect(here.rows()).to_have_count(count + 1)
    expect(here.cell(count, 0)).to_be_focused()
    here.page.keyboard.type("Osprey Mill")
    here.page.keyboard.press("Tab")
    here.page.keyboard.type("owner")
    here.page.keyboard.press("Tab")
    here.page.keyboard.type("Nils Aas")
    expect(here.ask("Who is the owner of Osprey Mill?")).to_contain_text("Nils Aas")
    here.rows().nth(count).locator(".kb-delete").click()
    expect(here.rows()).to_have_count(count)
    expect(here.page.locator("#kb-undo")).to_be_enabled()
    here.page.click("#kb-undo")
    expect(here.cell(count, 2)).to_have_value("Nils Aas")


def test_quick_clicks_are_all_carried_out(here):
    count = here.rows().count()
    here.page.evaluate("[...document.querySelectorAll('.kb-delete')].slice(0, 5).forEach(button => button.click())")
    expect(here.rows()).to_have_count(count - 5)
    for _ in range(5):
        here.page.click("#kb-undo")
    expect(here.rows()).to_have_count(count)
    expect(here.cell(0, 0)).to_have_value("Halden Workshop")


def test_the_last_row_can_go(here):
    here.page.click("#kb-clear-table")
    expect(here.rows()).to_have_count(0)
    here.page.click("#kb-add")
    expect(here.rows()).to_have_count(1)
    here.page.locator(".kb-delete").click()
    expect(here.rows()).to_have_count(0)


def test_a_half_filled_row_and_a_duplicate_are_said_in_words(here):
    here.cell(0, 2).fill("")
    here.cell(0, 2).blur()
    expect(here.page.locator("#kb-problems")).to_be_visible()
    expect(here.page.locator("#kb-problems")).to_contain_text("Row 1 has no value")
    expect(here.rows().first).to_have_class("kb-marked")
    here.cell(0, 2).fill("someone")
    here.cell(1, 1).fill("director")
    here.cell(1, 1).blur()
    expect(here.page.locator("#kb-problems")).to_contain_text("row 2 wins")


def test_typed_markup_shows_literally_everywhere(here):
    here.cell(0, 2).fill(NASTY)
    bubble = here.ask("Who is the director of the Halden Workshop?")
    expect(bubble.locator(".kb-text")).to_contain_text(NASTY)
    expect(bubble.locator(".kb-value").first).to_have_text(NASTY)
    assert bubble.locator(".kb-text b, .kb-text code, .kb-value b").count() == 0
    expect(here.cell(0, 2)).to_have_value(NASTY)
    here.ask(f"{NASTY}?")
    expect(here.page.locator("#kb-chat [data-testid=user]").last).to_contain_text(f"{NASTY}?")
    here.tab(1)
    asked = here.page.locator(".kb-tokens").first
    expect(asked).to_be_visible()
    squeezed = "".join(asked.locator(".kb-token").all_text_contents()).replace(" ", "")
    assert NASTY.replace(" ", "") in squeezed
    assert asked.locator("b, code").count() == 0


def test_cells_pasted_from_a_spreadsheet_fill_rows(here):
    here.page.click("#kb-clear-table")
    here.page.click("#kb-add")
    expect(here.cell(0, 0)).to_be_focused()
    here.page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData("text/plain", "A\\tb\\tc\\nD\\te\\tf\\n");
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }"""
    )
    expect(here.rows()).to_have_count(2)
    expect(here.cell(1, 2)).to_have_value("f")


def test_twenty_thousand_rows_are_paged_and_searched(here, tmp_path):
    file = tmp_path / "large.csv"
    rows = "".join(f"Depot {number},keeper,Keeper {number}\n" for number in range(20_000))
    file.write_text("entity,property,value\n" + rows, encoding="utf-8")
    here.upload(file)
    expect(here.page.locator("#kb-status")).to_contain_text("20,000 facts", timeout=30_000)
    expect(here.rows()).to_have_count(50)
    expect(here.page.locator("#kb-place")).to_contain_text("1 of 400")
    here.page.click("#kb-next")
    expect(here.cell(0, 0)).to_have_value("Depot 50")
    here.page.fill("#kb-search input, #kb-search textarea", "depot 19999")
    expect(here.rows()).to_have_count(1)
    here.cell(0, 2).fill("Someone Else")
    expect(here.ask("Who is the keeper of Depot 19999?")).to_contain_text("Someone Else")
    here.page.fill("#kb-search input, #kb-search textarea", "")
    expect(here.rows()).to_have_count(50)


def test_another_sample_brings_its_own_questions(here):
    here.choose("#kb-sample", "Fantasy world")
    expect(here.cell(0, 0)).to_have_value("Kingdom of Orrin")
    expect(here.page.locator("#kb-examples")).to_contain_text("Ashmere Dragon")


def test_a_copied_row_undo_and_redo(here):
    count = here.rows().count()
    here.rows().first.locator(".kb-duplicate").click()
    expect(here.rows()).to_have_count(count + 1)
    expect(here.cell(1, 0)).to_be_focused()
    expect(here.cell(0, 0)).to_have_attribute("aria-invalid", "true")  # two rows give the same property
    expect(here.cell(0, 2)).to_have_attribute("aria-invalid", "false")
    here.page.click("#kb-undo")
    expect(here.rows()).to_have_count(count)
    here.page.click("#kb-redo")
    expect(here.rows()).to_have_count(count + 1)
    expect(here.page.locator("#kb-redo")).to_be_disabled()


def test_an_unticked_fact_is_not_used(here):
    here.rows().first.locator(".kb-include").uncheck()
    expect(here.page.locator("#kb-status")).to_contain_text("1 left out")
    expect(here.ask("Who is the director of the Halden Workshop?")).not_to_contain_text("Ingrid Solvang")
    here.rows().first.locator(".kb-include").check()
    expect(here.page.locator("#kb-status")).not_to_contain_text("left out")
    expect(here.ask("Who is the director of the Halden Workshop?")).to_contain_text("Ingrid Solvang")


def test_a_column_head_sorts_the_view(here):
    first = here.cell(0, 0).input_value()
    head = here.page.locator(".kb-sort").nth(2)
    head.click()
    expect(here.page.locator("th[aria-sort=ascending]")).to_have_count(1)
    values = [here.cell(row, 2).input_value() for row in range(3)]
    assert values == sorted(values, key=lambda text: (not text[0].isdigit(), text.casefold())) or values[0][0].isdigit()
    head.press("Enter")
    expect(here.page.locator("th[aria-sort=descending]")).to_have_count(1)
    head.click()
    expect(here.cell(0, 0)).to_have_value(first)


def test_the_own_table_is_there_after_a_reload_and_only_for_this_visitor(here, visit, slow_url):
    here.cell(0, 2).fill("Priya Raman")
    here.cell(0, 2).blur()
    here.page.wait_for_function("Object.keys(localStorage).some(key => key.includes('kblam-playground-draft'))")
    here.page.reload()
    expect(here.cell(0, 2)).to_have_value("Priya Raman")
    expect(visit(slow_url).cell(0, 2)).to_have_value("Ingrid Solvang")
    here.page.click("#kb-start-over")
    expect(here.cell(0, 2)).to_have_value("Ingrid Solvang")
    here.page.reload()
    expect(here.cell(0, 2)).to_have_value("Ingrid Solvang")
