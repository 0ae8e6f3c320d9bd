"""What lies in a report's folder: all of this report, nothing of the one before, and what others put there."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from analysis.report import files as module
from analysis.report.contents import Picture, Report
from analysis.report.files import publish
from analysis.tabular import Column, Table

RUNS = Table("Runs", [Column("run")], [["a"]])
ALWAYS = {
    "table.md", "table.tex", "table.csv", "verdicts.md", "verdicts.tex", "verdicts.csv", "runs.csv", "report.json",
    "report.html", "protocol.md", "protocol.tex", "protocol.csv",
}  # fmt: skip


def report(*figures: str) -> Report:
    pictures = []
    for name in figures:
        figure = Figure(figsize=(2, 2))
        figure.subplots().plot([1, 2])
        pictures.append(Picture(name, name, figure))
    return Report("layouts", RUNS, counts={"complete": 1}, pictures=pictures)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def images(*names: str) -> set[str]:
    return {f"figures/{name}.{kind}" for name in names for kind in ("svg", "png")}


def test_a_figure_that_is_no_longer_made_goes_and_files_of_others_stay(tmp_path: Path) -> None:
    folder = publish(report("curves", "gap"), tmp_path)
    assert files(folder) == ALWAYS | images("curves", "gap")
    (folder / "figures" / "mine.png").write_text("a user's")
    (folder / "notes.txt").write_text("a user's")
    publish(report("gap"), tmp_path)
    assert files(folder) == ALWAYS | images("gap") | {"figures/mine.png", "notes.txt"}


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "*", "", "../table"])
def test_a_damaged_report_lets_nothing_outside_its_figures_be_deleted(tmp_path: Path, name: str) -> None:
    folder = publish(report("curves"), tmp_path / "reports")
    facts = json.loads((folder / "report.json").read_text()) | {"figures": [name]}
    (folder / "report.json").write_text(json.dumps(facts))
    (tmp_path / "secret.svg").write_text("x")
    before = files(tmp_path)
    publish(report("curves"), tmp_path / "reports")
    assert files(tmp_path) == before


def test_a_report_whose_facts_cannot_be_read_is_made_again(tmp_path: Path) -> None:
    folder = publish(report("curves"), tmp_path)
    (folder / "report.json").write_text("{")
    assert publish(report("gap"), tmp_path) == folder
    assert json.loads((folder / "report.json").read_text())["figures"] == ["gap"]


def test_the_page_is_the_last_of_a_report_and_the_list_of_studies_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    write = module.write_atomic

    def noted(path: Path, *arguments: object) -> None:
        order.append(str(path.relative_to(tmp_path)))
        write(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_atomic", noted)
    publish(report("curves"), tmp_path)
    assert order[-2:] == ["layouts/report.html", "index.html"]
