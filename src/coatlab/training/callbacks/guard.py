"""Exact resume: checkpoints at the start of a batch, stopping when asked to, and the random numbers of each step.

On a CPU a resumed run is bit-identical to an undisturbed one. A checkpoint is taken at the start of a batch, when no
gradient is pending; the order of batches and every random draw of a step are functions of (seed, batches processed), so
nothing else has to be saved. Besides the regular ones, a checkpoint is taken before each step that is followed by an
evaluation, so that a stop during the evaluation costs one step. An epoch that ends without one has none of its own: on
few images it lasts a second, of which a checkpoint would take some per cent.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch

from coatlab.data.image_data import Batch
from coatlab.data.sampler import SEED_STRIDE
from coatlab.errors import Stopped
from coatlab.process.signals import STOPPING, Signals
from coatlab.training.callbacks.due import ends_evaluated, images_reached
from coatlab.training.checkpoints import LAST
from coatlab.training.log import MetricsFile


class Guard(L.Callback):
    """Save at batch starts, periodically and when a signal asks to stop; seed every step.

    Args:
        folder: the run folder.
        fingerprint: of the run, which goes into each checkpoint.
        metrics: its rows, whose length and checksum go into each checkpoint; None if another process writes them.
        signals: armed again here, because Lightning replaces the handler of TERM.
        seed: the run's seed.
        every: seconds between checkpoints.
        eval_every, eval_at: epochs, and numbers of images, after which there is an evaluation, as `Measure` has them.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        metrics: MetricsFile | None,
        signals: Signals,
        seed: int,
        every: float,
        eval_every: int = 1,
        eval_at: Sequence[int] = (),
    ) -> None:
        self.path, self.fingerprint, self.metrics = folder / LAST, fingerprint, metrics
        self.signals, self.seed, self.every = signals, seed, every
        self.eval_every, self.eval_at = eval_every, eval_at
        self.seconds = 0.0  # of training and evaluation, over all attempts
        self._started = self._saved = time.monotonic()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Install our signal handlers again, in place of Lightning's."""
        self.signals.arm(*STOPPING)
        self._started = self._saved = time.monotonic()

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Install our signal handlers again, in place of Lightning's."""
        self.signals.arm(*STOPPING)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Save if it is time, stop if asked to, and seed the step."""
        window = trainer.accumulate_grad_batches
        if batch_idx % window == 0:  # gradients are not part of a checkpoint
            last = batch_idx + window >= trainer.num_training_batches
            evaluated = (last and ends_evaluated(trainer, self.eval_every)) or images_reached(
                trainer, batch_idx, self.eval_at
            )
            due = time.monotonic() - self._saved >= self.every
            received, due = _agree(trainer, self.signals, due)
            if evaluated or due or received:
                trainer.save_checkpoint(self.path)
                self._saved = time.monotonic()
            if received:
                raise Stopped(received)
        processed: int = trainer.fit_loop.epoch_loop.batch_progress.total.processed  # type: ignore[attr-defined]
        _seed(trainer.strategy.root_device, (trainer.global_rank << 48) + self.seed * SEED_STRIDE + processed)

    def on_validation_batch_start(self, trainer: L.Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop if asked to: the checkpoint is one step old."""
        self._stop_if_asked(trainer)

    def on_test_batch_start(self, trainer: L.Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop if asked to: the checkpoint is one step and one evaluation old."""
        self._stop_if_asked(trainer)

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add which run it is, what belongs to it of the metrics file, and the time spent so far."""
        rows = self.metrics.synced() if self.metrics is not None else {"metrics_bytes": 0}
        checkpoint["coatlab"] = {"fingerprint": self.fingerprint, "seconds": self.elapsed(), **rows}

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Continue the clock of earlier attempts."""
        self.seconds = checkpoint["coatlab"]["seconds"]

    def elapsed(self) -> float:
        """Return the seconds of training and evaluation so far, including earlier attempts."""
        return self.seconds + time.monotonic() - self._started

    def _stop_if_asked(self, trainer: L.Trainer) -> None:
        received, _ = _agree(trainer, self.signals, due=False)
        if received:
            raise Stopped(received)


def _seed(device: torch.device, number: int) -> None:
    """Seed the random numbers of a step, on the CPU and on the device that trains.

    torch.manual_seed does the same for every kind of device that there may be, and takes a traceback for each of them.
    """
    torch.default_generator.manual_seed(number)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(number)


def _agree(trainer: L.Trainer, signals: Signals, due: bool) -> tuple[int, bool]:
    """Return the signal that any process of the run has received (0: none), and whether any of them is due to save."""
    if trainer.world_size == 1:
        return signals.received or 0, due  # no tensor: on a GPU reading it would wait for all that was asked of it
    mine = torch.tensor([signals.received or 0, int(due)], device=trainer.strategy.root_device)
    received, late = trainer.strategy.reduce(mine, reduce_op="max").tolist()
    return received, bool(late)
