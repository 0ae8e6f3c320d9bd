"""Signals set a flag that training reads between batches, so that no signal interrupts the writing of a checkpoint.

TERM, USR1 and USR2 (sent by clusters), HUP (the terminal was closed) and INT (Ctrl-C) set the flag; a second Ctrl-C
stops at once. A HUP that is ignored stays so: nohup asks for it. Only the process that installed the handlers reacts:
forked data workers leave the decision to it. Where nobody reads the flag, because training waits for something that
does not come, the process ends nevertheless (watch.py).
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any

from coatlab.errors import Stopped
from coatlab.process.watch import Watch

STOPPING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
WAIT_SECONDS = 10  # that a signal leaves to whatever the main thread waits for


class Signals:
    """A context that notes the first stopping signal in `received`, and restores the old handlers at its end.

    Args:
        watched: whether a thread ends the process if its main thread does not react.
    """

    def __init__(self, watched: bool = False) -> None:
        self.received: int | None = None
        self._watched = watched
        self._watch: Watch | None = None
        self._pid = os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        self.arm(*STOPPING)
        self._watch = Watch((*STOPPING, signal.SIGINT)) if self._watched else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._watch is not None:
            self._watch.stop()

    def arm(self, *numbers: int) -> None:
        """Install our handlers; called again after a library has installed its own."""
        for number in _heard(numbers):
            before = signal.signal(number, self._handle)
            self._before.setdefault(number, before)

    def stop_if_received(self) -> None:
        """Raise Stopped if a signal has been received.

        Raises:
            Stopped: with the signal's number.
        """
        if self.received is not None:
            raise Stopped(self.received)

    def stop_if_waiting(self, seconds: float) -> None:
        """Raise Stopped if a signal has been received and what was waited for has not come for some seconds.

        Raises:
            Stopped: with the signal's number.
        """
        if seconds >= WAIT_SECONDS:
            self.stop_if_received()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            return
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is None:
            self.received = number
        if number == signal.SIGINT:
            with contextlib.suppress(OSError):  # Ctrl-C may also have ended `| tee`, which read our output
                os.write(sys.stderr.fileno(), b"\nsaving the run's state; Ctrl-C again stops at once\n")


def raise_when_signalled() -> None:
    """From now on raise Stopped as soon as a stopping signal arrives, except inside a `Signals` context.

    For jobs that we start: before and after training there is no state to save, so a signal can end them at once.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    for number in _heard(STOPPING):
        signal.signal(number, handle)


def _heard(numbers: Iterable[int]) -> list[int]:
    """Return signals without a HUP that is ignored."""
    return [each for each in numbers if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
