"""What all data sets share: batches by index, three sets for evaluation, normalization on the device.

A data set is a subclass of `ImageData` whose `make_sets` returns the training images and three sets for evaluation, all
of which can be indexed. `eval` is held out and evaluated while the run trains, so that choices may be made on it.
`train_eval` is a fixed part of the training images, in evaluation mode. `test` is evaluated once, after training.

B batch, C channels, H rows, W columns.
"""

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
from coatlab.data.loader import Loader
from coatlab.data.sampler import EpochBatches, InOrder
from coatlab.data.views import PLAIN, Views
from coatlab.errors import InputError

EVAL_BATCH = 500
Batch = tuple[Tensor, Tensor]


class Indexed(Dataset[Batch], ABC):
    """A set that returns a whole batch at once, so that nothing has to collate single images."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of images; of one epoch, if every epoch has new ones."""

    @abstractmethod
    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return the images of an epoch at some indices (B, C, H, W), and their classes (B,)."""

    def __getitem__(self, key: tuple[int, Tensor] | list[int]) -> Batch:
        epoch, indices = key if isinstance(key, tuple) else (0, torch.tensor(key, dtype=torch.long))
        return self.batch(epoch, indices)


class Augmented(Indexed):
    """A training set of images of one size, augmented as the recipe says."""

    def __init__(self, images: Indexed, views: Views) -> None:
        self.images, self.views = images, views

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return the augmented images of an epoch, and their classes."""
        images_BCHW, labels_B = self.images.batch(epoch, indices)
        return self.views.training_batch(images_BCHW, epoch, indices.tolist()), labels_B


class ImageData(L.LightningDataModule, ABC):
    """Training, evaluation and test batches of a data set.

    Args:
        seed: of the order of training batches and of augmentation.
        recipe: its keys that concern images (views.py).
        name, num_classes, channels: of the data set.
        batch_size: images per step.
        workers: processes that prepare batches; 0: the training process does it.
        random_labels: train on random labels: `make_sets` gives them to `train` and `train_eval`; `eval` and `test`
            have the true ones.
        pad: pixels of value 0 added on each side. Afterwards images are resized to `image_size` if they differ from it.
        image_size: rows and columns that the network sees.
        mean, std: one number per channel, for pixel values in 0..1.
    """

    eval_batch = EVAL_BATCH
    rank, ranks = 0, 1  # this process's number among those that train together, and how many they are
    decodes = False  # whether workers prepare evaluation images as well
    official_test = True  # the test images are the same whatever the split

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
        random_labels: bool = False,
        pad: int = 0,
    ) -> None:
        super().__init__()
        self.recipe, self.random_labels = recipe, random_labels
        self.seed, self.name, self.batch_size, self.workers = seed, name, batch_size, workers
        self.num_classes, self.channels, self.pad, self.image_size = num_classes, channels, pad, image_size
        self.mean = torch.tensor(mean).view(1, -1, 1, 1)
        self.std = torch.tensor(std).view(1, -1, 1, 1)
        self.sets: dict[str, Indexed] = {}
        self.on_facts: Callable[[], object] = lambda: None  # called when facts() has changed
        self.on_wait: Callable[[float], object] = lambda seconds: None  # called while a batch is waited for

    @abstractmethod
    def make_sets(self) -> Mapping[str, Indexed]:
        """Return the sets `train`, `eval`, `train_eval` and `test`."""

    def facts(self) -> dict[str, Any]:
        """Return what the run's record keeps about the images in addition to the config."""
        return {}

    def read_ahead(self) -> None:
        """Read files that runs share, in the process from which they are forked; most data sets need not."""

    def left_out(self, name: str) -> Tensor:
        """Return which images of a set could not be evaluated, (N,)."""
        return torch.zeros(len(self.sets[name]), dtype=torch.bool)

    def agree(self, strategy: Strategy) -> None:
        """Share with the other processes of the run what this one has found out; all call it at the same time."""

    def recall(self, facts: Mapping[str, Any]) -> None:
        """Take over the facts that an earlier attempt of the run recorded."""

    def setup(self, stage: str | None = None) -> None:
        """Make the sets. Lightning calls this before each stage; only the first call does something."""
        if self.sets:
            return
        sets = dict(self.make_sets())
        self.sets = sets | {"train": self.augment(sets["train"])}
        self.batches = self.make_batches()
        self.batches.share(self.rank, self.ranks)

    def augment(self, train: Indexed) -> Indexed:
        """Return the training set, augmented if the recipe says so."""
        side = train.batch(0, torch.tensor([0]))[0].shape[-1]
        views = Views(self.recipe, side, self.seed, whole=True)
        return Augmented(train, views) if views.augments else train

    def make_batches(self) -> EpochBatches:
        """Return the order of the training batches."""
        return EpochBatches(len(self.sets["train"]), self.batch_size, self.seed)

    def share(self, rank: int, ranks: int) -> None:
        """Give this process its part of every batch; must be called before `setup`.

        Raises:
            InputError: a batch cannot be divided equally among the processes.
        """
        if self.batch_size % ranks:
            raise InputError(f"data.batch_size={self.batch_size} cannot be divided equally among {ranks} processes")
        self.rank, self.ranks = rank, ranks

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Return the shape of a training batch of this process, (B, C, H, W)."""
        return self.batch_size // self.ranks, self.channels, self.image_size, self.image_size

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return full batches in an order that depends on nothing but seed and epoch."""
        return self._loader("train", self.batches, persistent_workers=self.workers > 0)

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the two sets that are evaluated while the run trains: `eval` and `train_eval`."""
        return [self._in_order("eval"), self._in_order("train_eval")]

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the test images."""
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
        self.mean, self.std = self.mean.to(device), self.std.to(device)  # once: a GPU is waited for at each copy
        return (images_BCHW - self.mean) / self.std, labels_B

    def _in_order(self, name: str) -> DataLoader[Batch]:
        return self._loader(name, InOrder(len(self.sets[name]), self.eval_batch, self.rank, self.ranks))

    def _loader(self, name: str, sampler: Sampler[Any], **settings: Any) -> DataLoader[Batch]:
        return Loader(
            self.sets[name],
            on_wait=lambda seconds: self.on_wait(seconds),
            sampler=sampler,
            # evaluation images that are already in memory need no workers
            num_workers=self.workers if name == "train" or self.decodes else 0,
            pin_memory=torch.cuda.is_available(),
            **settings,
        )


def make_data(config: Mapping[str, Any]) -> ImageData:
    """Build the data module of a resolved config."""
    settings = {key: value for key, value in config["data"].items() if key not in ("catalog", TARGET)}
    settings |= {TARGET: python_path("data", config["data"]), "seed": config["seed"], "recipe": config["recipe"]}
    data: ImageData = instantiate(settings, _convert_="all")
    return data
