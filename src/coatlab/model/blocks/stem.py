"""S0: the convolutional stem of the multi-stage layouts, and ViT_REL's patch stem (sec. 2.2, App. A.1).

The paper gives two 3x3 convolutions, the first with stride 2, and is silent on what stands between
them: BatchNorm and GELU, as in the authors' later MaxViT release. Convolutions before a norm carry no bias.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from coatlab.model.layout import Grid


class ConvStem(nn.Sequential):
    """3x3 convolutions, the first one strided, with BatchNorm and GELU between them."""

    def __init__(self, channels: int, width: int, stride: int, blocks: int) -> None:
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)]
        for _ in range(blocks - 1):
            layers += [nn.BatchNorm2d(width), nn.GELU(), nn.Conv2d(width, width, 3, padding=1, bias=False)]
        super().__init__(*layers)


class PatchStem(nn.Conv2d):
    """Non-overlapping patches, each projected to the model's width.

    An image that is no whole number of patches is padded with zeros below and on the right (`plan.pad`): matching a
    budget may need a grid between those whose patches divide the image.
    """

    def __init__(self, channels: int, width: int, patch: Grid) -> None:
        super().__init__(channels, width, patch, stride=patch)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        missing = [-side % int(patch) for side, patch in zip(x_BCHW.shape[2:], self.stride, strict=True)]
        return super().forward(F.pad(x_BCHW, (0, missing[1], 0, missing[0])) if any(missing) else x_BCHW)
