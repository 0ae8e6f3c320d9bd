"""One cell in a process of its own: forked, so that torch is imported once for a whole sweep.

The process leads its own session, so that Ctrl-C reaches only the launcher, which then asks every cell to save and
stop. It dies with the launcher, whatever kills that: on Linux the kernel sees to it. What it prints goes to a log file
beside the run folders. Its exit code is that of the same run by hand.
"""

import multiprocessing
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from hydra.types import HydraContext
from omegaconf import DictConfig

from coatlab.cli import one_sentence_errors
from coatlab.cluster.job import error_of, run_under_hydra
from coatlab.errors import Held
from coatlab.process.parent import die_with_parent
from coatlab.process.signals import STOPPING
from coatlab.runs.spec import Spec


class CellProcess:
    """A running cell: `sentinel` becomes ready when it ends."""

    def __init__(self, spec: Spec, place: int, log: Path, process: BaseProcess) -> None:
        self.spec, self.place, self.log, self._process = spec, place, log, process
        self._printed_before = log.stat().st_size

    @classmethod
    def start(
        cls, spec: Spec, number: int, context: HydraContext, master: DictConfig, *, place: int, gpu: str
    ) -> "CellProcess":
        """Fork the process of a cell.

        Args:
            spec: what it runs.
            number: of the job.
            context, master: Hydra's, and the sweep's config.
            place: which of the places of this machine it takes.
            gpu: the only one that it sees; "" to leave that as it is.
        """
        log = log_file(spec)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        arguments = (spec, number, context, master, log, gpu, os.getpid())
        process = multiprocessing.get_context("fork").Process(target=_work, args=arguments, name=spec.folder.name)
        running = cls(spec, place, log, process)
        # until the process has handlers of its own, the launcher's would swallow what asks it to stop
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return running

    @property
    def sentinel(self) -> int:
        """Return what multiprocessing.connection.wait takes."""
        return int(self._process.sentinel)

    @property
    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.is_alive()

    def stop(self) -> None:
        """Ask it to save its state and end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it and everything it started, at once."""
        if self._process.pid is not None and self.alive:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:  # it has not come to lead its session yet
                self._process.kill()
        self._process.join()

    def ended(self) -> str:
        """Say in words how it ended."""
        code = self._process.exitcode
        assert code is not None
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def printed(self) -> str:
        """Return what this attempt printed."""
        return self.log.read_bytes()[self._printed_before :].decode(errors="replace")


def log_file(spec: Spec) -> Path:
    """Return where a cell's output goes, attempt after attempt: runs/.logs/<name of the run folder>.log."""
    return spec.folder.parent / ".logs" / f"{spec.folder.name}.log"


def _work(
    spec: Spec, number: int, context: HydraContext, master: DictConfig, log: Path, gpu: str, launcher: int
) -> None:
    """Run a cell in the forked process."""
    os.setsid()
    die_with_parent(launcher)
    for stopping in STOPPING:  # until training takes them there is nothing to save
        signal.signal(stopping, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    with open(os.devnull) as nothing, open(log, "ab") as output:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 (a line at a time, for as long as it lives)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    with one_sentence_errors():
        error = error_of(run_under_hydra(context, master, spec, number, alone=True))
        if isinstance(error, Held):
            print(error, file=sys.stderr)  # another sweep was faster: the run is left to it
        elif error is not None:
            raise error
