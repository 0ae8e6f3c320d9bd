"""What happens around the training loop: exact resume, evaluation and rows, stopping on NaN.

On a CPU a resumed run is bit-identical to an undisturbed one. A checkpoint is taken at the start of a batch, when no
gradient is pending; the order of batches and every random draw of a step are functions of (seed, batches processed), so
nothing else has to be saved. Besides the regular ones, a checkpoint is taken before each step that is followed by an
evaluation, so that a stop during the evaluation costs one step. An epoch that ends without one has none of its own: on
few images it lasts a second, of which a checkpoint would take some per cent.
"""

import math
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from coatlab.data.image_data import Batch
from coatlab.data.sampler import SEED_STRIDE
from coatlab.errors import RunError, Stopped
from coatlab.process.signals import STOPPING, Signals
from coatlab.training.checkpoints import LAST
from coatlab.training.log import MetricsFile
from coatlab.training.task import MEASURED, Task


class Diverged(RunError):
    """The training loss is no longer a number; the same command would diverge again."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(
            f"the training loss is not finite at step {step}; a lower recipe.lr or a longer warm-up may help"
        )


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


class Measure(L.Callback):
    """Evaluate; write rows of logged steps, evaluations and epochs; stop when the loss is not finite.

    `eval` and `train_eval` are evaluated at the end of every `eval_every`-th epoch and of the last one, and after the
    steps with which the run has seen the numbers of images in `eval_at`. An evaluation draws no random numbers and
    changes no weights, so training is the same whenever it is done. Lightning can evaluate at regular intervals only;
    its training loop asks `due` instead.

    Raises:
        Diverged: at a logged step or at an epoch's end.
    """

    def __init__(self, log_every: int, eval_every: int = 1, eval_at: Sequence[int] = ()) -> None:
        self.log_every, self.eval_every, self.eval_at = log_every, eval_every, tuple(eval_at)
        self.row: dict[str, float] = {}  # of the last epoch
        self.due = False  # to evaluate after this batch
        self._reached = 0  # images seen, if that is why
        self._found: dict[str, float] = {}  # by the evaluation at the end of this epoch
        self._images, self._began, self._ended = 0, 0.0, 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Let the training loop evaluate when it is due."""
        trainer.fit_loop.epoch_loop._should_check_val_fx = lambda data_fetcher: self.due  # type: ignore[method-assign]

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the epoch's clock."""
        self._images, self._began, self._found = 0, time.perf_counter(), {}
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Count images, log the loss every `log_every` optimizer steps, and say whether to evaluate."""
        self._images += len(batch[1])
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        last = trainer.is_last_batch
        self._reached = images_reached(trainer, batch_idx, self.eval_at) if stepped or last else 0
        self.due = self._reached > 0 or (last and ends_evaluated(trainer, self.eval_every))
        if (last or self.due) and trainer.strategy.root_device.type == "cuda":
            torch.cuda.synchronize()  # a GPU lags behind the Python code that feeds it
        self._ended = time.perf_counter()
        if stepped and trainer.global_step % self.log_every == 0:
            loss: Tensor = outputs["loss"] * trainer.accumulate_grad_batches  # Lightning returns it divided by that
            loss = trainer.strategy.reduce(loss, reduce_op="mean")  # over all processes, so that they agree on NaN
            self._log(trainer, {"train/step_loss": float(loss), "lr": _rate(trainer)})
            if not math.isfinite(float(loss)):
                raise Diverged(trainer.global_step)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write what was found after a number of images, and keep what was found at the end of an epoch for its row."""
        assert isinstance(pl_module, Task)
        found = pl_module.measures(*MEASURED)
        found["gap"] = found["train_eval/accuracy"] - found["eval/accuracy"]
        if self._reached:
            self._log(trainer, {"images": self._reached, **found})
        if not trainer.is_last_batch:
            self._began += time.perf_counter() - self._ended  # the epoch's speed is that of training
        elif ends_evaluated(trainer, self.eval_every):
            self._found = found

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the epoch's row: everything that a figure or a table may need later."""
        assert isinstance(pl_module, Task)
        _tell_the_others(trainer)
        self.row = {"epoch": trainer.current_epoch + 1, **pl_module.measures("train"), **self._found}
        self.row["lr"] = _rate(trainer)
        self.row["images_per_second"] = trainer.world_size * self._images / max(self._ended - self._began, 1e-9)
        self.row["peak_memory_mb"] = _peak_memory(trainer)
        self._log(trainer, self.row)
        if not math.isfinite(self.row["train/loss"]):
            raise Diverged(trainer.global_step)

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Put what was found out about the test images into the record as well."""
        _tell_the_others(trainer)

    def _log(self, trainer: L.Trainer, row: dict[str, float]) -> None:
        for logger in trainer.loggers:
            logger.log_metrics(row, step=trainer.global_step)


def ends_evaluated(trainer: L.Trainer, every: int) -> bool:
    """Tell whether this epoch ends with an evaluation, as every `every`-th and the last one do."""
    epoch = trainer.current_epoch + 1
    return epoch % every == 0 or epoch == trainer.max_epochs


def images_reached(trainer: L.Trainer, batch_idx: int, numbers: Sequence[int]) -> int:
    """Return how many images the run has seen after the step to which a batch belongs, if it reaches one of `numbers`.

    Returns 0 if it does not. Images are counted over all processes.
    """
    first = batch_idx - batch_idx % trainer.accumulate_grad_batches
    last = min(first + trainer.accumulate_grad_batches, int(trainer.num_training_batches))
    earlier = trainer.current_epoch * int(trainer.num_training_batches)
    each = trainer.datamodule.batch_size  # type: ignore[attr-defined]
    before, after = (earlier + first) * each, (earlier + last) * each
    return after if any(before < number <= after for number in numbers) else 0


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


def _tell_the_others(trainer: L.Trainer) -> None:
    """Share among the processes of the run what each has found out about the data."""
    if trainer.world_size > 1:
        trainer.datamodule.agree(trainer.strategy)  # type: ignore[attr-defined]


def _rate(trainer: L.Trainer) -> float:
    """Return the learning rate that the next step will use."""
    return float(trainer.optimizers[0].param_groups[0]["lr"])


def _peak_memory(trainer: L.Trainer) -> float:
    """Return the peak memory in MB: of the GPU in this epoch, or on a CPU of the process since its start."""
    if trainer.strategy.root_device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (2**20 if sys.platform == "darwin" else 2**10)
