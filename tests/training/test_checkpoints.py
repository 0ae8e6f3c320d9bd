"""Checkpoints are whole, damage falls back to the previous one, and only tensors and plain types are loaded."""

import hashlib
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from coatlab.runs.record import METRICS
from coatlab.training.checkpoints import (
    LAST,
    PREVIOUS,
    WEIGHTS,
    AtomicCheckpoint,
    drop_training_state,
    newest,
    position,
    save_weights,
)


def save(folder: Path, number: int, fingerprint: str = "abc", rows: bytes = b"") -> None:
    """Write rows to metrics.jsonl, and a checkpoint that states them."""
    (folder / METRICS).write_bytes(rows)
    stated = {"metrics_bytes": len(rows), "metrics_sha256": hashlib.sha256(rows).hexdigest()}
    content = {"number": number, "tensor": torch.arange(1000), "coatlab": {"fingerprint": fingerprint, **stated}}
    AtomicCheckpoint().save_checkpoint(content, folder / LAST)


def number_of(folder: Path) -> int | None:
    found = newest(folder, "abc")
    return None if found is None else int(found[1]["number"])


def flip(path: Path, byte: int = 2000) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder with checkpoints 1 and 2."""
    save(tmp_path, 1, rows=b'{"step": 1}\n')
    save(tmp_path, 2, rows=b'{"step": 1}\n{"step": 2}\n')
    return tmp_path


def test_the_newest_is_found(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert number_of(folder) == 2
    (folder / LAST).unlink()  # killed between two renames
    assert number_of(folder) == 1
    assert number_of(tmp_path_factory.mktemp("empty")) is None


def test_damage_falls_back_to_the_previous_one_which_is_then_not_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(folder / LAST)
    assert number_of(folder) == 1
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "last.ckpt cannot be used (its checksum does not match its content); going back to the previous" in said
    save(folder, 3, rows=b'{"step": 1}\n')
    flip(folder / LAST)
    assert number_of(folder) == 1


def test_a_follower_leaves_the_files_alone(folder: Path) -> None:
    flip(folder / LAST)
    found = newest(folder, "abc", leads=False)
    assert found is not None
    assert found[1]["number"] == 1
    assert (folder / LAST).exists()


def test_where_both_are_damaged_the_run_starts_again_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(folder / LAST)
    (folder / PREVIOUS).write_bytes(b"")
    assert number_of(folder) is None
    said = capsys.readouterr().out
    assert "last.ckpt cannot be used (its checksum" in said
    assert "previous.ckpt cannot be used (it is cut or damaged); the run starts again\n" in said
    for name in (LAST, PREVIOUS):
        (folder / name).unlink()
    assert number_of(folder) is None
    assert "has no checkpoint; the run starts again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (b'{"step": 1}\n{"step": 2}\n{"step": 3', 2),  # what follows was written after it
        (b'{"step": 1}\n{"step": 2}', 1),
        (b'{"step": 1}\n{"step": 7}\n', 1),
        (b'{"step": 1}\n' + b"\0" * 12, 1),
        (b'{"step": 4}\n{"step": 2}\n', None),
        (b"", None),
    ],
)
def test_the_rows_must_be_there_too(
    rows: bytes, expected: int | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / METRICS).write_bytes(rows)
    assert number_of(folder) == expected
    assert ("metrics.jsonl" in capsys.readouterr().out) == (expected != 2)


def test_a_checkpoint_of_another_run_is_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path, 1, fingerprint="another")
    assert number_of(tmp_path) is None
    assert "it belongs to another run, another); the run starts again" in capsys.readouterr().out


def test_one_of_an_older_version_has_no_seal_and_is_used(tmp_path: Path) -> None:
    (tmp_path / LAST).parent.mkdir()
    torch.save({"number": 5, "coatlab": {"metrics_bytes": 0}}, tmp_path / LAST)
    assert number_of(tmp_path) == 5


def test_a_disk_that_fills_up_keeps_the_last_good_one(tmp_path: Path) -> None:
    save(tmp_path, 1)

    class Full:
        def __reduce__(self) -> tuple:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        AtomicCheckpoint().save_checkpoint({"number": 2, "bad": Full()}, tmp_path / LAST)
    assert number_of(tmp_path) == 1


def test_a_checkpoint_that_would_run_code_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / LAST).parent.mkdir()
    torch.save({"code": Path}, tmp_path / LAST)
    assert number_of(tmp_path) is None


@given(st.integers(0, 1000), st.integers(1, 50))
def test_position_counts_every_processed_batch(processed: int, batches: int) -> None:
    progress = {"total": {"processed": processed}}
    epoch, batch = position({"loops": {"fit_loop": {"epoch_loop.batch_progress": progress}}}, batches)
    assert epoch * batches + batch == processed
    assert 0 <= batch < batches


def test_a_complete_run_keeps_its_weights_alone(tmp_path: Path) -> None:
    network = nn.Linear(3, 2)
    save(tmp_path, 1)
    save(tmp_path, 2)
    save_weights(tmp_path, network, "abc")
    drop_training_state(tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [Path(WEIGHTS).name]
    content = torch.load(tmp_path / WEIGHTS, weights_only=True)
    assert content["fingerprint"] == "abc"
    assert torch.equal(content["network"]["weight"], network.weight)
