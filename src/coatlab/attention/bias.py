"""The relative bias w_{i-j} of eq. 3: a table over shifts, read as a bias between positions (App. A.1).

The table P has shape (heads, 2*rows-1, 2*columns-1), one scalar a head and shift; each head of each
block has its own. The paper reads it by an einsum with one-hot matrices, which suits a TPU. We read it
as sliding windows over the table: for a query in row y the biases to all rows y' are a window of P that
starts at y, seen backwards. No N x N index is stored, and the result is the same number.

A: rows or columns of the grid. H heads, N tokens, R x S the table's shifts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coatlab.layout import Grid


def read_bias(table_HRS: Tensor, grid: Grid) -> Tensor:
    """Read the bias between all positions of `grid`: bias[h, i, j] = table[h, i - j], shape (H, N, N)."""
    rows, columns = grid
    windows = table_HRS.unfold(1, rows, 1).unfold(2, columns, 1)  # (H, y, x, from y, from x)
    return windows.flip(3, 4).reshape(table_HRS.shape[0], rows * columns, rows * columns)


def resize_table(table_HRS: Tensor, grid: Grid) -> Tensor:
    """Resize a table bilinearly to the shifts of another grid (App. A.1: finetuning at a larger resolution).

    End points are aligned: the largest shift stays the largest shift and shift 0 stays in the middle.
    """
    shape = (2 * grid[0] - 1, 2 * grid[1] - 1)
    if tuple(table_HRS.shape[1:]) == shape:
        return table_HRS
    resized = F.interpolate(table_HRS[None].float(), size=shape, mode="bilinear", align_corners=True)[0]
    return resized.to(table_HRS.dtype)


class RelativeBias(nn.Module):
    """A learned bias table for one block; loading a table of another grid resizes it."""

    def __init__(self, heads: int, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.table = nn.Parameter(torch.empty(heads, 2 * grid[0] - 1, 2 * grid[1] - 1))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self) -> Tensor:
        """Return the bias between all positions, shape (H, N, N)."""
        return read_bias(self.table, self.grid)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        if (stored := state_dict.get(prefix + "table")) is not None:
            state_dict[prefix + "table"] = resize_table(stored, self.grid)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        return f"heads={self.table.shape[0]}, grid={self.grid}"
