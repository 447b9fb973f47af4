"""What a visitor does, in words: ask, edit a cell, read the last answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

ANSWER_TIMEOUT = 120_000  # the first question may wait for the model to load
FINAL = ".kb-answered, .kb-low, .kb-refused, .kb-empty, .kb-error, .kb-stopped"


@dataclass
class Visit:
    """One open page."""

    page: Page

    def ask(self, question: str) -> Locator:
        """Type a question, press Ask, wait until it is answered; returns the bubble."""
        before = self.page.locator(f"#kb-chat :is({FINAL})").count()
        self.page.fill("#kb-question textarea", question)
        self.page.click("#kb-ask")
        return self.answer(before)

    def answer(self, before: int) -> Locator:
        bubble = self.page.locator(f"#kb-chat :is({FINAL})").nth(before)
        bubble.wait_for(timeout=ANSWER_TIMEOUT)
        expect(self.page.locator("#kb-ask")).to_be_visible()
        return bubble

    def bubbles(self) -> Locator:
        return self.page.locator(f"#kb-chat :is({FINAL})")

    def cell(self, row: int, column: int) -> Locator:
        """The text area of a row (from 0, on this page of the table) and column."""
        return self.page.locator("#kb-facts-table tbody tr").nth(row).locator("textarea").nth(column)

    def rows(self) -> Locator:
        return self.page.locator("#kb-facts-table tbody tr")

    def row_of(self, entity: str, property: str) -> int:
        """The place of a fact on this page of the table."""
        cells = self.page.eval_on_selector_all(
            "#kb-facts-table tbody tr",
            "rows => rows.map(r => [...r.querySelectorAll('textarea')].map(t => t.value))",
        )
        return next(index for index, row in enumerate(cells) if row[:2] == [entity, property])

    def upload(self, path: Path) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.page.click("#kb-import")
        chooser.value.set_files(str(path))

    def tab(self, number: int) -> None:
        self.page.get_by_role("tab").nth(number).click()

    def title(self) -> str:
        """The heatmap's title."""
        return self.page.locator("#kb-heatmap .gtitle").text_content() or ""

    def choose(self, box: str, option: str) -> None:
        expect(self.page.get_by_role("option")).to_have_count(0)  # the list chosen from before has closed
        self.page.click(f"{box} input")
        self.page.get_by_role("option", name=option, exact=True).click()
