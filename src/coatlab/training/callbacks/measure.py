"""Evaluations, rows of what was measured, and the end of a run whose loss is no number."""

import math
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

import lightning as L
import torch
from torch import Tensor

from coatlab.data.image_data import Batch
from coatlab.errors import RunError
from coatlab.training.callbacks.due import ends_evaluated, images_reached
from coatlab.training.task import MEASURED, Task


class Diverged(RunError):
    """The training loss is no longer a number; the same command would diverge again."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(
            f"the training loss is not finite at step {step}; a lower recipe.lr or a longer warm-up may help"
        )


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
