"""The code version, packages and hardware of this process, for the record of a run."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# they would lead git to another repository, where a command of ours is run by a hook of git's
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
# a checkout of somebody else's is read as well: its code is running already
FOREIGN = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false")
PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "omegaconf", "wandb", "numpy")

GPU_CELLS = "COATLAB_GPU_CELLS"  # environment variable: by it a launcher tells a cell how many share its GPU


def code_version(file: Path = Path(__file__)) -> dict[str, Any]:
    """Return coatlab's version; in a checkout also the commit, and whether files differ from it (`dirty`).

    Args:
        file: one of coatlab's own. Where it is installed below a checkout of something else, that does not know it.
    """
    folder = file.resolve().parent
    known = _git(folder, "ls-files", "--error-unmatch", file.name)
    commit = _git(folder, "rev-parse", "HEAD") if known else None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no") if commit else None
    return {"version": _version("coatlab"), "commit": commit, "dirty": None if changes is None else bool(changes)}


def software() -> dict[str, Any]:
    """Return the versions of Python, of the system, and of the packages that can change a result."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {package: _version(package) for package in PACKAGES},
    }


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def asked_threads() -> int | None:
    """Return how many threads OMP_NUM_THREADS asked for when this was first called; None: it asks for none."""
    return _count(os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip())


def gpu_cells() -> int:
    """Return how many cells share the GPU of this process at the same time, as its launcher has said."""
    return _count(os.environ.get(GPU_CELLS, "")) or 1


def processor() -> dict[str, Any]:
    """Return the CPU's name and the cores that this process may use."""
    return {"cpu": _cpu_name(), "cores": cores(), "machine": platform.machine(), "host": platform.node()}


def _count(text: str) -> int | None:
    """Return the number that a text is, if it is a whole one above 0."""
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None


def _cpu_name() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *FOREIGN, *words],
            cwd=folder,
            env={key: value for key, value in os.environ.items() if key not in ELSEWHERE},
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
