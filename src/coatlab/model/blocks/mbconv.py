"""MBConv, pre-activation: expand 1x1 -> depthwise 3x3 -> squeeze-excitation -> project 1x1 (App. A.1).

x <- shortcut(x) + Project(SE(DepthConv(Expand(Norm(x))))), with a norm and GELU after each of the first two
convolutions. Down-sampling follows eq. 5: the *expand* convolution has the stride. Table 9's alternative,
`downsample=depthwise_conv`, gives the stride to the depthwise convolution.

The paper leaves some details open. We chose them so that its parameter counts come out:
- expansion (4) and squeeze (0.25) are multiples of the block's *output* width;
- squeeze-excitation uses SiLU; the last convolution and the shortcut have a bias, as in the authors' MaxViT release.

On a CPU the branch is computed as one operation (branch.py), with the same result up to rounding.
"""

from typing import Any

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from coatlab.errors import not_one_of
from coatlab.model.blocks.branch import Weights, evaluated, trained
from coatlab.model.blocks.shortcut import make_shortcut
from coatlab.model.eager import are_original, is_plain

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
        one = is_plain(x_BCHW) and self._can_be_one(images=len(x_BCHW))
        branch = self._at_once(x_BCHW) if one else self._layers(x_BCHW)
        return self.shortcut(x_BCHW) + self.drop(branch)

    def _layers(self, x_BCHW: Tensor) -> Tensor:
        inner = self.activation(self.expand_norm(self.expand(self.norm(x_BCHW))))
        inner = self.activation(self.depthwise_norm(self.depthwise(inner)))
        return self.project(self.squeeze_excitation(inner))

    def _at_once(self, x_BCHW: Tensor) -> Tensor:
        """Return what `_layers` does, computed by branch.py."""
        x_BHWC = (self.norm(x_BCHW) if self.training else x_BCHW).permute(0, 2, 3, 1)
        if (stride := self.expand.stride[0]) > 1:
            x_BHWC = x_BHWC[:, ::stride, ::stride]
        gate = self.squeeze_excitation
        first, second, third = self._norms()
        parameters: list[Any] = [
            self.expand.weight.flatten(1), second.weight, second.bias, self.depthwise.weight, third.weight, third.bias,
            gate.squeeze.weight.flatten(1), gate.squeeze.bias, gate.excite.weight.flatten(1), gate.excite.bias,
            self.project.weight.flatten(1), self.project.bias,
        ]  # fmt: skip
        weights, step = Weights(*parameters), self.depthwise.stride[0]
        if self.training:
            branch_BHWO = trained(x_BHWC, weights, (second, third), step)
        else:
            branch_BHWO = evaluated(x_BHWC, weights, (first, second, third), step)
        return branch_BHWO.permute(0, 3, 1, 2)

    def _norms(self) -> Any:
        return self.norm, self.expand_norm, self.depthwise_norm

    def _can_be_one(self, images: int) -> bool:
        """Tell whether `_at_once` does what `_layers` would do."""
        if self.training and images < 2:
            return False  # a norm refuses a map of one value per channel
        norms, gate = self._norms(), self.squeeze_excitation
        convolutions = (self.expand, self.depthwise, self.project, gate.squeeze, gate.excite)
        kinds: dict[nn.Module, type[nn.Module]] = {gate: SqueezeExcitation}
        kinds |= {gate.activation: nn.SiLU, self.activation: nn.GELU}
        kinds |= dict.fromkeys(norms, nn.BatchNorm2d) | dict.fromkeys(convolutions, nn.Conv2d)
        if not are_original(kinds) or any(norm.training != self.training for norm in norms):
            return False
        return all(norm.track_running_stats and norm.momentum is not None for norm in norms)
