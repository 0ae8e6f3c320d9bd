"""A backbone returns the maps of the network it was, and says what they are as timm does."""

import pytest
import timm
import torch

from coatlab import create_model
from coatlab.errors import InputError

X = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
NANO = {"size": "nano", "image_size": 32, "channels": 1}


def test_channels_reductions_and_shapes_are_timms() -> None:
    with torch.device("meta"):
        ours = create_model("CCTT", size="coatnet_0", features_only=True)
        theirs = timm.create_model("coatnet_0_224", features_only=True)
        x = torch.empty(1, 3, 224, 224)
        assert [one.shape for one in ours(x)] == [one.shape for one in theirs(x)]
        assert ours.feature_info.channels() == theirs.feature_info.channels()
        assert ours.feature_info.reduction() == theirs.feature_info.reduction()
        assert ours.feature_info.out_indices == tuple(theirs.feature_info.out_indices)


@torch.no_grad()
@pytest.mark.parametrize("layout", ["CCTT", "ViT_REL"])
def test_the_maps_are_those_of_the_whole_network(layout: str) -> None:
    torch.manual_seed(0)
    whole = create_model(layout, **NANO).eval()
    torch.manual_seed(0)
    maps = create_model(layout, features_only=True, **NANO).eval()(X)
    expected = [whole.stem(X), *whole.features(X)]
    assert len(maps) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(maps, expected, strict=True))


@torch.no_grad()
def test_chosen_maps_need_no_later_stage() -> None:
    every, some = (create_model(features_only=True, out_indices=i, **NANO).eval() for i in (None, (2, 1)))
    some.load_state_dict({name: one for name, one in every.state_dict().items() if name in some.state_dict()})
    assert len(some.stages) == 2
    first, second = some(X)
    assert torch.equal(first, every(X)[2])
    assert torch.equal(second, every(X)[1])
    assert some.feature_info.channels() == [first.shape[1], second.shape[1]]
    assert some.feature_info.reduction() == [32 // first.shape[2], 32 // second.shape[2]]


def test_every_weight_gets_a_gradient_with_checkpointing_too() -> None:
    backbone = create_model(features_only=True, **NANO)
    backbone.set_grad_checkpointing()
    backbone(X)[-1].sum().backward()
    assert all(p.grad is not None for p in backbone.parameters())


@pytest.mark.parametrize("out_indices", [(5,), (-1,), (), (True,), ("S1",)])
def test_maps_that_do_not_exist_are_refused(out_indices: tuple) -> None:
    with pytest.raises(InputError, match=r"out_indices=.* valid: 0, 1, 2, 3, 4, where 0 is the stem"):
        create_model(features_only=True, out_indices=out_indices, **NANO)


def test_maps_are_asked_for_of_a_backbone_and_images_must_fit_it() -> None:
    with pytest.raises(InputError, match=r"out_indices=.* is not valid without features_only=True"):
        create_model(out_indices=(1,), **NANO)
    with pytest.raises(InputError, match=r"built for \(images, 1, 32, 32\)"):
        create_model(features_only=True, **NANO)(torch.randn(1, 3, 32, 32))
