"""Batches are augmented as torchvision augments each image alone, bit for bit."""

import pytest
import torch
from torchvision.transforms import v2

from coatlab.data.randaugment import RandAugment


def pictures(count: int, channels: int, side: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(side)
    return torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (3, 7)])
@pytest.mark.parametrize(("layers", "magnitude"), [(2, 15), (1, 30), (3, 0)])
def test_what_is_drawn_and_applied_is_what_torchvision_does(
    channels: int, side: int, layers: int, magnitude: int
) -> None:
    images, ours = pictures(150, channels, side), RandAugment(layers, magnitude, side)
    theirs = v2.RandAugment(layers, magnitude)
    drawn, expected, ends = [], [], []
    with torch.random.fork_rng(devices=[]):
        for number, image in enumerate(images):
            torch.manual_seed(number)
            drawn.append(ours.draw())
            ends.append(torch.rand(1))
            torch.manual_seed(number)
            expected.append(theirs(image))
            assert torch.equal(ends[-1], torch.rand(1)), "they draw differently many numbers"
    assert {name for operations in drawn for name, _ in operations} == set(ours._AUGMENTATION_SPACE)
    before = images.clone()
    assert torch.equal(ours.apply(images, drawn), torch.stack(expected))
    assert torch.equal(images, before)


def test_no_layers_leave_the_images_alone() -> None:
    images = pictures(3, 1, 8)
    assert torch.equal(RandAugment(0, 9, 8).apply(images, [RandAugment(0, 9, 8).draw()] * 3), images)
