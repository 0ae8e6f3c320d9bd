"""`InnerAttention`: what a transformer block needs from its inner attention. A variant overrides what differs.

B batch, H heads, N tokens (rows * columns of the grid, row by row), D head width, C channels.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from torch import Tensor, nn

from coatlab.model.layout import Grid

Reach = Literal["global", "local", "covering"]


class InnerAttention(nn.Module, ABC):
    """Mix v according to q and k.

    A variant that overrides nothing but `forward` is global (every query sees the whole grid) and adds no position
    embedding.

    Args:
        heads, head_size: H and D.
        grid: rows and columns of the tokens.
        block: number of the block among all transformer blocks of the network, from 0. For a variant whose blocks
            differ; it is not kept, so that blocks that do the same look the same to whoever counts them.
    """

    local: ClassVar[bool] = False  # whether a query sees only positions near it, where the grid is large enough
    alternatives: ClassVar[tuple[str, ...]] = ()  # settings that benchmarks measure as well, as in "feature_map=favor"

    def __init__(self, heads: int, head_size: int, grid: Grid, block: int) -> None:
        super().__init__()
        self.heads, self.head_size, self.grid = heads, head_size, grid

    @abstractmethod
    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        """Return the mix of v, shape (B, H, N, D)."""

    def position(self, width: int, grid: Grid) -> nn.Module:
        """Build the position embedding of a stage: a module applied to the map (B, width, *grid) that enters it."""
        return nn.Identity()

    @property
    def field(self) -> Grid:
        """Return the rows and columns that a query can see: the grid, or a window."""
        return self.grid

    @property
    def covers_grid(self) -> bool:
        """Tell whether every query sees the whole grid; a local variant overrides this."""
        return not self.local

    @property
    def reach(self) -> Reach:
        """Return `global` (by design), `local`, or `covering`: local by design, but the field covers this grid."""
        if not self.local:
            return "global"
        return "covering" if self.covers_grid else "local"

    @property
    def density(self) -> float:
        """Return which share of the multiplied query-key pairs counts; the rest is multiplied, then masked away."""
        return 1.0

    def extra_repr(self) -> str:
        return f"heads={self.heads}, grid={self.grid}"
