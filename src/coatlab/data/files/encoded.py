"""Images that are decoded as they are needed: files in folders, samples in shards; and what is done about corrupt ones.

A corrupt image is named when it is met, and counted in the record. `data.on_corrupt=stop` ends the run there. `skip`
goes on: in training the next readable image of the set stands in for it, so that batches stay full; where images are
evaluated it is left out. Workers note what they meet in memory that they share with the process that trains.
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
from coatlab.data.splits import split
from coatlab.data.views import Views
from coatlab.errors import InputError
from coatlab.process.machine import cores

IN_A_ROW = 100  # corrupt images after which it is no longer an accident
NAMED = 5  # of them in a sentence


class Contents(Protocol):
    """Numbered images as they lie on a disk."""

    labels: Tensor

    def name(self, number: int) -> str:
        """Return what a person finds the image by."""

    def read(self, number: int) -> bytes:
        """Return its content."""


class Corrupt:
    """Which images of one `Contents` could not be read, shared between processes."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.flags = torch.zeros(len(contents.labels) + 1, dtype=torch.bool).share_memory_()  # the last: gave up
        self.seen = self.flags.clone()

    def numbers(self) -> list[int]:
        """Return the images that could not be read so far."""
        return self.flags[:-1].nonzero()[:, 0].tolist()

    def news(self) -> list[int]:
        """Return those that could not be read since the last call."""
        if torch.equal(self.flags, self.seen):
            return []
        before, self.seen = self.seen, self.flags.clone()
        return (self.seen & ~before)[:-1].nonzero()[:, 0].tolist()


class Encoded(Indexed):
    """A set of encoded images, decoded and turned into views.

    Args:
        picks: (N,) which images of `corrupt.contents` the set has.
        train: whether training views are made, with stand-ins for corrupt images.
    """

    def __init__(self, corrupt: Corrupt, picks: Tensor, views: Views, channels: int, train: bool) -> None:
        self.corrupt, self.picks, self.views, self.channels, self.train = corrupt, picks, views, channels, train

    def __len__(self) -> int:
        return len(self.picks)

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """Return views (B, C, side, side), uint8, and their classes; fewer where evaluation leaves images out."""
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
        return torch.stack(images) if images else empty, self.corrupt.contents.labels[numbers]

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
    """The images of a source; without `test`, test images are held out of the training images."""

    train: Contents
    test: Contents | None


class EncodedData(ImageData):
    """Batches of images that are decoded as they are needed.

    Args:
        root: where they are.
        train_size, eval_size, train_eval_size, split_seed: see conf/data.
        test_size: images held out for the test where the source has none of its own.
        on_corrupt: stop or skip.
        workers: processes that decode; None: as many as the process may use cores.
        shared: as in `ImageData`.

    Raises:
        InputError: the images are not there, fewer than asked for, or corrupt.
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
        """Return the source's images; each source says how."""

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
        sets = {name: Encoded(files, pick, views, self.channels, name == "train") for name, pick in picks.items()}
        everything = torch.arange(0 if source.test is None else len(source.test.labels))
        test = parts.evaluation[: self.test_size] if source.test is None else everything
        sets["test"] = Encoded(self.corrupt.get("test", files), test, views, self.channels, train=False)
        return sets

    def in_order(self, train: Tensor) -> Tensor:
        """Return the numbers of the training images in the order in which the set holds them."""
        return train

    def augment(self, train: Indexed) -> Indexed:
        """Return the training set as it is: the recipe's views are made where images are decoded."""
        return train

    def facts(self) -> dict[str, Any]:
        """Return how many images there are, and which were corrupt."""
        names = self._corrupt_names()
        images = {part: len(corrupt.contents.labels) for part, corrupt in self.corrupt.items()}
        return {"images": images, "corrupt": {"count": len(names), "names": names}}

    def recall(self, facts: Mapping[str, Any]) -> None:
        """Know again which images earlier attempts of the run left out; one that stopped it is read again."""
        names = set(facts.get("corrupt", {}).get("names", [])) if self.on_corrupt == "skip" else set()
        for corrupt in self.corrupt.values() if names else ():
            for number in range(len(corrupt.contents.labels)):
                corrupt.flags[number] |= corrupt.contents.name(number) in names
            corrupt.news()

    def agree(self, strategy: Strategy) -> None:
        """Share which images are corrupt."""
        for corrupt in self.corrupt.values():
            flags = corrupt.flags.to(strategy.root_device, torch.uint8)
            corrupt.flags.copy_(strategy.reduce(flags, reduce_op="max"))  # in place: workers look at this memory
        self._look()

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Say which images were found corrupt, then normalize."""
        self._look()
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def _look(self) -> None:
        """Report what workers have found since the last batch.

        Raises:
            InputError: a corrupt image, where that stops the run; or very many in a row.
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
    """Name a corrupt image and say what is wrong with it, by reading it once more."""
    try:
        decode(contents.read(number), channels)
        reason = "it could not be read before"
    except (CorruptImage, OSError) as error:
        reason = str(error)
    return f"{contents.name(number)} cannot be decoded ({reason})"


def _listed(found: Sequence[str]) -> str:
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more
