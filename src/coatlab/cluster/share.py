"""How cells share a machine: how many run at the same time, with how many threads, on which GPU.

On a CPU small runs are fastest with one thread each: two runs of one thread side by side take 1/1.15 of the time of two
runs of two threads, one after the other. On GPUs every cell sees one GPU, and several share it (gpus.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from coatlab.process.machine import GPU_CELLS


@dataclass(frozen=True)
class Share:
    """Cells at the same time, CPU threads of each, and the GPU of each place; "" for no restriction."""

    jobs: int
    threads: int
    gpus: tuple[str, ...]

    def environment(self, place: int) -> dict[str, str]:
        """Return the environment variables of a cell in a place: which GPU it sees, and how many cells share it."""
        gpu = self.gpus[place]
        return {"CUDA_VISIBLE_DEVICES": gpu, GPU_CELLS: str(self.gpus.count(gpu))} if gpu else {}


def share(cells: int, cores: int, gpus: Sequence[str], *, jobs: int | None, per_gpu: int, threads: int | None) -> Share:
    """Share cores and GPUs among cells.

    Args:
        cells: how many there are to run.
        cores: available to this process.
        gpus: their names, as in CUDA_VISIBLE_DEVICES; empty: train on the CPU.
        jobs: cells at the same time, if the user has set it.
        per_gpu: cells that share a GPU.
        threads: of each cell, if the user has set it.
    """
    places = jobs or (len(gpus) * per_gpu if gpus else max(cores // (threads or 1), 1))
    places = min(places, cells)
    names = tuple(gpus[place % len(gpus)] for place in range(places)) if gpus else ("",) * places
    return Share(places, threads or max(cores // places, 1), names)
