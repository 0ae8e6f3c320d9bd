"""Abundant data without a download: pictures of fractals, every training image new. Stands in for the paper's JFT.

Like FractalDB (Kataoka et al. 2020, "Pre-training without Natural Images"): a class is an iterated function system and
an image is an instance of it (ifs.py). Each epoch has `train_size` images that no earlier epoch had, so that nothing
can be memorized. The random numbers ("draws") of an image come from a counter-based generator: its key is the set, its
counter is `split_seed`, the epoch and the index. Two sets, splits, epochs or indices therefore never share draws, and
any process can make any image again, in any order. Only the training images depend on `split_seed`.

`train_eval` is a fixed part of the first epoch's images. The classes of a seed are a sequence: `num_classes=10` gives
the first 10 of `num_classes=100`. They are cached in `data.cache` with a checksum; a damaged file is replaced.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coatlab.config.places import expand_home
from coatlab.data.ifs import draws_of, find_systems, render
from coatlab.data.image_data import Batch, ImageData, Indexed
from coatlab.output.files import write_atomic

STREAMS = {"train": 2, "eval": 3, "test": 4}  # 0 and 1 draw the classes
RENDERED_AT_ONCE = 250  # images
HEADER = 64  # bytes at the start of a cached file: the SHA-256 of the rest, in hexadecimal


class Instances(Indexed):
    """Images of an endless set, by epoch and index; the class of an index is the same in every epoch.

    Args:
        systems: (classes, maps, 6), from `find_systems`.
        size: images per epoch.
        stream, seed: the key of the generator.
        split: the part of the stream.
        random_labels: give each image a label of its own draw instead of its class; not if pictures are rendered later.
        side: pixels of a row and of a column.
        channels: 1 (grey) or 3.
        rendered: whether `batch` gives pictures; otherwise it gives the draws from which they are rendered.
    """

    def __init__(
        self,
        systems: Tensor,
        size: int,
        stream: int,
        seed: int,
        side: int,
        channels: int,
        rendered: bool,
        split: int = 0,
        random_labels: bool = False,
    ) -> None:
        self.systems, self.size, self.key, self.side = systems, size, (seed, stream), side
        self.channels, self.rendered, self.split, self.random_labels = channels, rendered, split, random_labels

    def __len__(self) -> int:
        return self.size

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return uint8 pictures (B, C, H, W), or draws (B, U), and the classes."""
        classes_B = indices % len(self.systems)
        labels_B = classes_B.clone()
        draws = np.empty((len(indices), draws_of(self.side)), np.float32)
        for place, index in enumerate(indices.tolist()):
            numbers = np.random.Generator(np.random.Philox(key=self.key, counter=(0, self.split, index, epoch)))
            numbers.random(out=draws[place], dtype=np.float32)
            if self.random_labels:
                labels_B[place] = int(numbers.integers(len(self.systems)))
        draws_BU = torch.from_numpy(draws)
        if not self.rendered:
            return draws_BU, labels_B
        return render(self.systems[classes_B], draws_BU, self.side, self.channels), labels_B


class Kept(Indexed):
    """The pictures of the first epoch, each rendered when it is first asked for, and kept."""

    def __init__(self, instances: Instances, size: int) -> None:
        self._instances, self._rendered = instances, torch.zeros(size, dtype=torch.bool)
        self._images = torch.empty(0)
        self._labels = torch.empty(size, dtype=torch.long)

    def __len__(self) -> int:
        return len(self._rendered)

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return the pictures at some indices, and their classes."""
        missing = indices[~self._rendered[indices]].unique()
        for some in missing.split(RENDERED_AT_ONCE) if len(missing) else ():
            pictures, labels = self._instances.batch(0, some)
            if not len(self._images):
                self._images = pictures.new_empty(len(self), *pictures.shape[1:])
            self._images[some], self._labels[some] = pictures, labels
        self._rendered[missing] = True
        return self._images[indices], self._labels[indices]

    @property
    def images(self) -> Tensor:
        """Return all pictures."""
        return self.batch(0, torch.arange(len(self)))[0]

    @property
    def labels(self) -> Tensor:
        """Return all classes."""
        return self.batch(0, torch.arange(len(self)))[1]


class Fractals(ImageData):
    """Batches of fractals.

    Args:
        train_size: new images per epoch.
        eval_size, test_size: images of these fixed sets.
        train_eval_size: images of the first epoch that are evaluated after every epoch.
        classes_seed: chooses the classes and the images.
        split_seed: chooses among the training images of these classes.
        cache: folder where the class definitions are kept.
        render: loader (in the process that prepares batches) or device (batch by batch, where the network trains).
        shared: as in `ImageData`.
    """

    def __init__(
        self,
        *,
        cache: str,
        train_size: int,
        eval_size: int,
        train_eval_size: int,
        test_size: int,
        classes_seed: int,
        render: str,
        split_seed: int = 0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.sizes = {"train": train_size, "eval": eval_size, "test": test_size}
        self.train_eval_size = min(train_eval_size, train_size)
        self.cache, self.classes_seed, self.split_seed, self.render = Path(cache), classes_seed, split_seed, render

    def make_sets(self) -> Mapping[str, Indexed]:
        """Find the classes; a set that is evaluated is rendered when it is first needed."""
        self.systems = self._at_hand = self._systems()
        sets: dict[str, Indexed] = {"train": self._instances("train", rendered=self.render == "loader")}
        for name, source in (("eval", "eval"), ("train_eval", "train"), ("test", "test")):
            size = self.train_eval_size if name == "train_eval" else self.sizes[source]
            instances = self._instances(source, rendered=True)
            sets[name] = Kept(instances, size)
        return sets

    def facts(self) -> dict[str, Any]:
        """Return the checksum of the class definitions."""
        return {"classes_sha256": hashlib.sha256(_bytes(self.systems)).hexdigest()}

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Render the pictures if the batch has draws, then normalize."""
        images, labels_B = batch
        if images.dim() == 2:
            self._at_hand = self._at_hand.to(images.device)  # once: a GPU is waited for at each copy
            images = render(self._at_hand[labels_B], images, self.image_size, self.channels)
        return super().on_after_batch_transfer((images, labels_B), dataloader_idx)

    def _instances(self, name: str, rendered: bool) -> Instances:
        training: dict[str, Any] = {}
        if name == "train":
            training = {"split": self.split_seed, "random_labels": self.random_labels}
        size, stream, seed = self.sizes[name], STREAMS[name], self.classes_seed
        return Instances(self.systems, size, stream, seed, self.image_size, self.channels, rendered, **training)

    def _systems(self) -> Tensor:
        """Read the classes from the cache; if that fails, find them and write them there."""
        path = expand_home(str(self.cache)) / "fractals" / f"classes-{self.num_classes}-seed-{self.classes_seed}.npy"
        try:
            content = path.read_bytes()
            if hashlib.sha256(content[HEADER:]).hexdigest().encode() == content[:HEADER]:
                return torch.from_numpy(np.load(io.BytesIO(content[HEADER:]), allow_pickle=False))
        except OSError:
            pass
        systems = find_systems(self.num_classes, self.classes_seed)
        data = _bytes(systems)
        try:
            write_atomic(path, lambda file: file.write(hashlib.sha256(data).hexdigest().encode() + data))
        except OSError as error:  # a cache only saves time
            print(
                f"data.cache={self.cache} cannot be written ({error.strerror}); "
                "the classes are searched again in every run"
            )
        return systems


def _bytes(systems: Tensor) -> bytes:
    file = io.BytesIO()
    np.save(file, systems.numpy(), allow_pickle=False)
    return file.getvalue()
