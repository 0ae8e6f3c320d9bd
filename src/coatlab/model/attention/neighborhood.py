"""Local attention in a sliding neighborhood: every position attends to the k x k positions around itself.

This is the "local field, as in convolution" of eq. 1 with the weights of eq. 3 "pre" (Ramachandran et al. 2019,
"Stand-Alone Self-Attention"). The neighborhood ends at the border of the image: positions outside do not exist, so a
corner attends to ((k + 1) / 2)^2 positions. The bias table spans the k x k shifts. With a k of at least 2 * side - 1,
every position sees the whole grid: the result then equals `relative` number for number, and the record says so.

Cost of a block: 2 * N * k^2 * C multiply-adds for C = H * D, less the pairs beyond the border. This is what is counted.
What is really multiplied, and the memory, depend on `attention.implementation`:
- `flex`: FlexAttention, compiled. Tokens are ordered in tiles, so that the number of blocks it computes grows linearly
  in N. It needs a GPU, or an evaluation without gradients. Memory is linear in N; scores are never stored.
- `tiles`: runs everywhere. A grid of up to 256 tokens is one masked product, 2 * N^2 * C. A larger one is cut into
  tiles of 8 x 8 that attend to themselves and a margin of k // 2: 2 * N * (7 + k)^2 * C and memory H * N * (7 + k)^2,
  linear in N.
- `auto`: flex on a GPU that supports it where the grid has more than 256 tokens, otherwise tiles.
Deviation from NATTEN (Hassani et al. 2023, "Neighborhood Attention Transformer"), which moves neighborhoods at the
border inwards: here they are cut off, as in a convolution.

B batch, H heads, N tokens, D head width, T tiles, Q positions of a tile, K positions of a tile with its margin.
"""

import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from coatlab.errors import InputError
from coatlab.model.attention.bias import MASKED, RelativeBias, read_bias
from coatlab.model.attention.biased import biased_attention
from coatlab.model.attention.inner import InnerAttention
from coatlab.model.layout import Grid

TILE = 8
WHOLE = 256  # tokens up to which one product over all of them is faster than tiles


