"""Data sets that fit in memory: held as uint8, batches gathered by index.

A source subclasses `InMemoryData` and says in `load` where its images come from; what is held out of the training files
and which subset is trained on is the same for all (splits.py).
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from coatlab.data.image_data import Batch, ImageData, Indexed
from coatlab.data.splits import split
from coatlab.errors import InputError


@dataclass(frozen=True)
class Images:
    """The files of a source: uint8 images (N, C, H, W) and their classes (N,)."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


class Gather(Indexed):
    """Images and classes in memory, indexed a batch at a time; the epoch does not matter."""

    def __init__(self, images_NCHW: Tensor, labels_N: Tensor) -> None:
        self.images, self.labels = images_NCHW, labels_N

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return the images at some indices, and their classes."""
        return self.images[indices], self.labels[indices]


class InMemoryData(ImageData):
    """Batches of a source that fits in memory.

    Args:
        root: folder with the files, or None to find them; `cache` is where fetched files are kept.
        train_size, eval_size, train_eval_size, split_seed: see conf/data.
        shared: as in `ImageData`.

    Raises:
        InputError: files missing or damaged, or more images asked for than there are.
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
        """Return the source's files; each source says how."""

    def make_sets(self) -> Mapping[str, Indexed]:
        """Load the files and split them.

        Raises:
            InputError: their channels or classes are not those of the config.
        """
        files = self.load()
        channels, classes = files.train.shape[1], int(files.train_labels.max()) + 1
        if channels != self.channels:
            raise InputError(f"data.channels={self.channels}, but the images of data={self.name} have {channels}")
        if classes > self.num_classes:
            raise InputError(f"data.num_classes={self.num_classes}, but data={self.name} has {classes} classes")
        parts = split(files.train_labels, train_size=self.train_size, eval_size=self.eval_size, seed=self.split_seed)
        train_eval = parts.train[: self.train_eval_size]
        return {
            "train": Gather(files.train[parts.train], files.train_labels[parts.train]),
            "eval": Gather(files.train[parts.evaluation], files.train_labels[parts.evaluation]),
            "train_eval": Gather(files.train[train_eval], files.train_labels[train_eval]),
            "test": Gather(files.test, files.test_labels),
        }
