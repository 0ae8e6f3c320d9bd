"""The order of training batches, as a pure function of seed, epoch and position: nothing to save or restore."""

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

    `set_epoch` is called by Lightning before each epoch; `start_at` makes the first epoch begin in its middle,
    after a resume.
    """

    def __init__(self, size: int, batch_size: int, seed: int) -> None:
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.epoch, self.start = 0, 0

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
        order = torch.randperm(self.size, generator=generator)
        for batch in range(start, len(self)):
            yield epoch, order[batch * self.batch_size : (batch + 1) * self.batch_size]
