"""Hydra launcher for `cluster=slurm`: cells as tasks of one array job, through Hydra's submitit launcher.

submitit writes the batch script and starts the cell; it neither waits nor requeues here. Waiting for its result never
ends where a job was killed hard. And of three that could requeue (submitit, Lightning, we) one must: on the node
`SlurmLauncher.__call__` takes the signals first thing, and requeues where Slurm has not done it (queue.py).
Which job runs a cell is noted in runs/.slurm, so that the same command finds jobs that are still queued.
"""

import shlex
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log
from hydra.types import HydraContext, TaskFunction
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher as SubmititLauncher
from omegaconf import DictConfig

from coatlab.cli import one_sentence_errors
from coatlab.cluster.board import Board
from coatlab.cluster.job import Cell, cluster_settings, compose_cell, failed, outcome, reason
from coatlab.cluster.queue import is_over, requeue_this_job, states
from coatlab.errors import InputError, RunError, Stopped
from coatlab.output.files import write_atomic
from coatlab.output.text import shown
from coatlab.process.place import place
from coatlab.process.signals import STOPPING, raise_when_signalled

SOURCE = Path(__file__).resolve().parents[2]


class SlurmLauncher(SubmititLauncher):  # type: ignore[misc]  # it is not typed
    """Submit the cells of a sweep and wait for them; settings: conf/cluster/slurm.yaml."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands to a launcher, and check the settings."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.settings = cluster_settings(config)

    def __call__(self, *arguments: Any) -> None:
        """Run one cell; called by submitit on the node, with what `_submit` gave it."""
        raise_when_signalled()
        with one_sentence_errors():
            try:
                _ = super().__call__(*arguments).return_value  # raises what the cell raised
            except Stopped:
                for number in STOPPING:  # requeueing brings the next one, and must not be cut by it
                    signal.signal(number, signal.SIG_IGN)
                if place().rank == 0:  # of the processes that train one run together
                    requeue_this_job(self.settings["requeues"])
                raise

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the cells that are not queued yet, and wait until none is queued or runs.

        Raises:
            InputError: a setting of the cluster is not valid, or there is no Slurm.
            RunError: Slurm refuses the jobs.
            KeyboardInterrupt: Ctrl-C; the jobs go on.
        """
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        if shutil.which("sbatch") is None:
            raise InputError("cluster=slurm is not valid here: this machine has no sbatch; valid: none, local")
        cells: dict[int, Cell] = {}
        ended: dict[int, JobReturn] = {}
        board = Board(len(job_overrides))
        for number, overrides in enumerate(job_overrides):
            words = [*overrides, *([] if self.config.trainer.threads else [f"trainer.threads={self.settings['cpus']}"])]
            try:
                cells[number] = compose_cell(self.hydra_context, self.config, words, initial_job_idx + number)
            except (InputError, RunError) as error:
                ended[number] = failed(words, error)
                board.end(" ".join(overrides), str(error))
        jobs = self._jobs(cells)
        if self.settings["detach"]:
            ended |= {number: _submitted(cells[number]) for number in cells}
        else:
            ended |= self._wait(cells, jobs, board)
        return [ended[number] for number in range(len(job_overrides))]

    def queued(self, folders: Sequence[Path]) -> set[Path]:
        """Return the run folders whose jobs are queued or run: those that `launch` waits for."""
        noted = {folder: _note(folder).read_text() for folder in folders if _note(folder).exists()}
        known = states(set(noted.values())) or {}
        return {folder for folder, job in noted.items() if not is_over(known.get(job))}

    def _jobs(self, cells: dict[int, Cell]) -> dict[int, str]:
        """Return the job of each cell: the one that is queued already, or a new one."""
        noted = {number: job for number, cell in cells.items() if (job := _noted(cell)) is not None}
        known = states(set(noted.values()))
        if known is None:
            raise RunError("Slurm's controller does not answer; give the same command again when it does")
        jobs = {number: job for number, job in noted.items() if not is_over(known.get(job))}
        new = [number for number in cells if number not in jobs]
        if jobs:
            print(f"{len(jobs)} cells are queued already: {' '.join(jobs.values())}")
        if new:
            folder = cells[new[0]].folder.parent / ".slurm"
            submitted = self._submit([cells[number] for number in new], folder)
            for number, job in zip(new, submitted, strict=True):
                write_atomic(_note(cells[number].folder), lambda file, job=job: file.write(job.encode()))  # type: ignore[misc]
                jobs[number] = job
            array = submitted[0].partition("_")[0]
            print(f"submitted {len(new)} cells as job {array}")
            print(f"logs:    {shown(folder)}/{array}_*_log.out")
            print(f"state:   squeue --jobs {array}")
            print(f"cancel:  scancel {array}")
            print(f"finish:  {_same_command()}")
        return jobs

    def _submit(self, cells: Sequence[Cell], folder: Path) -> list[str]:
        """Submit cells as one array and return their jobs."""
        import submitit  # slow, and not needed where Hydra only looks for plugins
        from submitit.core.utils import FailedJobError

        settings, trainer = self.settings, self.config.trainer
        # a job that comes to its limit before `__call__` is restarted by submitit, as often as it takes
        executor = submitit.AutoExecutor(folder.resolve(), cluster="slurm", slurm_max_num_timeout=10**6)
        executor.update_parameters(
            name=self.config.hydra.job.name,
            timeout_min=settings["minutes"],
            # on one node the process that leads starts the others; over several, Slurm starts all
            nodes=trainer.nodes,
            tasks_per_node=trainer.devices if trainer.nodes > 1 else 1,
            cpus_per_task=settings["cpus"],
            gpus_per_node=settings["gpus"] or None,
            mem_gb=settings["memory_gb"],
            stderr_to_stdout=True,
            slurm_partition=settings["partition"],
            slurm_account=settings["account"],
            slurm_qos=settings["qos"],
            slurm_constraint=settings["constraint"],
            slurm_array_parallelism=settings["throttle"] or len(cells),
            slurm_signal_delay_s=settings["signal_seconds"],
            # a job runs the source that submitted it, installed or not
            slurm_setup=[*settings["setup"], f"export PYTHONPATH={shlex.quote(str(SOURCE))}:$PYTHONPATH"],
            slurm_additional_parameters={"requeue": True, **(settings["extra"] or {})},
        )
        arguments = [
            (cell.overrides, "hydra.sweep.dir", cell.number, str(cell.number), Singleton.get_state()) for cell in cells
        ]
        try:
            return [str(job.job_id) for job in executor.map_array(self, *zip(*arguments, strict=True))]
        except FailedJobError as error:
            raise RunError(f"Slurm refuses the jobs: {' '.join(str(error).split())}") from error

    def _wait(self, cells: dict[int, Cell], jobs: dict[int, str], board: Board) -> dict[int, JobReturn]:
        """Show what happens until no job is queued or runs, and return how each cell ended."""
        ended: dict[int, JobReturn] = {}
        silent = False
        try:
            with board:
                print(f"waiting for {len(jobs)} jobs; they go on without this command", flush=True)
                while len(ended) < len(cells):
                    time.sleep(self.settings["poll"])
                    open_cells = [number for number in cells if number not in ended]
                    known = states([jobs[number] for number in open_cells])
                    if known is None and not silent:
                        print("Slurm's controller does not answer; waiting for it", file=sys.stderr)
                    silent = known is None
                    if known is None:
                        continue
                    for number in open_cells:
                        state, cell = known.get(jobs[number]), cells[number]
                        if is_over(state):
                            log = _log(cell, jobs[number])
                            printed = log.read_text(errors="replace") if log.exists() else ""
                            how = ended[number] = outcome(cell, f"Slurm says {state or 'nothing'} of its job", printed)
                            note = f"log: {shown(log)}"
                            board.end(cell.folder.name, reason(how), note, elsewhere=how.status == JobStatus.UNKNOWN)
                    running = [number for number in open_cells if known.get(jobs[number]) == "RUNNING"]
                    board.update({cells[number].folder.name: cells[number] for number in running})
        except KeyboardInterrupt:
            print("the jobs go on; the same command waits for them again", file=sys.stderr)
            raise
        return ended


def _submitted(cell: Cell) -> JobReturn:
    """Return what Hydra is told of a cell that was submitted and left."""
    returned = JobReturn()
    returned.overrides, returned.status, returned.return_value = cell.overrides, JobStatus.COMPLETED, None
    return returned


def _note(folder: Path) -> Path:
    """Return the file that names the job of a run folder's cell."""
    return folder.parent / ".slurm" / f"{folder.name}.job"


def _noted(cell: Cell) -> str | None:
    return _note(cell.folder).read_text() if _note(cell.folder).exists() else None


def _log(cell: Cell, job: str) -> Path:
    """Return where submitit and Slurm write what a cell prints."""
    return cell.folder.parent / ".slurm" / f"{job}_0_log.out"


def _same_command() -> str:
    """Return the command that waits for the jobs and finishes what is missing."""
    return shlex.join(["python", *(word for word in sys.argv if not word.startswith("cluster.detach="))])
