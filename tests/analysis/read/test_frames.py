"""`coatlab.load_runs` gives Python users the frames that the reports are made of."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.read.folders import load
from analysis.read.results import write_results
from coatlab import load_runs
from coatlab.errors import InputError
from tests.support.made_runs import make_run

pytestmark = pytest.mark.slow


def test_the_frames_are_those_of_the_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(3):
        make_run(tmp_path, seed=seed, accuracy=0.5 + seed / 10, epochs=4)
    make_run(tmp_path, "layout=CTTT", study="scale")
    runs, history = load_runs(str(tmp_path), study="layouts")
    loaded = load(tmp_path, "layouts")
    pd.testing.assert_frame_equal(runs, loaded.runs)
    pd.testing.assert_frame_equal(history, loaded.history)
    assert runs.groupby("layout.name")["eval/accuracy"].mean().to_dict() == {"CCTT": pytest.approx(0.6)}
    assert history.groupby("fingerprint", observed=True)["epoch"].max().tolist() == [4, 4, 4]
    monkeypatch.setenv("COATLAB_RUNS", str(tmp_path))
    assert set(load_runs().runs["layout.name"]) == {"CCTT", "CTTT"}


def test_where_there_is_no_run_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none holds no run$"):
        load_runs(tmp_path / "none")
    make_run(tmp_path, study="layouts")
    with pytest.raises(InputError, match="holds no run of study scale"):
        load_runs(tmp_path, study="scale")


def test_published_results_are_read_study_by_study(tmp_path: Path) -> None:
    for seed in range(2):
        make_run(tmp_path / "runs", seed=seed, epochs=4)
    write_results(tmp_path / "runs", "layouts", tmp_path / "results")
    runs, history = load_runs(tmp_path / "results", study="layouts")
    assert runs.index.tolist() == load(tmp_path / "runs", "layouts").runs.sort_values("run").index.tolist()
    assert len(history) == 8
    with pytest.raises(InputError, match="holds published results; say of which study: layouts"):
        load_runs(tmp_path / "results")
