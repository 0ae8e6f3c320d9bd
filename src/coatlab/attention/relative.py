"""Global relative attention, eq. 3 "pre": softmax over j of (q_i . k_j / sqrt(D) + w_{i-j}).

The paper's choice everywhere. The scale 1/sqrt(D) is not written in eq. 3; it is standard and kept.
Cost: 2 * N^2 * C multiply-adds a block for C = H * D, memory H * N^2 for the bias.

B batch, H heads, N tokens (rows * columns of the grid), D head width.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from coatlab.attention.bias import RelativeBias
from coatlab.layout import Grid


class RelativeAttention(nn.Module):
    """Attend to every position, with a learned bias for each head and shift."""

    def __init__(self, heads: int, head_size: int, grid: Grid, block: int) -> None:
        super().__init__()
        self.bias = RelativeBias(heads, grid)

    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        """Mix v by the scores of q and k, shape (B, H, N, D)."""
        bias_HNN = self.bias().to(q_BHND.dtype)
        return F.scaled_dot_product_attention(q_BHND, k_BHND, v_BHND, attn_mask=bias_HNN[None])
