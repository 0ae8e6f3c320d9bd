"""A layer between Python and the system in which one call fails, or is the last that happens."""

import builtins
import errno
import io
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Failing:
    """Which call fails, and how.

    Attributes:
        call: `replace`, `fsync`, `open`, or `write` to a binary file.
        left: the how-manieth of these calls fails, of those that concern files below `folder`.
        how: the name of an error number, as ENOSPC; or `kill`: the process is killed there, in the middle of a write.
        folder: of which files.
    """

    call: str
    left: int
    how: str
    folder: Path

    def install(self) -> None:
        """From now on look at every call, in this process."""
        if self.call in ("open", "write"):
            builtins.open = self._opening(builtins.open)  # type: ignore[assignment]
        else:
            setattr(os, self.call, self._calling(getattr(os, self.call)))

    def _opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        failing = self

        class Raw(io.FileIO):
            def write(self, data: Any) -> int:
                failing._count(lambda: io.FileIO.write(self, bytes(data)[: len(data) // 2]))
                return super().write(data)

        def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            ours = isinstance(file, str | Path) and Path(file).is_relative_to(self.folder)
            if ours and self.call == "open":
                self._count()
            if ours and self.call == "write" and "b" in mode and "r" not in mode:
                raw = Raw(file, mode.replace("b", ""))
                return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return real(file, mode, *arguments, **named)

        return opened

    def _calling(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(first: Any, *arguments: Any, **named: Any) -> Any:
            path = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else first
            if Path(path).is_relative_to(self.folder):
                self._count()
            return real(first, *arguments, **named)

        return called

    def _count(self, half: Callable[[], object] = lambda: None) -> None:
        self.left -= 1
        if self.left:
            return
        if self.how == "kill":
            half()
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self.how)
        raise OSError(number, os.strerror(number))
