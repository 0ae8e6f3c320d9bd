"""Images that are decoded when they are needed (files in folders, samples in shards), some of which may be corrupt.

A corrupt image is reported when it is first read, and counted in the run's record. With `data.on_corrupt=stop` the run
then ends. With `skip` it goes on: in training, the next readable image of the set takes its place, so that batches stay
full; in evaluation it is left out. Workers report corrupt images through memory shared with the training process.
"""

import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor

from coatlab.data.files.decode import CorruptImage, decode
from coatlab.data.files.faults import Fault, listed, why
from coatlab.data.image_data import Batch, ImageData, Indexed
from coatlab.data.loader import share
from coatlab.data.splits import permuted, split
from coatlab.data.views import Views
from coatlab.errors import InputError
from coatlab.process.machine import cores

Decoder = Callable[[bytes], Tensor]
IN_A_ROW = 100  # this many corrupt images in a row end the run: something is wrong with all of them


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
        self.flags = share(torch.zeros(len(contents.labels) + 1, dtype=torch.bool))  # the last one: gave up
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
        decoder: from the content of a file to an image.
        channels: 1 (grey) or 3.
        train: whether to make training views, and to replace corrupt images by others.
        labels: of all images of `contents`, in place of the true ones.
    """

    def __init__(
        self,
        corrupt: Corrupt,
        picks: Tensor,
        views: Views,
        decoder: Decoder,
        channels: int,
        train: bool,
        labels: Tensor | None = None,
    ) -> None:
        self.corrupt, self.picks, self.views, self.train = corrupt, picks, views, train
        self.decoder, self.channels = decoder, channels
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
            return self.decoder(self.corrupt.contents.read(number))
        except (CorruptImage, OSError):
            self.corrupt.flags[number] = True
            return None


@dataclass(frozen=True)
class Source:
    """The images of a data set.

    Attributes:
        train, test: the images; if `test` is None, test images are held out of the training images.
        names: of the classes, for messages; None: their numbers.
        faults: images that are left out from the beginning.
        found, aside: where the images are, and what was left aside, in words for the record.
    """

    train: Contents
    test: Contents | None
    names: Sequence[str] | None = None
    faults: Sequence[Fault] = ()
    found: str = ""
    aside: Sequence[str] = ()


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
    upright = True  # whether photos are turned as their metadata say

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
        self.source = source = self.load()
        parts = split(
            source.train.labels,
            train_size=self.train_size,
            eval_size=self.eval_size,
            test_size=self.test_size if source.test is None else 0,
            seed=self.split_seed,
            names=source.names,
        )
        self.corrupt["train"] = files = Corrupt(source.train)
        picks = {
            "train": self.in_order(parts.train),
            "eval": parts.evaluation,
            "train_eval": parts.train[: self.train_eval_size],
        }
        if source.test is not None:
            self.corrupt["test"] = Corrupt(source.test)
        views = Views(self.recipe, self.image_size, self.seed)
        labels = source.train.labels.clone()
        if self.random_labels:
            labels[parts.train] = permuted(labels[parts.train], self.split_seed)
        shared = (views, self.decoder, self.channels)
        sets = {
            name: Encoded(files, pick, *shared, train=name == "train", labels=labels) for name, pick in picks.items()
        }
        everything = torch.arange(0 if source.test is None else len(source.test.labels))
        test = parts.test if source.test is None else everything
        self.official_test = source.test is not None
        sets["test"] = Encoded(self.corrupt.get("test", files), test, *shared, train=False)
        return sets

    @property
    def decoder(self) -> Decoder:
        """Return the function that decodes an image."""
        return partial(decode, channels=self.channels, upright=self.upright)

    def in_order(self, train: Tensor) -> Tensor:
        """Return the numbers of the training images in the order in which the set holds them."""
        return train

    def augment(self, train: Indexed) -> Indexed:
        """Return the training set unchanged: it already makes the recipe's views when it decodes images."""
        return train

    def facts(self) -> dict[str, Any]:
        """Return how many images there are and where, what was left aside, and which images were corrupt."""
        names = [fault.name for fault in self.source.faults] + self._corrupt_names()
        images = {part: len(corrupt.contents.labels) for part, corrupt in self.corrupt.items()}
        told = {"found": self.source.found, "aside": list(self.source.aside)}
        return {"images": images, **told, "corrupt": {"count": len(names), "names": names}}

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
            _described(corrupt.contents, number, self.decoder)
            for corrupt in self.corrupt.values()
            for number in corrupt.news()
        ]
        if found:
            self.on_facts()
            if self.on_corrupt == "stop":
                raise InputError(
                    f"{listed(found)}; replace or remove it, or leave such images out with data.on_corrupt=skip"
                )
            print(f"left out: {listed(found)}", file=sys.stderr)
        if any(corrupt.flags[-1] for corrupt in self.corrupt.values()):
            raise InputError(f"{IN_A_ROW} images in a row cannot be decoded below data.root={self.root}")

    def _corrupt_names(self) -> list[str]:
        return [corrupt.contents.name(number) for corrupt in self.corrupt.values() for number in corrupt.numbers()]


def _described(contents: Contents, number: int, decoder: Decoder) -> str:
    """Return a corrupt image's name and what is wrong with it, by decoding it once more."""
    try:
        decoder(contents.read(number))
        reason = "it could not be read earlier"
    except OSError as error:
        reason = f"it cannot be read: {why(error)}"
    except CorruptImage as error:
        reason = str(error)
    return f"{contents.name(number)} cannot be decoded ({reason})"
