"""Hydra launcher for `cluster=local`: cells in parallel on this machine, each in a process of its own.

Plain forked processes, because existing pools do not fit: joblib (loky) ends all cells when one is killed, and
submitit's local executor starts all cells at once and imports torch in each. When a cell fails or is killed, the others
go on. Ctrl-C and TERM ask every cell to save and stop; a second Ctrl-C, or the end of this process, kills all of them.
"""

import signal
from collections.abc import Sequence
from multiprocessing.connection import wait

from hydra.core.utils import JobReturn, JobStatus, configure_log

from coatlab.cluster.ahead import prepare
from coatlab.cluster.board import Board
from coatlab.cluster.fork import CellProcess
from coatlab.cluster.gpus import hint, per_gpu, visible_gpus
from coatlab.cluster.job import cluster_settings, failed, outcome, reason
from coatlab.cluster.launcher import CoatlabLauncher
from coatlab.cluster.share import Share, share
from coatlab.output.text import shown
from coatlab.process.imports import large_imports
from coatlab.process.machine import asked_threads, cores
from coatlab.process.signals import Signals
from coatlab.runs.spec import Spec

LOOK_SECONDS = 0.5


class LocalLauncher(CoatlabLauncher):
    """Run the cells of a sweep in parallel; settings: conf/cluster/local.yaml."""

    def launch_specs(self, specs: Sequence[Spec], first: int) -> Sequence[JobReturn]:
        """Run cells and return how each ended, in their order.

        Raises:
            InputError: a setting of the cluster is not valid.
            Stopped: a signal came; every cell has saved its state.
        """
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        machine = self._share(specs)
        if said := hint(machine.gpus):
            print(said)
        with large_imports():
            import coatlab.training.fit  # noqa: F401  (imports torch once: the cells are forked from here)

        ended: dict[int, JobReturn] = {}
        todo = [(number, spec.with_threads(machine.threads)) for number, spec in enumerate(specs)]
        free = list(range(machine.jobs))
        running: list[tuple[int, CellProcess]] = []
        asked = False  # whether the cells have been asked to stop
        with Signals() as signals, Board(len(todo)) as board:
            signals.arm(signal.SIGINT)
            try:
                while running or (todo and not asked):
                    while todo and free and signals.received is None:
                        number, spec = todo.pop(0)
                        if len(specs) > 1:
                            prepare(spec.config)
                        try:
                            running.append((number, self._start(spec, first + number, free[0], machine)))
                            del free[0]
                        except Exception as error:  # a full disk, say: the others go on
                            ended[number] = failed(spec, error)
                            board.end(spec.folder.name, str(error))
                    if signals.received is not None and not asked:
                        asked = True
                        for _, process in running:
                            process.stop()
                    board.update({process.spec.folder.name: process.spec for _, process in running})
                    wait([process.sentinel for _, process in running], LOOK_SECONDS)
                    for number, process in [entry for entry in running if not entry[1].alive]:
                        running.remove((number, process))
                        free.append(process.place)
                        how = ended[number] = outcome(process.spec, process.ended(), process.printed())
                        name, elsewhere = process.spec.folder.name, how.status == JobStatus.UNKNOWN
                        board.end(name, reason(how), f"log: {shown(process.log)}", elsewhere)
            finally:
                for _, process in running:
                    process.kill()
            signals.stop_if_received()
        return [ended[number] for number in range(len(specs))]

    def _start(self, spec: Spec, number: int, place: int, machine: Share) -> CellProcess:
        words = (spec, number, self.hydra_context, self.config)
        return CellProcess.start(*words, place=place, environment=machine.environment(place))

    def _share(self, specs: Sequence[Spec]) -> Share:
        settings, trainer = cluster_settings(self.config), self.config.trainer
        jobs = settings["jobs"]
        gpus = [] if trainer.accelerator == "cpu" else visible_gpus()
        return share(
            len(specs),
            cores(),
            gpus,
            jobs=jobs,
            per_gpu=settings["per_gpu"] or (1 if jobs else per_gpu([spec.config for spec in specs], gpus, cores())),
            threads=trainer.threads or asked_threads(),
        )
