"""A DataLoader in which no wait is for ever: what fails in a worker arrives as one sentence, and signals are heard.

Of torch itself (2.15), a batch that does not fit into shared memory is lost in a thread of the worker that should send
it, and the training process waits for it for ever.
"""

import multiprocessing
import multiprocessing.queues
import multiprocessing.util
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _BaseDataLoaderIter, _MultiProcessingDataLoaderIter

from coatlab.errors import InputError, RunError
from coatlab.output.text import line
from coatlab.process.parent import die_with_parent
from coatlab.process.signals import STOPPING

LOOK_SECONDS = 1.0
DIED = ("DataLoader worker", "Pin memory thread")  # how torch's sentences about them begin
LESS = "less shared memory is needed with fewer data.workers or a smaller data.batch_size"


class Loader(DataLoader[tuple[Tensor, Tensor]]):
    """A DataLoader of sets that return whole batches.

    Args:
        source: the set.
        on_wait: called about every second while a batch is waited for, with the seconds so far; may raise an exception,
            which ends the workers.
        settings: of torch's DataLoader.
    """

    def __init__(self, source: Dataset[Any], on_wait: Callable[[float], object], **settings: Any) -> None:
        workers = settings.get("num_workers", 0)
        if workers:
            multiprocessing.util.Finalize(None, end_workers, exitpriority=10)
        self.on_wait = on_wait
        super().__init__(
            _Sharing(source) if workers else source, batch_size=None, worker_init_fn=_begin_worker, **settings
        )

    def _get_iterator(self) -> _BaseDataLoaderIter:
        return _Iterator(self) if self.num_workers else super()._get_iterator()


class _Iterator(_MultiProcessingDataLoaderIter):
    """Look for signals between the looks for data."""

    def __init__(self, loader: Loader) -> None:
        self._on_wait, self._waited = loader.on_wait, 0.0
        super().__init__(loader)

    def _try_get_data(self, timeout: float = LOOK_SECONDS) -> tuple[bool, Any]:
        try:
            found: tuple[bool, Any] = super()._try_get_data(LOOK_SECONDS)  # type: ignore[no-untyped-call]
            self._waited = 0.0 if found[0] else self._waited + LOOK_SECONDS
            if not found[0]:
                self._on_wait(self._waited)
        except BaseException:
            end_workers()  # torch would wait five seconds for each
            raise
        return found


class _Sharing(Dataset[Any]):
    """A set in a worker: it puts its batches into shared memory itself, where a failure can be told."""

    def __init__(self, source: Dataset[Any]) -> None:
        self.source = source

    def __getitem__(self, key: Any) -> Any:
        try:
            batch = self.source[key]
            for tensor in batch:
                share(tensor)
        except (InputError, RunError) as error:
            return _Refusal(error)
        return batch


class _Refusal(ExceptionWrapper):
    """An error for the user, which is raised in the training process as it was: torch would add a traceback."""

    def __init__(self, error: InputError | RunError) -> None:
        self.error = error

    def reraise(self) -> None:
        """Raise the error of the worker."""
        raise self.error


def share(tensor: Tensor) -> Tensor:
    """Move a tensor into memory that all processes share.

    Raises:
        RunError: there is not enough.
    """
    try:
        return tensor.share_memory_()
    except (RuntimeError, OSError) as error:
        raise RunError(f"shared memory (/dev/shm) cannot be had ({line(error)}); {LESS}") from error


def worded(error: RuntimeError) -> RunError | None:
    """Word the end of a worker, which torch notices as a RuntimeError; None for other errors."""
    if not str(error).startswith(DIED):
        return None
    return RunError(
        f"a process that prepares batches has ended ({line(error)}); memory may be short: {LESS}; "
        "the same command goes on from the last checkpoint"
    )


def end_workers() -> None:
    """Kill workers that an error left behind. multiprocessing would send TERM, which they ignore, and wait forever."""
    if workers := multiprocessing.active_children():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # otherwise torch reports that a worker died unexpectedly
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join(1)


def _begin_worker(worker: int) -> None:
    """Leave signals, which a cluster or Ctrl-C sends to every process, to the run; leave nothing behind."""
    for number in (*STOPPING, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    # of the thread that sends batches: it would go on with the next one
    multiprocessing.queues.Queue._on_queue_feeder_error = staticmethod(_end_worker)  # type: ignore[attr-defined]


def _end_worker(error: BaseException, lost: object) -> None:
    print(f"a batch could not be sent: {line(error)}", file=sys.stderr, flush=True)
    os._exit(1)
