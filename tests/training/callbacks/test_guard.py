"""Checkpoints are where they belong, and nothing waits for a device. What a resumed run does: test_resume.py."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import lightning as L
import pytest

from coatlab.process.signals import Signals
from coatlab.runs.run import open_run
from coatlab.training.callbacks import guard
from coatlab.training.checkpoints import AtomicCheckpoint
from coatlab.training.fit import fit
from tests.support.commandline import TINY, last_of_each_key
from tests.support.specs import spec_of


def test_one_process_asks_no_device_whether_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tensor that is read back would wait for everything that a GPU was asked for."""
    monkeypatch.setattr(guard.torch, "tensor", lambda *_, **__: pytest.fail("a tensor is built"))
    alone = cast(L.Trainer, SimpleNamespace(world_size=1))
    for received, due in ((None, True), (15, False)):
        signals = cast(Signals, SimpleNamespace(received=received))
        assert guard._agree(alone, signals, due) == (received or 0, due)


@pytest.mark.slow
def test_a_checkpoint_precedes_each_evaluation_and_no_other_epoch_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    save = AtomicCheckpoint.save_checkpoint

    def note(self: AtomicCheckpoint, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        saved.append(checkpoint["global_step"])
        save(self, checkpoint, path)

    monkeypatch.setattr(AtomicCheckpoint, "save_checkpoint", note)
    own = ["trainer=cpu", "trainer.progress=false", "tracker=none", "trainer.max_epochs=5", "trainer.eval_every=2"]
    words = last_of_each_key([*TINY, *own, "trainer.eval_at=[150]", f"paths.runs={tmp_path}"])
    with open_run(spec_of(*words)) as run:
        fit(run)
    assert saved == [2, 19, 39, 49]  # of 10 steps per epoch: one before 192 images, and before epochs 2, 4 and 5 end
