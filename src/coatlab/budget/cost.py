"""What a network costs, counted on the meta device by torch itself: nothing is mirrored by hand.

Multiply-adds (MACs) are half of what `torch.utils.flop_counter` counts in a forward pass of one image; the paper
calls them FLOPs. Convolutions and matrix products are counted, point-wise work is not. The paper's figures are 1 to
3.5 % higher: it also counts the bias look-up by einsum and point-wise work. Activations are the bytes that a training
step keeps for its backward pass, per image, in float32 and eager mode, with attention's scores materialized.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from coatlab.network import Network

IMAGES = 2  # BatchNorm on a 1 x 1 grid needs more than one value a channel


@dataclass(frozen=True)
class Cost:
    """Parameters, multiply-adds of a forward pass and bytes of activations of a training step, for one image."""

    parameters: int
    macs: int
    activations: int
    stages: dict[str, "Cost"] = field(default_factory=dict)


def cost_of(network: Network) -> Cost:
    """Count a network at the image size of its plan, in total and for the stem, each stage and the head."""
    twin = copy.deepcopy(network).to("meta").train()
    channels = next(twin.stem.parameters()).shape[1]
    x = torch.empty(IMAGES, channels, *network.plan.image_size, device="meta")
    parts: dict[str, nn.Module] = {"stem": twin.stem}
    parts |= {f"S{number}": stage for number, stage in enumerate(twin.stages, start=1)}
    stages = {}
    for name, part in parts.items():
        stages[name], x = count(part, x)
    stages["head"], _ = count(twin.head, x.mean((2, 3)))
    return Cost(
        parameters=sum(cost.parameters for cost in stages.values()),
        macs=sum(cost.macs for cost in stages.values()),
        activations=sum(cost.activations for cost in stages.values()),
        stages=stages,
    )


def count(part: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Cost, Tensor]:
    """Count one module on a batch of IMAGES on the meta device, and return its output as the next one's input."""
    assert isinstance(part, nn.Module)
    own = {tensor.untyped_storage()._cdata for tensor in [*part.parameters(), *part.buffers()]}
    kept: dict[int, Tensor] = {}  # by storage: two views of one memory are kept once

    def keep(tensor: Tensor) -> Tensor:
        if (storage := tensor.untyped_storage()._cdata) not in own:
            kept[storage] = tensor
        return tensor

    x = x.detach().requires_grad_()
    with FlopCounterMode(display=False) as counter, saved_tensors_hooks(keep, lambda tensor: tensor):
        out = part(x)
    parameters = sum(parameter.numel() for parameter in part.parameters())
    activations = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    return Cost(parameters, counter.get_total_flops() // (2 * IMAGES), activations // IMAGES), out
