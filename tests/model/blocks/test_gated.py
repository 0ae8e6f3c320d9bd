"""Squeeze-excitation and projection at once against their definition, in float64."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from coatlab.model.blocks.gated import Gated, project, project_backward


@given(st.integers(0, 99), st.integers(1, 4), st.integers(1, 12), st.integers(1, 6))
def test_the_map_and_its_gradients(seed: int, images: int, positions: int, out: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(images, positions, 5), (2, 5), (2,), (5, 2), (5,), (out, 5), (out,)]
    x, *weights = (torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes)
    squeeze, squeeze_bias, excite, excite_bias, last, last_bias = weights
    gate = torch.sigmoid(F.linear(F.silu(F.linear(x.mean(1), squeeze, squeeze_bias)), excite, excite_bias))
    expected = F.linear(x * gate[:, None], last, last_bias)
    w = Gated(*(weight.detach() for weight in weights))
    found, kept = project(x.detach(), w)
    torch.testing.assert_close(found, expected.detach())
    g = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    g_x, gradients = project_backward(g, x.detach(), kept, w)
    wanted = torch.autograd.grad(expected, (x, *weights), g)
    for mine, one in zip((g_x, *gradients), wanted, strict=True):
        torch.testing.assert_close(mine, one)
