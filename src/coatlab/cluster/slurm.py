"""Hydra launcher for `cluster=slurm`: cells as tasks of one array job, through Hydra's submitit launcher.

submitit writes the batch script and starts the cell. Waiting and requeueing are ours: waiting for submitit's result
never ends if a job was killed hard, and of the three that could requeue a job (submitit, Lightning and this launcher)
exactly one must do it. So `SlurmLauncher.__call__` handles the signals on the node from its first line on, and requeues
the job unless Slurm has done so (queue.py). The job of each cell is noted in runs/.slurm, so that the same command
finds jobs that are still queued.
"""

import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.types import HydraContext
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher as SubmititLauncher
from omegaconf import DictConfig

from coatlab.cli import one_sentence_errors
from coatlab.cluster.board import Board
from coatlab.cluster.job import cluster_settings, completed, outcome, reason, run_alone
from coatlab.cluster.launcher import CoatlabLauncher
from coatlab.cluster.queue import is_over, largest_array, requeue_this_job, states
from coatlab.config.files import choices
from coatlab.errors import InputError, RunError, Stopped
from coatlab.output.files import write_atomic
from coatlab.output.text import line, shown
from coatlab.process.place import place
from coatlab.process.signals import STOPPING, raise_when_signalled
from coatlab.runs.spec import Spec

SOURCE = Path(__file__).resolve().parents[2]


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield the items in lists of at most `size` (itertools.batched of Python 3.12)."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


