"""S0: the convolutional stem of the multi-stage layouts, and ViT_REL's patch stem (sec. 2.2, App. A.1).

The paper has two 3x3 convolutions, the first with stride 2, and does not say what comes between them. We take BatchNorm
and GELU, as in the authors' later MaxViT release. The convolutions have no bias,
since a norm follows each.
"""

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor, nn

from coatlab.model.layout import Grid


class ConvStem(nn.Sequential):
    """3x3 convolutions, the first one with a stride, with BatchNorm and GELU between them."""

    def __init__(self, channels: int, width: int, stride: int, blocks: int) -> None:
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)]
        for _ in range(blocks - 1):
            layers += [nn.BatchNorm2d(width), nn.GELU(), nn.Conv2d(width, width, 3, padding=1, bias=False)]
        super().__init__(*layers)


class PatchStem(nn.Conv2d):
    """Non-overlapping patches, each projected to the model's width.

    An image that is not a whole number of patches is padded with zeros at the bottom and on the right (`plan.pad`).
    Meeting a budget sometimes takes a grid size that no divisor of the image gives.
    """

    def __init__(self, channels: int, width: int, patch: Grid) -> None:
        super().__init__(channels, width, patch, stride=patch)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return super().forward(_fill(x_BCHW, (int(self.stride[0]), int(self.stride[1]))))


@torch.fx.wrap
def _fill(x_BCHW: Tensor, patch: Grid) -> Tensor:
    missing = [-side % size for side, size in zip(x_BCHW.shape[2:], patch, strict=True)]
    return F.pad(x_BCHW, (0, missing[1], 0, missing[0])) if any(missing) else x_BCHW
