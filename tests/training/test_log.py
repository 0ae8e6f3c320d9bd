"""metrics.jsonl: a row is appended per step, and the file is cut to the length that a checkpoint states."""

from pathlib import Path

from coatlab.runs.record import read_metrics
from coatlab.training.log import MetricsFile


def test_rows_after_the_checkpoint_are_cut_and_written_again(tmp_path: Path) -> None:
    first = MetricsFile(tmp_path)
    first.log_metrics({"loss": 1.5}, step=1)
    length = first.synced_length()
    first.log_metrics({"loss": 1.25}, step=2)
    first.close()
    second = MetricsFile(tmp_path, keep=length)
    assert read_metrics(tmp_path) == [{"step": 1, "loss": 1.5}]
    second.log_metrics({"loss": 1.0}, step=2)
    second.close()
    assert read_metrics(tmp_path) == [{"step": 1, "loss": 1.5}, {"step": 2, "loss": 1.0}]


def test_nan_is_null(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path)
    file.log_metrics({"loss": float("nan"), "rate": float("inf")}, step=0)
    file.close()
    assert read_metrics(tmp_path) == [{"step": 0, "loss": None, "rate": None}]
