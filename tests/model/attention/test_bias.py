"""The bias of two positions is the entry for their shift, and resizing a table keeps smooth functions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coatlab.model.attention.bias import FEW_KEYS, RelativeBias, read_bias, resize_table

GRIDS = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(GRIDS, st.integers(1, 3), st.integers(0, 1000))
def test_the_bias_depends_only_on_the_shift(grid: tuple[int, int], heads: int, seed: int) -> None:
    rows, columns = grid
    table = torch.randn(heads, 2 * rows - 1, 2 * columns - 1, generator=torch.Generator().manual_seed(seed))
    bias = read_bias(table, grid).view(heads, rows, columns, rows, columns)
    for y in range(rows):
        for x in range(columns):
            for y2 in range(rows):
                for x2 in range(columns):
                    assert torch.equal(bias[:, y, x, y2, x2], table[:, y - y2 + rows - 1, x - x2 + columns - 1])


@pytest.mark.parametrize(
    ("keys", "queries"), [((9, 8), (9, 8)), ((3, 40), (3, 40)), ((14, 14), (8, 8)), ((12, 6), (5, 9))]
)
def test_many_keys_are_read_as_few_are(
    keys: tuple[int, int], queries: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their gradients; there may be more keys than queries, as in a tile with a margin."""
    assert keys[0] * keys[1] > FEW_KEYS
    shape = [a + b - 1 for a, b in zip(keys, queries, strict=True)]
    tables = [torch.randn(2, *shape, dtype=torch.float64).requires_grad_()]
    tables.append(tables[0].detach().clone().requires_grad_())
    many = read_bias(tables[0], keys)
    monkeypatch.setattr("coatlab.model.attention.bias.FEW_KEYS", 10**6)
    few = read_bias(tables[1], keys)
    assert torch.equal(many, few)
    weight = torch.randn_like(few)
    for table, bias in zip(tables, (many, few), strict=True):
        (bias * weight).sum().backward()
        assert table.grad is not None
    torch.testing.assert_close(tables[0].grad, tables[1].grad)


def smooth_table(grid: int) -> torch.Tensor:
    shift = torch.linspace(-1, 1, 2 * grid - 1, dtype=torch.float64)
    return torch.stack([torch.exp(-(shift[:, None] ** 2) - shift**2), torch.sin(shift[:, None]) * shift])


def test_resize_there_and_back_keeps_a_smooth_table() -> None:
    table = smooth_table(14).float()
    back = resize_table(resize_table(table, (24, 24)), (14, 14))
    assert (back - table).abs().max() < 1e-2
    assert torch.equal(resize_table(table, (14, 14)), table)


def test_resize_keeps_the_middle_and_the_largest_shift() -> None:
    table = torch.randn(2, 13, 13)
    resized = resize_table(table, (10, 10))
    torch.testing.assert_close(resized[:, 9, 9], table[:, 6, 6])
    torch.testing.assert_close(resized[:, 0, -1], table[:, 0, -1])


def test_loading_resizes_and_does_not_change_the_callers_dictionary() -> None:
    small, large = (RelativeBias(2, (n, n)) for n in (7, 12))
    state = small.state_dict()
    large.load_state_dict(state)
    torch.testing.assert_close(large.table, resize_table(small.table, (12, 12)))
    assert state["table"].shape == (2, 13, 13)
