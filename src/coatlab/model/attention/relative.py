"""Global relative attention, eq. 3 "pre": softmax over j of (q_i . k_j / sqrt(D) + w_{i-j}).

The form the paper uses everywhere (sec. 2.1).
Cost of a block: 2 * N^2 * C multiply-adds for C = H * D; memory H * N^2 for the bias, which is read from its table
in every pass (bias.py).
Deviation: eq. 3 does not write the scale 1/sqrt(D); it is standard, so we have it.

B batch, H heads, N tokens (rows * columns of the grid), D head width.
"""

from torch import Tensor

from coatlab.model.attention.bias import RelativeBias
from coatlab.model.attention.biased import biased_attention
from coatlab.model.attention.inner import InnerAttention
from coatlab.model.layout import Grid


class RelativeAttention(InnerAttention):
    """Attend to every position, with a learned bias for each head and shift."""

    def __init__(self, heads: int, head_size: int, grid: Grid, block: int) -> None:
        super().__init__(heads, head_size, grid, block)
        self.bias = RelativeBias(heads, grid)

    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        return biased_attention(q_BHND, k_BHND, v_BHND, self.bias(q_BHND.dtype))
