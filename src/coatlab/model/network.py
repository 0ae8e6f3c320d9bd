"""Build a network from a layout, a plan and an attention variant (sec. 2.2, App. A.1).

Both `create_model` (for Python users) and the command line call `build_network`. The head is global average pooling,
LayerNorm, a dense layer with tanh that keeps the last width, and the classifier. The dense layer is not in the paper,
but the printed parameter counts come out only with it, and the authors' MaxViT release has it.

timm's `coatnet_N_224` has the same parameters but differs in two places, where we follow the paper:
- stride of MBConv: eq. 5 puts it on the expand convolution, timm on the depthwise one (Table 9);
- pooling: the paper takes the maximum, timm the average.
With `network.downsample=depthwise_conv network.pool=average` both compute the same up to rounding.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.fx
from torch import Tensor, nn

from coatlab.errors import InputError
from coatlab.model.attention.inner import InnerAttention
from coatlab.model.blocks.mbconv import MBConv
from coatlab.model.blocks.stem import ConvStem, PatchStem
from coatlab.model.blocks.transformer import EPSILON, AttentionFactory, Transformer
from coatlab.model.interface import TimmInterface
from coatlab.model.layout import Blueprint, Grid, Kind, Stem
from coatlab.model.stage import Stage


class Network(TimmInterface):
    """A stem, stages and a head, for images of one size; built by `create_model` or `build_network`."""

    def __init__(
        self, stem: nn.Module, stages: Sequence[nn.Module], head: nn.Sequential, plan: Blueprint, channels: int
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.head = head
        self.plan, self.channels = plan, channels

    def attention_fields(self) -> dict[str, dict[str, Any]]:
        """Return, for each stage with attention, its grid, the field of a query, and its reach (see `InnerAttention`).

        The record keeps this: on a small grid the field of a local attention may cover everything. The attention is
        then global, and a comparison of local with global attention says nothing about that stage.
        """
        fields = {}
        for number, stage in enumerate(self.stages, start=1):
            for attend in (module for module in stage.modules() if isinstance(module, InnerAttention)):
                entry = {"grid": list(attend.grid), "field": list(attend.field), "reach": attend.reach}
                fields[f"S{number}"] = entry
        return fields

    def features(self, x_BCHW: Tensor) -> list[Tensor]:
        """Return the feature maps after S1, S2, ..., each (B, width, rows, columns).

        Args:
            x_BCHW: images of `plan.image_size` pixels.

        Raises:
            InputError: a ValueError; the images do not have the size or the channels that the network was built for.
        """
        maps = []
        x_BCHW = self.stem(fitting(x_BCHW, self.channels, self.plan.image_size))
        for stage in self.stages:
            x_BCHW = stage(x_BCHW)
            maps.append(x_BCHW)
        return maps

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return class logits (B, classes) for images (B, channels, rows, columns).

        Without classes it is the features from which logits are computed, (B, width). Raises as `features`.
        """
        return self.head(self.features(x_BCHW)[-1].mean((2, 3)))


@torch.fx.wrap
def fitting(x_BCHW: Tensor, channels: int, size: Grid) -> Tensor:
    """Return images unchanged. `torch.fx` takes this as one step, because it cannot look at sizes.

    Raises:
        InputError: they do not have these channels and this size. `torch.jit.trace` cannot keep the check.
    """
    expected = (channels, *size)
    if torch.jit.is_tracing() or (x_BCHW.ndim == 4 and x_BCHW.shape[1:] == expected):  # type: ignore[attr-defined, no-untyped-call]
        return x_BCHW
    raise InputError(
        f"the images have the shape {tuple(x_BCHW.shape)}, but this network was built for "
        f"(images, {channels}, {size[0]}, {size[1]}): {channels} channels of {size[0]} x {size[1]} pixels; resize the "
        "images, or create it with another image_size or channels and load the weights"
    )


