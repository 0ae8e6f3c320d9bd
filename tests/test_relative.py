"""Relative attention against a direct loop over eq. 3 in float64, forward and gradient."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from coatlab.attention.relative import RelativeAttention


def direct(q: Tensor, k: Tensor, v: Tensor, table: Tensor, grid: tuple[int, int]) -> Tensor:
    """Eq. 3 "pre", one position at a time: y_i = sum_j softmax_j(q_i . k_j / sqrt(D) + w_{i-j}) v_j."""
    rows, columns = grid
    out = torch.zeros_like(v)
    positions = [(y, x) for y in range(rows) for x in range(columns)]
    for b in range(q.shape[0]):
        for h in range(q.shape[1]):
            for i, (y, x) in enumerate(positions):
                scores = torch.stack(
                    [
                        q[b, h, i] @ k[b, h, j] / math.sqrt(q.shape[3])
                        + table[h, y - y2 + rows - 1, x - x2 + columns - 1]
                        for j, (y2, x2) in enumerate(positions)
                    ]
                )
                weights = scores.exp() / scores.exp().sum()
                out[b, h, i] = sum(weights[j] * v[b, h, j] for j in range(len(positions)))
    return out


@settings(max_examples=15)
@given(
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_equals_the_equation(grid: tuple[int, int], batch: int, heads: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    attend = RelativeAttention(heads, width, grid, block=0).double()
    with torch.no_grad():
        attend.bias.table.normal_(generator=generator)
    shape = (batch, heads, grid[0] * grid[1], width)
    qkv = [torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True) for _ in range(3)]
    weight = torch.randn(shape, dtype=torch.float64, generator=generator)
    ours, reference = attend(*qkv), direct(*qkv, attend.bias.table, grid)
    torch.testing.assert_close(ours, reference, rtol=1e-10, atol=1e-10)
    leaves = [*qkv, attend.bias.table]
    for one, other in zip(
        torch.autograd.grad((ours * weight).sum(), leaves),
        torch.autograd.grad((reference * weight).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
