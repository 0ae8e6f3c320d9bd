"""Data sets that fit in memory: images are kept as uint8, and batches are gathered by index.

A data set is a subclass of `InMemoryData` whose `load` returns its images. Which of the training images are held out,
and which subset is trained on, is decided in the same way for all (splits.py).
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from coatlab.data.image_data import Batch, ImageData, Indexed
from coatlab.data.splits import permuted, split
from coatlab.errors import InputError


@dataclass(frozen=True)
class Images:
    """The images of a data set: uint8 (N, C, H, W), and their classes (N,)."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


class Gather(Indexed):
    """Images (N, C, H, W) and classes (N,) in memory; every epoch has the same images."""

    def __init__(self, images_NCHW: Tensor, labels_N: Tensor) -> None:
        self.images, self.labels = images_NCHW, labels_N

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return the images at some indices, and their classes."""
        return self.images[indices], self.labels[indices]


class InMemoryData(ImageData):
    """Batches of a data set that fits in memory.

    Args:
        root: folder with the files; None: the data set finds or downloads them.
        cache: folder where downloaded files are kept.
        train_size, eval_size, train_eval_size, split_seed: see conf/data/fashion_mnist.yaml.
        shared: as in `ImageData`.

    Raises:
        InputError: files are missing or damaged, or fewer than the config asks for.
    """

    def __init__(
        self,
        *,
        root: str | None,
        cache: str,
        train_size: int | None,
        eval_size: int,
        train_eval_size: int,
        split_seed: int,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.root, self.cache = root, cache
        self.train_size, self.eval_size, self.train_eval_size = train_size, eval_size, train_eval_size
        self.split_seed = split_seed

    @abstractmethod
    def load(self) -> Images:
        """Return all images of the data set."""

    def make_sets(self) -> Mapping[str, Indexed]:
        """Load the images and split them.

        Raises:
            InputError: the images do not have the config's number of channels or classes.
        """
        files = self.load()
        channels, classes = files.train.shape[1], int(files.train_labels.max()) + 1
        if channels != self.channels:
            raise InputError(f"data.channels={self.channels}, but the images of data={self.name} have {channels}")
        if classes > self.num_classes:
            raise InputError(f"data.num_classes={self.num_classes}, but data={self.name} has {classes} classes")
        parts = split(files.train_labels, train_size=self.train_size, eval_size=self.eval_size, seed=self.split_seed)
        images, labels, few = files.train[parts.train], files.train_labels[parts.train], self.train_eval_size
        if self.random_labels:
            labels = permuted(labels, self.split_seed)
        return {
            "train": Gather(images, labels),
            "eval": Gather(files.train[parts.evaluation], files.train_labels[parts.evaluation]),
            "train_eval": Gather(images[:few], labels[:few]),
            "test": Gather(files.test, files.test_labels),
        }
