"""No orphans: make a process end when its parent ends, even if the parent is killed."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None) -> None:
    """Make the kernel kill this process when its parent dies. Works on Linux only; elsewhere nothing is done.

    Args:
        parent: the parent's process id. If the parent has died before this call, this process ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)
