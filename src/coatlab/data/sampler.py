"""The order of training batches, as a pure function of seed, epoch and position: nothing to save or restore."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

# Large primes keep the streams of (seed, epoch) apart without a table of used seeds.
SEED_STRIDE = 1_000_003


class EpochBatches(Sampler[tuple[int, Tensor]]):
    """Yield (epoch, indices) for each full batch of a shuffled epoch; a last partial batch is dropped.

    Args:
        size: number of images.
        batch_size: images a batch.
        seed: the run's seed.
        chunks: lengths of consecutive parts of the set that lie together on a disk; None: it does not matter.
        at_once: how many of these are shuffled together.

    `set_epoch` is called by Lightning before each epoch; `start_at` makes the first epoch begin in its middle,
    after a resume.
    """

    def __init__(self, size: int, batch_size: int, seed: int, chunks: Tensor | None = None, at_once: int = 1) -> None:
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.chunks, self.at_once = chunks, at_once
        self.epoch, self.start = 0, 0
        self.rank, self.ranks = 0, 1

    def share(self, rank: int, ranks: int) -> None:
        """Yield only this process's part of every batch: each `ranks`-th image, so that parts have equal sizes."""
        self.rank, self.ranks = rank, ranks

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration yields."""
        self.epoch = epoch

    def start_at(self, epoch: int, batch: int) -> None:
        """Let the next iteration, and only that one, begin at `batch` of `epoch`."""
        self.epoch, self.start = epoch, batch

    def __len__(self) -> int:
        return self.size // self.batch_size

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        epoch, start, self.start = self.epoch, self.start, 0
        generator = torch.Generator().manual_seed(self.seed * SEED_STRIDE + epoch)
        order = self._order(generator)
        for batch in range(start, len(self)):
            whole = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield epoch, whole[self.rank :: self.ranks]

    def _order(self, generator: torch.Generator) -> Tensor:
        """Shuffle the whole set; or its chunks, and then the images of some chunks at a time."""
        if self.chunks is None:
            return torch.randperm(self.size, generator=generator)
        parts = torch.arange(self.size).split(self.chunks.tolist())
        shuffled = [parts[place] for place in torch.randperm(len(parts), generator=generator).tolist()]
        groups = [torch.cat(shuffled[first : first + self.at_once]) for first in range(0, len(parts), self.at_once)]
        return torch.cat([group[torch.randperm(len(group), generator=generator)] for group in groups])


class InOrder(Sampler[list[int]]):
    """Yield batches of indices in their order, this process's share of them.

    Every process yields as many batches, so that they stay in step; the last may be empty.

    Args:
        size: number of images.
        batch_size: images a batch.
        rank, ranks: which of how many processes.
    """

    def __init__(self, size: int, batch_size: int, rank: int = 0, ranks: int = 1) -> None:
        self.size, self.batch_size, self.rank, self.ranks = size, batch_size, rank, ranks

    def __len__(self) -> int:
        return math.ceil(math.ceil(self.size / self.ranks) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        mine = range(self.rank, self.size, self.ranks)
        for batch in range(len(self)):
            yield list(mine[batch * self.batch_size : (batch + 1) * self.batch_size])
