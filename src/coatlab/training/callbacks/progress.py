"""The display of a run: a line per epoch, and in between on a terminal a live bar with the time left, else lines.

Without a terminal, as in a job's log, a line says how far the run is at the steps at which its loss is logged
(`trainer.log_every`), at most every 30 seconds.
"""

import time
from collections.abc import Callable
from typing import Any

import lightning as L
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from coatlab.output.text import duration
from coatlab.training.callbacks.measure import Measure

REFRESH_STEPS = 5
LINE_SECONDS = 30  # at least so far apart are the lines where there is no terminal


class LiveProgress(L.Callback):
    """Show the steps of the whole run, the last measures and the time left.

    Args:
        title: name of the run.
        measure: holds the last epoch's row; it must precede this callback in the list.
        console: where to print; stderr if not given.
        clock: seconds.
    """

    def __init__(
        self,
        title: str,
        measure: Measure,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title, self.measure = title, measure
        self.console = console or Console(stderr=True)
        self._clock = clock
        self.bar = progress_bar(self.console)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the bar at the step from which training goes on."""
        total = int(trainer.estimated_stepping_batches)
        self.task = self.bar.add_task(escape(self.title), total=total, completed=trainer.global_step, state="")
        self._begin = self._said = self._clock()
        self._first = trainer.global_step
        self.bar.start()

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Move the bar."""
        if trainer.global_step % REFRESH_STEPS == 0 or trainer.is_last_batch:
            self.bar.update(self.task, completed=trainer.global_step)
        if self.bar.disable and trainer.global_step % self.measure.log_every == 0:
            self._say(trainer.global_step, int(trainer.estimated_stepping_batches))

    def _say(self, step: int, steps: int) -> None:
        """Print a line where there is no bar, unless the last one is recent."""
        at = self._clock()
        if at - self._said < LINE_SECONDS or step <= self._first:
            return
        self._said = at
        left = (at - self._begin) / (step - self._first) * (steps - step)
        said = f"step {step}/{steps}  ran {duration(at - self._begin)}  about {duration(left)} left"
        self.console.print(said, highlight=False, soft_wrap=True)

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


def progress_bar(console: Console) -> Progress:
    """Return the bar; in a narrow terminal its title is cut, and never its numbers."""
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        BarColumn(bar_width=10),
        MofNCompleteColumn(table_column=_whole()),
        TextColumn("[dim]ran[/]", table_column=_whole()),
        TimeElapsedColumn(table_column=_whole()),
        TextColumn("[dim]left[/]", table_column=_whole()),
        TimeRemainingColumn(elapsed_when_finished=False, table_column=_whole()),
        TextColumn("{task.fields[state]}", table_column=_whole()),
        console=console,
        expand=True,
        disable=not console.is_terminal,
    )


def _whole() -> Column:
    return Column(no_wrap=True)


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
