"""Relative attention against eq. 3 in float64; equivariance; the bias is never out of date."""

import pytest
import torch
from hypothesis import given, settings

from coatlab.model.attention.bias import MASKED
from coatlab.model.attention.post import PostAttention
from coatlab.model.attention.relative import RelativeAttention
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
    randomized,
    shifted_bias,
    softmax_attention,
)


@settings(max_examples=25)
@given(GRIDS, HEADS, WIDTHS, SEEDS)
def test_equals_the_equation(grid: Grid, heads: int, width: int, seed: int) -> None:
    attend = randomized(RelativeAttention(heads, width, grid, block=0), seed)
    qkv, table = inputs(heads, grid, width, seed), attend.bias.table
    assert_same(attend(*qkv), softmax_attention(*qkv, bias=shifted_bias(table, grid)), [*qkv, table])


@pytest.mark.parametrize("variant", [RelativeAttention, PostAttention])
def test_translation_equivariance_in_the_interior(variant: type[RelativeAttention]) -> None:
    """If the bias ends at shift 1, moving the input by one position moves the result by one, except at the border."""
    grid, far = (8, 9), MASKED if variant is RelativeAttention else 0.0
    attend = randomized(variant(2, 4, grid, block=0), 3)
    with torch.no_grad():
        middle = attend.bias.table[:, 6:9, 7:10].clone()
        attend.bias.table.fill_(far)
        attend.bias.table[:, 6:9, 7:10] = middle
        maps = [x.detach().unflatten(2, grid) for x in inputs(2, grid, 4, seed=5)]
        still = attend(*[x.flatten(2, 3) for x in maps]).unflatten(2, grid)
        moved = attend(*[x.roll((1, 1), (2, 3)).flatten(2, 3) for x in maps]).unflatten(2, grid)
    torch.testing.assert_close(moved.roll((-1, -1), (2, 3))[:, :, 1:6, 1:7], still[:, :, 1:6, 1:7])
    assert not torch.allclose(moved.roll((-1, -1), (2, 3))[:, :, 0], still[:, :, 0])


@pytest.mark.parametrize("way", ["in_place", "data", "load", "swap", "optimizer", "vector"])
def test_the_bias_is_never_out_of_date(way: str) -> None:
    attend = RelativeAttention(2, 4, (4, 5), block=0).eval()
    table, qkv = attend.bias.table, [x.float().detach() for x in inputs(2, (4, 5), 4, seed=0)]
    with torch.no_grad():
        before = attend(*qkv)
    new = torch.randn_like(table)
    if way == "in_place":
        with torch.no_grad():
            table.copy_(new)
    elif way == "data":
        table.data.copy_(new)  # as weight averaging swaps its weights: no version counter sees it
    elif way == "load":
        attend.load_state_dict({"bias.table": new})
    elif way == "swap":
        attend.bias.table = torch.nn.Parameter(new)
    elif way == "vector":
        torch.nn.utils.vector_to_parameters(new.flatten(), attend.parameters())
    else:
        table.grad = new
        torch.optim.SGD([table], lr=1.0).step()
    with torch.no_grad():
        after = attend(*qkv)
    assert not torch.allclose(before, after)
    expected = softmax_attention(*qkv, bias=shifted_bias(attend.bias.table.detach(), (4, 5)))
    torch.testing.assert_close(after, expected)


def test_tables_and_cost() -> None:
    assert count_tables("relative") == (5, 0)
    assert counted_products("relative") == 2 * 36**2 * 32
