"""MBConv at once against MBConv layer by layer: outputs, gradients and running statistics, in float64 and float32."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from coatlab.model.blocks import branch
from coatlab.model.blocks.mbconv import MBConv
from coatlab.model.eager import layer_by_layer

BLOCK = {"stride": 1, "downsample": "expand_conv", "norm": "batch", "pool": "max"}
BLOCK |= {"expansion": 4, "squeeze": 0.25, "drop": 0.0}


def block(seed: int, width_in: int = 8, width: int = 12, **settings: Any) -> MBConv:
    """A block whose norms have learned something."""
    torch.manual_seed(seed)
    one = MBConv(width_in, width, **(BLOCK | settings))
    for norm in one.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.weight, 1, 0.3)
            nn.init.normal_(norm.bias, 0.2, 0.3)
            nn.init.normal_(norm.running_mean, 0.1, 0.2)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    return one.to(memory_format=torch.channels_last)


def images(seed: int, *shape: int) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) + 0.3
    return x.contiguous(memory_format=torch.channels_last)


def outcome(one: MBConv, x: Tensor) -> dict[str, Tensor]:
    """Everything that a step computes: output, gradients, running statistics."""
    one, x = copy.deepcopy(one), x.clone().requires_grad_()
    out = one(x)
    (out * torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    found = {"out": out.detach(), "x": x.grad, **dict(one.named_buffers())}
    return found | {f"grad {name}": parameter.grad for name, parameter in one.named_parameters()}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    largest = max(float(value.abs().max()) for name, value in expected.items() if name.startswith("grad"))
    for name, value in expected.items():
        # a gradient that is zero but for rounding (of a bias in front of a norm) is as exact as the others
        scale = largest if name.startswith("grad") else max(1.0, float(value.abs().max()))
        assert float((found[name] - value).abs().max()) <= tolerance * scale, name


def called(monkeypatch: pytest.MonkeyPatch, name: str) -> list[bool]:
    calls, original = [], getattr(branch, name)
    monkeypatch.setattr(
        "coatlab.model.blocks.mbconv." + name, lambda *arguments: (calls.append(True), original(*arguments))[1]
    )
    return calls


@settings(max_examples=30)
@given(
    seed=st.integers(0, 99),
    side=st.integers(1, 7),
    other=st.integers(1, 7),
    count=st.integers(2, 5),
    stride=st.sampled_from([1, 2]),
    downsample=st.sampled_from(["expand_conv", "depthwise_conv"]),
    training=st.booleans(),
)
def test_both_ways_agree_in_float64(
    seed: int, side: int, other: int, count: int, stride: int, downsample: str, training: bool
) -> None:
    one = block(seed, stride=stride, downsample=downsample).double().train(training)
    x = images(seed, count, 8, side * stride, other * stride).double()
    found = outcome(one, x)
    with layer_by_layer():
        expected = outcome(one, x)
    assert_same(found, expected, 1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("width_in", "width", "stride", "side"), [(8, 24, 1, 16), (24, 48, 2, 16), (80, 80, 1, 4), (80, 120, 2, 4)]
)
def test_both_ways_are_equally_near_to_float64(
    width_in: int, width: int, stride: int, side: int, training: bool
) -> None:
    """The errors of float32, of both ways, against the layers in float64."""
    one = block(0, width_in, width, stride=stride).train(training)
    x = images(1, 64, width_in, side, side)
    with layer_by_layer():
        exact, plain = outcome(copy.deepcopy(one).double(), x.double()), outcome(one, x)
    found = outcome(one, x)
    for name, value in exact.items():
        scale = float(value.abs().max()) + 1e-3
        error, usual = (float((way[name] - value).abs().max()) / scale for way in (found, plain))
        assert error < max(5 * usual, 1e-5), (name, error, usual)


@pytest.mark.parametrize(
    ("width_in", "width", "stride", "downsample", "side"),
    [(8, 24, 1, "expand_conv", 16), (24, 48, 2, "expand_conv", 18), (80, 80, 2, "depthwise_conv", 4)],
)
def test_evaluation_without_gradients_is_as_near_too(
    width_in: int, width: int, stride: int, downsample: str, side: int
) -> None:
    """torch's fused kernels, which have no gradient, against the layers in float64."""
    one = block(0, width_in, width, stride=stride, downsample=downsample).eval()
    x = images(1, 64, width_in, side, side)
    with torch.no_grad():
        found = one(x)
        with layer_by_layer():
            exact, plain = copy.deepcopy(one).double()(x.double()), one(x)
    error, usual = (float((way - exact).abs().max() / exact.abs().max()) for way in (found, plain))
    assert error < max(5 * usual, 1e-6), (error, usual)


@pytest.mark.parametrize(("name", "training"), [("trained", True), ("evaluated", False)])
def test_ordinary_tensors_go_at_once(name: str, training: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = called(monkeypatch, name)
    block(0).train(training)(images(0, 2, 8, 4, 4))
    assert calls


def frozen(one: MBConv) -> None:
    one.depthwise_norm.eval()


def hooked(one: MBConv) -> None:
    one.depthwise.register_forward_hook(lambda *_: None)


def replaced(one: MBConv) -> None:
    one.activation = nn.ReLU()


def without_statistics(one: MBConv) -> None:
    one.expand_norm.momentum = None


def test_a_map_of_one_value_is_refused_as_by_the_norm() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        block(0, stride=2)(images(0, 1, 8, 2, 2))


@pytest.mark.parametrize("change", [frozen, hooked, replaced, without_statistics])
def test_a_changed_layer_is_called(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = called(monkeypatch, "trained")
    one = block(0)
    change(one)
    one(images(0, 2, 8, 4, 4))
    assert not calls


def test_other_tensors_go_through_the_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, evaluations = called(monkeypatch, "trained"), called(monkeypatch, "evaluated")
    one, x = block(0), images(0, 2, 8, 4, 4)
    copy.deepcopy(one).bfloat16()(x.bfloat16())
    copy.deepcopy(one).to("meta")(x.to("meta"))
    block(0, norm="layer")(x)
    with torch.autocast("cpu", torch.bfloat16):
        one(x)
    still = block(0).eval()
    torch.func.grad(lambda images: still(images).sum())(x)
    with torch.autograd.forward_ad.dual_level():
        one(torch.autograd.forward_ad.make_dual(x, x))
    assert not calls
    assert not evaluations


def test_a_gradient_of_a_gradient_needs_the_layers() -> None:
    one, x = block(0), images(0, 2, 8, 4, 4).requires_grad_()
    for way in (True, False):
        if way:
            with layer_by_layer():
                (gradient,) = torch.autograd.grad(one(x).square().sum(), x, create_graph=True)
            gradient.sum().backward()
        else:
            (gradient,) = torch.autograd.grad(one(x).square().sum(), x, create_graph=True)
            with pytest.raises(RuntimeError, match="once_differentiable"):
                gradient.sum().backward()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one, x = block(0).eval(), images(0, 7, 8, 4, 4)
    whole = one(x)
    monkeypatch.setattr(branch, "CHUNK_BYTES", 3 * 16 * 48 * 4)
    torch.testing.assert_close(one(x), whole)
