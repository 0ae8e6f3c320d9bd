"""Images that are decoded when they are needed (files in folders, samples in shards), some of which may be corrupt.

A corrupt image is reported when it is first read, and counted in the run's record. With `data.on_corrupt=stop` the run
then ends. With `skip` it goes on: in training, the next readable image of the set takes its place, so that batches stay
full; in evaluation it is left out. Workers report corrupt images through memory shared with the training process.
"""

import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor

from coatlab.data.files.decode import CorruptImage, decode
from coatlab.data.image_data import Batch, ImageData, Indexed
from coatlab.data.splits import permuted, split
from coatlab.data.views import Views
from coatlab.errors import InputError
from coatlab.process.machine import cores

IN_A_ROW = 100  # this many corrupt images in a row end the run: something is wrong with all of them
NAMED = 5  # corrupt images that a message lists at most


class Contents(Protocol):
    """Numbered images in encoded form."""

    labels: Tensor

    def name(self, number: int) -> str:
        """Return the path by which a person finds the image."""

    def read(self, number: int) -> bytes:
        """Return the encoded image."""


class Corrupt:
    """Notes which images of a `Contents` could not be decoded, in memory that all processes share."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.flags = torch.zeros(len(contents.labels) + 1, dtype=torch.bool).share_memory_()  # the last one: gave up
        self.seen = self.flags.clone()

    def numbers(self) -> list[int]:
        """Return the numbers of all images that could not be decoded so far."""
        return self.flags[:-1].nonzero()[:, 0].tolist()

    def news(self) -> list[int]:
        """Return the numbers of those that were found since the last call."""
        if torch.equal(self.flags, self.seen):
            return []
        before, self.seen = self.seen, self.flags.clone()
        return (self.seen & ~before)[:-1].nonzero()[:, 0].tolist()


class Encoded(Indexed):
    """A set of encoded images, which are decoded and turned into views.

    Args:
        corrupt: notes of corrupt images; its `contents` are the images.
        picks: (N,) numbers of the images that belong to the set.
        views: from an image to what the network sees.
        channels: 1 (grey) or 3.
        train: whether to make training views, and to replace corrupt images by others.
        labels: of all images of `contents`, in place of the true ones.
    """

    def __init__(
        self, corrupt: Corrupt, picks: Tensor, views: Views, channels: int, train: bool, labels: Tensor | None = None
    ) -> None:
        self.corrupt, self.picks, self.views, self.channels, self.train = corrupt, picks, views, channels, train
        self.labels = corrupt.contents.labels if labels is None else labels

    def __len__(self) -> int:
        return len(self.picks)

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return uint8 views (B, C, side, side) and their classes (B,); evaluation leaves corrupt images out."""
        images, numbers = [], []
        for index in indices.tolist():
            for place in range(index, index + (IN_A_ROW if self.train else 1)):
                number = int(self.picks[place % len(self.picks)])
                image = self._decoded(number)
                if image is not None:
                    view = self.views.training(image, epoch, number) if self.train else self.views.evaluation(image)
                    images.append(view)
                    numbers.append(number)
                    break
            else:
                self.corrupt.flags[-1] |= self.train
        side = self.views.side
        empty = torch.empty(0, self.channels, side, side, dtype=torch.uint8)
        return torch.stack(images) if images else empty, self.labels[numbers]

    def _decoded(self, number: int) -> Tensor | None:
        if self.corrupt.flags[number]:
            return None
        try:
            return decode(self.corrupt.contents.read(number), self.channels)
        except (CorruptImage, OSError):
            self.corrupt.flags[number] = True
            return None


@dataclass(frozen=True)
class Source:
    """The images of a data set; if `test` is None, test images are held out of the training images."""

    train: Contents
    test: Contents | None


