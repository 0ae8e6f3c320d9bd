"""Shards in WebDataset's form, for sets too large for folders: `data=webdataset data.root=DIR data.shards=...`.

In every epoch the shards are put into a new random order and images are shuffled within groups of
`data.shards_at_once` shards. Reads therefore stay close together on the disk, and the order still depends on nothing
but seed and epoch.
"""

from typing import Any

import torch
from torch import Tensor

from coatlab.data.files.encoded import Encoded, EncodedData, Source
from coatlab.data.files.shards import Shards, index_all, said_aside
from coatlab.data.sampler import EpochBatches
from coatlab.errors import InputError


class Samples:
    """The images of an index of shards."""

    def __init__(self, shards: Shards) -> None:
        self.shards = shards
        self.labels = torch.from_numpy(shards.labels)
        self.name, self.read = shards.name, shards.read


class WebDataset(EncodedData):
    """Batches from shards.

    Args:
        shards, test_shards: names relative to root. Without test shards, some of the images are held out for the test.
        shards_at_once: how many shards are shuffled together.
        cache: folder where the index is kept.
        content: hash of the shards when the run got its fingerprint (`shards.catalog`); None: not checked.
        shared: as in `EncodedData`.
    """

    def __init__(
        self,
        *,
        root: str,
        shards: str,
        test_shards: str | None,
        shards_at_once: int,
        cache: str,
        content: str | None,
        **shared: Any,
    ) -> None:
        super().__init__(root=root, **shared)
        self.patterns, self.cache, self.at_once, self.content = (shards, test_shards), cache, shards_at_once, content

    def load(self) -> Source:
        """Index the shards.

        Raises:
            InputError: as `index_all`, or the shards have changed since `content` was made.
        """
        both, content = index_all(str(self.root), self.patterns, self.cache, self.on_corrupt)
        if self.content not in (None, content):
            raise InputError(f"the shards below data.root={self.root} have changed; run the command again")
        self.broken = [fault.name for shards in both for fault in shards.broken]
        train, *test = (Samples(shards) for shards in both)
        faults = [fault for shards in both for fault in shards.faults]
        aside = said_aside(both, self.num_classes)
        return Source(train, test[0] if test else None, faults=faults, found=_found(both), aside=aside)

    def in_order(self, train: Tensor) -> Tensor:
        """Return the training images shard by shard."""
        return train.sort().values

    def make_batches(self) -> EpochBatches:
        """Return batches that are shuffled within groups of shards."""
        train = self.sets["train"]
        assert isinstance(train, Encoded)
        assert isinstance(train.corrupt.contents, Samples)
        shard_N = torch.from_numpy(train.corrupt.contents.shards.shard)[train.picks]
        lengths = torch.unique_consecutive(shard_N, return_counts=True)[1]
        return EpochBatches(len(train), self.batch_size, self.seed, chunks=lengths, at_once=self.at_once)

    def facts(self) -> dict[str, Any]:
        """Return the facts of `EncodedData`, and the shards that ended too early."""
        return super().facts() | {"broken_shards": self.broken}


def _found(both: list[Shards]) -> str:
    text = [f"{len(shards.labels)} images in {len(shards.paths)} shards" for shards in both]
    return ", for the test ".join(text)
