"""What a transformer block asks of its inner attention; a variant overrides what it does differently.

B batch, H heads, N tokens (rows * columns of the grid, row by row), D head width, C channels.
"""

from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor, nn

from coatlab.model.layout import Grid

Reach = Literal["global", "local", "covering"]


class InnerAttention(nn.Module, ABC):
    """Mix v by some measure of q and k; as it stands, an attention that sees every position and adds none.

    Args:
        heads, head_size: H and D.
        grid: rows and columns of the tokens.
        block: number of the block among the transformer blocks of its network, from 0.
    """

    def __init__(self, heads: int, head_size: int, grid: Grid, block: int) -> None:
        super().__init__()
        self.heads, self.head_size, self.grid, self.block = heads, head_size, grid, block

    @abstractmethod
    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        """Return the mix of v, shape (B, H, N, D)."""

    def position(self, width: int, grid: Grid) -> nn.Module:
        """Build what is applied to the map (B, width, *grid) that enters a stage of transformer blocks."""
        return nn.Identity()

    @property
    def field(self) -> Grid:
        """Return the rows and columns that a query's field spans: the grid, or a window."""
        return self.grid

    @property
    def reach(self) -> Reach:
        """Tell whether a query sees the whole grid: by design, not, or because its field covers this grid."""
        return "global"

    @property
    def density(self) -> float:
        """Return the share of the multiplied query-key pairs that the formula has, where some are only masked away."""
        return 1.0

    def extra_repr(self) -> str:
        return f"heads={self.heads}, grid={self.grid}"
