"""Shards in WebDataset's form, for sets too large for folders: `data=webdataset data.root=DIR data.shards=...`.

Batches are shuffled within groups of shards, `data.shards_at_once` at a time, and the shards are grouped anew in every
epoch: what is read lies together, and the order is still a function of seed and epoch alone.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from coatlab.data.files.encoded import Encoded, EncodedData, Source
from coatlab.data.files.shards import Shards, index
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
        shards, test_shards: names relative to root; without test shards, test images are held out.
        shards_at_once: how many are shuffled together.
        cache: folder of the index.
        content: hash of the shards that the run was named by (shards.catalog).
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
            InputError: a shard is missing or cut off, or they changed since the run was named.
        """
        both = [index(Path(str(self.root)), pattern, Path(self.cache)) for pattern in self.patterns if pattern]
        if self.content not in (None, "-".join(content for _, content in both)):
            raise InputError(f"the shards below data.root={self.root} have changed; give the command again")
        broken = [name for shards, _ in both for name in shards.broken]
        if broken and self.on_corrupt == "stop":
            raise InputError(
                f"{', '.join(broken)} ends too early; replace it, or use what is whole with data.on_corrupt=skip"
            )
        self.broken = broken
        train, *test = (Samples(shards) for shards, _ in both)
        return Source(train, test[0] if test else None)

    def in_order(self, train: Tensor) -> Tensor:
        """Return the training images shard by shard."""
        return train.sort().values

    def make_batches(self) -> EpochBatches:
        """Return an order that shuffles groups of shards."""
        train = self.sets["train"]
        assert isinstance(train, Encoded)
        assert isinstance(train.corrupt.contents, Samples)
        shard_N = torch.from_numpy(train.corrupt.contents.shards.shard)[train.picks]
        lengths = torch.unique_consecutive(shard_N, return_counts=True)[1]
        return EpochBatches(len(train), self.batch_size, self.seed, chunks=lengths, at_once=self.at_once)

    def facts(self) -> dict[str, Any]:
        """Add the shards that ended too early."""
        return super().facts() | {"broken_shards": self.broken}
