"""A W&B project gives the frames that its run folders give: read by wandb's own client from a local server."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.read.folders import load
from analysis.read.wandb import load_project
from coatlab.errors import InputError, RunError
from tests.support.made_runs import make_run
from tests.tracking.wandb_server import Run, serving

pytestmark = pytest.mark.slow

PROJECT = "someone/coatlab"


@pytest.fixture(autouse=True)
def nothing_else_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def loaded(study: str | None, *runs: Run) -> Any:
    with serving(*runs) as api:
        return load_project(PROJECT, study, api)


def same(project: Any, folders: Any) -> None:
    pd.testing.assert_frame_equal(project.runs, folders.runs, check_like=True)
    pd.testing.assert_frame_equal(project.history, folders.history, check_like=True)


def test_the_frames_are_those_of_the_folders(tmp_path: Path) -> None:
    folders = [
        make_run(tmp_path, "layout=CCCC", seed=1, status="diverged"),
        make_run(tmp_path, "layout=CCTT", "attention=window", seed=2),
        make_run(tmp_path, "layout=ViT_REL", epochs=5),
        make_run(tmp_path, "layout=CTTT", study="other"),
    ]
    with serving(*map(Run, sorted(folders))) as api:
        same(load_project(PROJECT, None, api), load(tmp_path))
        same(load_project(PROJECT, "layouts", api), load(tmp_path, "layouts"))
        assert load_project(PROJECT, "other", api).donors.keys() == load(tmp_path).donors.keys()


def test_many_runs_and_long_histories_come_page_by_page(tmp_path: Path) -> None:
    for seed in range(60):
        make_run(tmp_path, "layout=CCTT", seed=seed, epochs=1)
    make_run(tmp_path, "layout=CTTT", epochs=1200)
    same(loaded(None, *map(Run, sorted(tmp_path.iterdir()))), load(tmp_path))


def test_rows_that_w_and_b_has_exported_to_a_file_are_read_from_there_however_many_they_become(tmp_path: Path) -> None:
    run = Run(make_run(tmp_path, "layout=CCTT", epochs=10))
    for run.exported in (5, 10):
        same(loaded(None, run), load(tmp_path))


@pytest.mark.parametrize(
    ("state", "status"),
    [("running", "running"), ("failed", "failed"), ("crashed", "interrupted"), ("killed", "interrupted")],
)
def test_a_run_that_is_not_complete(tmp_path: Path, state: str, status: str) -> None:
    folder = make_run(tmp_path, "layout=CCTT", status="running")
    found = loaded("layouts", Run(folder, state))
    assert found.runs["status"].tolist() == [status]
    assert found.complete.empty
    assert len(found.history) == 2


def test_runs_of_others_are_counted_and_named_and_a_suffix_of_an_id_is_none(tmp_path: Path) -> None:
    folder, other = make_run(tmp_path, "layout=CCTT"), make_run(tmp_path, "layout=CTTT")
    mine, changed = Run(folder), Run(other, id="0" * 16)
    mine.node["name"] += "-1a2b"
    stray = Run(other)
    stray.node |= {"displayName": "<script>", "config": json.dumps({"lr": {"value": 1}})}
    report = Run(other, id="report-layouts")  # analysis/report/wandb.py has sent it
    found = loaded("layouts", mine, changed, stray, report)
    assert found.runs["run"].tolist() == [folder.name]
    assert found.skipped == (f"left out: 2 W&B runs that are not coatlab's ({other.name}, <script>)",)


def test_numbers_that_w_and_b_writes_as_words_are_missing(tmp_path: Path) -> None:
    run = Run(make_run(tmp_path, "layout=CCTT", epochs=1))
    run.rows = ['{"_step": 5, "eval/loss": "NaN", "gap": NaN, "lr": "Infinity", "epoch": 1}']
    history = loaded(None, run).history
    assert history[["step", "epoch"]].to_numpy().tolist() == [[5, 1]]
    assert history[["eval/loss", "gap", "lr"]].isna().all(axis=None)


@pytest.mark.parametrize("change", [{"final": "text"}, {"attempts": [1]}, {"cost": []}, {"studies": [{}]}])
def test_a_record_that_is_damaged_is_named_and_the_others_are_read(tmp_path: Path, change: dict[str, Any]) -> None:
    good, bad = make_run(tmp_path, "layout=CCTT"), Run(make_run(tmp_path, "layout=CTTT"))
    summary = json.loads(bad.node["summaryMetrics"])
    bad.node["summaryMetrics"] = json.dumps(summary | {"record": summary["record"] | change})
    found = loaded("layouts", Run(good), bad)
    assert found.complete["run"].tolist() == [good.name]
    assert sorted(found.runs["status"]) == ["complete", "unreadable"]
    assert any("its record on W&B is none" in line for line in found.note())


@pytest.mark.parametrize("project", [None, "coatlab", "a/b/c", "/b"])
def test_a_project_has_an_entity_and_a_name(project: str | None) -> None:
    with pytest.raises(InputError, match="needs --project entity/name"):
        load_project(project, None)


def test_a_project_that_is_not_there_is_one_sentence() -> None:
    with (
        serving() as api,
        pytest.raises(InputError, match=r"--project=someone/else cannot be read: .*[Cc]ould not find project"),
    ):
        load_project("someone/else", None, api)


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    import wandb

    class Refusing:
        def runs(self, *args: Any, **kwargs: Any) -> None:
            raise wandb.errors.CommError("no route")

    with pytest.raises(RunError, match="--project=someone/coatlab cannot be read from W&B: no route"):
        load_project(PROJECT, None, Refusing())
