"""The page as a reader has it: valid, alone, readable at any width, sortable, and with nothing of a name run."""

import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from playwright.sync_api import Browser, Page

from analysis.__main__ import main
from analysis.claims.claim import load_claims
from analysis.claims.decide import Finding
from analysis.claims.judge import Judgement
from analysis.report.contents import Picture, Report
from analysis.report.files import publish
from analysis.report.html import report_page
from analysis.studies.layouts import DESIGN
from analysis.tables.verdicts import verdict_table
from analysis.tabular import Column, Mean, Table
from tests.analysis.planted import BUDGETS
from tests.analysis.report.browser import Seen, chromium, faults, opened
from tests.analysis.report.hostile import HOSTILE, shown
from tests.support.made_runs import make_run

WIDTHS = (400, 1400)
NUMBERS = [9.5, 10.25, -3.0, None, 1e-05, 10.0, 0.5, -20.0]  # as texts they are in another order
RUNS = Table("Runs", [Column("run")], [["a"]])


def judgements() -> list[Judgement]:
    """Judge the claims about layouts, one as each verdict."""
    verdicts = ("supported", "contradicted", "undecided")
    return [
        Judgement(claim, verdict, [Finding(relation, verdict, reason="few seeds") for relation in claim.relations])
        for claim, verdict in zip(load_claims("layouts"), verdicts, strict=False)
    ]


