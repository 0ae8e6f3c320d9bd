"""The shortcut branch that both kinds of block share: Proj(Pool(x)) of eq. 4 and eq. 5.

Pool is a max-pool whose window is as large as its stride (sec. A.1); `pool=average` is timm's choice. Proj is left out
where the width does not change (S1 of CoAtNet-2 and up), as in the authors' MaxViT release; the paper's equations
always have it. Where neither is needed, the shortcut is the identity.
"""

from torch import nn

from coatlab.errors import not_one_of

POOLS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def make_pool(stride: int, pool: str) -> nn.Module:
    """Build the pooling of a down-sampling block, or the identity for stride 1."""
    if pool not in POOLS:
        raise not_one_of("network.pool", pool, POOLS)
    return POOLS[pool](stride) if stride > 1 else nn.Identity()


def make_shortcut(width_in: int, width: int, stride: int, pool: str) -> nn.Module:
    """Build Proj(Pool(x)), leaving out what the change of shape does not need."""
    projection = nn.Conv2d(width_in, width, 1) if width_in != width else nn.Identity()
    return nn.Sequential(make_pool(stride, pool), projection)
