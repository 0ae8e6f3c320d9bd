"""The relative bias w_{i-j} of eq. 3: a table over shifts, read as a bias between positions (App. A.1).

The table P has one scalar a head and shift, shape (heads, 2*rows-1, 2*columns-1) where shifts reach over `rows` and
`columns`; each head of each block has its own. The paper reads it by an einsum with one-hot matrices, which suits a
TPU. We read it as sliding windows over the table: for a query in row y the biases to all rows y' are a window of P
that starts at y, seen backwards. No N x N index is stored, and the result is the same number.

A table of another reach is resized when it is loaded; one of the same reach (a local window) stays as it is.

H heads, Q queries, K keys, R x S the table's shifts.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coatlab.model.layout import Grid

# Added to scores that must not count: exp of it is 0 in every precision, float16 can hold it, and it is finite, so
# that a query without any key (padding, whose mix is thrown away) gives numbers and not NaN.
MASKED = -1e4


def read_bias(table_HRS: Tensor, keys: Grid) -> Tensor:
    """Read the bias between all queries and `keys`: bias[h, i, j] = table[h, i - j], shape (H, Q, K).

    There are R - rows + 1 rows of queries, S - columns + 1 columns; with a table of 2*rows-1 as many as keys.
    """
    rows, columns = keys
    windows = table_HRS.unfold(1, rows, 1).unfold(2, columns, 1)  # (H, y, x, from y, from x)
    return windows.flip(3, 4).reshape(table_HRS.shape[0], -1, rows * columns)


def resize_table(table_HRS: Tensor, reach: Grid) -> Tensor:
    """Resize a table bilinearly to the shifts of another reach (App. A.1: finetuning at a larger resolution).

    End points are aligned: the largest shift stays the largest shift and shift 0 stays in the middle.
    """
    shape = (2 * reach[0] - 1, 2 * reach[1] - 1)
    if tuple(table_HRS.shape[1:]) == shape:
        return table_HRS
    resized = F.interpolate(table_HRS[None].float(), size=shape, mode="bilinear", align_corners=True)[0]
    return resized.to(table_HRS.dtype)


class RelativeBias(nn.Module):
    """A learned bias table for one block, and what was last read from it.

    Args:
        heads: H.
        reach: rows and columns that the shifts reach over: the grid, or a window.
        read: from the table to the bias that scores need; a pure function of the table.
    """

    def __init__(self, heads: int, reach: Grid, read: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.reach, self.read = reach, read
        self.table = nn.Parameter(torch.empty(heads, 2 * reach[0] - 1, 2 * reach[1] - 1))
        self._kept: tuple[Tensor, Tensor] | None = None
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, dtype: torch.dtype) -> Tensor:
        """Return the bias in a precision; in evaluation without gradients it is read once and kept (App. A.1).

        What is kept is compared with the table by content: writes through `.data`, as weight averaging does them,
        leave no other trace. The table is small where the bias is large.
        """
        tracing = torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if self.training or torch.is_grad_enabled() or tracing or self.table.is_meta:
            return self.read(self.table).to(dtype)
        if self._kept is not None:
            table, bias = self._kept
            same = (table.dtype, table.device, bias.dtype) == (self.table.dtype, self.table.device, dtype)
            if same and torch.equal(table, self.table):
                return bias
        bias = self.read(self.table).to(dtype)
        self._kept = self.table.clone(), bias
        return bias

    def train(self, mode: bool = True) -> "RelativeBias":
        """Switch between training and evaluation; training drops what was kept."""
        if mode:
            self._kept = None
        return super().train(mode)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_kept": None}  # a pickled network, or a copy, does not carry it

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        if (stored := state_dict.get(prefix + "table")) is not None:
            state_dict[prefix + "table"] = resize_table(stored, self.reach)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        return f"heads={self.table.shape[0]}, reach={self.reach}"
