"""One Slurm for all tests of this folder, and the command line on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commandline import CommandLine
from tests.slurm.cluster import Cluster, why_not


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
    command = CommandLine(tmp_path)
    command.environment |= {key: slurm.environment[key] for key in ("SLURM_CONF",)}
    yield command
    slurm.cancel_all()
    print(slurm.story())  # shown by pytest only where the test failed
