"""The code version, packages and hardware of this process, for the record of a run."""

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "lightning", "torchmetrics", "hydra-core", "omegaconf", "wandb", "numpy")


def code_version() -> dict[str, Any]:
    """Return coatlab's version; in a checkout also the commit, and whether files differ from it (`dirty`)."""
    folder = Path(__file__).resolve().parent
    commit = _git(folder, "rev-parse", "HEAD")
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


def processor() -> dict[str, Any]:
    """Return the CPU's name and the cores that this process may use."""
    return {"cpu": _cpu_name(), "cores": cores(), "machine": platform.machine(), "host": platform.node()}


def _cpu_name() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
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
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
