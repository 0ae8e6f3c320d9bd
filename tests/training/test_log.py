"""metrics.jsonl: a row is appended per step, and the file is cut to the length that a checkpoint states."""

from pathlib import Path

import pytest

from coatlab.errors import RunError
from coatlab.runs.record import read_metrics, rows_damage
from coatlab.training.log import MetricsFile


def test_rows_after_the_checkpoint_are_cut_and_written_again(tmp_path: Path) -> None:
    first = MetricsFile(tmp_path)
    first.log_metrics({"loss": 1.5}, step=1)
    length = first.synced()["metrics_bytes"]
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


def test_the_checksum_goes_on_over_a_resume(tmp_path: Path) -> None:
    first = MetricsFile(tmp_path)
    first.log_metrics({"loss": 1.5}, step=1)
    length = first.synced()["metrics_bytes"]
    first.log_metrics({"loss": 1.25}, step=2)
    first.close()
    second = MetricsFile(tmp_path, keep=length)
    second.log_metrics({"loss": 1.0}, step=2)
    stated = second.synced()
    second.close()
    assert rows_damage(tmp_path, stated, whole=True) is None


@pytest.mark.parametrize("change", ["delete", "replace", "cut"])
def test_a_file_that_somebody_changes_meanwhile_is_noticed(change: str, tmp_path: Path) -> None:
    file, path = MetricsFile(tmp_path), tmp_path / "metrics.jsonl"
    file.log_metrics({"loss": 1.5}, step=1)
    content = path.read_bytes()
    if change == "cut":
        path.write_bytes(b"")
    else:
        path.unlink()
    if change == "replace":
        path.write_bytes(content)
    with pytest.raises(RunError, match="was deleted, replaced or changed by somebody else"):
        file.synced()
    file.close()
