"""The relative bias w_{i-j} of eq. 3: a learned table over shifts, read as a bias between positions (App. A.1).

The table P has one number per head and shift: its shape is (heads, 2*rows-1, 2*columns-1) for shifts that reach over
`rows` and `columns`. Each block has its own table. The paper reads it by an einsum with one-hot matrices, which suits a
TPU. We read it as sliding windows over the table: for a query in row y, the biases to all rows y' are the window of P
that starts at y, in reverse order. No N x N index is stored, and the numbers are the same.
Deviation: the paper reads a table once for evaluation and keeps the bias. We read it in every pass. A kept bias has to
be dropped whenever the table, its precision, its device or the mode of tensors changes, in ways that cannot all be seen
from here. On one core reading takes 2 to 7 % of the inference of a single image (nano and coatnet_0), and at most 1 %
with 8 images at coatnet_0 or 64 at nano.

When weights of another resolution are loaded, the table is resized to the new reach; a table whose reach is the same (a
local window) is left unchanged.

H heads, Q queries, K keys, R x S the table's shifts.
"""

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor, nn

from coatlab.model.layout import Grid

# Added to scores that must not count. Its exponential is 0 in every precision and float16 can hold it. It is finite, so
# that a query that sees no key (padding, whose result is thrown away) gives numbers instead of NaN.
MASKED = -1e4
FEW_KEYS = 64  # up to which sliding windows in both directions are copied faster than row by row


@torch.fx.wrap
def read_bias(table_HRS: Tensor, keys: Grid) -> Tensor:
    """Read the bias between all queries and all keys: bias[h, i, j] = table[h, i - j], shape (H, Q, K).

    Args:
        table_HRS: the table.
        keys: rows and columns of keys. There are R - rows + 1 rows and S - columns + 1 columns of queries: as many
            queries as keys where R = 2*rows-1 and S = 2*columns-1.
    """
    rows, columns = keys
    if rows * columns <= FEW_KEYS:
        windows = table_HRS.unfold(1, rows, 1).unfold(2, columns, 1)  # (H, y, x, from y, from x)
        return windows.flip(3, 4).reshape(table_HRS.shape[0], -1, rows * columns)
    # as above in x only, which is little; then one copy in which whole rows of keys stand together: (H, x, from y, x')
    lines = table_HRS.flip(1, 2).unfold(2, columns, 1).flip(2).transpose(1, 2).contiguous()
    last = table_HRS.shape[1] - rows
    by_query = [lines[:, :, last - y : last - y + rows] for y in range(last + 1)]
    return torch.stack(by_query, 1).reshape(table_HRS.shape[0], -1, rows * columns)


def resize_table(table_HRS: Tensor, reach: Grid) -> Tensor:
    """Resize a table bilinearly to the shifts of another reach (App. A.1: finetuning at a larger resolution).

    End points are aligned: the largest shift stays the largest, and shift 0 stays in the middle.
    """
    shape = (2 * reach[0] - 1, 2 * reach[1] - 1)
    if tuple(table_HRS.shape[1:]) == shape:
        return table_HRS
    resized = F.interpolate(table_HRS[None].float(), size=shape, mode="bilinear", align_corners=True)[0]
    return resized.to(table_HRS.dtype)


class RelativeBias(nn.Module):
    """The learned bias table of one block.

    Args:
        heads: H.
        reach: rows and columns that the shifts reach over: the grid, or a window.
    """

    def __init__(self, heads: int, reach: Grid) -> None:
        super().__init__()
        self.reach = reach
        self.table = nn.Parameter(torch.empty(heads, 2 * reach[0] - 1, 2 * reach[1] - 1))
        nn.init.trunc_normal_(self.table, std=0.02)
        self.register_load_state_dict_pre_hook(_resize_stored)  # type: ignore[no-untyped-call]

    def forward(self, dtype: torch.dtype) -> Tensor:
        """Return the bias between all positions of the reach in a precision, shape (H, N, N)."""
        return read_bias(self.table, self.reach).to(dtype)

    def extra_repr(self) -> str:
        return f"heads={self.table.shape[0]}, reach={self.reach}"


def _resize_stored(bias: nn.Module, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
    """Resize the table that is about to be loaded; a hook of `load_state_dict`."""
    assert isinstance(bias, RelativeBias)
    if (stored := state_dict.get(prefix + "table")) is not None:
        state_dict[prefix + "table"] = resize_table(stored, bias.reach)
