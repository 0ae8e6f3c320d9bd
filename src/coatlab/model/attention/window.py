"""Local attention in non-overlapping windows with a relative bias inside: the paper's option B (sec. 2.2), as in Swin.

Inside a window this is eq. 3 "pre". In every other block the windows are shifted cyclically by half their size, so that
neighbors on two sides of a window's border share a window in the next block (Liu et al. 2021, "Swin Transformer", sec.
3.2). Two kinds of pairs in a window are masked: positions that the cyclic shift brings together from opposite borders
of the image; and, where windows do not divide the grid, positions of the image with the zeros that pad it.
A window that is larger than the grid in a direction is cut to the grid, and not shifted in that direction. Where this
happens in both directions the result equals `relative` number for number, and the record says so.

Cost of a block: 2 * N * w^2 * C multiply-adds for windows of w x w and C = H * D, where N includes the padding; memory
H * N * w^2, linear in N. Masked pairs are counted as well, so that a block costs the same whether it is shifted or not.
Deviations from Swin: scale and tables are those of `relative`; shifts alternate over all transformer blocks of the
network, the first of which is not shifted.

B batch, H heads, N tokens, D head width, W windows, M positions of a window.
"""

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor

from coatlab.model.attention.bias import MASKED, RelativeBias, read_bias
from coatlab.model.attention.biased import biased_attention
from coatlab.model.attention.inner import InnerAttention
from coatlab.model.layout import Grid


class WindowAttention(InnerAttention):
    """Attend to the positions in the same window.

    Args:
        window: rows and columns of a window.
    """

    local = True

    def __init__(self, heads: int, head_size: int, grid: Grid, block: int, window: int) -> None:
        super().__init__(heads, head_size, grid, block)
        self.window: Grid = (min(window, grid[0]), min(window, grid[1]))
        shifted = block % 2 == 1
        self.shift: Grid = tuple(  # type: ignore[assignment]
            size // 2 if shifted and size < side else 0 for size, side in zip(self.window, grid, strict=True)
        )
        self.bias = RelativeBias(heads, self.window)

    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        q, k, v = (_split(x, self.grid, self.window, self.shift) for x in (q_BHND, k_BHND, v_BHND))
        bias = _read(self.bias.table, self.grid, self.window, self.shift).to(q.dtype)
        mix = biased_attention(q, k, v, bias)
        return _join(mix, self.grid, self.window, self.shift)

    @property
    def field(self) -> Grid:
        return self.window

    @property
    def covers_grid(self) -> bool:
        return self.window == self.grid


def _split(x_BHND: Tensor, grid: Grid, window: Grid, shift: Grid) -> Tensor:
    """Pad a map with zeros, shift it and cut it into windows: (B, H, N, D) -> (B, H * W, M, D)."""
    x = x_BHND.unflatten(2, grid)
    below, right = (-side % size for side, size in zip(grid, window, strict=True))
    if below or right:
        x = F.pad(x, (0, 0, 0, right, 0, below))
    if any(shift):
        x = x.roll((-shift[0], -shift[1]), (2, 3))
    x = x.unflatten(3, (-1, window[1])).unflatten(2, (-1, window[0]))  # (B, H, rows of windows, y, columns, x, D)
    return x.transpose(3, 4).flatten(4, 5).flatten(1, 3)


def _join(x_BWMD: Tensor, grid: Grid, window: Grid, shift: Grid) -> Tensor:
    """Undo `_split`: (B, H * W, M, D) -> (B, H, N, D)."""
    tiles = _tiles(grid, window)
    x = x_BWMD.unflatten(2, window).unflatten(1, (-1, *tiles)).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    if any(shift):
        x = x.roll(shift, (2, 3))
    return x[:, :, : grid[0], : grid[1]].flatten(2, 3)


@torch.fx.wrap
def _read(table: Tensor, grid: Grid, window: Grid, shift: Grid) -> Tensor:
    """Read the bias of every head and window, shape (H * W, M, M); pairs that must not meet are masked."""
    rows, columns = _tiles(grid, window)
    bias_HWMM = read_bias(table, window)[:, None].expand(-1, rows * columns, -1, -1)
    if any(shift) or any(side % size for side, size in zip(grid, window, strict=True)):
        bias_HWMM = torch.where(_allowed(grid, window, shift, table.device), bias_HWMM, MASKED)
    return bias_HWMM.flatten(0, 1)


def _allowed(grid: Grid, window: Grid, shift: Grid, device: torch.device) -> Tensor:
    """Tell which pairs in a window see each other, shape (W, M, M).

    They do if both lie in the same piece of the image (a cyclic shift cuts it into up to four pieces), or both in the
    padding of that piece.
    """
    labels = []
    for side, size, by in zip(grid, window, shift, strict=True):
        length = -(-side // size) * size
        at = torch.arange(length, device=device) + by
        wrapped, padding = at >= length, at % length >= side
        labels.append(wrapped + 2 * padding)
    label = 4 * labels[0][:, None] + labels[1]
    label_WM = (
        label.unflatten(1, (-1, window[1]))
        .unflatten(0, (-1, window[0]))
        .transpose(1, 2)
        .reshape(-1, window[0] * window[1])
    )
    return label_WM[:, :, None] == label_WM[:, None, :]


def _tiles(grid: Grid, window: Grid) -> Grid:
    """Return how many rows and columns of windows there are."""
    return -(-grid[0] // window[0]), -(-grid[1] // window[1])
