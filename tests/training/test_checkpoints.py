"""Checkpoints are whole, the previous one is kept, and what is loaded holds only tensors and plain types."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

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


def save(folder: Path, number: int) -> None:
    AtomicCheckpoint().save_checkpoint({"number": number, "tensor": torch.arange(1000)}, folder / LAST)


def test_the_newest_that_can_be_read_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert newest(tmp_path) is None
    for number in (1, 2):
        save(tmp_path, number)
    found = newest(tmp_path)
    assert found is not None
    assert found[1]["number"] == 2
    (tmp_path / LAST).write_bytes((tmp_path / LAST).read_bytes()[:500])
    older = newest(tmp_path)
    assert older is not None
    assert (older[0], older[1]["number"]) == (tmp_path / PREVIOUS, 1)
    assert "going back to the previous one" in capsys.readouterr().out


def test_a_disk_that_fills_up_keeps_the_last_good_one(tmp_path: Path) -> None:
    save(tmp_path, 1)

    class Full:
        def __reduce__(self) -> tuple:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        AtomicCheckpoint().save_checkpoint({"number": 2, "bad": Full()}, tmp_path / LAST)
    found = newest(tmp_path)
    assert found is not None
    assert found[1]["number"] == 1


def test_a_checkpoint_that_would_run_code_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / LAST).parent.mkdir()
    torch.save({"code": Path}, tmp_path / LAST)
    assert newest(tmp_path) is None


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
