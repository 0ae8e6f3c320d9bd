"""One Slurm for all tests of this folder, and the command line on it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm.cluster import Cluster, why_not
from tests.support.commandline import CommandLine, kill


class Commands(CommandLine):
    """Command lines that do not outlive a test that failed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *overrides: str, tiny: bool = True, **environment: str) -> subprocess.Popen[str]:
        self.started.append(super().start(*overrides, tiny=tiny, **environment))
        return self.started[-1]


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if reason := why_not():
        pytest.skip(reason)
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def on_slurm(slurm: Cluster, tmp_path: Path) -> Iterator[CommandLine]:
    """Give the command line on the cluster; no job of the test outlives it."""
    command = Commands(tmp_path)
    command.environment["SLURM_CONF"] = slurm.environment["SLURM_CONF"]
    yield command
    for process in command.started:
        if process.poll() is None:
            kill(process)
    print(slurm.story())  # shown by pytest only where the test failed
    slurm.cancel_all()
