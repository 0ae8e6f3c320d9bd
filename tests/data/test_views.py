"""Views are torchvision's transforms; their random numbers depend on the image, the epoch and the seed."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2

from coatlab.data.views import PLAIN, RandAugment, Views

EVERYTHING = PLAIN | {"random_crop": True, "horizontal_flip": True, "randaugment": {"layers": 2, "magnitude": 15}}


def image(height: int, width: int, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.randint(0, 256, (channels, height, width), dtype=torch.uint8, generator=generator)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(2, 40), st.sampled_from([1, 3]), st.booleans())
def test_images_of_any_size_become_squares(height: int, width: int, side: int, channels: int, center: bool) -> None:
    views = Views(EVERYTHING | {"center_crop": center}, side, seed=0)
    picture = image(height, width, channels)
    for view in (views.evaluation(picture), views.training(picture, 0, 0)):
        assert view.shape == (channels, side, side)
        assert view.dtype == torch.uint8


def test_evaluation_is_resize_and_center_crop_or_the_whole_image() -> None:
    picture = image(100, 70)
    crop = v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(224)])
    assert torch.equal(Views(PLAIN, 224, seed=0).evaluation(picture), crop(picture))
    whole = v2.Resize((224, 224), antialias=True)
    assert torch.equal(Views(PLAIN | {"center_crop": False}, 224, seed=0).evaluation(picture), whole(picture))
    assert math.ceil(224 / 0.875) == 256


def test_training_is_the_usual_chain_of_transforms() -> None:
    views, picture = Views(EVERYTHING, 32, seed=5), image(50, 40)
    chain = v2.Compose([v2.RandomResizedCrop(32, antialias=True), v2.RandomHorizontalFlip(), v2.RandAugment(2, 15)])
    states: list[torch.Tensor] = []
    crop = views.random_crop
    assert crop is not None

    def noted(picture: torch.Tensor) -> torch.Tensor:
        states.append(torch.random.get_rng_state())
        return crop(picture)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "random_crop", noted)
        view = views.training(picture, 2, 7)
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(states[0])
        assert torch.equal(view, chain(picture))


def test_without_augmentation_training_sees_what_evaluation_sees() -> None:
    views, picture = Views(PLAIN, 32, seed=0), image(50, 40)
    assert not views.augments
    assert torch.equal(views.training(picture, 3, 1), views.evaluation(picture))


def test_draws_depend_on_seed_epoch_and_image_and_leave_the_global_generator_alone() -> None:
    picture = image(50, 40)

    def view(seed: int = 0, epoch: int = 0, number: int = 0) -> torch.Tensor:
        return Views(EVERYTHING, 32, seed).training(picture, epoch, number)

    state = torch.random.get_rng_state()
    first = view()
    torch.rand(3)
    assert torch.equal(first, view())
    for other in (view(seed=1), view(epoch=1), view(number=1)):
        assert not torch.equal(first, other)
    torch.random.set_rng_state(state)
    expected = torch.rand(1)
    torch.random.set_rng_state(state)
    view()
    assert torch.equal(expected, torch.rand(1))


def test_images_that_have_the_size_are_evaluated_unchanged() -> None:
    picture = image(28, 28, 1)
    assert torch.equal(Views(PLAIN, 28, seed=0, whole=True).evaluation(picture), picture)


@given(
    st.sampled_from([1, 3]), st.integers(8, 40), st.booleans(), st.booleans(),
    st.sampled_from([None, {"layers": 2, "magnitude": 15}]), st.booleans(),
)  # fmt: skip
def test_a_batch_has_the_views_of_its_images(
    channels: int, side: int, crop: bool, flip: bool, augment: dict | None, whole: bool
) -> None:
    recipe = PLAIN | {"random_crop": crop, "horizontal_flip": flip, "randaugment": augment}
    views = Views(recipe, side, seed=3, whole=whole)
    images, numbers = torch.stack([image(side, side, channels).roll(shift) for shift in range(24)]), range(100, 124)
    state = torch.random.get_rng_state()
    batch = views.training_batch(images, 2, numbers)
    assert torch.equal(torch.random.get_rng_state(), state)
    alone = [views.training(one, 2, number) for one, number in zip(images, numbers, strict=True)]
    assert torch.equal(batch, torch.stack(alone))


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
