"""MBConv, pre-activation: expand 1x1 -> depthwise 3x3 -> squeeze-excitation -> project 1x1 (App. A.1).

x <- shortcut(x) + Project(SE(DepthConv(Expand(Norm(x))))), with a norm and GELU after each of the first two
convolutions. Down-sampling follows eq. 5: the *expand* convolution has the stride. Table 9's alternative,
`downsample=depthwise_conv`, gives the stride to the depthwise convolution.

The paper leaves some details open. We chose them so that its parameter counts come out:
- expansion (4) and squeeze (0.25) are multiples of the block's *output* width;
- squeeze-excitation uses SiLU; the last convolution and the shortcut have a bias, as in the authors' MaxViT release.
"""

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from coatlab.errors import not_one_of
from coatlab.model.blocks.shortcut import make_shortcut

DOWNSAMPLES = ("expand_conv", "depthwise_conv")


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over the channels of an NCHW tensor (Table 8's alternative to BatchNorm)."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return super().forward(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


NORMS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm2d, "layer": LayerNorm2d}


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate computed from the mean of all channels."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, width, 1)
        self.activation = nn.SiLU()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        mean_BC11 = x_BCHW.mean((2, 3), keepdim=True)
        return x_BCHW * self.excite(self.activation(self.squeeze(mean_BC11))).sigmoid()


class MBConv(nn.Module):
    """One MBConv block, plain or down-sampling.

    Args:
        width_in: channels in; `width`: channels out.
        stride: 1, or the factor by which rows and columns shrink.
        downsample: which convolution has the stride: expand_conv (eq. 5) or depthwise_conv (Table 9).
        norm: batch, or layer (Table 8).
        pool: max or average, of the shortcut.
        expansion, squeeze: inner and squeezed width as multiples of `width`.
        drop: probability, per image, of skipping all but the shortcut (stochastic depth).

    Raises:
        InputError: an unknown `downsample`, `norm` or `pool`.
    """

    def __init__(
        self,
        width_in: int,
        width: int,
        *,
        stride: int,
        downsample: str,
        norm: str,
        pool: str,
        expansion: int,
        squeeze: float,
        drop: float,
    ) -> None:
        super().__init__()
        if downsample not in DOWNSAMPLES:
            raise not_one_of("network.downsample", downsample, DOWNSAMPLES)
        if norm not in NORMS:
            raise not_one_of("network.norm", norm, NORMS)
        make_norm, inner = NORMS[norm], width * expansion
        expand_stride, depthwise_stride = (stride, 1) if downsample == "expand_conv" else (1, stride)
        self.shortcut = make_shortcut(width_in, width, stride, pool)
        self.norm = make_norm(width_in)
        self.expand = nn.Conv2d(width_in, inner, 1, stride=expand_stride, bias=False)
        self.expand_norm = make_norm(inner)
        self.depthwise = nn.Conv2d(inner, inner, 3, stride=depthwise_stride, padding=1, groups=inner, bias=False)
        self.depthwise_norm = make_norm(inner)
        self.squeeze_excitation = SqueezeExcitation(inner, max(1, int(width * squeeze)))
        self.project = nn.Conv2d(inner, width, 1)
        self.activation = nn.GELU()
        self.drop = StochasticDepth(drop, mode="row")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        inner = self.activation(self.expand_norm(self.expand(self.norm(x_BCHW))))
        inner = self.activation(self.depthwise_norm(self.depthwise(inner)))
        return self.shortcut(x_BCHW) + self.drop(self.project(self.squeeze_excitation(inner)))
