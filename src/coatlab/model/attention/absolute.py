"""Global attention without a relative bias, eq. 2: softmax over j of q_i . k_j / sqrt(D). Table 6's "without".

Positions come from a learned embedding, added before the first block of each transformer stage. With
`attention.position=none` there is no embedding, and attention ignores the order of the tokens.
Cost of a block: 2 * N^2 * C multiply-adds for C = H * D; memory linear in N where the device has a fused kernel,
otherwise H * N^2 for the weights.
Deviation: the scale 1/sqrt(D), as in `relative`. The paper does not say whether its "without" has absolute positions;
position.py says what we chose.

B batch, H heads, N tokens (rows * columns of the grid), D head width.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from coatlab.model.attention.inner import InnerAttention
from coatlab.model.attention.position import make_position
from coatlab.model.layout import Grid


class AbsoluteAttention(InnerAttention):
    """Attend to every position by content alone.

    Args:
        position: `learned` or `none`: the position embedding of a stage.
    """

    def __init__(self, heads: int, head_size: int, grid: Grid, block: int, position: str) -> None:
        super().__init__(heads, head_size, grid, block)
        self._position = position

    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q_BHND, k_BHND, v_BHND)

    def position(self, width: int, grid: Grid) -> nn.Module:
        return make_position(self._position, width, grid)
