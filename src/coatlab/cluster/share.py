"""How a machine is shared by cells: how many at the same time, threads for each, a GPU for each.

On a CPU small runs pack best with one thread each: two runs of one thread are about 1.15 times as fast as one run of
two threads after the other. On GPUs every cell sees one GPU; small networks leave room for several (cluster.per_gpu).
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Cells at the same time, CPU threads of each, and the GPU of each place; "" where it sees none or all."""

    jobs: int
    threads: int
    gpus: tuple[str, ...]


def share(cells: int, cores: int, gpus: Sequence[str], *, jobs: int | None, per_gpu: int, threads: int | None) -> Share:
    """Share cores and GPUs among cells.

    Args:
        cells: how many there are to run.
        cores: that this process may use.
        gpus: their names, as CUDA_VISIBLE_DEVICES has them; empty: the CPU trains.
        jobs: cells at the same time, if the user says so.
        per_gpu: cells that share a GPU.
        threads: of each cell, if the user says so.
    """
    places = jobs or (len(gpus) * per_gpu if gpus else max(cores // (threads or 1), 1))
    places = min(places, cells)
    names = tuple(gpus[place % len(gpus)] for place in range(places)) if gpus else ("",) * places
    return Share(places, threads or max(cores // places, 1), names)


def visible_gpus() -> list[str]:
    """List the GPUs that CUDA would show, without torch: CUDA_VISIBLE_DEVICES, or all that the driver names."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(n) for n in range(sum(line.startswith("GPU ") for line in listed.stdout.splitlines()))]
