"""Every attention, forward and backward, gives on a GPU what it gives on a CPU."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from coatlab.benchmark.scaling import Setup, all_variants, variant
from coatlab.model.attention.inner import InnerAttention
from coatlab.model.attention.neighborhood import NeighborhoodAttention, _prefers_flex

SETUP: dict[str, Any] = {"heads": 2, "head_size": 32, "turns": 1, "threads": 1, "sides": ()}
CPU, CLOSE = torch.device("cpu"), 1e-5  # relative to the norm


def built(name: str, side: int) -> InnerAttention:
    torch.manual_seed(side)
    one = variant(name, Setup(**SETUP, device=CPU, dtype=torch.float32), side)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.normal_()  # a bias of size 0.02 would hardly be seen
    return one


def passes(attend: InnerAttention, side: int, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """Return the mix and all gradients, in float64 on the CPU."""
    generator = torch.Generator().manual_seed(1)
    shape = (2, 2, side * side, 32)
    q, k, v, g = (torch.randn(shape, generator=generator).to(device, dtype) for _ in range(4))
    inputs = [x.requires_grad_() for x in (q, k, v)]
    out = attend(*inputs)
    gradients = torch.autograd.grad(out, [*inputs, *attend.parameters()], g)
    return [x.detach().to(CPU, torch.float64) for x in (out, *gradients)]


def off(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("side", [7, 20])  # at 20, neighborhood takes FlexAttention
@pytest.mark.parametrize("name", all_variants())
def test_the_same_numbers_as_on_a_cpu(name: str, side: int, gpu: torch.device) -> None:
    reference = built(name, side)
    expected = passes(deepcopy(reference).double(), side, CPU, torch.float64)
    found = passes(reference.to(gpu), side, gpu, torch.float32)
    assert [off(one, other) < CLOSE for one, other in zip(found, expected, strict=True)] == [True] * len(expected)


@pytest.mark.parametrize("side", [7, 20])
@pytest.mark.parametrize("name", all_variants())
def test_bfloat16_is_finite_and_near(name: str, side: int, gpu: torch.device) -> None:
    reference = built(name, side)
    expected = passes(deepcopy(reference).double(), side, CPU, torch.float64)
    found = passes(reference.to(gpu, torch.bfloat16), side, gpu, torch.bfloat16)
    assert all(x.isfinite().all() for x in found)
    assert max(off(one, other) for one, other in zip(found, expected, strict=True)) < 0.05


@pytest.mark.parametrize("side", [17, 20, 32])
def test_flex_attention_gives_the_numbers_of_tiles(side: int, gpu: torch.device) -> None:
    flex = built("neighborhood", side).to(gpu)
    tiles = deepcopy(flex)
    assert isinstance(flex, NeighborhoodAttention)
    assert isinstance(tiles, NeighborhoodAttention)
    assert _prefers_flex(torch.empty(1, 2, side * side, 32, device=gpu), (side, side))
    flex.implementation, tiles.implementation = "flex", "tiles"
    pairs = zip(*(passes(one, side, gpu, torch.float32) for one in (flex, tiles)), strict=True)
    assert max(off(one, other) for one, other in pairs) < CLOSE
