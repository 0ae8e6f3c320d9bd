"""Linear attention: each feature map against its formula in float64, favor against softmax itself, bfloat16."""

import math

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from coatlab import create_model
from coatlab.errors import InputError
from coatlab.model.attention.linear import LinearAttention, draw_directions, elu_plus_one
from tests.model.attention.direct_attention import (
    GRIDS,
    HEADS,
    SEEDS,
    WIDTHS,
    Grid,
    assert_same,
    count_tables,
    counted_products,
    inputs,
    softmax_attention,
)

MAPS = ("elu", "softmax", "favor")


def variant(feature_map: str, heads: int, width: int, grid: Grid, features: int | None = None) -> LinearAttention:
    return LinearAttention(heads, width, grid, 0, feature_map, features, position="none")


def quotient(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Compute the formula from features of q and k, with the weight of every pair written out."""
    weights = torch.einsum("bhim,bhjm->bhij", q, k)
    return torch.einsum("bhij,bhjd->bhid", weights / weights.sum(-1, keepdim=True), v)


def elu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x + 1, x.exp())


@settings(max_examples=20)
@given(GRIDS, HEADS, WIDTHS, SEEDS)
def test_elu_equals_the_formula(grid: Grid, heads: int, width: int, seed: int) -> None:
    q, k, v = inputs(heads, grid, width, seed)
    assert_same(variant("elu", heads, width, grid)(q, k, v), quotient(elu(q), elu(k), v), [q, k, v])


@settings(max_examples=20)
@given(GRIDS, HEADS, WIDTHS, SEEDS)
def test_softmax_equals_the_formula(grid: Grid, heads: int, width: int, seed: int) -> None:
    q, k, v = inputs(heads, grid, width, seed)
    over_features, over_positions = q.exp() / q.exp().sum(3, keepdim=True), k.exp() / k.exp().sum(2, keepdim=True)
    reference = torch.einsum("bhid,bhjd,bhje->bhie", over_features, over_positions, v)
    assert_same(variant("softmax", heads, width, grid)(q, k, v), reference, [q, k, v])


@settings(max_examples=20)
@given(GRIDS, HEADS, WIDTHS, SEEDS)
def test_favor_equals_the_formula(grid: Grid, heads: int, width: int, seed: int) -> None:
    q, k, v = inputs(heads, grid, width, seed)
    attend = variant("favor", heads, width, grid, features=6).double()

    def features(x: Tensor) -> Tensor:
        x = x / width**0.25
        return (torch.einsum("md,bhnd->bhnm", attend.directions_mD, x) - (x**2).sum(3, keepdim=True) / 2).exp()

    phi_q, phi_k = features(q), features(k)
    phi_q = phi_q + 1e-6 * phi_q.detach().amax(3, keepdim=True)
    phi_k = phi_k + 1e-6 * phi_k.detach().amax((2, 3), keepdim=True)
    assert_same(attend(q, k, v), quotient(phi_q, phi_k, v), [q, k, v])


def test_favor_approaches_softmax_attention() -> None:
    """The error falls with the square root of the number of features, as for an unbiased estimate (lemma 1)."""
    grid, width = (6, 6), 8
    qkv = [x.detach() / 2 for x in inputs(2, grid, width, seed=0)]
    exact, errors = softmax_attention(*qkv), []
    for count in (64, 4096):
        drawn = []
        for seed in range(8):
            torch.manual_seed(seed)
            drawn.append((variant("favor", 2, width, grid, count).double()(*qkv) - exact).square().mean())
        errors.append(math.sqrt(sum(drawn) / 8))
    assert errors[1] < 0.02
    assert 4 < errors[0] / errors[1] < 16  # 8 expected


def test_directions_are_orthogonal_and_as_long_as_gaussian_ones() -> None:
    torch.manual_seed(0)
    directions = draw_directions(24, 16)
    block = directions[:16] / directions[:16].norm(dim=1, keepdim=True)
    torch.testing.assert_close(block @ block.mT, torch.eye(16), atol=1e-5, rtol=0)
    assert draw_directions(4096, 16).square().sum(1).mean().item() == pytest.approx(16, rel=0.05)


def test_favor_features_come_from_the_seed_and_are_saved_with_the_weights() -> None:
    def model(seed: int) -> torch.nn.Module:
        torch.manual_seed(seed)
        settings = {"feature_map": "favor"}
        return create_model("CCTT", "linear", "nano", image_size=32, channels=1, attention_settings=settings).eval()

    one, again, other = model(0), model(0), model(1)
    key = "stages.2.0.attention.attend.directions_mD"
    assert one.state_dict()[key].shape == (round(16 * math.log(16)), 16)
    assert torch.equal(one.state_dict()[key], again.state_dict()[key])
    assert not torch.equal(one.state_dict()[key], other.state_dict()[key])
    other.load_state_dict(one.state_dict())
    x = torch.randn(2, 1, 32, 32)
    assert torch.equal(one(x), other(x))
    blocks = [value for name, value in one.state_dict().items() if name.endswith("directions_mD")]
    assert not torch.equal(blocks[0], blocks[1])


@pytest.mark.parametrize("feature_map", MAPS)
@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
def test_bfloat16_is_as_good_as_its_inputs_and_never_nan(feature_map: str, scale: float) -> None:
    """Thousands of tokens and large entries, under autocast: results and gradients stay finite."""
    grid, attend = (64, 64), variant(feature_map, 2, 16, (64, 64), features=32)
    q, k, v = (x.detach().bfloat16() for x in inputs(2, grid, 16, seed=0))
    q, k = q * scale, k * scale
    leaves = [x.requires_grad_() for x in (q, k, v)]
    with torch.autocast("cpu", torch.bfloat16):
        out = attend(*leaves)
    assert out.dtype == torch.bfloat16
    assert out.isfinite().all()
    exact = attend.double()(*[x.detach().double() for x in leaves])
    if scale == 1.0:
        torch.testing.assert_close(out.double(), exact, rtol=2e-2, atol=2e-3)
    out.float().sum().backward()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in leaves)


def test_elu_plus_one_does_not_cancel() -> None:
    x = torch.tensor([-30.0, -1.0, 0.0, 2.0])
    torch.testing.assert_close(elu_plus_one(x), torch.where(x > 0, x + 1, x.exp()), rtol=1e-6, atol=0)
    assert elu_plus_one(x)[0] > 0
    assert (torch.nn.functional.elu(x) + 1)[0] == 0  # the rounding that it avoids
    x.requires_grad_()
    elu_plus_one(x).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, x.detach().exp().clamp(max=1))


def test_an_unknown_feature_map_is_refused() -> None:
    with pytest.raises(InputError, match=r"attention\.feature_map=relu does not exist.*valid: elu, softmax, favor"):
        create_model(attention="linear", attention_settings={"feature_map": "relu"})


def test_tables_and_cost() -> None:
    assert count_tables("linear") == (0, 3)
    assert counted_products("linear") == 36 * (2 * 16 + 1) * 32  # the 1 is the denominator of the quotient
