"""Neighborhood attention against its formula in float64, in each of its implementations."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention.flex_attention import flex_attention

from coatlab import create_model
from coatlab.errors import InputError
from coatlab.model.attention import neighborhood
from coatlab.model.attention.neighborhood import NeighborhoodAttention
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
    seen,
    shifted_bias,
    softmax_attention,
)

SIZES = st.sampled_from([1, 3, 5, 7, 15])


def near(grid: Grid, k: int) -> torch.Tensor:
    return seen(grid, lambda i, j: max(abs(i[0] - j[0]), abs(i[1] - j[1])) <= k // 2)


def check(grid: Grid, k: int, heads: int, width: int, seed: int) -> None:
    attend = randomized(NeighborhoodAttention(heads, width, grid, block=0, kernel_size=k), seed)
    qkv, table, sees = inputs(heads, grid, width, seed), attend.bias.table, near(grid, k)
    reference = softmax_attention(*qkv, bias=shifted_bias(table, grid), sees=sees)
    assert_same(attend(*qkv), reference, [*qkv, table])
    multiplied = neighborhood._read(table, grid, attend.radius).numel() / heads
    assert attend.density * multiplied == pytest.approx(float(sees.sum()))


@settings(max_examples=30)
@given(GRIDS, SIZES, HEADS, WIDTHS, SEEDS)
def test_whole_equals_the_formula(grid: Grid, k: int, heads: int, width: int, seed: int) -> None:
    check(grid, k, heads, width, seed)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.tuples(st.integers(1, 18), st.integers(1, 18)), SIZES, HEADS, WIDTHS, SEEDS)
def test_tiles_equal_the_formula(grid: Grid, k: int, heads: int, width: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighborhood, "WHOLE", 0)
        check(grid, k, heads, width, seed)


@pytest.mark.slow
def test_a_grid_beyond_the_limit_takes_tiles() -> None:
    check((17, 16), 5, heads=2, width=4, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("grid", [(17, 33), (24, 16)])
def test_flex_attention_equals_the_tiles(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without torch.compile, which needs a compiler: the order of tokens, the mask and the bias are the same."""
    monkeypatch.setattr(neighborhood, "_compiled", lambda: flex_attention)
    attend = NeighborhoodAttention(2, 16, grid, block=0, kernel_size=7)
    torch.nn.init.normal_(attend.bias.table)
    qkv = [x.float().detach() for x in inputs(2, grid, 16, seed=0)]
    with torch.no_grad():
        by_tiles = attend(*qkv)
        attend.implementation = "flex"
        torch.testing.assert_close(attend(*qkv), by_tiles, rtol=1e-4, atol=1e-5)


def test_flex_attention_says_where_it_cannot_train() -> None:
    attend = NeighborhoodAttention(1, 16, (20, 20), block=0, kernel_size=3, implementation="flex")
    with pytest.raises(
        InputError, match=r"attention\.implementation=flex cannot train on cpu; valid there: auto, tiles"
    ):
        attend(*[x.float() for x in inputs(1, (20, 20), 16, seed=0)])


@pytest.mark.slow
def test_the_blocks_of_flex_attention_grow_linearly() -> None:
    """Tokens are ordered so that a block of queries needs few blocks of keys, however large the grid."""
    blocks = []
    for side in (56, 112):
        mask = neighborhood._tile_order((side, side), (3, 3), torch.device("cpu"))[-1]
        partial, full = mask.kv_num_blocks, mask.full_kv_num_blocks
        blocks.append(int(partial.sum()) + (int(full.sum()) if full is not None else 0))
    assert blocks[1] / blocks[0] < 1.15 * 4


@settings(max_examples=15)
@given(GRIDS, HEADS, SEEDS, st.integers(0, 2))
def test_a_neighborhood_that_covers_the_grid_is_relative(grid: Grid, heads: int, seed: int, more: int) -> None:
    relative = randomized(RelativeAttention(heads, 4, grid, block=0), seed)
    covering = NeighborhoodAttention(heads, 4, grid, 0, kernel_size=2 * max(grid) - 1 + 2 * more).double()
    covering.load_state_dict(relative.state_dict())
    assert covering.reach == "covering"
    qkv = inputs(heads, grid, 4, seed)
    assert_same(covering(*qkv), relative(*qkv), qkv)


def test_its_field_is_stated() -> None:
    network = create_model("CCTT", "neighborhood", "nano", image_size=32, channels=1)
    assert network.attention_fields() == {
        "S3": {"grid": [4, 4], "field": [3, 3], "reach": "local"},
        "S4": {"grid": [2, 2], "field": [3, 3], "reach": "covering"},
    }
    with pytest.raises(InputError, match=r"attention\.kernel_size=4 is not valid; it must be an odd whole number"):
        create_model(attention="neighborhood", attention_settings={"kernel_size": 4})


def test_tables_and_cost() -> None:
    assert count_tables("neighborhood") == (5, 0)
    assert counted_products("neighborhood", kernel_size=3) == 2 * int(near((6, 6), 3).sum()) * 32
