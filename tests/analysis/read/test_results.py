"""Published results: data that says what the run folders say, whichever machine they come from."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from analysis.compare.audit import require_derivable
from analysis.read.folders import load
from analysis.read.results import RUNS, load_results, published, write_results
from coatlab.errors import InputError
from coatlab.runs.identity import fingerprint
from tests.support.made_runs import make_run, make_study

pytestmark = pytest.mark.slow
NOT_PUBLISHED = ("paths", "tracker", "cluster", "hydra")
MAY_DIFFER = {"host", "error", "config", "correct", "paths.runs", "paths.data"}


def texts(runs: pd.DataFrame, column: str) -> list[str]:
    """Write a column so that 7.0 is 7."""
    return [f"{value:g}" if isinstance(value, int | float) else str(value) for value in runs[column]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("published") / "runs"
    make_study(runs, "layouts", seeds=2)
    make_run(runs, "layout=CCTT", seed=7, status="failed")
    return runs


def test_what_is_published_reads_like_the_run_folders(made: Path, tmp_path: Path) -> None:
    write_results(made, "layouts", tmp_path)
    folders, results = load(made, "layouts"), load_results(tmp_path, "layouts")
    require_derivable(results)
    complete = folders.complete.sort_index()
    again = results.runs.sort_index()
    assert list(again.index) == list(complete.index)
    assert all(fingerprint(config) == mark for mark, config in again["config"].items())
    for column in set(complete) - MAY_DIFFER:
        if column.partition(".")[0] not in NOT_PUBLISHED and column != "data.cache":
            assert texts(again, column) == texts(complete, column), column
    rows = folders.history[folders.history["fingerprint"].isin(complete.index)].dropna(subset=["epoch"])
    keys = ["fingerprint", "step"]
    one, other = (
        part.astype({"fingerprint": str}).sort_values(keys, ignore_index=True) for part in (rows, results.history)
    )
    pd.testing.assert_frame_equal(one[sorted(other)], other[sorted(other)], check_dtype=False)


def test_runs_of_another_machine_join_those_published_before_and_the_order_does_not_matter(
    made: Path, tmp_path: Path
) -> None:
    every = sorted(path for path in made.iterdir() if path.is_dir() and not path.name.startswith("."))
    for place, part in (("here", every[::2]), ("there", every[1::2])):
        for folder in part:
            shutil.copytree(folder, tmp_path / place / folder.name)
    for first, second, results in (("here", "there", "one"), ("there", "here", "two")):
        write_results(tmp_path / first, "layouts", tmp_path / results)
        write_results(tmp_path / second, "layouts", tmp_path / results)
    write_results(made, "layouts", tmp_path / "whole")
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole" / "layouts").iterdir()}
    for results in ("one", "two"):
        assert {path.name: path.read_bytes() for path in (tmp_path / results / "layouts").iterdir()} == whole


def test_values_that_look_like_others_come_back_as_they_were(tmp_path: Path) -> None:
    for seed, tag in enumerate(("1e-3", "null", "", "true", "a, b", "[1]", "ä\n")):
        make_run(tmp_path / "runs", seed=seed, code={"version": tag, "commit": None, "dirty": False})
    write_results(tmp_path / "runs", "layouts", tmp_path / "results")
    runs = load_results(tmp_path / "results", "layouts").runs.sort_values("seed")
    assert runs["code"].tolist() == ["1e-3", "null", "", "true", "a, b", "[1]", "ä\n"]


def test_what_is_not_there_or_damaged_is_said(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no complete run of study scale"):
        write_results(made, "scale", tmp_path)
    write_results(made, "layouts", tmp_path)
    assert published(tmp_path) == ["layouts"]
    with pytest.raises(InputError, match="holds no results of study tune; it has layouts"):
        load_results(tmp_path, "tune")
    text = (tmp_path / "layouts" / RUNS).read_text()
    (tmp_path / "layouts" / RUNS).write_text(text[: len(text) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        load_results(tmp_path, "layouts")