def report(names: Sequence[str], study: str = "layouts") -> Report:
    """Put names wherever a report shows text, beside numbers whose order is not that of their texts."""
    rows = [[name, number, Mean(3, 0.5, 0.4, 0.6)] for name, number in zip(names, NUMBERS * 9, strict=False)]
    columns = [Column("name"), Column("number", ".4g", best="high"), Column("acc.", ".1%")]
    table = Table(names[0], columns, rows, caption=names[-1], notes=names)
    wide = Table("wide", [Column("name"), *(Column(f"measure {i}", ".3f") for i in range(20))], [["a", *[0.1] * 20]])
    figure = Figure()
    figure.subplots().plot([1, 2], label="x")
    made = judgements()
    return Report(
        study,
        Table("Runs", [Column("run"), Column("error")], [[name, " ".join([name] * 5)] for name in names]),
        tables=[table, wide],
        judgements=made,
        verdicts=[verdict_table(judgement) for judgement in made],
        pictures=[Picture("curves", names[0], figure)],
        notes=names,
        commands=names,
        counts={"complete": 2, names[0]: 1},
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write reports: of real commands, of hostile names, and of nothing."""
    folder = tmp_path_factory.mktemp("page")
    for layout, accuracy in [("CCCC", 0.8), ("CCTT", 0.85), ("ViT_REL", 0.7)]:
        for seed in (0, 1):
            for epochs, loss in BUDGETS.items():
                words = [f"layout={layout}", f"trainer.max_epochs={epochs}"]
                make_run(folder / "runs", *words, seed=seed, accuracy=accuracy + seed / 100, loss=loss)
            make_run(folder / "runs", f"layout={layout}", "data=fractals", seed=seed, accuracy=accuracy - seed / 100)
    main(["layouts", "--runs", str(folder / "runs"), "--reports", str(folder / "reports")])
    publish(report(HOSTILE, "hostile"), folder / "reports")
    publish(Report("empty", RUNS, counts={"failed": 1}), folder / "reports")
    return folder / "reports"


PAGES = ("layouts/report.html", "hostile/report.html", "empty/report.html", "index.html")


@pytest.mark.external
def test_the_checker_finds_nothing(folder: Path) -> None:
    assert faults(*(folder / name for name in PAGES)) == []


@pytest.mark.external
def test_the_checker_finds_faults(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<!DOCTYPE html><html lang=en><title>t</title><p><td></p><img src=x>")
    assert len(faults(tmp_path / "bad.html")) >= 2


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_opens_alone_without_trouble(browser: Browser, folder: Path, name: str, width: int) -> None:
    with opened(browser, folder / name, width) as (shown_page, trouble):
        assert shown_page.evaluate("document.documentElement.scrollWidth") <= width
        decoded = shown_page.evaluate("[...document.images].map(image => image.complete && image.naturalWidth > 0)")
        assert all(decoded)
        pictures = {"layouts/report.html": len(DESIGN.figures), "hostile/report.html": 1, "index.html": 2}
        assert len(decoded) == pictures.get(name, 0)
        for link in shown_page.eval_on_selector_all("a[href^='#']", "links => links.map(link => link.hash.slice(1))"):
            assert shown_page.evaluate("id => document.getElementById(id) !== null", link)
    assert trouble == []


@pytest.mark.parametrize("name", ["layouts/report.html", "index.html"])
@pytest.mark.parametrize("width", WIDTHS)
def test_light_and_dark_are_pictures_of_their_own(browser: Browser, folder: Path, name: str, width: int) -> None:
    means = {}
    for scheme in ("light", "dark"):
        with opened(browser, folder / name, width, scheme) as (shown_page, _):
            picture = Image.open(io.BytesIO(shown_page.screenshot())).convert("L")
        assert picture.size == (width, 900)
        low, high = picture.getextrema()
        assert high - low > 150  # type: ignore[operator]
        means[scheme] = sum(level * count for level, count in enumerate(picture.histogram())) / (width * 900)
    assert means["light"] > 200
    assert means["dark"] < 80


def column(shown_page: Page, number: int) -> list[str]:
    """Return the texts of a column of the first table, from above."""
    cells = shown_page.locator("table").first.locator(f"tbody td:nth-child({number + 1})")
    return [text.strip() for text in cells.all_text_contents()]


def test_tables_sort_by_numbers_with_mouse_and_keyboard(browser: Browser, folder: Path) -> None:
    shown_numbers = (NUMBERS * 9)[: len(HOSTILE)]
    upwards = [f"{number:.4g}" for number in sorted(number for number in shown_numbers if number is not None)]
    missing = ["–"] * (len(HOSTILE) - len(upwards))
    with opened(browser, folder / "hostile" / "report.html") as (shown_page, trouble):
        before = column(shown_page, 1)
        assert before != upwards + missing
        heads = shown_page.locator("table").first.locator("th")
        button = heads.nth(1).locator("button")
        assert heads.nth(1).get_attribute("aria-sort") == "none"
        button.click()
        assert heads.nth(1).get_attribute("aria-sort") == "ascending"
        assert column(shown_page, 1) == upwards + missing
        button.press("Enter")
        assert heads.nth(1).get_attribute("aria-sort") == "descending"
        assert column(shown_page, 1) == upwards[::-1] + missing
        heads.nth(0).locator("button").press("Space")
        assert heads.nth(1).get_attribute("aria-sort") == "none"
        names = column(shown_page, 0)
        assert sorted(names) == sorted(map(shown, HOSTILE))
        assert names[-1].startswith("ünï")  # letters behind signs
        for _ in range(2):
            heads.nth(0).locator("button").click()
        assert heads.nth(0).get_attribute("aria-sort") == "none"
        assert column(shown_page, 1) == before
    assert trouble == []


def test_nothing_that_is_not_ours_runs_even_if_it_got_into_the_page(browser: Browser, folder: Path) -> None:
    source = (folder / "layouts" / "report.html").read_text()
    attack = (
        "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
        "<link rel=stylesheet href='https://example.invalid/x.css'><style>body { display: none }</style>"
    )
    attacked = folder / "layouts" / "attacked.html"
    attacked.write_text(source.replace("<header>", f"{attack}<header>"))
    try:
        with opened(browser, attacked) as (shown_page, _):
            assert shown_page.title().startswith("layouts")
            assert shown_page.locator("h1").is_visible()
            shown_page.locator("th button").first.click()
            assert shown_page.locator("th").first.get_attribute("aria-sort") == "ascending"  # ours runs
    finally:
        attacked.unlink()


ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "p", "h1", "nav", "ul", "li", "a", "main", "section",
    "h2", "h3", "div", "span", "table", "thead", "tr", "th", "button", "tbody", "td", "strong", "sup", "figure", "img",
    "figcaption", "pre", "code", "script", "b", "svg", "rect", "line", "circle", "article", "details", "summary",
    "picture", "source",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "href", "id", "aria-hidden", "aria-label", "aria-live",
    "aria-labelledby", "aria-sort", "role", "tabindex", "scope", "type", "data-value", "src", "alt", "media", "srcset",
    "x", "y", "width", "height", "x1", "x2", "y1", "y2", "cx", "cy", "r",
}  # fmt: skip


def test_hostile_names_are_text_and_nothing_else() -> None:
    seen = Seen(report_page(report(HOSTILE)))
    assert set(seen.elements) <= ELEMENTS
    assert seen.attributes <= ATTRIBUTES
    assert seen.elements.count("script") == seen.elements.count("style") == 1
    assert seen.elements.count("img") == 1
    for name in HOSTILE:
        # the cells of two tables, a note below a table, a note of the report, a command
        assert [cell.strip() for cell in seen.cells].count(shown(name)) == 2
        assert [part.strip() for part in seen.texts].count(shown(name)) >= 5


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_any_text_is_shown_on_one_line(names: list[str]) -> None:
    table = Table(names[0], [Column(names[0])], [[name] for name in names], names[0], names)
    seen = Seen(report_page(Report("layouts", table, [table], notes=names, commands=names, counts={names[0]: 1})))
    assert set(seen.elements) <= ELEMENTS
    assert seen.attributes <= ATTRIBUTES
    assert len(seen.cells) == 2 * len(names)
    for cell, name in zip(seen.cells, names * 2, strict=True):
        kept = [letter for letter in name if letter.isprintable() and not letter.isspace()]
        assert [letter for letter in cell if not letter.isspace()] == kept


@pytest.mark.slow
def test_the_page_says_what_the_other_formats_say(folder: Path) -> None:
    seen = Seen((folder / "layouts" / "report.html").read_text())
    texts = [text.strip() for text in seen.texts]
    for line in (folder / "layouts" / "table.md").read_text().splitlines():
        if line.startswith("- "):
            assert line[2:].replace("\\", "") in texts
    assert "85.5% [85.0%, 86.0%]" in [" ".join(cell.split()) for cell in seen.cells]
    for judged in load_claims("layouts"):
        assert f"Claim {judged.key}" in texts


@pytest.mark.parametrize(("needed", "times"), [(10, 3), (None, 0)])
def test_the_seeds_advised_are_the_same_at_the_top_beside_a_verdict_and_below_its_table(
    needed: int | None, times: int
) -> None:
    claim = load_claims("layouts")[0]
    finding = Finding(claim.relations[0], "undecided", seeds=5, used=5, needed=needed, chance=0.9, level=0.04)
    judged = Judgement(claim, "undecided", [finding], seeds=range(5))
    seen = Seen(report_page(Report("layouts", RUNS, judgements=[judged], verdicts=[verdict_table(judged)])))
    said = re.findall(r"10 seeds in all .5 more. [^:]*", " ".join(seen.texts))
    assert len(said) == times
    assert len(set(said)) <= 1
    assert [text for text in seen.texts if text.startswith("python src/train.py")] == [
        "python src/train.py sweep=layouts data=fashion_mnist seed=0,1,2,3,4,5,6,7,8,9"
    ] * (2 * bool(times))  # to be copied, and beside the verdict


@pytest.mark.slow
def test_verdicts_come_first_each_with_a_word(folder: Path) -> None:
    source = (folder / "hostile" / "report.html").read_text()
    places = [
        source.index(f'<h2 id="{part}">') for part in ("verdicts", "figures", "tables", "notes", "runs", "commands")
    ]
    assert places == sorted(places)
    for judged in judgements():
        assert f"</span> {judged.verdict}</span>" in source[: places[1]]


@pytest.mark.slow
def test_a_report_without_complete_runs_says_so(folder: Path) -> None:
    source = (folder / "empty" / "report.html").read_text()
    assert "No run is complete, so nothing can be said yet." in source
    assert json.loads((folder / "empty" / "report.json").read_text())["runs"] == {"failed": 1}


def test_claims_without_runs_are_a_line_with_the_command_that_makes_some() -> None:
    made = [Judgement(claim, "undecided", [Finding(claim.relations[0], "undecided", reason="no complete run of a")])
            for claim in load_claims("layouts")]  # fmt: skip
    source = report_page(Report("layouts", RUNS, judgements=made))
    assert source.count('<p class="unrun">') == len(made)
    assert '<article class="claim">' not in source
    assert "python src/train.py sweep=layouts data=fractals" in source
