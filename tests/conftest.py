"""Fixtures that tests share, and hypothesis without surprises."""

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

# Before torch is imported: the workers share the cores, and several threads of each would wait for one another at every
# operation.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# minutes each: one core begins with them, so that no core is left alone with one at the end
LONG = (
    "tests/cluster/slurm/test_sweeps.py",
    "tests/sweep/test_sweeper.py",
    "tests/test_readme.py",
    "tests/training/test_resume.py",
)


def pytest_xdist_auto_num_workers() -> int:
    """One more than cores: tests that wait for Slurm or W&B's service leave theirs idle about half of the time."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(name) if (name := item.nodeid.partition("::")[0]) in LONG else len(LONG))


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the account for W&B of whoever runs the tests: nothing of them is sent there."""
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
    """Mount a disk of a given size; only root may."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(size: str) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "coatlab-test", str(disk)], check=True)
        return disk

    yield mount
    subprocess.run(["umount", str(disk)], check=True)
