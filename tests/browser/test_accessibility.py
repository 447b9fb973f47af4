"""axe-core finds no serious or critical violation in the page's main states, light and dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.app.fakes import FakeKblam
from tests.serving import app_with

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing: requirements-dev.txt names it")

GRAVE = ("serious", "critical")
ANSWERED = "Who is the director of the Halden Workshop?"
OTHER_COLUMNS = "person,role,name\nHalden Workshop,director,Ingrid Solvang\n"


@pytest.fixture(scope="module")
def quick_url():
    with app_with(FakeKblam) as url:
        yield url


@pytest.fixture(params=["light", "dark"])
def here(visit, quick_url, request):
    return visit(quick_url, color_scheme=request.param)


def check(page: Page) -> None:
    page.mouse.move(0, 0)
    page.add_style_tag(content="*, *::before, *::after { transition: none !important; animation: none !important; }")  # final colours
    found = axe.Axe().run(page).response["violations"]
    grave = [
        f"{one['impact']} {one['id']}: {one['help']}\n" + "\n".join(f"  {node['target']} {node['html'][:200]}" for node in one["nodes"])
        for one in found
        if one["impact"] in GRAVE
    ]
    assert not grave, "\n".join(grave)


@pytest.mark.parametrize("tab", range(4), ids=["facts", "attention", "compare", "how"])
def test_before_the_first_question(here, tab):
    here.tab(tab)
    if tab == 1:
        here.page.locator("#kb-heatmap .js-plotly-plot").wait_for()
    check(here.page)


def test_with_an_answer_a_refusal_and_everything_unfolded(here):
    here.ask("How tall is the moon?")
    here.ask(ANSWERED)
    for folded in ("#kb-options", "#kb-share"):
        here.page.locator(f"{folded} button").first.click()
    here.page.click("#kb-copy-link")
    check(here.page)


def test_the_attention_of_an_answer_with_its_overview_and_a_comparison(here):
    here.ask(ANSWERED)
    here.tab(1)
    here.page.locator("#kb-overview-box button").first.click()
    here.page.click(".kb-leave-out")
    here.page.locator(".kb-verdict").wait_for()
    here.page.locator(".kb-token").first.click()
    check(here.page)


def test_the_comparison_of_five_systems(here):
    here.ask(ANSWERED)
    here.tab(2)
    here.page.click("#kb-compare-start")
    here.page.locator(".kb-card:not([aria-busy]) .kb-meta").nth(4).wait_for()
    check(here.page)


def test_the_import_preview(here, tmp_path):
    (tmp_path / "roles.csv").write_text(OTHER_COLUMNS)
    here.upload(tmp_path / "roles.csv")
    here.page.locator("#kb-import-result .kb-preview").wait_for()
    check(here.page)


def test_a_table_with_problems(here):
    here.cell(0, 2).fill("")
    here.cell(0, 2).blur()
    here.page.locator("#kb-problems li").first.wait_for()
    check(here.page)
