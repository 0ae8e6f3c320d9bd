"""S0: the convolutional stem of the multi-stage layouts, and ViT_REL's patch stem (sec. 2.2, App. A.1).

The paper gives two 3x3 convolutions, the first with stride 2, and is silent on what stands between
them: BatchNorm and GELU, as in the authors' later MaxViT release. Convolutions before a norm carry no bias.
"""

from torch import nn


class ConvStem(nn.Sequential):
    """3x3 convolutions, the first one strided, with BatchNorm and GELU between them."""

    def __init__(self, channels: int, width: int, stride: int, blocks: int) -> None:
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)]
        for _ in range(blocks - 1):
            layers += [nn.BatchNorm2d(width), nn.GELU(), nn.Conv2d(width, width, 3, padding=1, bias=False)]
        super().__init__(*layers)


class PatchStem(nn.Conv2d):
    """Non-overlapping patches, each projected to the model's width."""

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__(channels, width, patch, stride=patch)
