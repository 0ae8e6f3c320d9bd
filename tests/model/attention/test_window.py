"""Window attention against its formula in float64: windows, shifts, borders, and grids that windows do not divide."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from coatlab import create_model
from coatlab.model.attention.relative import RelativeAttention
from coatlab.model.attention.window import WindowAttention
from tests.model.attention.direct_attention import (
    GRIDS,
    HEADS,
    SEEDS,
    WIDTHS,
    Grid,
    Position,
    assert_same,
    count_tables,
    counted_products,
    inputs,
    randomized,
    seen,
    shifted_bias,
    softmax_attention,
)


def same_window(grid: Grid, window: int, shifted: bool) -> torch.Tensor:
    """Tell which pairs share a window. Shifted windows begin half a window later, unless one covers the whole side."""

    def number(at: int, side: int) -> int:
        offset = window // 2 if shifted and window < side else 0
        return (at - offset) // min(window, side)  # -1: the smaller window before the first whole one

    def sees(i: Position, j: Position) -> bool:
        return all(number(a, side) == number(b, side) for a, b, side in zip(i, j, grid, strict=True))

    return seen(grid, sees)


@settings(max_examples=60)
@given(GRIDS, st.integers(1, 5), st.booleans(), HEADS, WIDTHS, SEEDS)
def test_equals_the_formula(grid: Grid, window: int, shifted: bool, heads: int, width: int, seed: int) -> None:
    attend = randomized(WindowAttention(heads, width, grid, block=int(shifted), window=window), seed)
    qkv, table = inputs(heads, grid, width, seed), attend.bias.table
    sees = same_window(grid, window, shifted)
    reference = softmax_attention(*qkv, bias=shifted_bias(table, grid), sees=sees)
    assert_same(attend(*qkv), reference, [*qkv, table])


@settings(max_examples=15)
@given(GRIDS, HEADS, SEEDS, st.integers(0, 1), st.integers(0, 3))
def test_a_window_that_covers_the_grid_is_relative(grid: Grid, heads: int, seed: int, block: int, more: int) -> None:
    relative = randomized(RelativeAttention(heads, 4, grid, block), seed)
    window = WindowAttention(heads, 4, grid, block, window=max(grid) + more).double()
    window.load_state_dict(relative.state_dict())
    assert window.reach == "covering"
    qkv = inputs(heads, grid, 4, seed)
    assert_same(window(*qkv), relative(*qkv), qkv)


def test_shifts_alternate_and_the_field_is_stated() -> None:
    network = create_model("CTTT", "window", "nano", image_size=32, channels=1)
    attends = [block.attention.attend for stage in network.stages[1:] for block in stage]
    assert [attend.shift for attend in attends][:5] == [(0, 0), (1, 1), (0, 0), (1, 1), (0, 0)]
    assert network.attention_fields() == {
        "S2": {"grid": [8, 8], "field": [2, 2], "reach": "local"},
        "S3": {"grid": [4, 4], "field": [2, 2], "reach": "local"},
        "S4": {"grid": [2, 2], "field": [2, 2], "reach": "covering"},
    }


def test_windows_are_seven_wide_at_the_papers_sizes() -> None:
    network = create_model("CCTT", "window", "coatnet_0")
    assert network.attention_fields() == {
        "S3": {"grid": [14, 14], "field": [7, 7], "reach": "local"},
        "S4": {"grid": [7, 7], "field": [7, 7], "reach": "covering"},
    }


def test_tables_and_cost() -> None:
    assert count_tables("window") == (5, 0)
    sees = same_window((6, 6), 3, shifted=False)
    assert counted_products("window", window=3) == 2 * int(sees.sum()) * 32
