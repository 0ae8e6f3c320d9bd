"""Data sets that fit in memory: held as uint8, batches gathered by index, normalized per batch on the device.

A source subclasses `InMemoryData` and says in `load` where its images come from. Three sets are evaluated:
`eval`, held out of the training files and looked at every epoch, so choices may be made on it; `train_eval`,
a fixed part of the training images in evaluation mode; and `test`, the official test files, looked at once,
after training.

B batch, C channels, H rows, W columns.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, SequentialSampler

from coatlab.data.sampler import EpochBatches
from coatlab.data.splits import split

EVAL_BATCH = 500
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Images:
    """The files of a source: uint8 images (N, C, H, W) and their classes (N,)."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


class Gather(Dataset[Batch]):
    """Index a whole batch at once: no per-image Python, nothing to collate."""

    def __init__(self, images_NCHW: Tensor, labels_N: Tensor) -> None:
        self.images, self.labels = images_NCHW, labels_N

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, Tensor] | list[int]) -> Batch:
        indices = key[1] if isinstance(key, tuple) else torch.tensor(key)
        return self.images[indices], self.labels[indices]


class InMemoryData(L.LightningDataModule, ABC):
    """Train, evaluation and test batches of a source that fits in memory.

    Args:
        seed: order of the training batches.
        name, num_classes, channels: of the source.
        root: folder with the files, or None to find them; `cache` is where fetched files are kept.
        train_size, eval_size, train_eval_size, split_seed: see conf/data.
        batch_size: images a step.
        pad: pixels of border, of value 0, on each side; then images are resized to `image_size` if they differ.
        mean, std: a number a channel, of pixel values in 0..1.

    Raises:
        InputError: files missing or damaged, or more images asked for than there are.
    """

    def __init__(
        self,
        *,
        seed: int,
        name: str,
        root: str | None,
        cache: str,
        train_size: int | None,
        eval_size: int,
        train_eval_size: int,
        split_seed: int,
        batch_size: int,
        num_classes: int,
        channels: int,
        pad: int,
        image_size: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.seed, self.name, self.root, self.cache = seed, name, root, cache
        self.train_size, self.eval_size, self.train_eval_size = train_size, eval_size, train_eval_size
        self.split_seed, self.batch_size = split_seed, batch_size
        self.num_classes, self.channels, self.pad, self.image_size = num_classes, channels, pad, image_size
        self.mean = torch.tensor(mean).view(1, -1, 1, 1)
        self.std = torch.tensor(std).view(1, -1, 1, 1)
        self.sets: dict[str, Gather] = {}

    @abstractmethod
    def load(self) -> Images:
        """Return the source's files; each source says how."""

    def setup(self, stage: str | None = None) -> None:
        """Load the files and split them; called by Lightning before each stage, and does nothing the second time."""
        if self.sets:
            return
        files = self.load()
        parts = split(files.train_labels, train_size=self.train_size, eval_size=self.eval_size, seed=self.split_seed)
        train_eval = parts.train[: self.train_eval_size]
        self.sets = {
            "train": Gather(files.train[parts.train], files.train_labels[parts.train]),
            "eval": Gather(files.train[parts.evaluation], files.train_labels[parts.evaluation]),
            "train_eval": Gather(files.train[train_eval], files.train_labels[train_eval]),
            "test": Gather(files.test, files.test_labels),
        }
        self.batches = EpochBatches(len(self.sets["train"]), self.batch_size, self.seed)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return full batches in an order that depends on seed and epoch alone."""
        return DataLoader(self.sets["train"], sampler=self.batches, batch_size=None)

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
