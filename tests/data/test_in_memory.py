"""Random labels are the true ones in another order, for training images only, and depend on the split alone."""

from typing import Any

import pytest
import torch

from coatlab.data.in_memory import Gather, Images, InMemoryData


class Numbered(InMemoryData):
    """Images whose pixels are their numbers, of five classes."""

    def load(self) -> Images:
        numbers = torch.arange(2000)
        images = torch.stack([numbers % 256, numbers // 256], 1).to(torch.uint8)[:, None, :, None].expand(-1, 1, 2, 2)
        return Images(images, numbers % 5, images[:50], numbers[:50] % 5)


def sets(seed: int = 0, split_seed: int = 0, **changes: Any) -> dict[str, Gather]:
    settings = {"name": "numbered", "batch_size": 10, "num_classes": 5, "channels": 1, "image_size": 2}
    sizes = {"train_size": 1000, "eval_size": 100, "train_eval_size": 200}
    data = Numbered(
        root=None, cache="", seed=seed, split_seed=split_seed, mean=[0.5], std=[0.5], **settings, **sizes, **changes
    )
    data.setup()
    return data.sets  # type: ignore[return-value]


def test_only_the_labels_of_training_images_are_in_another_order() -> None:
    true, random = sets(), sets(random_labels=True)
    assert all(torch.equal(true[name].images, random[name].images) for name in true)
    assert all(torch.equal(true[name].labels, random[name].labels) for name in ("eval", "test"))
    mine, its = true["train"].labels, random["train"].labels
    assert torch.equal(mine.bincount(), its.bincount())
    assert (mine == its).float().mean().item() == pytest.approx(0.2, abs=0.06)  # five standard errors
    assert torch.equal(random["train_eval"].labels, its[:200])


def test_they_depend_on_the_split_alone() -> None:
    first, again, other = (
        sets(random_labels=True, **seeds)["train"].labels for seeds in ({}, {"seed": 1}, {"split_seed": 1})
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
