"""A learned absolute position embedding, added to the map that enters a stage of transformer blocks.

For variants without a relative bias. The paper compares "with" and "without relative attention" (Table 6) and leaves
open what "without" has instead. We add one vector a position where each stage of transformer blocks begins, before
its first block (and so before that block's pooling), in that block's input width: each stage knows positions at its
own resolution, as ViT does at its only one. Initialized as the bias tables are; resized when it is loaded at another
grid, bilinearly, with cells and not corners aligned, since a position is a cell of the image.
Cost: width * rows * columns parameters a stage, no multiply-adds.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coatlab.model.layout import Grid


class PositionEmbedding(nn.Module):
    """Add a learned vector to each position of a map (B, width, rows, columns)."""

    def __init__(self, width: int, grid: Grid) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(1, width, *grid))  # four dimensions: it follows channels-last
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW + self.table.to(x_BCHW.dtype)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        stored, shape = state_dict.get(prefix + "table"), self.table.shape[2:]
        if stored is not None and stored.shape[2:] != shape:
            resized = F.interpolate(stored.float(), size=shape, mode="bilinear", align_corners=False)
            state_dict[prefix + "table"] = resized.to(stored.dtype)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        return f"width={self.table.shape[1]}, grid={tuple(self.table.shape[2:])}"


def make_position(kind: str, width: int, grid: Grid) -> nn.Module:
    """Build the embedding of `attention.position`: learned, or none at all."""
    assert kind in ("learned", "none"), kind
    return PositionEmbedding(width, grid) if kind == "learned" else nn.Identity()
