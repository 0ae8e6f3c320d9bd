"""A learned absolute position embedding, added to the map that enters a stage of transformer blocks.

For variants without a relative bias. The paper compares "with" and "without relative attention" (Table 6) and does not
say what "without" has instead. We add one vector per position to the input of each transformer stage: before its first
block (and so before that block's pooling), in that block's input width. Each stage thus knows positions at its own
resolution, as ViT does at its single one. The embedding is initialized like the bias tables. When weights of another
grid are loaded, it is resized bilinearly, with cells rather than corners aligned, since a position is a cell of the
image.
Cost: width * rows * columns parameters per stage, no multiply-adds.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coatlab.model.layout import Grid


class PositionEmbedding(nn.Module):
    """Add a learned vector to each position of a map (B, width, rows, columns)."""

    def __init__(self, width: int, grid: Grid) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(1, width, *grid))  # four dimensions, so that it can be channels-last
        nn.init.trunc_normal_(self.table, std=0.02)
        self.register_load_state_dict_pre_hook(_resize_stored)  # type: ignore[no-untyped-call]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW + self.table.to(x_BCHW.dtype)

    def extra_repr(self) -> str:
        return f"width={self.table.shape[1]}, grid={tuple(self.table.shape[2:])}"


def make_position(kind: str, width: int, grid: Grid) -> nn.Module:
    """Build what `attention.position` says: a learned embedding, or (none) a module that changes nothing."""
    assert kind in ("learned", "none"), kind
    return PositionEmbedding(width, grid) if kind == "learned" else nn.Identity()


def _resize_stored(embedding: nn.Module, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
    """Resize the embedding that is about to be loaded; a hook of `load_state_dict`."""
    assert isinstance(embedding, PositionEmbedding)
    stored, shape = state_dict.get(prefix + "table"), embedding.table.shape[2:]
    if stored is not None and stored.shape[2:] != shape:
        resized = F.interpolate(stored.float(), size=shape, mode="bilinear", align_corners=False)
        state_dict[prefix + "table"] = resized.to(stored.dtype)
