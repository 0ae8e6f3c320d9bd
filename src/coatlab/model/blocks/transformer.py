"""The transformer block: pre-norm attention, then a pre-norm feed-forward network (App. A.1).

Plain: x <- x + Attention(Norm(x)); x <- x + FFN(Norm(x)). Down-sampling, eq. 4:
x <- Proj(Pool(x)) + Attention(Pool(Norm(x))), where q, k and v change the width.
The inner attention (what happens between q, k and v) is passed in: this file has the projections and shortcuts, not the
scores. Before the first transformer block of a stage, the inner attention may add a position embedding.
Deviation: LayerNorm's epsilon is 1e-6, as in the authors' MaxViT release; the paper gives none.

B batch, C channels, N tokens, H heads, D head width. An image is NCHW in channels-last memory; seen as a list of tokens
(B, N, C) it is the same memory, so that going from one to the other copies nothing.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from coatlab.model.attention.inner import InnerAttention
from coatlab.model.blocks.shortcut import make_pool, make_shortcut
from coatlab.model.layout import Grid

AttentionFactory = Callable[..., InnerAttention]
EPSILON = 1e-6


class SelfAttention(nn.Module):
    """Project tokens to q, k and v, let `attend` mix them, and project the mix."""

    def __init__(self, width_in: int, width: int, attend: InnerAttention) -> None:
        super().__init__()
        self.qkv = nn.Linear(width_in, 3 * width)
        self.attend = attend
        self.project = nn.Linear(width, width)

    def forward(self, x_BNC: Tensor) -> Tensor:
        batch, tokens, _ = x_BNC.shape
        q_BHND, k_BHND, v_BHND = self.qkv(x_BNC).view(batch, tokens, 3, self.attend.heads, -1).permute(2, 0, 3, 1, 4)
        mix_BHND = self.attend(q_BHND, k_BHND, v_BHND)
        return self.project(mix_BHND.transpose(1, 2).reshape(batch, tokens, -1))


class Transformer(nn.Module):
    """One transformer block, plain or down-sampling.

    Args:
        width_in: channels in; `width`: channels out, a multiple of `head_size`.
        stride: 1, or the factor by which rows and columns shrink.
        grid: rows and columns after the stride.
        block: number of the block among all transformer blocks of the network, from 0.
        begins: whether it is the first transformer block of its stage.
        attention: builds the inner attention: `attention(heads=, head_size=, grid=, block=)`.
        pool: max or average, of the shortcut and of eq. 4.
        expansion: inner width of the feed-forward network, as a multiple of `width`.
        drop: probability, per image, of skipping a branch (stochastic depth).
    """

    def __init__(
        self,
        width_in: int,
        width: int,
        *,
        stride: int,
        grid: Grid,
        block: int,
        begins: bool,
        head_size: int,
        attention: AttentionFactory,
        pool: str,
        expansion: int,
        drop: float,
    ) -> None:
        super().__init__()
        attend = attention(heads=width // head_size, head_size=head_size, grid=grid, block=block)
        entering = (grid[0] * stride, grid[1] * stride)
        self.position = attend.position(width_in, entering) if begins else nn.Identity()
        self.shortcut = make_shortcut(width_in, width, stride, pool)
        self.pool = make_pool(stride, pool)
        self.attention_norm = nn.LayerNorm(width_in, eps=EPSILON)
        self.attention = SelfAttention(width_in, width, attend)
        self.ffn_norm = nn.LayerNorm(width, eps=EPSILON)
        self.ffn = nn.Sequential(nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width))
        self.drop = StochasticDepth(drop, mode="row")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = self.position(x_BCHW)
        normed_BHWC = self.attention_norm(x_BCHW.permute(0, 2, 3, 1))
        pooled_BCHW = self.pool(normed_BHWC.permute(0, 3, 1, 2))
        x_BCHW = self.shortcut(x_BCHW)
        x_BNC = _tokens(x_BCHW) + self.drop(self.attention(_tokens(pooled_BCHW)))
        x_BNC = x_BNC + self.drop(self.ffn(self.ffn_norm(x_BNC)))
        return x_BNC.transpose(1, 2).unflatten(2, x_BCHW.shape[2:])


def _tokens(x_BCHW: Tensor) -> Tensor:
    """View an image as a list of tokens, (B, N, C)."""
    return x_BCHW.flatten(2).transpose(1, 2)
