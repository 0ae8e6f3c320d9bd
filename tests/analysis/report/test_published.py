"""The report of published results: it can be made again from the data that is committed, byte for byte."""

from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.commands import README
from analysis.read.results import published
from analysis.report.cited import CITATION
from analysis.report.published import PAGE
from analysis.words import RESULTS
from coatlab.errors import InputError
from tests.support.made_runs import make_run, make_study

pytestmark = pytest.mark.slow


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("analysis.commands.RESULTS", tmp_path / "analysis" / "results")
    monkeypatch.setattr("analysis.commands.README", tmp_path / "README.md")
    (tmp_path / "README.md").write_text(README.read_text())
    return tmp_path / "analysis" / "results"


def test_what_was_published_is_reported_again_from_its_data_alone(
    elsewhere: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = elsewhere.parents[1] / "README.md"
    readme.write_text(CITATION.sub("", readme.read_text()))  # which cites studies that are not here
    make_study(tmp_path / "runs", "layouts", "data=fashion_mnist,fractals", seeds=3)
    main(["layouts", "--publish", "--runs", str(tmp_path / "runs")])
    first, said = files(elsewhere / "layouts"), capsys.readouterr().out
    assert {PAGE, "finished.svg", "runs.csv"} <= set(first)
    assert "## What was found" in first[PAGE].decode()
    (elsewhere / "layouts" / "old.svg").write_text("of a figure that there is no longer")
    (elsewhere / "layouts" / PAGE).unlink()
    main(["--results"])
    assert files(elsewhere / "layouts") == first
    assert capsys.readouterr().out == said
    assert said.rstrip().endswith(PAGE)


def test_the_committed_reports_and_the_readme_are_those_of_the_committed_data(elsewhere: Path) -> None:
    for study in published(RESULTS):
        (elsewhere / study).mkdir(parents=True)
        for path in RESULTS.glob(f"{study}/*"):
            if path.suffix in (".csv", ".json", ".parquet"):
                (elsewhere / study / path.name).write_bytes(path.read_bytes())
    main(["--results"])
    for study in published(RESULTS):
        assert files(elsewhere / study) == files(RESULTS / study), f"run make results and commit results/{study}"
    assert (elsewhere.parents[1] / "README.md").read_text() == README.read_text(), "run make results"


def test_what_cannot_be_reported_is_not_published(elsewhere: Path, tmp_path: Path) -> None:
    make_study(tmp_path / "runs", "relative", seeds=1)
    main(["relative", "--publish", "--runs", str(tmp_path / "runs")])
    before = files(elsewhere / "relative")
    make_run(tmp_path / "other", "sweep=relative", "attention=absolute", "recipe.lr=0.5", study="relative", seed=0)
    with pytest.raises(InputError, match="differ in more than that"):
        main(["relative", "--publish", "--runs", str(tmp_path / "other")])
    assert files(elsewhere / "relative") == before


def test_a_citation_that_no_report_has_leaves_both_pages_as_they_are(elsewhere: Path, tmp_path: Path) -> None:
    make_study(tmp_path / "runs", "relative", seeds=1)
    main(["relative", "--publish", "--runs", str(tmp_path / "runs")])
    readme, text = elsewhere.parents[1] / "README.md", elsewhere / "README.md"
    readme.write_text(CITATION.sub("", readme.read_text()))
    text.write_text("<!--= relative; R; relative > nothing -->1<!--/-->")
    before = readme.read_text()
    with pytest.raises(InputError, match="no number called"):
        main(["--results"])
    assert (readme.read_text(), text.read_text()) == (before, "<!--= relative; R; relative > nothing -->1<!--/-->")
    text.unlink()
    main(["--results"])
    assert readme.read_text() != before
