"""Post-normalized relative attention against eq. 3 in float64."""

import torch
from hypothesis import given, settings

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
    attend = randomized(PostAttention(heads, width, grid, block=0), seed)
    qkv, table = inputs(heads, grid, width, seed), attend.bias.table
    by_shift = torch.einsum("hij,bhjd->bhid", shifted_bias(table, grid), qkv[2])
    assert_same(attend(*qkv), softmax_attention(*qkv) + by_shift, [*qkv, table])


def test_its_tables_are_those_of_relative() -> None:
    torch.manual_seed(0)
    post = PostAttention(2, 4, (5, 5), block=0)
    torch.manual_seed(0)
    pre = RelativeAttention(2, 4, (5, 5), block=0)
    assert torch.equal(post.bias.table, pre.bias.table)


def test_tables_and_cost() -> None:
    assert count_tables("post") == (5, 0)
    assert counted_products("post") == 3 * 36**2 * 32