class SlurmLauncher(CoatlabLauncher, SubmititLauncher):  # type: ignore[misc]  # the latter is not typed
    """Submit the cells of a sweep and wait for them; settings: conf/cluster/slurm.yaml."""

    def setup(self, *, hydra_context: HydraContext, task_function: object, config: DictConfig) -> None:
        """Take what Hydra hands to a launcher, and check the settings."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.settings = cluster_settings(config)

    def __call__(self, spec: Spec, number: int, singletons: Any) -> None:
        """Run one cell; called by submitit on the node, with what `_submit` gave it."""
        import submitit

        raise_when_signalled()
        Singleton.set_state(singletons)
        setup_globals()
        id = str(submitit.JobEnvironment().job_id)
        with one_sentence_errors():
            try:
                run_alone(self.hydra_context, self.config, spec, number, id)
            except Stopped:
                for signal_number in STOPPING:  # requeueing sends the next one, which must not interrupt it
                    signal.signal(signal_number, signal.SIG_IGN)
                if place().rank == 0:  # among the processes that train one run together
                    requeue_this_job(self.settings["requeues"])
                raise

    def launch_specs(self, specs: Sequence[Spec], first: int) -> Sequence[JobReturn]:
        """Submit the cells that are not queued yet, and wait until none is queued or runs.

        Raises:
            InputError: a setting of the cluster is not valid, or there is no Slurm.
            RunError: Slurm refuses the jobs.
            KeyboardInterrupt: Ctrl-C; the jobs go on.
        """
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        if shutil.which("sbatch") is None:
            others = ", ".join(name for name in choices("cluster") if name != "slurm")
            raise InputError(f"cluster=slurm is not valid here: this machine has no sbatch; valid: {others}")
        cells = dict(enumerate(spec.with_threads(self.settings["cpus"]) for spec in specs))
        jobs = self._jobs(cells, first)
        if self.settings["detach"]:
            ended = {number: completed(spec) for number, spec in cells.items()}
        else:
            ended = self._wait(cells, jobs, Board(len(cells)))
        return [ended[number] for number in cells]

    def queued(self, folders: Sequence[Path]) -> set[Path]:
        """Return the run folders whose jobs are queued or running, for which `launch_specs` waits."""
        noted = {folder: _note(folder).read_text() for folder in folders if _note(folder).exists()}
        known = states(set(noted.values())) or {}
        return {folder for folder, job in noted.items() if not is_over(known.get(job))}

    def _jobs(self, cells: dict[int, Spec], first: int) -> dict[int, str]:
        """Return the job of each cell: the one that is already queued, or a new one."""
        noted = {number: job for number, cell in cells.items() if (job := _noted(cell)) is not None}
        known = states(set(noted.values()))
        if known is None:
            raise RunError("Slurm's controller does not answer; run the same command again when it does")
        jobs = {number: job for number, job in noted.items() if not is_over(known.get(job))}
        new = [number for number in cells if number not in jobs]
        if jobs:
            print(f"{len(jobs)} cells are queued already: {' '.join(jobs.values())}")
        if new:
            folder = cells[new[0]].folder.parent / ".slurm"
            submitted = self._submit({first + number: cells[number] for number in new}, folder)
            jobs |= dict(zip(new, submitted, strict=True))
            arrays = list(dict.fromkeys(job.partition("_")[0] for job in submitted))
            print(f"submitted {len(new)} cells as job {' and '.join(arrays)}")
            for array in arrays:
                print(f"logs:    {shown(folder)}/{array}_*_log.out")
            print(f"state:   squeue --jobs {','.join(arrays)}")
            print(f"cancel:  scancel {' '.join(arrays)}")
            print(f"finish:  {_same_command()}")
        return jobs

    def _submit(self, cells: dict[int, Spec], folder: Path) -> list[str]:
        """Submit cells, as one array or as many as Slurm's limit needs, and return their jobs."""
        import submitit  # slow, and not needed where Hydra only looks for plugins
        from submitit.core.utils import FailedJobError

        settings, trainer = self.settings, self.config.trainer
        size = min(len(cells), largest_array() or len(cells))
        parts = [dict(part) for part in batched(cells.items(), size)]
        # a job that reaches its limit before `__call__` has started is restarted by submitit, as often as needed
        executor = submitit.AutoExecutor(folder.resolve(), cluster="slurm", slurm_max_num_timeout=10**6)
        executor.update_parameters(
            name=self.config.hydra.job.name,
            timeout_min=settings["minutes"],
            # on one node the leading process starts the others; over several nodes Slurm starts all of them
            nodes=trainer.nodes,
            tasks_per_node=trainer.devices if trainer.nodes > 1 else 1,
            cpus_per_task=settings["cpus"],
            gpus_per_node=settings["gpus"] or None,
            **({} if settings["memory_gb"] is None else {"mem_gb": settings["memory_gb"]}),
            stderr_to_stdout=True,
            slurm_partition=settings["partition"],
            slurm_account=settings["account"],
            slurm_qos=settings["qos"],
            slurm_constraint=settings["constraint"],
            # the arrays share what is allowed at the same time
            slurm_array_parallelism=max(1, settings["throttle"] // len(parts)) if settings["throttle"] else size,
            slurm_signal_delay_s=settings["signal_seconds"],
            # a job runs the source code that submitted it, installed or not
            slurm_setup=[*settings["setup"], f"export PYTHONPATH={shlex.quote(str(SOURCE))}:$PYTHONPATH"],
            slurm_additional_parameters={"requeue": True, **(settings["extra"] or {})},
        )
        jobs: list[str] = []
        try:
            for part in parts:
                singletons = [Singleton.get_state()] * len(part)
                submitted = executor.map_array(self, part.values(), part, singletons)
                for cell, job in zip(part.values(), submitted, strict=True):
                    jobs.append(str(job.job_id))
                    write_atomic(_note(cell.folder), lambda file: file.write(jobs[-1].encode()))
        except FailedJobError as error:
            queued = f"; {len(jobs)} of {len(cells)} were submitted, and the same command adds the others"
            raise RunError(f"Slurm refuses the jobs: {line(error)}{queued if jobs else ''}") from error
        return jobs

    def _wait(self, cells: dict[int, Spec], jobs: dict[int, str], board: Board) -> dict[int, JobReturn]:
        """Show progress until no job is queued or running, and return how each cell ended."""
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


def _note(folder: Path) -> Path:
    """Return the file that names the job of a run folder's cell."""
    return folder.parent / ".slurm" / f"{folder.name}.job"


def _noted(spec: Spec) -> str | None:
    return _note(spec.folder).read_text() if _note(spec.folder).exists() else None


def _log(spec: Spec, job: str) -> Path:
    """Return the file to which submitit and Slurm write a cell's output."""
    return spec.folder.parent / ".slurm" / f"{job}_0_log.out"


def _same_command() -> str:
    """Return the command that waits for the jobs and finishes what is missing."""
    return shlex.join(["python", *(word for word in sys.argv if not word.startswith("cluster.detach="))])
