"""What every source of images shares: batches by index, three sets that are evaluated, normalization on the device.

A source subclasses `ImageData` and says in `make_sets` what can be indexed. Three sets are evaluated: `eval`, held out
and looked at every epoch, so choices may be made on it; `train_eval`, a fixed part of the training images in evaluation
mode; and `test`, looked at once, after training.

B batch, C channels, H rows, W columns.
"""

import multiprocessing
import multiprocessing.util
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from lightning.pytorch.strategies import Strategy
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from coatlab.config.targets import TARGET, python_path
from coatlab.data.sampler import EpochBatches, InOrder
from coatlab.data.views import PLAIN, Views
from coatlab.errors import InputError
from coatlab.process.signals import STOPPING

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
        epoch, indices = key if isinstance(key, tuple) else (0, torch.tensor(key, dtype=torch.long))
        return self.batch(epoch, indices)


class Augmented(Indexed):
    """A training set of images of one size, as a recipe's training views."""

    def __init__(self, images: Indexed, views: Views) -> None:
        self.images, self.views = images, views

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return the views of an epoch, and their classes."""
        images_BCHW, labels_B = self.images.batch(epoch, indices)
        pairs = zip(images_BCHW, indices.tolist(), strict=True)
        return torch.stack([self.views.training(image, epoch, number) for image, number in pairs]), labels_B


class ImageData(L.LightningDataModule, ABC):
    """Train, evaluation and test batches of a source.

    Args:
        seed: order of the training batches, and what augmentation draws.
        recipe: what it makes of images (views.py).
        name, num_classes, channels: of the source.
        batch_size: images a step.
        workers: processes that prepare batches; 0: the process that trains.
        pad: pixels of border, of value 0, on each side; then images are resized to `image_size` if they differ.
        mean, std: a number a channel, of pixel values in 0..1.
    """

    eval_batch = EVAL_BATCH
    rank, ranks = 0, 1  # of the processes that train together
    decodes = False  # whether evaluation images too are prepared by workers

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
        recipe: Mapping[str, Any] = PLAIN,
        workers: int = 0,
        pad: int = 0,
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.seed, self.name, self.batch_size, self.workers = seed, name, batch_size, workers
        self.num_classes, self.channels, self.pad, self.image_size = num_classes, channels, pad, image_size
        self.mean = torch.tensor(mean).view(1, -1, 1, 1)
        self.std = torch.tensor(std).view(1, -1, 1, 1)
        self.sets: dict[str, Indexed] = {}
        self.on_facts: Callable[[], object] = lambda: None  # called when facts() has changed

    @abstractmethod
    def make_sets(self) -> Mapping[str, Indexed]:
        """Return `train`, `eval`, `train_eval` and `test`; each source says how."""

    def facts(self) -> dict[str, Any]:
        """Return what the record says of the images beside the config."""
        return {}

    def agree(self, strategy: Strategy) -> None:
        """Tell the other processes of the run what this one has found out; all call it at the same time."""

    def recall(self, facts: Mapping[str, Any]) -> None:
        """Take up the facts that an earlier attempt of the run recorded."""

    def setup(self, stage: str | None = None) -> None:
        """Make the sets; called by Lightning before each stage, and does nothing the second time."""
        if self.sets:
            return
        sets = dict(self.make_sets())
        self.sets = sets | {"train": self.augment(sets["train"])}
        self.batches = self.make_batches()
        self.batches.share(self.rank, self.ranks)

    def augment(self, train: Indexed) -> Indexed:
        """Return the training set as the recipe's views of it."""
        side = train.batch(0, torch.tensor([0]))[0].shape[-1]
        views = Views(self.recipe, side, self.seed, whole=True)
        return Augmented(train, views) if views.augments else train

    def make_batches(self) -> EpochBatches:
        """Return the order of the training batches."""
        return EpochBatches(len(self.sets["train"]), self.batch_size, self.seed)

    def share(self, rank: int, ranks: int) -> None:
        """Give this process its part of every batch; before `setup`.

        Raises:
            InputError: a batch cannot be divided equally.
        """
        if self.batch_size % ranks:
            raise InputError(f"data.batch_size={self.batch_size} cannot be divided equally among {ranks} processes")
        self.rank, self.ranks = rank, ranks

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return full batches in an order that depends on seed and epoch alone."""
        return self._loader("train", self.batches, persistent_workers=self.workers > 0)

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
        return self._loader(name, InOrder(len(self.sets[name]), self.eval_batch, self.rank, self.ranks))

    def _loader(self, name: str, sampler: Sampler[Any], **settings: Any) -> DataLoader[Batch]:
        # evaluation sets that are held in memory are only gathered
        workers = self.workers if name == "train" or self.decodes else 0
        if workers:
            multiprocessing.util.Finalize(None, _end_workers, exitpriority=10)
        return DataLoader(
            self.sets[name],
            sampler=sampler,
            batch_size=None,
            num_workers=workers,
            worker_init_fn=_leave_signals_to_the_run,
            pin_memory=torch.cuda.is_available(),
            **settings,
        )


def make_data(config: Mapping[str, Any]) -> ImageData:
    """Build the data module of a resolved config."""
    settings = {key: value for key, value in config["data"].items() if key not in ("catalog", TARGET)}
    settings |= {TARGET: python_path("data", config["data"]), "seed": config["seed"], "recipe": config["recipe"]}
    data: ImageData = instantiate(settings, _convert_="all")
    return data


def _leave_signals_to_the_run(worker: int) -> None:
    """Ignore, in a worker, what a cluster or Ctrl-C sends to every process: the run saves, then ends its workers."""
    for number in (*STOPPING, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _end_workers() -> None:
    """End workers that an error left behind: multiprocessing would ask them with TERM, and wait for ever."""
    if workers := multiprocessing.active_children():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch would take it for an accident
        for worker in workers:
            worker.kill()
