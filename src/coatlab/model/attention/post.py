"""Relative attention, eq. 3 "post": the weight of j for i is softmax_j(q_i . k_j / sqrt(D)) + w_{i-j}.

The bias is added after the softmax: attention plus a global depthwise convolution with one kernel per head. The weights
of a query no longer sum to 1. Tables are initialized and resized as in `relative`, so that the two forms differ only in
where the bias is added.
Cost of a block: 3 * N^2 * C multiply-adds (the bias needs a product of its own); memory H * N^2 for the bias.
Deviation: the scale 1/sqrt(D), as in `relative`. The paper writes this form down but trains only "pre".

B batch, H heads, N tokens (rows * columns of the grid), D head width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from coatlab.model.attention.relative import RelativeAttention


class PostAttention(RelativeAttention):
    """Attend to every position by content, and add a mix whose weights are learned per shift."""

    def forward(self, q_BHND: Tensor, k_BHND: Tensor, v_BHND: Tensor) -> Tensor:
        by_content_BHND = F.scaled_dot_product_attention(q_BHND, k_BHND, v_BHND)
        bias_HNN = self.bias(v_BHND.dtype)
        return by_content_BHND + torch.einsum("hij,bhjd->bhid", bias_HNN, v_BHND)
