"""Fixtures that tests share, and settings that make hypothesis deterministic."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.commandline import REPOSITORY, CommandLine

MountDisk = Callable[[str], Path]

settings.register_profile("coatlab", deadline=None, derandomize=True)
settings.load_profile("coatlab")

# Set before torch is imported: the test workers share the cores, and if each had several threads, these would wait for
# one another at every operation.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# these take minutes each and are started first, so that no core is still busy with one when all others are done
LONG = (
    "tests/cluster/slurm/test_sweeps.py",
    "tests/sweep/test_sweeper.py",
    "tests/test_readme.py",
    "tests/training/test_resume.py",
)


def pytest_xdist_auto_num_workers() -> int:
    """Return one more than there are cores: tests that wait for Slurm or W&B leave a core idle half of the time."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(name) if (name := item.nodeid.partition("::")[0]) in LONG else len(LONG))


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the W&B account of whoever runs the tests, so that nothing is sent to it."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", "/nowhere/netrc")


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[MountDisk]:
    """Return a function that mounts a disk of a given size; needs root."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(size: str) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "coatlab-test", str(disk)], check=True)
        return disk

    yield mount
    subprocess.run(["umount", str(disk)], check=True)
