"""The lock of a run folder: who holds it, and taking it for the life of this process.

The lock is the kernel's: it goes with the process, also on kill -9.
"""

import fcntl
import os
import socket
import struct
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from coatlab.errors import Held
from coatlab.output.text import shown

_FLOCK = "qqihh" if sys.platform == "darwin" else "hhqqi"  # struct flock, in C's alignment


_FLOCK_TYPE = 3 if sys.platform == "darwin" else 0  # where l_type stands in it


def holder(folder: Path) -> str | None:
    """Return who holds the folder's lock, or None. The lock is only queried, which never blocks another process."""
    try:
        # POSIX: closing any handle of the file drops the locks that this very process holds on it
        with open(folder / ".lock", encoding="utf-8") as lock:
            asked = struct.pack(_FLOCK, *((0, 0, 0, fcntl.F_WRLCK, 0) if _FLOCK_TYPE else (fcntl.F_WRLCK, 0, 0, 0, 0)))
            answer = struct.unpack(_FLOCK, fcntl.fcntl(lock, fcntl.F_GETLK, asked))
            return None if answer[_FLOCK_TYPE] == fcntl.F_UNLCK else lock.read().strip() or "another process"
    except FileNotFoundError:
        return None


def take_lock(folder: Path, wait: bool) -> IO[str]:
    """Lock the folder for this process's life, and say in the lock file who holds it."""
    lock = open(folder / ".lock", "a+", encoding="utf-8")  # noqa: SIM115 (held as long as the run)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either; other errors come from file systems without locks
        lock.seek(0)
        other = lock.read().strip() or "another process"
        if not wait:
            lock.close()
            raise Held(
                f"{shown(folder)} is being run by {other}; wait for it, or stop it and run the same command again"
            ) from None
        print(f"waiting for {shown(folder)}, which is being run by {other}", file=sys.stderr)
        fcntl.lockf(lock, fcntl.LOCK_EX)
    if not _is_there(lock, folder):  # its holder has removed the folder: what was locked is no longer the lock
        lock.close()
        folder.mkdir(parents=True, exist_ok=True)
        return take_lock(folder, wait)
    lock.seek(0)
    lock.truncate()
    lock.write(f"process {os.getpid()} on {socket.gethostname()} since {now()}")
    lock.flush()
    return lock


def _is_there(lock: IO[str], folder: Path) -> bool:
    """Tell whether an open file is still the folder's lock."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), os.stat(folder / ".lock"))
    except FileNotFoundError:
        return False


def now() -> str:
    """Return the time as records have it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