class NeighborhoodAttention(InnerAttention):
    """Attend to the k x k positions around each position.

    Args:
        kernel_size: k, odd.
        implementation: auto, flex or tiles. All compute the same numbers, up to rounding.
    """

    local = True

    def __init__(
        self, heads: int, head_size: int, grid: Grid, block: int, kernel_size: int, implementation: str = "auto"
    ) -> None:
        super().__init__(heads, head_size, grid, block)
        self.implementation = implementation
        self.radius: Grid = (min(kernel_size // 2, grid[0] - 1), min(kernel_size // 2, grid[1] - 1))
        self.bias = RelativeBias(heads, (self.radius[0] + 1, self.radius[1] + 1))

    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        return _mix(q_BHND, k_BHND, v_BHND, self.bias.table, self.grid, self.radius, self.implementation)

    @property
    def field(self) -> Grid:
        return 2 * self.radius[0] + 1, 2 * self.radius[1] + 1

    @property
    def covers_grid(self) -> bool:
        return self.radius == (self.grid[0] - 1, self.grid[1] - 1)

    @property
    def density(self) -> float:
        """Return the formula's pairs divided by those that `tiles` multiplies: costs are counted with `tiles`."""
        pairs = 1
        for side, radius in zip(self.grid, self.radius, strict=True):
            pairs *= sum(min(at + radius, side - 1) - max(at - radius, 0) + 1 for at in range(side))
        bias = _read(torch.empty(1, *self.bias.table.shape[1:], device="meta"), self.grid, self.radius)
        return pairs / bias.numel()


@torch.fx.wrap
def _mix(
    q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor, table: Tensor, grid: Grid, radius: Grid, implementation: str
) -> Tensor:
    """Compute the mix by the implementation that is asked for, or is the fastest here."""
    if implementation == "flex" or (implementation == "auto" and _prefers_flex(q_BHND, grid)):
        return _by_flex(q_BHND, k_BHND, v_BHND, table, grid, radius)
    bias = _read(table, grid, radius).to(q_BHND.dtype)
    if _is_small(grid):
        return biased_attention(q_BHND, k_BHND, v_BHND, bias)
    return _by_tiles(q_BHND, k_BHND, v_BHND, bias, grid, radius)


def _prefers_flex(q_BHND: Tensor, grid: Grid) -> bool:
    """Tell whether FlexAttention is supported here and faster than `tiles`."""
    precisions = (torch.float32, torch.bfloat16, torch.float16)
    if not q_BHND.is_cuda or _is_small(grid) or q_BHND.dtype not in precisions or q_BHND.shape[-1] < 16:
        return False
    recent = torch.cuda.get_device_capability(q_BHND.device) >= (8, 0)
    return recent and importlib.util.find_spec("triton") is not None


def _read(table: Tensor, grid: Grid, radius: Grid) -> Tensor:
    """Read the bias that `tiles` adds to its scores."""
    return _read_whole(table, grid, radius) if _is_small(grid) else _read_tiles(table, grid, radius)


def _is_small(grid: Grid) -> bool:
    return grid[0] * grid[1] <= WHOLE


def _read_whole(table: Tensor, grid: Grid, radius: Grid) -> Tensor:
    """Read the bias between all positions of the grid, shape (H, N, N); shifts beyond the table are masked."""
    beyond_y, beyond_x = grid[0] - 1 - radius[0], grid[1] - 1 - radius[1]
    return read_bias(F.pad(table, (beyond_x, beyond_x, beyond_y, beyond_y), value=MASKED), grid)


def _read_tiles(table: Tensor, grid: Grid, radius: Grid) -> Tensor:
    """Read the bias of every head and tile, shape (H * T, Q, K); positions outside the grid are masked as well."""
    edge = (TILE + 2 * radius[0], TILE + 2 * radius[1])
    bias_HQK = read_bias(F.pad(table, (TILE - 1,) * 4, value=MASKED), edge)
    inside = torch.zeros(1, 1, grid[0] * grid[1], 1, dtype=table.dtype, device=table.device)
    outside_TK = _with_margin(inside, grid, radius, value=MASKED)[0, :, None, :, 0]
    return (bias_HQK[:, None] + outside_TK).flatten(0, 1)


def _by_tiles(q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor, bias: Tensor, grid: Grid, radius: Grid) -> Tensor:
    q_BTQD = _with_margin(q_BHND, grid, (0, 0))
    k_BTKD, v_BTKD = (_with_margin(x, grid, radius) for x in (k_BHND, v_BHND))
    mix = biased_attention(q_BTQD, k_BTKD, v_BTKD, bias)
    rows, columns = -(-grid[0] // TILE), -(-grid[1] // TILE)
    mix = mix.unflatten(2, (TILE, TILE)).unflatten(1, (-1, rows, columns)).transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return mix[:, :, : grid[0], : grid[1]].flatten(2, 3)


def _with_margin(x_BHND: Tensor, grid: Grid, margin: Grid, value: float = 0.0) -> Tensor:
    """Cut a map into tiles with a margin on each side: (B, H, N, D) -> (B, H * T, K, D).

    Args:
        value: what is put at positions outside the map.
    """
    (below, right), (y, x) = (-side % TILE for side in grid), margin
    padded = F.pad(x_BHND.unflatten(2, grid), (0, 0, x, right + x, y, below + y), value=value)
    tiles = padded.unfold(2, TILE + 2 * y, TILE).unfold(3, TILE + 2 * x, TILE)  # (B, H, rows, columns, D, y, x)
    return tiles.permute(0, 1, 2, 3, 5, 6, 4).flatten(4, 5).flatten(1, 3)


def _by_flex(q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor, table: Tensor, grid: Grid, radius: Grid) -> Tensor:
    """Compute the mix by FlexAttention.

    Raises:
        InputError: gradients are needed on a device where FlexAttention has none.
    """
    if torch.is_grad_enabled() and not q_BHND.is_cuda and any(x.requires_grad for x in (q_BHND, k_BHND, v_BHND, table)):
        raise InputError(
            f"attention.implementation=flex cannot train on {q_BHND.device.type}; valid there: auto, tiles"
        )
    order, back, rows, columns, mask = _tile_order(grid, radius, q_BHND.device)

    def add_bias(score: Tensor, batch: Tensor, head: Tensor, i: Tensor, j: Tensor) -> Tensor:
        y = (rows[i] - rows[j] + radius[0]).clamp(0, 2 * radius[0])  # clamped: masked pairs are looked up as well
        x = (columns[i] - columns[j] + radius[1]).clamp(0, 2 * radius[1])
        return score + table[head, y, x]

    q, k, v = (x[:, :, order].contiguous() for x in (q_BHND, k_BHND, v_BHND))
    return _compiled()(q, k, v, score_mod=add_bias, block_mask=mask)[:, :, back]


@cache
def _compiled() -> Callable[..., Any]:
    return torch.compile(flex_attention, dynamic=False)


def _tile_order(grid: Grid, radius: Grid, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, BlockMask]:
    """Return `_make_tile_order`, which is kept, unless tensors are made that only stand for others (FakeTensorMode)."""
    if type(torch.empty(0, device=device)) is torch.Tensor:
        return _kept_tile_order(grid, radius, device)
    return _make_tile_order(grid, radius, device)


@cache
def _kept_tile_order(
    grid: Grid, radius: Grid, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor, BlockMask]:
    return _make_tile_order(grid, radius, device)


@torch.inference_mode(False)
def _make_tile_order(
    grid: Grid, radius: Grid, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor, BlockMask]:
    """Order tokens by tiles of 8 x 16, the 128 tokens of one FlexAttention block, so that a query needs few blocks.

    Returns:
        The order, its inverse, the row and the column of each token in that order, and the mask of the neighborhood.
    """
    tokens = torch.arange(grid[0] * grid[1], device=device)
    y, x = tokens // grid[1], tokens % grid[1]
    place = ((y // 8 * -(-grid[1] // 16) + x // 16) * 8 + y % 8) * 16 + x % 16
    order = place.argsort()
    rows, columns = y[order].int(), x[order].int()

    def near(batch: Tensor, head: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return ((rows[i] - rows[j]).abs() <= radius[0]) & ((columns[i] - columns[j]).abs() <= radius[1])

    mask = create_block_mask(near, None, None, len(tokens), len(tokens), device=str(device))
    return order, order.argsort(), rows, columns, mask
