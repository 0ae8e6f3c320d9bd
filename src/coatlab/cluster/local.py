"""Hydra launcher for `cluster=local`: cells in parallel on this machine, each in a process of its own.

Plain forked processes, because the pools give up too much: joblib (loky) ends all cells when one is killed, and
submitit's local executor starts all cells at once and imports torch in each. A cell that fails or is killed leaves the
others alone. Ctrl-C and TERM ask every cell to save and stop; a second Ctrl-C, or the end of this process, kills all.
"""

import signal
from collections.abc import Sequence
from multiprocessing.connection import wait

from hydra.core.utils import JobReturn, JobStatus, configure_log
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from coatlab.cluster.board import Board
from coatlab.cluster.fork import CellProcess
from coatlab.cluster.job import Cell, cluster_settings, compose_cell, failed, outcome, reason
from coatlab.cluster.share import Share, share, visible_gpus
from coatlab.output.text import shown
from coatlab.process.machine import cores
from coatlab.process.signals import Signals

LOOK_SECONDS = 0.5


class LocalLauncher(Launcher):
    """Run the cells of a sweep in parallel; settings: conf/cluster/local.yaml."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands to a launcher."""
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run cells and return how each ended, in their order.

        Raises:
            InputError: a setting of the cluster is not valid.
            Stopped: a signal came; every cell has saved its state.
        """
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        machine = self._share(len(job_overrides))
        import coatlab.training.fit  # noqa: F401  (torch and all that, once: the cells are forked from here)

        ended: dict[int, JobReturn] = {}
        todo = list(enumerate(job_overrides))
        free = list(range(machine.jobs))
        running: list[tuple[int, CellProcess]] = []
        asked = False  # the cells, to stop
        with Signals() as signals, Board(len(todo)) as board:
            signals.arm(signal.SIGINT)
            try:
                while running or (todo and not asked):
                    while todo and free and signals.received is None:
                        number, overrides = todo.pop(0)
                        words = [*overrides, *self._threads(machine)]
                        try:
                            cell = compose_cell(self.context, self.config, words, initial_job_idx + number)
                            running.append((number, self._start(cell, free[0], machine.gpus[free[0]])))
                            del free[0]
                        except Exception as error:  # a config edited meanwhile, a full disk: the others go on
                            ended[number] = failed(words, error)
                            board.end(" ".join(overrides), str(error))
                    if signals.received is not None and not asked:
                        asked = True
                        for _, process in running:
                            process.stop()
                    board.update({process.cell.folder.name: process.cell for _, process in running})
                    wait([process.sentinel for _, process in running], LOOK_SECONDS)
                    for number, process in [entry for entry in running if not entry[1].alive]:
                        running.remove((number, process))
                        free.append(process.place)
                        how = ended[number] = outcome(process.cell, process.ended(), process.printed())
                        name, elsewhere = process.cell.folder.name, how.status == JobStatus.UNKNOWN
                        board.end(name, reason(how), f"log: {shown(process.log)}", elsewhere)
            finally:
                for _, process in running:
                    process.kill()
            signals.stop_if_received()
        return [ended[number] for number in range(len(job_overrides))]

    def _start(self, cell: Cell, place: int, gpu: str) -> CellProcess:
        return CellProcess.start(cell, self.context, self.task, place=place, gpu=gpu)

    def _share(self, cells: int) -> Share:
        settings, trainer = cluster_settings(self.config), self.config.trainer
        return share(
            cells,
            cores(),
            [] if trainer.accelerator == "cpu" else visible_gpus(),
            jobs=settings["jobs"],
            per_gpu=settings["per_gpu"],
            threads=trainer.threads,
        )

    def _threads(self, machine: Share) -> list[str]:
        return [] if self.config.trainer.threads else [f"trainer.threads={machine.threads}"]
