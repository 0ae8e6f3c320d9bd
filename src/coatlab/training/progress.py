"""The display of a run: on a terminal a live bar with the time left, else a line per epoch."""

from typing import Any

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from coatlab.training.callbacks import Measure

REFRESH_STEPS = 5


class LiveProgress(L.Callback):
    """Show the steps of the whole run, the last measures and the time left.

    Args:
        title: name of the run.
        measure: holds the last epoch's row; it must precede this callback in the list.
    """

    def __init__(self, title: str, measure: Measure) -> None:
        self.title, self.measure = title, measure
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("[dim]ran[/]"),
            TimeElapsedColumn(),
            TextColumn("[dim]left[/]"),
            TimeRemainingColumn(elapsed_when_finished=False),
            TextColumn("{task.fields[state]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the bar at the step from which training goes on."""
        total = int(trainer.estimated_stepping_batches)
        self.task = self.bar.add_task(self.title, total=total, completed=trainer.global_step, state="")
        self.bar.start()

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Move the bar."""
        if trainer.global_step % REFRESH_STEPS == 0 or trainer.is_last_batch:
            self.bar.update(self.task, completed=trainer.global_step)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Say why the bar does not move."""
        self.bar.update(self.task, state="evaluating")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Say that it moves again."""
        self.bar.update(self.task, state="")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the epoch's measures."""
        line = epoch_line(self.measure.row, int(trainer.max_epochs or 0))
        self.bar.console.print(line, highlight=False, soft_wrap=True)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Close the bar."""
        self.bar.stop()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Restore the terminal."""
        self.bar.stop()


def epoch_line(row: dict[str, float], epochs: int) -> str:
    """Return the measures of an epoch on one line; without an evaluation, the mean loss of its steps."""
    if "eval/accuracy" in row:
        measures = (
            f"train loss {row['train_eval/loss']:.3f}  train {row['train_eval/accuracy']:.1%}  "
            f"eval {row['eval/accuracy']:.1%}  gap {row['gap']:+.1%}"
        )
    else:
        measures = f"loss of steps {row['train/loss']:.3f}"
    return f"epoch {row['epoch']:.0f}/{epochs}  {measures}  {row['images_per_second']:.0f} images/s"
