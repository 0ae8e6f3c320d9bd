"""Runs whose records hold hostile text, through the command line to every format: text everywhere, and never a path."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from analysis.__main__ import main
from coatlab.runs.identity import fingerprint
from tests.analysis.report.browser import Seen, chromium, faults, opened
from tests.analysis.report.hostile import HOSTILE, shown
from tests.analysis.report.test_latex import numbered, typeset
from tests.analysis.report.test_text import read_markdown
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow

NAMES = sorted(map(shown, HOSTILE))
WRITTEN = {
    "table.md", "table.tex", "table.csv", "verdicts.md", "verdicts.tex", "verdicts.csv", "runs.csv", "report.json",
    "report.html", "protocol.md", "protocol.tex", "protocol.csv",
}  # fmt: skip


def files(folder: Path) -> dict[str, float]:
    return {str(path.relative_to(folder)): path.stat().st_mtime for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Make a complete and a failed run of each name, report them, and return the folder and what was printed."""
    base = tmp_path_factory.mktemp("hostile")
    runs = base / "runs"
    for place, name in enumerate(HOSTILE):
        for seed, status in ((place, "complete"), (100 + place, "failed")):
            folder = make_run(runs, seed=seed, status=status, code={"version": name}, error=name)
            record = json.loads((folder / "record.json").read_text())
            record["config"]["layout"]["name"] = name
            record["fingerprint"] = mark = fingerprint(record["config"])
            (folder / "record.json").write_text(json.dumps(record))
            folder.rename(runs / f"{name.replace('/', '⁄')} {status}-{mark[:8]}")
    before = files(base)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", printed := io.StringIO())
        main(["layouts", "--allow", "code", "--runs", str(runs), "--reports", str(base / "reports")])
    after = files(base)
    assert {name: after[name] for name in before} == before
    new = {name for name in after.keys() - before.keys() if not name.startswith("runs/.history.")}
    folder = base / "reports" / "layouts"
    names = json.loads((folder / "report.json").read_text())["figures"]
    figures = {f"figures/{name}.{kind}" for name in names for kind in ("svg", "png")}
    assert names == ["curves"]
    assert new == {"reports/index.html", *(f"reports/layouts/{name}" for name in WRITTEN | figures)}
    return folder, printed.getvalue()


def test_the_terminal(made: tuple[Path, str]) -> None:
    folder, printed = made
    assert all(name in printed for name in NAMES)
    assert not [letter for letter in printed if letter != "\n" and not letter.isprintable()]
    assert printed.splitlines()[-1] == str(folder / "report.html")


def test_markdown(made: tuple[Path, str]) -> None:
    text = (made[0] / "table.md").read_text()
    assert sorted(row[0] for row in read_markdown(text)[1:]) == NAMES


def test_csv(made: tuple[Path, str]) -> None:
    rows = list(csv.DictReader((made[0] / "table.csv").open(newline="")))
    assert sorted({row["layout"].removeprefix("'") for row in rows}) == NAMES
    runs = list(csv.DictReader((made[0] / "runs.csv").open(newline="")))
    assert {row["error"].removeprefix("'") for row in runs if row["error"]} == set(NAMES)
    assert not [value for row in (*rows, *runs) for value in row.values() if value.startswith(("=", "@"))]


@pytest.mark.external
def test_latex(made: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = made
    seen, _ = typeset((folder / "table.tex").read_text() + (folder / "verdicts.tex").read_text(), tmp_path)
    assert [name for name in NAMES if numbered(name) not in seen] == []
    assert "root:" not in seen


def test_figures(made: tuple[Path, str]) -> None:
    for path in (made[0] / "figures").glob("*.svg"):
        texts = {shown(text) for element in ElementTree.parse(path).iter() for text in [element.text or ""]}
        assert set(NAMES) <= texts


@pytest.mark.external
def test_html(made: tuple[Path, str]) -> None:
    folder, _ = made
    seen = Seen((folder / "report.html").read_text())
    cells = [" ".join(cell.split()) for cell in seen.cells]
    for name in NAMES:
        assert cells.count(name) >= 2  # a layout's name, an error
        assert any(cell.startswith(f"{name.replace('/', '⁄')} failed") for cell in cells)
    assert seen.elements.count("script") == 1
    assert faults(folder / "report.html", folder.parent / "index.html") == []


@pytest.mark.external
def test_a_browser(made: tuple[Path, str]) -> None:
    folder, _ = made
    with chromium() as browser:
        for path in (folder / "report.html", folder.parent / "index.html"):
            with opened(browser, path, 400) as (page, trouble):
                assert page.evaluate("document.documentElement.scrollWidth") <= 400
                assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
            assert trouble == []
