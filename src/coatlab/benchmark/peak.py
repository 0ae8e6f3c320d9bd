"""What a machine can do at best: multiply-adds in a large matrix product, and bytes copied between large arrays."""

from dataclasses import dataclass

import torch

from coatlab.benchmark.paired import measure

SIDE = 2048  # of the matrices
COPIED = 2**26  # bytes: more than the caches that a process can expect to itself
ROUNDS = 5


@dataclass(frozen=True)
class Peak:
    """Multiply-adds and bytes per second; a copied byte counts twice, as it is read and written."""

    macs: float
    bytes: float


def find_peak(device: torch.device, side: int = SIDE, copied: int = COPIED) -> Peak:
    """Measure both in float32: the best of a few rounds, since nothing makes a machine faster than it is."""
    one, other = torch.rand(2, side, side, device=device)
    array = torch.empty(copied // 4, device=device)
    target = torch.empty_like(array)
    jobs = {"product": lambda: one @ other, "copy": lambda: target.copy_(array)}
    best = measure(jobs, ROUNDS, device).min()
    return Peak(side**3 / best["product"], 2 * copied / best["copy"])
