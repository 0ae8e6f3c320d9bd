"""One cell in a process of its own: forked, so that torch is imported once for a whole sweep.

The process leads its own session, so that Ctrl-C reaches only the launcher, which then asks every cell to save and
stop. On Linux the kernel kills it when the launcher dies, for whatever reason. Its output goes to a log file beside the
run folders. Its exit code is the one that the same run has when it is started by hand.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

from hydra.types import HydraContext
from omegaconf import DictConfig

from coatlab.cli import one_sentence_errors
from coatlab.cluster.job import run_alone
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
        cls,
        spec: Spec,
        number: int,
        context: HydraContext,
        master: DictConfig,
        *,
        place: int,
        environment: Mapping[str, str],
    ) -> "CellProcess":
        """Fork the process of a cell.

        Args:
            spec: what it runs.
            number: of the job.
            context, master: Hydra's, and the sweep's config.
            place: which of the places of this machine it takes.
            environment: variables that it has besides those of the launcher.
        """
        log = log_file(spec)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        arguments = (spec, number, context, master, log, environment, os.getpid())
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
        """A handle for multiprocessing.connection.wait."""
        return int(self._process.sentinel)

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self._process.is_alive()

    def stop(self) -> None:
        """Ask it to save its state and stop."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill it and everything that it has started."""
        if self._process.pid is not None and self.alive:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:  # it does not lead its session yet
                self._process.kill()
        self._process.join()

    def ended(self) -> str:
        """Return in words how it ended."""
        code = self._process.exitcode
        assert code is not None
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def printed(self) -> str:
        """Return what this attempt has printed."""
        return self.log.read_bytes()[self._printed_before :].decode(errors="replace")


def log_file(spec: Spec) -> Path:
    """Return the file that collects a cell's output over all attempts: runs/.logs/<name of the run folder>.log."""
    return spec.folder.parent / ".logs" / f"{spec.folder.name}.log"


def _work(
    spec: Spec,
    number: int,
    context: HydraContext,
    master: DictConfig,
    log: Path,
    environment: Mapping[str, str],
    launcher: int,
) -> None:
    """Run a cell in the forked process."""
    os.setsid()
    die_with_parent(launcher)
    for stopping in STOPPING:  # until training handles them there is nothing to save
        signal.signal(stopping, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    with open(os.devnull, encoding="utf-8") as nothing, open(log, "ab") as output:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115 (line by line, for the life of the process)
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.update(environment)
    with one_sentence_errors():
        run_alone(context, master, spec, number)
