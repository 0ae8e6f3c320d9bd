"""Output that may lose its reader: a terminal that is closed, `| tee` that was killed. Training goes on without it.

A run in the background of a terminal (`disown`, `setsid`) gets no signal when that is closed, but an error at the next
line that it prints, hours later perhaps.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO

LOST = (errno.EIO, errno.EPIPE)


class _Lasting(io.FileIO):
    """A file that becomes /dev/null once nobody reads it any more."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in LOST:
                raise
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), self.fileno())
            return len(data)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Within it, neither standard output nor standard error fails for want of a reader."""
    with ExitStack() as both:
        both.enter_context(redirect_stdout(_lasting(sys.stdout)))
        both.enter_context(redirect_stderr(_lasting(sys.stderr)))
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


def _lasting(stream: TextIO) -> TextIO:
    """Return a stream to the same file; one that is none, as a notebook's, as it is."""
    buffer = getattr(stream, "buffer", None)
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(getattr(buffer, "raw", buffer), io.FileIO):
        return stream
    stream.flush()
    file = _Lasting(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        file if isinstance(buffer, io.FileIO) else io.BufferedWriter(file),  # the first with python -u
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
