"""Signals as a flag that training reads between batches, so that a checkpoint is never cut in its middle.

TERM, USR1 and USR2 (clusters) and INT (Ctrl-C) set the flag; a second Ctrl-C stops at once. Only the process
that armed them reacts: forked data workers leave the decision to it.
"""

import contextlib
import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any

from coatlab.errors import Stopped

STOPPING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Signals:
    """A context that records the first stopping signal in `received`, and restores the old handlers at its end."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._pid = os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        self.arm(*STOPPING)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def arm(self, *numbers: int) -> None:
        """Take the handlers; again after a library has put its own in their place."""
        for number in numbers:
            before = signal.signal(number, self._handle)
            self._before.setdefault(number, before)

    def stop_if_received(self) -> None:
        """Raise Stopped if a signal has come.

        Raises:
            Stopped: with the signal's number.
        """
        if self.received is not None:
            raise Stopped(self.received)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            return
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is None:
            self.received = number
        if number == signal.SIGINT:
            with contextlib.suppress(OSError):  # nobody reads any more: Ctrl-C has ended `| tee`, too
                os.write(sys.stderr.fileno(), b"\nsaving the run's state; Ctrl-C again stops at once\n")


def raise_when_signalled() -> None:
    """Raise Stopped at once on a stopping signal, from now on and wherever `Signals` is not in charge.

    For a job whose own end is ours to decide: before and after training there is no state to be saved.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    for number in STOPPING:
        signal.signal(number, handle)
