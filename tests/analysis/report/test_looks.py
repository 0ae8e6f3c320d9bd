"""Where things are on the page, on a wide screen and on a phone, in light and in dark."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from analysis.claims.claim import load_claims
from analysis.claims.decide import Finding
from analysis.claims.judge import Judgement
from analysis.report.contents import Report
from analysis.report.files import publish
from analysis.tables.verdicts import verdict_table
from analysis.tabular import Column, Table
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


def test_evidence_with_everything_in_it_fits_a_wide_page(browser: Browser, tmp_path: Path) -> None:
    """Its widest: looks at some relations and not at others, errors of seeds and of images, seeds that wait."""
    (claim,) = [one for one in load_claims("layouts") if one.key == "G"]
    numbers = {"left": 0.774, "right": 0.776, "difference": -0.022, "p": 0.0012, "level": 0.02}
    errors = {
        "low": -0.026,
        "high": 0.023,
        "seed_error": 0.0084,
        "image_error": 0.0005,
        "improvement": (0.44, 0.0, 1.0),
    }
    looked = {"seeds": 4, "used": 3, **numbers, **errors, "reason": "even 80 seeds would probably not settle it"}
    waits = {"seeds": 2, "used": 2, **numbers, "reason": "2 seeds in common; the first look needs 3"}
    findings = [
        Finding(relation, "undecided", **(waits if place % 2 else looked))
        for place, relation in enumerate(claim.relations)
    ]
    findings[0] = replace(findings[0], verdict="contradicted", reason="")
    judged = Judgement(claim, "undecided", findings, seeds=range(4))
    publish(
        Report("wide", Table("Runs", [Column("run")], [["a"]]), judgements=[judged], verdicts=[verdict_table(judged)]),
        tmp_path,
    )
    with opened(browser, tmp_path / "wide" / "report.html", 1400) as (shown_page, _):
        over = "all => all.map(one => one.scrollWidth - one.clientWidth)"
        assert shown_page.eval_on_selector_all(".scroll", over) == [0, 0]
        titles = shown_page.locator("#evidence-1 ~ .scroll").first.locator("th").all_text_contents()
    assert {"error of images", "seeds waiting", "why undecided"} <= set(titles)
