"""create_model: names, shapes, the settings of the paper's ablations, and errors before anything is built."""

import numpy as np
import pytest
import torch
from torch import nn

from coatlab import create_model
from coatlab.config.compose import compose
from coatlab.config.files import choices
from coatlab.errors import InputError
from coatlab.model.blocks.mbconv import LayerNorm2d, MBConv
from coatlab.model.blocks.transformer import Transformer
from coatlab.model.network import Network

LAYOUTS = choices("layout")


def nano(layout: str = "CCTT", **settings: object) -> Network:
    return create_model(layout, size="nano", image_size=32, channels=1, num_classes=10, **settings)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_has_the_blocks_it_names(layout: str) -> None:
    network, kinds = nano(layout), compose([f"layout={layout}"]).layout.stages
    for stage, kind in zip(network.stages, kinds, strict=True):
        assert {type(block) for block in stage} == {{"C": MBConv, "T": Transformer}[kind]}
    assert network(torch.randn(2, 1, 32, 32)).shape == (2, 10)


def test_features_are_the_maps_of_s1_to_s4() -> None:
    maps = nano().features(torch.randn(2, 1, 32, 32))
    assert [tuple(m.shape[1:]) for m in maps] == [(16, 16, 16), (40, 8, 8), (48, 4, 4), (144, 2, 2)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_parameter_gets_a_gradient(layout: str) -> None:
    network = nano(layout)
    network(torch.randn(4, 1, 32, 32)).square().sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


def test_channels_last_memory_is_kept_through_the_network() -> None:
    network = nano("CCTT").to(memory_format=torch.channels_last)
    for one in network.features(torch.randn(2, 1, 32, 32).contiguous(memory_format=torch.channels_last)):
        assert one.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.slow
def test_table_7_moves_blocks() -> None:
    network = create_model("CCTT", size="coatnet_2", plan={"blocks": [2, 2, 2, 18, 2]})
    assert [len(stage) for stage in network.stages] == [2, 2, 18, 2]


def test_table_8_changes_norm_and_head_size() -> None:
    network = create_model("CCTT", size="coatnet_0", norm="layer", plan={"head_size": 64})
    assert isinstance(network.stages[0][0].norm, LayerNorm2d)
    assert network.stages[2][0].attention.attend.heads == 384 // 64


@pytest.mark.slow
def test_table_9_moves_the_stride() -> None:
    default, strided = create_model("CCTT"), create_model("CCTT", downsample="depthwise_conv")
    assert default.stages[0][0].expand.stride == (2, 2)
    assert default.stages[0][0].depthwise.stride == (1, 1)
    assert strided.stages[0][0].expand.stride == (1, 1)
    assert strided.stages[0][0].depthwise.stride == (2, 2)
    assert parameters(default) == parameters(strided)


def test_coatnet_6_mixes_s3() -> None:
    with torch.device("meta"):
        network = create_model("CCTT", size="coatnet_6", image_size=224)
    assert [type(block) for block in network.stages[2]] == [MBConv] * 8 + [Transformer] * 42


def test_coatnet_6_as_printed_is_reachable() -> None:
    with torch.device("meta"):
        printed = create_model("CCTT", size="coatnet_6", plan={"widths": [192, 192, 384, [768, 1536], 2048]})
    assert abs(parameters(printed) / 1350e6 - 1) < 0.005


def test_stochastic_depth_grows_from_zero_to_its_value() -> None:
    network = nano(stochastic_depth=0.3)
    rates = [block.drop.p for stage in network.stages for block in stage]
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(0.3)
    assert rates == sorted(rates)


def test_a_checkpoint_of_another_resolution_loads() -> None:
    small, large = create_model("CCTT", size="coatnet_0", image_size=64), create_model(size="coatnet_0", image_size=128)
    large.load_state_dict(small.state_dict())
    assert large(torch.randn(1, 3, 128, 128)).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"layout": "CCTX"}, "layout=CCTX does not exist.*valid: CCCC, CCCT, CCTT, CTTT, ViT_REL"),
        ({"layout": "TCCC"}, "every C must come before every T"),
        ({"attention": "relativ"}, r"attention=relativ does not exist \(did you mean relative\?\)"),
        ({"size": "huge"}, "size=huge does not exist.*coatnet_0"),
        ({"layout": "CCCC", "size": "coatnet_3"}, "size=coatnet_3 has no plan for layout=CCCC, only for CCTT"),
        ({"image_size": 100}, "image_size=100 is not divisible by 32"),
        ({"plan": {"head_size": 36}}, "plan.head_size=36 does not divide"),
        ({"downsample": "pool"}, "network.downsample=pool does not exist.*expand_conv, depthwise_conv"),
        ({"norm": "group"}, "network.norm=group does not exist.*batch, layer"),
        ({"pool": "min"}, "network.pool=min does not exist.*max, average"),
        ({"colour": 1}, "network setting=colour does not exist"),
        ({"plan": {"depths": [1]}}, "plan setting=depths does not exist"),
        ({"plan": [1]}, r"plan settings must be a dictionary, not \[1\]"),
        ({"plan": {"widths": [True, 16, 32, 32, 64]}}, "holds True; every entry must be a whole number"),
        ({"plan": {"head_size": True}}, "plan.head_size=True does not divide the width"),
        ({"plan": {"head_size": "32"}}, "plan.head_size=32 does not divide the width"),
        ({"layout": None}, "layout=None does not exist; valid: CCCC"),
        ({"layout": "CCTT,CTTT"}, "layout=CCTT,CTTT does not exist"),
        ({"size": 0}, "size=0 does not exist; valid: coatnet_0"),
        ({"num_classes": -1}, "num_classes=-1 is not valid; it must be a whole number of at least 0"),
        ({"num_classes": None}, "num_classes=null is not valid"),
        ({"num_classes": "10"}, "num_classes=10 is not valid"),
        ({"num_classes": True}, "num_classes=true is not valid"),
        ({"num_classes": 10.0}, "num_classes=10.0 is not valid"),
        ({"channels": 0}, "channels=0 is not valid; it must be a whole number of at least 1"),
        ({"channels": "3"}, "channels=3 is not valid"),
        ({"image_size": "32"}, "image_size=32 is not valid; it must be a whole number of at least 1"),
        ({"image_size": 0}, "image_size=0 is not valid"),
        ({"image_size": -224}, "image_size=-224 is not valid"),
        ({"image_size": None}, "image_size=null is not valid"),
        ({"image_size": 224.0}, "image_size=224.0 is not valid"),
        ({"image_size": (224,)}, r"image_size=\(224,\) is not valid; it must be one number, or \(rows, columns\)"),
        ({"image_size": (224, "224")}, "image_size=224 is not valid"),
        (
            {"stochastic_depth": 1.5},
            "stochastic_depth=1.5 is not valid; it must be a number of at least 0 and at most 1",
        ),
        ({"stochastic_depth": float("nan")}, "stochastic_depth=nan is not valid"),
        ({"pretrained": True}, "pretrained is not valid: there are no pretrained weights"),
        ({"img_size": 32}, r"network setting=img_size does not exist \(did you mean image_size\?\)"),
        ({"num_class": 32}, r"did you mean num_classes\?"),
    ],
)
def test_what_does_not_exist_is_one_clear_value_error(arguments: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        create_model(**arguments)
    assert isinstance(caught.value, ValueError)


def test_a_patch_that_does_not_divide_the_image_needs_padding_in_the_plan() -> None:
    plan = {"blocks": [1, 1], "widths": [16, 16], "strides": [[5, 7], 1]}
    with pytest.raises(InputError, match="image_size=32 is not divisible by 5"):
        nano("ViT_REL", plan=plan)
    padded = nano("ViT_REL", plan=plan | {"pad": True})
    assert padded.plan.stages[0].grid == (7, 5)
    assert padded.features(torch.randn(1, 1, 32, 32))[0].shape == (1, 16, 7, 5)
    with pytest.raises(InputError, match="only a patch stem may be rectangular or padded"):
        nano("CCTT", plan={"pad": True})


def test_whole_numbers_of_numpy_are_taken() -> None:
    network = create_model(
        "CCTT", size="nano", image_size=np.array([32, 48])[0], channels=np.int8(1), num_classes=np.int64(7)
    )
    assert network(torch.randn(1, 1, 32, 32)).shape == (1, 7)


@pytest.mark.parametrize(
    ("layout", "attention", "built"),
    [
        *((layout, "relative", 32) for layout in LAYOUTS),
        *(("CTTT", attention, (32, 64)) for attention in choices("attention")),
        ("ViT_REL", "linear", (32, 64)),
    ],
)
def test_images_of_another_shape_are_one_value_error(layout: str, attention: str, built: int | tuple[int, int]) -> None:
    network = create_model(layout, attention, "nano", image_size=built, channels=1, num_classes=10).eval()
    rows, columns = (built, built) if isinstance(built, int) else built
    assert network(torch.randn(1, 1, rows, columns)).shape == (1, 10)
    shapes = [(1, 1, 64, 64), (1, 1, columns + 16, rows), (1, 1, rows, columns - 1), (1, 3, rows, columns)]
    for shape in [*shapes, (1, rows, columns), (1, 1, 1, rows, columns), (1, rows * columns)]:
        for call in (network, network.train(), network.features):
            with pytest.raises(ValueError, match="the images have the shape") as refused:
                call(torch.randn(shape))
            assert str(shape) in str(refused.value)
            assert f"(images, 1, {rows}, {columns}): 1 channels of {rows} x {columns} pixels" in str(refused.value)


@pytest.mark.parametrize("layout", ["CCTT", "ViT_REL"])
def test_without_classes_the_features_of_the_classifier_are_returned(layout: str) -> None:
    torch.manual_seed(0)
    whole = nano(layout).eval()
    pooled = create_model(layout, size="nano", image_size=32, channels=1, num_classes=0).eval()
    classifier = whole.head[-1]
    pooled.load_state_dict({name: value for name, value in whole.state_dict().items() if name in pooled.state_dict()})
    x = torch.randn(2, 1, 32, 32)
    features = pooled(x)
    assert features.shape == (2, whole.plan.width)
    torch.testing.assert_close(classifier(features), whole(x))
