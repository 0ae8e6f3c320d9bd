"""The last resort: a thread that ends this process where its main thread does not react to a signal.

Python runs signal handlers in the main thread, between two instructions. A main thread that is stuck in the code of a
library, waiting for a process on another machine, say, never runs them.
"""

import os
import signal
import threading
import time
from collections.abc import Sequence
from select import select

STOP_SECONDS = 300  # from a signal that asks to stop: a step and a checkpoint of the largest network fit in
AGAIN_SECONDS = 5  # from a second Ctrl-C
END = b"\0"  # no signal has this number


class Watch:
    """Ends the process some time after one of `numbers` has come, unless `stop` is called before."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = frozenset(numbers)
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch; in a forked process, which has no such thread, only let go of its files.

        The thread is told to: that a pipe is closed shows at its other end only once forked processes, such as those
        that prepare batches, have closed it as well.
        """
        signal.set_wakeup_fd(self._before)
        if os.getpid() == self._pid:
            os.set_blocking(self._writer, True)
            os.write(self._writer, END)
            self._thread.join()
        os.close(self._writer)
        os.close(self._reader)

    def _run(self) -> None:
        end, interrupts, last = float("inf"), 0, 0
        while True:
            left = None if end == float("inf") else max(0.0, end - time.monotonic())
            if not select([self._reader], [], [], left)[0]:
                _end_process(last)
            numbers = os.read(self._reader, 64)
            if END in numbers:
                return
            for number in self._numbers.intersection(numbers):
                last = number
                interrupts += numbers.count(number) if number == signal.SIGINT else 0
                end = min(end, time.monotonic() + (AGAIN_SECONDS if interrupts > 1 else STOP_SECONDS))


def _end_process(number: int) -> None:
    name = signal.Signals(number).name
    text = f"no reaction to {name}: stopped at once; the same command resumes from the last checkpoint\n"
    os.write(2, text.encode())
    os._exit(128 + number)


def _leave_watch_to_the_parent() -> None:
    """In a forked process: its signals are not the parent's."""
    if threading.current_thread() is threading.main_thread():
        signal.set_wakeup_fd(-1)


os.register_at_fork(after_in_child=_leave_watch_to_the_parent)
