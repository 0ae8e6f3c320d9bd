"""The display of a sweep: on a terminal a bar for all cells and one per running cell, else a line per finished cell.

The progress of a cell is read from its metrics.jsonl. The display has no thread of its own, because the launcher forks.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column

from coatlab.runs.record import read_metrics
from coatlab.runs.spec import Spec


class Display(Console):
    """A console that survives the end of its reader: Ctrl-C also ends `| tee`, and the cells must still be saved."""

    def on_broken_pipe(self) -> None:
        """Print nothing more; rich itself would exit."""
        self.quiet = True


class Board:
    """The display of a sweep.

    Args:
        cells: how many the launcher was given.
        console: where to print; stderr if not given.
    """

    def __init__(self, cells: int, console: Console | None = None) -> None:
        self.cells, self.done, self.failed = cells, 0, 0
        self.console = console or Display(stderr=True)
        self._began = time.monotonic()
        self._part_at_start: dict[str, float] = {}
        self._lines: dict[str, TaskID] = {}
        self._progress = Progress(
            # in a narrow terminal a name is cut, and never a number
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            BarColumn(bar_width=10),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True)),
            console=self.console,
            expand=True,
            auto_refresh=False,
            disable=not self.console.is_terminal,
        )
        self._all = self._progress.add_task("cells", total=cells, state="")

    def __enter__(self) -> "Board":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.update({})
        self._progress.stop()

    def end(self, name: str, why: str | None, note: str = "", elsewhere: bool = False) -> None:
        """Print how a cell ended.

        Args:
            name: of its line.
            why: it failed; None if it did not.
            note: printed after the reason of a failure.
            elsewhere: it was not started here, because another command is already running it.
        """
        self.done, self.failed = self.done + (why is None), self.failed + (why is not None)
        self._drop(name)
        good = "[cyan]runs elsewhere[/]" if elsewhere else "[green]done[/]  "
        word = good if why is None else "[red]failed[/]"
        count = f"{self.done + self.failed}/{self.cells}"
        rest = "".join(f"  {escape(part)}" for part in (why, note) if why and part)
        self.console.print(f"{count}  {word}  {escape(name)}{rest}", highlight=False, soft_wrap=True)

    def update(self, running: Mapping[str, Spec]) -> None:
        """Show the running cells, by the name of their line, with epoch and speed, and the time left."""
        if self._progress.disable:
            return
        for gone in self._lines.keys() - running.keys():
            self._drop(gone)
        part = 0.0
        for name, spec in running.items():
            (epoch, speed), epochs = _course(spec), spec.config["trainer"]["max_epochs"]
            part += epoch / epochs - self._part_at_start.setdefault(name, epoch / epochs)
            if name not in self._lines:
                self._lines[name] = self._progress.add_task(f"  {escape(name)}", total=epochs, state="")
            state = f"epochs, {speed:.0f} images/s" if speed else "epochs"
            self._progress.update(self._lines[name], completed=epoch, state=state)
        ended = self.done + self.failed
        state = f"{len(running)} running, {self.failed} failed{self._left(ended + part)}"
        self._progress.update(self._all, completed=ended, state=state)
        self._progress.refresh()

    def _left(self, part: float) -> str:
        """Estimate the time left from the cells, and parts of cells, that have run since the start."""
        if part <= 0:
            return ""
        seconds = (time.monotonic() - self._began) / part * (self.cells - part)
        return f", about {timedelta(seconds=round(seconds))} left"

    def _drop(self, name: str) -> None:
        if name in self._lines:
            self._progress.remove_task(self._lines.pop(name))


def _course(spec: Spec) -> tuple[int, float | None]:
    """Return the epochs that a run has finished and the speed of the last one in images per second."""
    rows = [row for row in read_metrics(spec.folder) if "epoch" in row]
    return (int(rows[-1]["epoch"]), rows[-1].get("images_per_second")) if rows else (0, None)
