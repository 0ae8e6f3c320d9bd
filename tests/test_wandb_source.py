"""A W&B project gives the frames that its run folders give.

No server is asked: a stand-in has the answers of W&B's API in the shape that wandb 0.31 gives them, made of what the
tracker sends for the same runs (`FACTS`, config, rows by step). Its own Run class reads config and summary.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from wandb.apis.public.runs import _convert_to_dict

from analysis.load import load
from analysis.wandb_source import load_project
from coatlab.errors import InputError, RunError
from coatlab.records import read_metrics, read_record
from coatlab.tracker import FACTS
from tests.made_runs import make_run

PROJECT = "someone/coatlab"


class Run:
    """One run as wandb.apis.public.Run shows it: attributes from JSON strings, history row by row."""

    def __init__(self, folder: Path, state: str = "finished", id: str | None = None) -> None:
        record = read_record(folder)
        assert record is not None
        self.id, self.name, self.state = id or record["fingerprint"], folder.name, state
        self._config = json.dumps({key: {"value": value, "desc": None} for key, value in record["config"].items()})
        steps: dict[int, dict[str, Any]] = {}
        for row in read_metrics(folder):  # run.log(..., step=) puts what is logged at one step into one row
            values = {key: value for key, value in row.items() if value is not None and key != "step"}
            steps.setdefault(row["step"], {}).update(values)
        self._rows = [
            json.dumps({**values, "_step": step, "_runtime": 1.5, "_timestamp": 1.7e9})
            for step, values in steps.items()
        ]
        last = json.loads(self._rows[-1]) if self._rows else {}
        facts = {"record": {key: record[key] for key in FACTS if key in record}} if state != "running" else {}
        self._summary = json.dumps(last | {"_wandb": {"runtime": 2}} | facts)

    @property
    def config(self) -> dict[str, Any]:
        return {key: entry["value"] for key, entry in _convert_to_dict(self._config).items()}

    @property
    def summary_metrics(self) -> dict[str, Any]:
        return _convert_to_dict(self._summary)

    def scan_history(self) -> Iterator[dict[str, Any]]:
        return (json.loads(row) for row in self._rows)


class Api:
    """The part of wandb.Api that is used."""

    def __init__(self, *runs: Any) -> None:
        self._runs = runs

    def runs(self, path: str, order: str, lazy: bool) -> Iterator[Any]:
        assert path == PROJECT
        return iter(self._runs)


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
    order = sorted(folders)
    api = Api(*map(Run, order))
    same(load_project(PROJECT, None, api), load(tmp_path))
    same(load_project(PROJECT, "layouts", api), load(tmp_path, "layouts"))
    assert load_project(PROJECT, "other", api).donors.keys() == load(tmp_path).donors.keys()


@pytest.mark.parametrize(
    ("state", "status"),
    [("running", "running"), ("failed", "failed"), ("crashed", "interrupted"), ("killed", "interrupted")],
)
def test_a_run_that_is_not_complete(tmp_path: Path, state: str, status: str) -> None:
    folder = make_run(tmp_path, "layout=CCTT", status="running")
    loaded = load_project(PROJECT, "layouts", Api(Run(folder, state)))
    assert loaded.runs["status"].tolist() == [status]
    assert loaded.complete.empty
    assert len(loaded.history) == 3


def test_runs_of_others_are_counted_and_named_and_a_suffix_of_an_id_is_none(tmp_path: Path) -> None:
    folder, other = make_run(tmp_path, "layout=CCTT"), make_run(tmp_path, "layout=CTTT")
    mine, changed = Run(folder), Run(other, id="0" * 16)
    mine.id += "-1a2b"
    stray = Run(other)
    stray.name, stray._config = "<script>", json.dumps({"lr": {"value": 1}})
    report = Run(other, id="report-layouts")  # analysis/upload.py has sent it
    loaded = load_project(PROJECT, "layouts", Api(mine, changed, stray, report))
    assert loaded.runs["run"].tolist() == [folder.name]
    assert loaded.skipped == (f"left out: 2 W&B runs that are none of coatlab's ({other.name}, <script>)",)


def test_numbers_that_w_and_b_writes_as_words_are_missing(tmp_path: Path) -> None:
    run = Run(make_run(tmp_path, "layout=CCTT", epochs=1))
    run._rows = ['{"_step": 5, "eval/loss": "NaN", "gap": NaN, "lr": "Infinity", "epoch": 1}']
    history = load_project(PROJECT, None, Api(run)).history
    assert history[["step", "epoch"]].to_numpy().tolist() == [[5, 1]]
    assert history[["eval/loss", "gap", "lr"]].isna().all(axis=None)


@pytest.mark.parametrize("project", [None, "coatlab", "a/b/c", "/b"])
def test_a_project_has_an_entity_and_a_name(project: str | None) -> None:
    with pytest.raises(InputError, match="needs --project entity/name"):
        load_project(project, None, Api())


def test_what_w_and_b_refuses_is_one_sentence() -> None:
    import wandb

    class Refusing:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def runs(self, *args: Any, **kwargs: Any) -> None:
            raise self.error

    with pytest.raises(InputError, match="someone/coatlab cannot be read: Could not find project"):
        load_project(PROJECT, None, Refusing(ValueError("Could not find project")))
    with pytest.raises(RunError, match="W&B does not give --project=someone/coatlab: no route"):
        load_project(PROJECT, None, Refusing(wandb.errors.CommError("no route")))
