"""A convolution with its norm folded in against the two in sequence, in float64."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from coatlab.model.blocks.folded import fold, fold_backward, with_ones


@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 9), st.integers(2, 20))
def test_values_moments_and_gradients_are_those_of_two_layers(seed: int, channels: int, out: int, rows: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, weight, scale, shift = (
        torch.randn(*shape, generator=generator, dtype=torch.float64).add(0.5).requires_grad_()
        for shape in ((rows, channels), (out, channels), (out,), (out,))
    )
    raw = x @ weight.t()
    expected = F.batch_norm(raw, None, None, scale, shift, training=True, eps=1e-2)
    x_NA = with_ones(x.detach().view(1, 1, rows, channels))
    folded = fold(x_NA, weight.detach(), scale.detach(), shift.detach(), 1e-2)
    torch.testing.assert_close(x_NA @ folded.matrix_AI, expected.detach())
    torch.testing.assert_close(folded.mean_I, raw.mean(0).detach())
    torch.testing.assert_close(folded.variance_I, raw.var(0, correction=0).detach())
    g = torch.randn(rows, out, generator=generator, dtype=torch.float64)
    found = fold_backward(g, x_NA, folded, weight.detach(), scale.detach())
    for mine, wanted in zip(found, torch.autograd.grad(expected, (x, weight, scale, shift), g), strict=True):
        torch.testing.assert_close(mine, wanted)
