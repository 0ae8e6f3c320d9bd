"""Trackers in the run folder hold what W&B is sent: the config, the rows of metrics.jsonl once each, and the test."""

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from coatlab.errors import InputError
from coatlab.runs.record import METRICS
from coatlab.tracking import local
from coatlab.tracking.local import chosen, local_loggers, log_test

ROWS = '{"step": 2, "lr": 0.1}\n{"step": 4, "lr": 0.2, "eval/loss": null}\n{"step": 4, "epoch": 1, "eval/loss": 0.5}\n'


class Run:
    """What `local_loggers` looks at of a run."""

    leads = True

    def __init__(self, folder: Path, **tracker: Any) -> None:
        self.folder, self.config = folder, {"tracker": tracker}
        self.record = {"config": {"recipe": {"lr": 0.1}, "seed": 3}}


FINAL = {"eval/loss": 0.5, "test/loss": 0.75, "test/accuracy": None, "test/images": 8, "step": 6}


@pytest.mark.parametrize(
    ("tracker", "names"),
    [
        ({"name": "none"}, []),
        ({"name": "wandb"}, []),  # a record of before there were others
        ({"name": "csv", "also": []}, ["csv"]),
        ({"name": "wandb", "also": ["tensorboard", "csv"]}, ["csv", "tensorboard"]),
        ({"name": "csv", "also": ["csv"]}, ["csv"]),
    ],
)
def test_each_tracker_is_chosen_once(tracker: dict, names: list[str]) -> None:
    assert chosen(tracker) == names


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "csv" / "metrics.csv", newline="") as file:
        return [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]


def test_a_table_begins_with_the_rows_that_there_are(tmp_path: Path) -> None:
    (tmp_path / METRICS).write_text(ROWS)
    expected = [{"step": "2", "lr": "0.1"}, {"step": "4", "lr": "0.2"}, {"step": "4", "epoch": "1", "eval/loss": "0.5"}]
    for _ in range(2):  # a second attempt
        (logger,) = local_loggers(Run(tmp_path, name="csv"))  # type: ignore[arg-type]
        assert table(tmp_path) == expected
        logger.log_metrics({"lr": 0.3}, step=6)
        assert table(tmp_path) == [*expected, {"step": "6", "lr": "0.3"}]
    logger.finalize("success")  # as Lightning does when the training has ended
    log_test([logger], FINAL)
    assert table(tmp_path)[-1] == {"step": "6", "test/loss": "0.75", "test/images": "8"}
    assert len(table(tmp_path)) == 5
    assert yaml.safe_load((tmp_path / "csv" / "hparams.yaml").read_text()) == {"recipe": {"lr": 0.1}, "seed": 3}


def test_tensorboard_holds_the_same(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (tmp_path / METRICS).write_text(ROWS)
    for _ in range(2):
        (logger,) = local_loggers(Run(tmp_path, name="none", also=["tensorboard"]))  # type: ignore[arg-type]
        logger.log_metrics({"lr": 0.25}, step=6)
        logger.finalize("success")
        log_test([logger], FINAL)
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("lr")] == [
        (2, pytest.approx(0.1)), (4, pytest.approx(0.2)), (6, 0.25),
    ]  # fmt: skip
    assert [(event.step, event.value) for event in found.Scalars("eval/loss")] == [(4, 0.5)]
    assert [(event.step, event.value) for event in found.Scalars("test/loss")] == [(6, 0.75)]
    assert yaml.safe_load((tmp_path / "tensorboard" / "hparams.yaml").read_text())["seed"] == 3


def test_without_the_package_tensorboard_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"tracker=tensorboard needs the package tensorboard: pip install"):
        local_loggers(Run(tmp_path, name="tensorboard"))  # type: ignore[arg-type]


def test_a_process_that_follows_tracks_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, name="csv")
    run.leads = False
    assert local_loggers(run) == []  # type: ignore[arg-type]
    assert not (tmp_path / "csv").exists()