def build_network(
    plan: Blueprint,
    attention: AttentionFactory,
    *,
    num_classes: int,
    channels: int,
    stochastic_depth: float,
    dense_head: bool,
    **settings: Any,
) -> Network:
    """Build and initialize the network of a checked plan.

    Weights are drawn from torch's global generator. Networks of the same plan and seed that differ only in their
    attention start with the same weights in everything they share, so that their runs can be compared in pairs.

    Args:
        plan: from `layout.blueprint`.
        attention: builds the inner attention of one transformer block.
        num_classes: outputs of the classifier; 0: it is left out, as in timm, and features are returned.
        channels: of the images.
        stochastic_depth: drop probability of the last block; it grows linearly from 0 at the first block.
        dense_head: whether the head has the dense layer with tanh.
        settings: norm, downsample, pool, expansion and squeeze of the blocks, as in conf/network.
    """
    seed = int(torch.randint(2**63 - 1, (), device="cpu"))  # drawn before a variant draws weights of its own
    total = sum(segment.blocks for stage in plan.stages for segment in stage.segments)
    stem = make_stem(plan.stem, channels, plan.stem_width, plan.stem_stride, plan.stem_blocks)
    stages, width_in, depth, transformers = [], plan.stem_width, 0, 0
    for stage in plan.stages:
        blocks: list[nn.Module] = []
        for segment in stage.segments:
            for number in range(segment.blocks):
                block = make_block(
                    segment.kind,
                    width_in,
                    segment.width,
                    stride=1 if blocks else stage.stride,
                    grid=stage.grid,
                    block=transformers,
                    begins=number == 0,
                    head_size=plan.head_size,
                    attention=attention,
                    drop=stochastic_depth * depth / max(1, total - 1),
                    **settings,
                )
                blocks.append(block)
                transformers += segment.kind == "T"
                width_in, depth = segment.width, depth + 1
        stages.append(Stage(*blocks))
    network = Network(stem, stages, make_head(plan.width, num_classes, dense=dense_head), plan, channels)
    device = next(network.parameters()).device
    generator = torch.Generator(device).manual_seed(seed) if device.type != "meta" else None
    for module in network.modules():
        _initialize(module, generator)
    return network


def make_stem(kind: Stem, channels: int, width: int, stride: Grid, blocks: int) -> nn.Module:
    """Build the stem, S0."""
    return ConvStem(channels, width, stride[0], blocks) if kind == "conv" else PatchStem(channels, width, stride)


def make_block(
    kind: Kind,
    width_in: int,
    width: int,
    *,
    stride: int,
    grid: Grid,
    block: int,
    begins: bool,
    head_size: int,
    attention: AttentionFactory,
    drop: float,
    norm: str,
    downsample: str,
    pool: str,
    expansion: int,
    squeeze: float,
) -> nn.Module:
    """Build one block of a stage; settings that only the other kind of block needs are ignored."""
    shared: dict[str, Any] = {"stride": stride, "pool": pool, "expansion": expansion, "drop": drop}
    if kind == "C":
        return MBConv(width_in, width, norm=norm, downsample=downsample, squeeze=squeeze, **shared)
    shared |= {"grid": grid, "block": block, "begins": begins, "head_size": head_size, "attention": attention}
    return Transformer(width_in, width, **shared)


def make_head(width: int, num_classes: int, *, dense: bool) -> nn.Sequential:
    """Build the head, applied to pooled features (B, width); without classes it ends before the classifier."""
    between = [nn.Linear(width, width), nn.Tanh()] if dense else []
    classifier = [nn.Linear(width, num_classes)] if num_classes else []
    return nn.Sequential(nn.LayerNorm(width, eps=EPSILON), *between, *classifier)


@torch.no_grad()
def _initialize(module: nn.Module, generator: torch.Generator | None) -> None:
    """Initialize one layer: He (fan out) for convolutions, Glorot for linear layers; biases zero.

    The paper does not say; these are the usual choices for MBConv and for vision transformers.
    """
    if isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2.0 / fan_out), generator=generator)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight, generator=generator)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
