"""The order of training batches: it depends only on seed, epoch and position, so that a resume needs no saved state."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

# A large prime keeps the random streams of different (seed, epoch) apart.
SEED_STRIDE = 1_000_003


class EpochBatches(Sampler[tuple[int, Tensor]]):
    """Yield (epoch, indices) for each full batch of a shuffled epoch; a last, smaller batch is dropped.

    Lightning calls `set_epoch` before each epoch. After a resume, `start_at` makes the first epoch begin in the middle.

    Args:
        size: number of images.
        batch_size: images per batch.
        seed: the run's seed.
        chunks: lengths of the consecutive parts of the set that are stored together, such as shards; None: images are
            shuffled without regard to where they are.
        at_once: how many chunks are shuffled together.
    """

    def __init__(self, size: int, batch_size: int, seed: int, chunks: Tensor | None = None, at_once: int = 1) -> None:
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.chunks, self.at_once = chunks, at_once
        self.epoch, self.start = 0, 0
        self.rank, self.ranks = 0, 1
        self.limit: int | None = None  # batches of an epoch, at most

    def share(self, rank: int, ranks: int) -> None:
        """From now on yield only this process's part of every batch: every `ranks`-th image, beginning at `rank`."""
        self.rank, self.ranks = rank, ranks

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration yields."""
        self.epoch = epoch

    def start_at(self, epoch: int, batch: int) -> None:
        """Let the next iteration, and only that one, begin at `batch` of `epoch`."""
        self.epoch, self.start = epoch, batch

    def __len__(self) -> int:
        whole = self.size // self.batch_size
        return whole if self.limit is None else min(whole, self.limit)

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        epoch, start, self.start = self.epoch, self.start, 0
        generator = torch.Generator().manual_seed(self.seed * SEED_STRIDE + epoch)
        order = self._order(generator)
        for batch in range(start, len(self)):
            whole = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield epoch, whole[self.rank :: self.ranks]

    def _order(self, generator: torch.Generator) -> Tensor:
        """Shuffle the whole set; or shuffle its chunks, and then the images of `at_once` chunks at a time."""
        if self.chunks is None:
            return torch.randperm(self.size, generator=generator)
        parts = torch.arange(self.size).split(self.chunks.tolist())
        shuffled = [parts[place] for place in torch.randperm(len(parts), generator=generator).tolist()]
        groups = [torch.cat(shuffled[first : first + self.at_once]) for first in range(0, len(parts), self.at_once)]
        return torch.cat([group[torch.randperm(len(group), generator=generator)] for group in groups])


class InOrder(Sampler[list[int]]):
    """Yield this process's share of the indices in batches, in order.

    Every process yields the same number of batches, so that they stay in step; its last batch may be empty.

    Args:
        size: number of images.
        batch_size: images per batch.
        rank, ranks: the number of this process, and how many processes there are.
    """

    def __init__(self, size: int, batch_size: int, rank: int = 0, ranks: int = 1) -> None:
        self.size, self.batch_size, self.rank, self.ranks = size, batch_size, rank, ranks

    def __len__(self) -> int:
        return math.ceil(math.ceil(self.size / self.ranks) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        mine = range(self.rank, self.size, self.ranks)
        for batch in range(len(self)):
            yield list(mine[batch * self.batch_size : (batch + 1) * self.batch_size])
