"""axe-core finds no serious or critical violation in the page's main states, light and dark."""

from __future__ import annotations

import pytest

from tests.app.fakes import FakeKblam
from tests.browser.steps import Visit
from tests.serving import app_with

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing: requirements-dev.txt names it")

GRAVE = ("serious", "critical")
ANSWERED = "Who is the director of the Halden Workshop?"
OTHER_COLUMNS = "person,role,name\nHalden Workshop,director,Ingrid Solvang\n"
AT_REST = "*, *::before, *::after { transition: none !important; animation: none !important; }"  # final colours at once


@pytest.fixture(scope="module")
def quick_url():
    with app_with(FakeKblam) as url:
        yield url


def grave(here: Visit, state: str) -> list[str]:
    """The grave violations of the page as it stands, a line each."""
    here.page.mouse.move(0, 0)
    found = axe.Axe().run(here.page).response["violations"]
    return [
        f"{state}: {one['impact']} {one['id']}, {one['help']}: {node['target']} {node['html'][:160]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_main_state_is_accessible(visit, quick_url, scheme, tmp_path):
    """One walk through the page, since opening it takes longest."""
    here = visit(quick_url, color_scheme=scheme)
    page = here.page
    page.add_style_tag(content=AT_REST)
    page.locator("#kb-chat .kb-example").wait_for()
    found = grave(here, "facts, with the example")
    here.tab(1)
    page.locator("#kb-heatmap .js-plotly-plot").wait_for()
    found += grave(here, "attention of the example")
    here.tab(3)
    page.locator(".kb-guide").wait_for()
    found += grave(here, "how it works")

    here.tab(0)
    here.ask("How tall is the moon?")
    here.ask(ANSWERED)
    for folded in ("#kb-options", "#kb-share"):
        page.locator(f"{folded} button").first.click()
    page.click("#kb-copy-link")
    page.locator(".kb-link input").wait_for()
    found += grave(here, "a refusal, an answer, everything unfolded")
    here.tab(1)
    page.locator("#kb-overview-box button").first.click()
    page.click(".kb-leave-out")
    page.locator(".kb-verdict").wait_for()
    page.locator(".kb-token").first.click()
    found += grave(here, "attention with overview and a fact left out")
    here.tab(2)
    page.click("#kb-compare-start")
    page.locator(".kb-card:not([aria-busy]) .kb-meta").nth(4).wait_for()
    found += grave(here, "comparison")

    here.tab(0)
    (tmp_path / "roles.csv").write_text(OTHER_COLUMNS)
    here.upload(tmp_path / "roles.csv")
    page.locator("#kb-import-result .kb-preview").wait_for()
    found += grave(here, "import preview")
    page.get_by_role("button", name="Cancel").click()
    here.cell(0, 2).fill("")
    here.cell(0, 2).blur()
    page.locator("#kb-problems li").first.wait_for()
    found += grave(here, "a table with problems")
    assert not found, "\n".join(found)
