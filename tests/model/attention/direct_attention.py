"""Helpers for the tests of attention variants: formulas written out slowly in float64, and what a block costs."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from coatlab import create_model
from coatlab.budget.cost import cost_of
from coatlab.model.attention.bias import RelativeBias
from coatlab.model.attention.position import PositionEmbedding
from coatlab.model.network import Network

Grid = tuple[int, int]
Position = tuple[int, int]

GRIDS = st.tuples(st.integers(1, 7), st.integers(1, 7))
HEADS = st.integers(1, 3)
WIDTHS = st.integers(1, 5)
SEEDS = st.integers(0, 99)


def positions(grid: Grid) -> list[Position]:
    return list(itertools.product(range(grid[0]), range(grid[1])))


def shifted_bias(table: Tensor, grid: Grid) -> Tensor:
    """Look up the shift of every pair in a table, (H, N, N); a shift beyond the table gets the nearest entry."""
    reach = [(size - 1) // 2 for size in table.shape[1:]]
    rows = []
    for y, x in positions(grid):
        at = [
            (
                min(max(y - y2, -reach[0]), reach[0]) + reach[0],
                min(max(x - x2, -reach[1]), reach[1]) + reach[1],
            )
            for y2, x2 in positions(grid)
        ]
        rows.append(torch.stack([table[:, i, j] for i, j in at], dim=1))
    return torch.stack(rows, dim=1)


def seen(grid: Grid, sees: Callable[[Position, Position], bool]) -> Tensor:
    """Return for every pair of positions whether the first sees the second, (N, N)."""
    return torch.tensor([[sees(i, j) for j in positions(grid)] for i in positions(grid)])


def softmax_attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | float = 0.0, sees: Tensor | None = None
) -> Tensor:
    """Compute eq. 3 "pre" over the positions that are seen, as quotients of exponentials."""
    scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(q.shape[3]) + bias
    powers = scores.exp() if sees is None else scores.exp() * sees
    return torch.einsum("bhij,bhjd->bhid", powers / powers.sum(-1, keepdim=True), v)


def inputs(heads: int, grid: Grid, width: int, seed: int, batch: int = 2) -> list[Tensor]:
    """Draw q, k, v in float64."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, heads, grid[0] * grid[1], width)
    return [torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True) for _ in range(3)]


def randomized(attend: nn.Module, seed: int) -> nn.Module:
    """Fill every parameter of a variant with random numbers, in float64."""
    attend.double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in attend.parameters():
            parameter.normal_(generator=generator)
    return attend


def assert_same(ours: Tensor, reference: Tensor, leaves: list[Tensor]) -> None:
    """Compare two results, and their gradients with respect to the leaves."""
    torch.testing.assert_close(ours, reference, rtol=1e-9, atol=1e-9)
    weight = torch.randn(ours.shape, dtype=ours.dtype, generator=torch.Generator().manual_seed(1))
    gradients = [torch.autograd.grad((out * weight).sum(), leaves, materialize_grads=True) for out in (ours, reference)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def small_network(attention: str, image_size: int | tuple[int, int] = 32, **settings: Any) -> Network:
    """Build a small CTTT with a variant: five transformer blocks in three stages."""
    plan = {"blocks": [1, 1, 2, 2, 1], "widths": [8, 8, 16, 16, 32]}
    shared: dict[str, Any] = {"plan": plan, "channels": 1, "num_classes": 10}
    return create_model("CTTT", attention, "nano", image_size=image_size, attention_settings=settings, **shared)


def count_tables(attention: str) -> tuple[int, int]:
    """Count the bias tables and the position embeddings of `small_network`: five blocks, three stages."""
    modules = list(small_network(attention).modules())
    tables, embeddings = (
        sum(isinstance(module, kind) for module in modules) for kind in (RelativeBias, PositionEmbedding)
    )
    return tables, embeddings


def counted_products(attention: str, **settings: Any) -> int:
    """Count the multiply-adds of a variant on a 6 x 6 grid, with 2 heads of 16; projections are not included."""
    plan = {"blocks": [1, 1], "widths": [32, 32], "strides": [8, 1]}
    shared: dict[str, Any] = {"channels": 1, "num_classes": 10, "plan": plan, "image_size": 48}
    network = create_model("ViT_REL", attention, "nano", attention_settings=settings, **shared)
    tokens, width = 36, 32
    return cost_of(network).stages["S1"].macs - tokens * 12 * width**2
