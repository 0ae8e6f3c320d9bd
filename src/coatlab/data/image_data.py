"""What every source of images shares: batches by index, three sets that are evaluated, normalization on the device.

A source subclasses `ImageData` and says in `make_sets` what can be indexed. Three sets are evaluated: `eval`, held out
and looked at every epoch, so choices may be made on it; `train_eval`, a fixed part of the training images in evaluation
mode; and `test`, looked at once, after training.

B batch, C channels, H rows, W columns.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler

from coatlab.data.sampler import EpochBatches

EVAL_BATCH = 500
Batch = tuple[Tensor, Tensor]


class Indexed(Dataset[Batch], ABC):
    """A set that gives a whole batch at once: no per-image collating."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of images, of an epoch if they never recur."""

    @abstractmethod
    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return the images of an epoch at some indices, and their classes."""

    def __getitem__(self, key: tuple[int, Tensor] | list[int]) -> Batch:
        epoch, indices = key if isinstance(key, tuple) else (0, torch.tensor(key))
        return self.batch(epoch, indices)


class ImageData(L.LightningDataModule, ABC):
    """Train, evaluation and test batches of a source.

    Args:
        seed: order of the training batches.
        name, num_classes, channels: of the source.
        batch_size: images a step.
        workers: processes that prepare batches; 0: the process that trains.
        pad: pixels of border, of value 0, on each side; then images are resized to `image_size` if they differ.
        mean, std: a number a channel, of pixel values in 0..1.
    """

    def __init__(
        self,
        *,
        seed: int,
        name: str,
        batch_size: int,
        num_classes: int,
        channels: int,
        image_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        workers: int = 0,
        pad: int = 0,
    ) -> None:
        super().__init__()
        self.seed, self.name, self.batch_size, self.workers = seed, name, batch_size, workers
        self.num_classes, self.channels, self.pad, self.image_size = num_classes, channels, pad, image_size
        self.mean = torch.tensor(mean).view(1, -1, 1, 1)
        self.std = torch.tensor(std).view(1, -1, 1, 1)
        self.sets: Mapping[str, Indexed] = {}

    @abstractmethod
    def make_sets(self) -> Mapping[str, Indexed]:
        """Return `train`, `eval`, `train_eval` and `test`; each source says how."""

    def facts(self) -> dict[str, Any]:
        """Return what the record says of the images beside the config."""
        return {}

    def setup(self, stage: str | None = None) -> None:
        """Make the sets; called by Lightning before each stage, and does nothing the second time."""
        if self.sets:
            return
        self.sets = self.make_sets()
        self.batches = EpochBatches(len(self.sets["train"]), self.batch_size, self.seed)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return full batches in an order that depends on seed and epoch alone."""
        return DataLoader(
            self.sets["train"],
            sampler=self.batches,
            batch_size=None,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the two sets that are measured every epoch: `eval` and `train_eval`."""
        return [self._in_order("eval"), self._in_order("train_eval")]

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the official test files."""
        return self._in_order("test")

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Pad, resize and normalize a batch, on the device that trains."""
        images_BCHW, labels_B = batch
        if self.pad:
            images_BCHW = F.pad(images_BCHW, (self.pad,) * 4)
        images_BCHW = images_BCHW.float() / 255
        if images_BCHW.shape[-2:] != (self.image_size, self.image_size):
            images_BCHW = F.interpolate(
                images_BCHW, size=(self.image_size,) * 2, mode="bilinear", antialias=True, align_corners=False
            )
        device = images_BCHW.device
        return (images_BCHW - self.mean.to(device)) / self.std.to(device), labels_B

    def _in_order(self, name: str) -> DataLoader[Batch]:
        data = self.sets[name]
        sampler = BatchSampler(SequentialSampler(data), EVAL_BATCH, drop_last=False)
        return DataLoader(data, sampler=sampler, batch_size=None)
