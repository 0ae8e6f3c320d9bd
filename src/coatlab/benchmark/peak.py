"""What a machine can do at best: multiply-adds in a large matrix product, and bytes copied between large arrays."""

from dataclasses import dataclass

import torch

from coatlab.benchmark.paired import measure

SIDE = {"cpu": 2048, "cuda": 8192}  # of the matrices
COPIED = {"cpu": 2**26, "cuda": 2**31}  # bytes: more than the caches that a process can expect to itself
ROUNDS = 5


@dataclass(frozen=True)
class Peak:
    """Multiply-adds and bytes per second; a copied byte counts twice, as it is read and written."""

    macs: float
    bytes: float


def find_peak(
    device: torch.device, dtype: torch.dtype = torch.float32, side: int | None = None, copied: int | None = None
) -> Peak:
    """Measure both, products in a precision: the best of a few rounds, since nothing is faster than its machine.

    Args:
        device: what is measured.
        dtype: of the matrices.
        side, copied: of the matrices, and bytes; by default as the device needs.
    """
    side, copied = side or SIDE[device.type], copied or COPIED[device.type]
    one, other = torch.rand(2, side, side, device=device, dtype=dtype)
    array = torch.empty(copied // 4, device=device)
    target = torch.empty_like(array)
    jobs = {"product": lambda: one @ other, "copy": lambda: target.copy_(array)}
    best = measure(jobs, ROUNDS, device).min()
    return Peak(side**3 / best["product"], 2 * copied / best["copy"])
