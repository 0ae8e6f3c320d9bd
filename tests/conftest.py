"""Fixtures that tests share, and settings that make hypothesis deterministic."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import small_images
from tests.support.commandline import REPOSITORY, CommandLine
from tests.support.composing import keep_composed_configs
from tests.support.disk import SmallDisk
from tests.support.tiers import Guard, add_markers, is_quick

settings.register_profile("coatlab", deadline=None, derandomize=True)
settings.load_profile("coatlab")

# Set before torch is imported: the test workers share the cores, and if each had several threads, these would wait for
# one another at every operation.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# these take minutes each and are started first, so that no core is still busy with one when all others are done
LONG = (
    "tests/test_readme.py",
    "tests/cluster/slurm/test_sweeps.py",
    "tests/cluster/slurm/test_processes.py",
    "tests/sweep/test_sweeper.py",
    "tests/training/test_resume.py",
    "tests/budget/test_sizes.py",
    "tests/training/distributed/test_leader.py",
    "tests/test_train.py",
)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Guard())
    keep_composed_configs()


def runs_tests(config: pytest.Config) -> bool:
    """Return whether tests run in this process, or only in the worker processes that it starts."""
    return not getattr(config.option, "dist", None) or config.option.dist == "no" or hasattr(config, "workerinput")


def pytest_sessionstart(session: pytest.Session) -> None:
    if runs_tests(session.config) and not session.config.option.collectonly:
        small_images.write()


def pytest_unconfigure(config: pytest.Config) -> None:
    if small_images.OURS:
        shutil.rmtree(small_images.FOLDER, ignore_errors=True)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of cores, and one more where tests wait for Slurm or W&B half of the time."""
    return len(os.sched_getaffinity(0)) + ("not slow" not in config.option.markexpr)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    add_markers(items)
    items.sort(key=lambda item: LONG.index(name) if (name := item.nodeid.partition("::")[0]) in LONG else len(LONG))


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the W&B account of whoever runs the tests, so that nothing is sent to it."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", "/nowhere/netrc")


@pytest.fixture(autouse=True)
def no_git(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the commit out of the records of quick tests: finding it starts git."""
    if is_quick(request.node):
        monkeypatch.setattr("coatlab.process.machine._git", lambda folder, *words: None)


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """Return the small disk that `.ci/prepare` has mounted; one test at a time has it."""
    place = os.environ.get("COATLAB_SMALL_DISK")
    if not place:
        pytest.skip('no small disk; as root: eval "$(.ci/prepare)" mounts one and says where it is')
    with open(Path(place) / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of the other processes that run tests
        _empty(Path(place) / "disk")
        yield SmallDisk(Path(place))
        _empty(Path(place) / "disk")


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
