"""timm's weights go in and come out unchanged; what has no counterpart there is named. test_timm.py compares logits."""

import pytest
import timm
import torch

from coatlab import create_model
from coatlab.errors import InputError
from coatlab.model.attention.bias import resize_table

TIMMS = {"downsample": "depthwise_conv", "pool": "average"}


@pytest.mark.parametrize("number", range(5))
def test_names_and_shapes_are_timms(number: int) -> None:
    with torch.device("meta"):
        ours = create_model("CCTT", size=f"coatnet_{number}").timm_state_dict()
        theirs = timm.create_model(f"coatnet_{number}_224").state_dict()
    assert {name: one.shape for name, one in ours.items()} == {name: one.shape for name, one in theirs.items()}


@torch.no_grad()
@pytest.mark.slow
def test_weights_come_back_and_timm_computes_the_same_with_ours() -> None:
    torch.manual_seed(0)
    ours = create_model("CCTT", size="coatnet_0", num_classes=7, **TIMMS).eval()
    theirs = timm.create_model("coatnet_0_224", num_classes=7).eval()
    theirs.load_state_dict(ours.timm_state_dict())
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(theirs(x), ours(x), rtol=1e-4, atol=1e-4)
    again = create_model("CCTT", size="coatnet_0", num_classes=7, **TIMMS)
    again.load_timm_state_dict(theirs.state_dict())
    state = ours.state_dict()
    assert all(torch.equal(one, state[name]) for name, one in again.state_dict().items())


@pytest.mark.slow
def test_tables_of_another_resolution_are_resized() -> None:
    weights = timm.create_model("coatnet_0_224").state_dict()
    ours = create_model("CCTT", size="coatnet_0", image_size=64)
    ours.load_timm_state_dict(weights)
    table = weights["stages.2.blocks.1.attn.rel_pos.relative_position_bias_table"]
    found = ours.state_dict()["stages.2.1.attention.attend.bias.table"]
    assert torch.equal(found, resize_table(table.T.reshape(-1, 27, 27), (4, 4)))


@pytest.mark.parametrize(
    ("layout", "settings", "name"),
    [
        ("CTTT", {"attention": "linear"}, "attention"),
        ("CCTT", {"attention": "post"}, "stages.2.0.attention"),
        ("CCTT", {"attention": "absolute"}, "position.table"),
        ("CCTT", {"attention": "window"}, "attention"),
        ("ViT_REL", {}, "stem.weight"),
        ("CCTT", {"dense_head": False}, "a head without the dense layer"),
    ],
)
def test_what_has_no_counterpart_is_named(layout: str, settings: dict, name: str) -> None:
    with torch.device("meta"):
        one = create_model(layout, size="nano", image_size=32, **settings)
    with pytest.raises(InputError, match=rf"timm's coatnet_N has no counterpart of .*{name}.*layout=CCTT"):
        one.timm_state_dict()


def test_weights_of_another_network_are_refused_by_name() -> None:
    with torch.device("meta"):
        ours = create_model("CCTT", size="coatnet_0")
        theirs = timm.create_model("coatnet_1_224").state_dict()
        with pytest.raises(InputError, match=r"not those of timm's coatnet_N of this size: .*; and \d+ more$"):
            ours.load_timm_state_dict(theirs)
        same = timm.create_model("coatnet_0_224").state_dict()
        del same["head.norm.weight"]
        same["extra"] = torch.empty(1)
        with pytest.raises(InputError, match=r": head\.norm\.weight is missing; extra is unknown$"):
            ours.load_timm_state_dict(same)
        other = timm.create_model("coatnet_0_224", num_classes=7).state_dict()
        with pytest.raises(InputError, match=r"head\.fc\.weight is \(7, 768\) there and head\.3\.weight \(1000, 768\)"):
            ours.load_timm_state_dict(other)
