"""Where things are on the page, on a wide screen and on a phone, in light and in dark."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.analysis.report.browser import opened
from tests.analysis.report.test_html import browser, folder  # noqa: F401 (fixtures)

# ruff: noqa: F811 (arguments are these fixtures)

WHOLE = "element => element.getBoundingClientRect()"


@pytest.mark.parametrize("name", ["layouts/report.html", "index.html"])
def test_no_table_is_cut_on_a_wide_page(browser: Browser, folder: Path, name: str) -> None:
    with opened(browser, folder / name, 1400) as (shown_page, _):
        boxes = shown_page.eval_on_selector_all(
            ".scroll", "all => all.map(one => [one.getAttribute('aria-labelledby'), one.scrollWidth - one.clientWidth])"
        )
        assert [box for box in boxes if box[1] > 0] == []
        if name != "index.html":
            assert len(boxes) > 5


def test_figures_are_scaled_and_accuracies_in_sight_on_a_phone(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "layouts" / "report.html", 400) as (shown_page, _):
        for figure in shown_page.locator("figure img").all():
            box = figure.evaluate(WHOLE)
            assert box["left"] >= 0
            assert box["right"] <= 400
            assert box["height"] > 150
        cell = shown_page.locator("#table-1 ~ .scroll").first.locator("tbody td.number").first.evaluate(WHOLE)
        assert cell["right"] <= 400


def test_what_was_found_is_within_the_first_500_pixels(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "layouts" / "report.html", 1400) as (shown_page, _):
        for selector in (".compared", ".plots", ".found", ".command"):
            box = shown_page.locator(selector).first.evaluate(WHOLE)
            assert box["bottom"] <= 500
        names = shown_page.locator(".plot").first.locator(".name").all_text_contents()
    assert names == ["ViT_REL", "CCCC", "CCTT"]


def test_a_command_is_copied_by_its_button(browser: Browser, folder: Path) -> None:
    with opened(browser, folder / "layouts" / "report.html") as (shown_page, trouble):
        box = shown_page.locator(".command").first
        box.locator("button").click()
        assert box.locator("button").text_content() in ("copied", "selected")
    assert trouble == []


def test_figures_have_a_dark_variant_that_draws_the_same(browser: Browser, folder: Path) -> None:
    sources = {}
    for scheme in ("light", "dark"):
        with opened(browser, folder / "layouts" / "report.html", 1400, scheme) as (shown_page, _):
            image = shown_page.locator("figure img").first
            sources[scheme] = image.evaluate("image => image.currentSrc"), image.evaluate(WHOLE)
    light, dark = sources["light"], sources["dark"]
    assert light[0] != dark[0]
    assert (light[1]["width"], light[1]["height"]) == (dark[1]["width"], dark[1]["height"])
