"""The Slurm of these tests leaves nothing behind: no daemon, no job, no port."""

import os
import re
from pathlib import Path

import pytest

from tests.cluster.slurm.cluster import Cluster, answers

pytestmark = pytest.mark.external


def test_nothing_outlives_a_cluster(slurm: Cluster, tmp_path: Path) -> None:
    other = Cluster(tmp_path)  # a second one, beside that of the other tests
    try:
        other.start()
        ports = [int(port) for port in re.findall(r"Port=(\d+)", (tmp_path / "slurm.conf").read_text())]
        assert all(map(answers, ports))
        started = belonging(tmp_path)
        assert len(started) >= 7  # munged, mariadbd, slurmdbd, slurmctld, three slurmd
        other.ask("sbatch", "--output=/dev/null", "--wrap=sleep 600")
    finally:
        other.stop()
    assert belonging(tmp_path) == {}
    assert not any(map(answers, ports))
    assert set(slurm.ask("sinfo", "--noheader", "--format=%T").split()) == {"idle"}


def belonging(folder: Path) -> dict[int, str]:
    """Return the processes whose command or environment names a folder."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue  # it has ended
        if str(folder).encode() in words and int(process.name) != os.getpid():
            found[int(process.name)] = words[:100].decode(errors="replace")
    return found