class EncodedData(ImageData):
    """Batches of images that are decoded when they are needed.

    Args:
        root: folder of the images.
        train_size, eval_size, train_eval_size, split_seed: see conf/data/folder.yaml.
        test_size: images held out for the test, if the data set has no test images.
        on_corrupt: stop or skip.
        workers: processes that decode; None: one per core that this process may use.
        shared: as in `ImageData`.

    Raises:
        InputError: images are missing, fewer than the config asks for, or corrupt.
    """

    decodes = True

    def __init__(
        self,
        *,
        root: str | None,
        train_size: int | None,
        eval_size: int,
        train_eval_size: int,
        split_seed: int,
        on_corrupt: str,
        workers: int | None,
        test_size: int = 0,
        **shared: Any,
    ) -> None:
        super().__init__(workers=cores() if workers is None else workers, **shared)
        self.root, self.split_seed, self.on_corrupt = root, split_seed, on_corrupt
        self.train_size, self.eval_size, self.train_eval_size = train_size, eval_size, train_eval_size
        self.test_size, self.eval_batch = test_size, self.batch_size
        self.corrupt: dict[str, Corrupt] = {}

    @abstractmethod
    def load(self) -> Source:
        """Return the images of the data set."""

    def make_sets(self) -> Mapping[str, Indexed]:
        """Find the images and split them."""
        source = self.load()
        held = self.eval_size + (self.test_size if source.test is None else 0)
        parts = split(source.train.labels, train_size=self.train_size, eval_size=held, seed=self.split_seed)
        self.corrupt["train"] = files = Corrupt(source.train)
        picks = {
            "train": self.in_order(parts.train),
            "eval": parts.evaluation[held - self.eval_size :],
            "train_eval": parts.train[: self.train_eval_size],
        }
        if source.test is not None:
            self.corrupt["test"] = Corrupt(source.test)
        views = Views(self.recipe, self.image_size, self.seed)
        labels = source.train.labels.clone()
        if self.random_labels:
            labels[parts.train] = permuted(labels[parts.train], self.split_seed)
        sets = {
            name: Encoded(files, pick, views, self.channels, name == "train", labels) for name, pick in picks.items()
        }
        everything = torch.arange(0 if source.test is None else len(source.test.labels))
        test = parts.evaluation[: self.test_size] if source.test is None else everything
        self.official_test = source.test is not None
        sets["test"] = Encoded(self.corrupt.get("test", files), test, views, self.channels, train=False)
        return sets

    def in_order(self, train: Tensor) -> Tensor:
        """Return the numbers of the training images in the order in which the set holds them."""
        return train

    def augment(self, train: Indexed) -> Indexed:
        """Return the training set unchanged: it already makes the recipe's views when it decodes images."""
        return train

    def facts(self) -> dict[str, Any]:
        """Return how many images there are, and which were corrupt."""
        names = self._corrupt_names()
        images = {part: len(corrupt.contents.labels) for part, corrupt in self.corrupt.items()}
        return {"images": images, "corrupt": {"count": len(names), "names": names}}

    def recall(self, facts: Mapping[str, Any]) -> None:
        """Take over which images earlier attempts left out; with `stop`, none, so that a mended image is read again."""
        names = set(facts.get("corrupt", {}).get("names", [])) if self.on_corrupt == "skip" else set()
        for corrupt in self.corrupt.values() if names else ():
            for number in range(len(corrupt.contents.labels)):
                corrupt.flags[number] |= corrupt.contents.name(number) in names
            corrupt.news()

    def left_out(self, name: str) -> Tensor:
        """Return which images of a set were found to be corrupt, (N,)."""
        part = self.sets[name]
        assert isinstance(part, Encoded)
        return part.corrupt.flags[part.picks]

    def agree(self, strategy: Strategy) -> None:
        """Share with the other processes of the run which images are corrupt."""
        for corrupt in self.corrupt.values():
            flags = corrupt.flags.to(strategy.root_device, torch.uint8)
            corrupt.flags.copy_(strategy.reduce(flags, reduce_op="max"))  # in place, because workers read this memory
        self._look()

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Report images that were found to be corrupt, then normalize the batch."""
        self._look()
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def _look(self) -> None:
        """Report corrupt images that workers have found since the last batch.

        Raises:
            InputError: an image is corrupt and `on_corrupt` is stop, or IN_A_ROW images in a row are.
        """
        found = [
            _described(corrupt.contents, number, self.channels)
            for corrupt in self.corrupt.values()
            for number in corrupt.news()
        ]
        if found:
            self.on_facts()
            if self.on_corrupt == "stop":
                raise InputError(
                    f"{_listed(found)}; replace or remove it, or leave such images out with data.on_corrupt=skip"
                )
            print(f"left out: {_listed(found)}", file=sys.stderr)
        if any(corrupt.flags[-1] for corrupt in self.corrupt.values()):
            raise InputError(f"{IN_A_ROW} images in a row cannot be decoded below data.root={self.root}")

    def _corrupt_names(self) -> list[str]:
        return [corrupt.contents.name(number) for corrupt in self.corrupt.values() for number in corrupt.numbers()]


def _described(contents: Contents, number: int, channels: int) -> str:
    """Return a corrupt image's name and what is wrong with it, by decoding it once more."""
    try:
        decode(contents.read(number), channels)
        reason = "it could not be read earlier"
    except (CorruptImage, OSError) as error:
        reason = str(error)
    return f"{contents.name(number)} cannot be decoded ({reason})"


def _listed(found: Sequence[str]) -> str:
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more
