"""Local attention in non-overlapping windows with a relative bias inside: the paper's option B (sec. 2.2), as in Swin.

Within a window it is eq. 3 "pre". In every other block the windows are shifted by half their size, cyclically, so that
neighbors across a border meet in the next block (Liu et al. 2021, "Swin Transformer", sec. 3.2). Positions that the
cyclic shift brings together from opposite borders do not see each other, and neither do those of the image and the
zeros that complete the last windows where the window does not divide the grid. Where the window covers the grid in a
direction it is cut to the grid and not shifted in it; where it does in both, this is `relative`, number for number, and
the record says so.

Cost of a block: 2 * N * w^2 * C multiply-adds for windows of w x w, those of zeros included, and C = H * D; memory
H * N * w^2: linear in N. Pairs that a shift masks are counted as well, so that a block costs the same wherever it is.
Deviations from Swin: scale and tables are those of `relative`; shifts alternate over the transformer blocks of the
whole network, of which the first is not shifted.

B batch, H heads, N tokens, D head width, W windows, M positions of a window.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from coatlab.model.attention.bias import MASKED, RelativeBias, read_bias
from coatlab.model.attention.inner import InnerAttention, Reach
from coatlab.model.layout import Grid


class WindowAttention(InnerAttention):
    """Attend to the positions of one's own window.

    Args:
        window: rows and columns of a window.
    """

    def __init__(self, heads: int, head_size: int, grid: Grid, block: int, window: int) -> None:
        super().__init__(heads, head_size, grid, block)
        self.window: Grid = (min(window, grid[0]), min(window, grid[1]))
        half = block % 2
        self.shift: Grid = tuple(  # type: ignore[assignment]
            half * (size // 2) if size < side else 0 for size, side in zip(self.window, grid, strict=True)
        )
        self.bias = RelativeBias(heads, self.window, partial(_read, grid=grid, window=self.window, shift=self.shift))

    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        q, k, v = (_split(x, self.grid, self.window, self.shift) for x in (q_BHND, k_BHND, v_BHND))
        mix = F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias(q.dtype))
        return _join(mix, self.grid, self.window, self.shift)

    @property
    def field(self) -> Grid:
        return self.window

    @property
    def reach(self) -> Reach:
        return "covering" if self.window == self.grid else "local"


def _split(x_BHND: Tensor, grid: Grid, window: Grid, shift: Grid) -> Tensor:
    """Cut a map into windows, completed with zeros: (B, H, N, D) -> (B, H * W, M, D)."""
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


def _read(table: Tensor, grid: Grid, window: Grid, shift: Grid) -> Tensor:
    """Read the bias of every head and window, shape (1, H * W, M, M)."""
    rows, columns = _tiles(grid, window)
    bias_HWMM = read_bias(table, window)[:, None].expand(-1, rows * columns, -1, -1)
    if any(shift) or any(side % size for side, size in zip(grid, window, strict=True)):
        bias_HWMM = torch.where(_allowed(grid, window, shift, table.device), bias_HWMM, MASKED)
    return bias_HWMM.flatten(0, 1)[None]


def _allowed(grid: Grid, window: Grid, shift: Grid, device: torch.device) -> Tensor:
    """Tell which pairs of a window see each other, shape (W, M, M): those of one piece of the image, or of padding."""
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
    """Return the rows and columns of windows."""
    return -(-grid[0] // window[0]), -(-grid[1] // window[1])
