"""Count what a network costs. torch counts on the meta device; no formula is repeated here by hand.

Multiply-adds (MACs) are half of what `torch.utils.flop_counter` counts in a forward pass of one image; the paper calls
them FLOPs. Convolutions and matrix products are counted, point-wise operations are not. The paper's numbers are 1 to
3.5 % higher, because it also counts point-wise operations and the bias look-up by einsum. Activations are the bytes
that a training step keeps for its backward pass, per image, in float32 and eager mode, with the scores of attention
stored.

Neighborhood attention multiplies some pairs of positions only to mask them away (see `InnerAttention.density`). These
are not counted: how products are arranged on a device must not decide how wide a matched network is.
"""

import copy
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode
from torchvision.ops import StochasticDepth

from coatlab.model.attention.inner import InnerAttention
from coatlab.model.network import Network

IMAGES = 2  # BatchNorm on a 1 x 1 grid needs more than one value per channel
PLAIN = (bool, int, float, str, tuple, type(None))  # what settings of modules are


@dataclass(frozen=True)
class Cost:
    """Parameters, multiply-adds of a forward pass, and bytes of activations of a training step, for one image.

    `stages` has the same for the stem, each stage and the head.
    """

    parameters: int
    macs: int
    activations: int
    stages: dict[str, "Cost"] = field(default_factory=dict)


def cost_of(network: Network) -> Cost:
    """Count a network at the image size of its plan, in total and for the stem, each stage and the head."""
    channels = next(network.stem.parameters()).shape[1]
    x = torch.empty(IMAGES, channels, *network.plan.image_size, device="meta")
    stages = {}
    stages["stem"], x = count(_twin(network.stem), x)
    for number, stage in enumerate(network.stages, start=1):
        counted: dict[Hashable, tuple[Cost, Tensor]] = {}  # most blocks of a stage are like one before
        blocks = []
        for block in stage.children():
            like = (x.shape, _description(block))
            counted[like] = counted[like] if like in counted else count(_twin(block), x)
            cost, x = counted[like]
            blocks.append(cost)
        stages[f"S{number}"] = _sum(blocks)
    stages["head"], _ = count(_twin(network.head), x.mean((2, 3)))
    return replace(_sum(stages.values()), stages=stages)


def _twin(part: nn.Module) -> nn.Module:
    """Return a copy in training mode on the meta device, so that counting changes nothing and computes nothing."""
    return copy.deepcopy(part).to("meta").train()


def _sum(costs: Iterable[Cost]) -> Cost:
    return Cost(*(sum(column) for column in zip(*((c.parameters, c.macs, c.activations) for c in costs), strict=True)))


def _description(block: nn.Module) -> Hashable:
    """Return what a module's cost depends on, besides its input: its parts, their settings and their shapes."""
    parts = []
    for name, module in block.named_modules():
        settings = {key: repr(value) for key, value in vars(module).items() if isinstance(value, PLAIN)}
        if isinstance(module, StochasticDepth):
            settings["p"] = repr(module.p > 0)  # grows from block to block; dropping costs the same with any
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        parts.append((name, type(module), tuple(settings.items()), tuple((key, one.shape) for key, one in tensors)))
    return tuple(parts)


def count(part: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Cost, Tensor]:
    """Count one module on a batch of IMAGES on the meta device; return the cost and the module's output."""
    assert isinstance(part, nn.Module)
    own = {storage_id(tensor) for tensor in [*part.parameters(), *part.buffers()]}
    kept: dict[int, Tensor] = {}  # by storage, so that two views of the same memory count once

    def keep(tensor: Tensor) -> Tensor:
        if storage_id(tensor) not in own:
            kept[storage_id(tensor)] = tensor
        return tensor

    x = x.detach().requires_grad_()
    with (
        FlopCounterMode(display=False) as counter,
        saved_tensors_hooks(keep, lambda tensor: tensor),
        _masked_flops(part, counter) as masked,
    ):
        out = part(x)
    parameters = sum(parameter.numel() for parameter in part.parameters())
    activations = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    flops = counter.get_total_flops() - round(sum(masked))
    return Cost(parameters, flops // (2 * IMAGES), activations // IMAGES), out


def storage_id(tensor: Tensor) -> int:
    """Return a number that tensors share exactly if they share memory, also on the meta device.

    Uses the private `_cdata` of torch's storages (tried with torch 2.15.0): `data_ptr()` is 0 on the meta device.
    """
    return int(tensor.untyped_storage()._cdata)


@contextmanager
def _masked_flops(part: nn.Module, counter: FlopCounterMode) -> Iterator[list[float]]:
    """Collect, while the counter counts, the flops that inner attentions spend on pairs they mask away."""
    masked: list[float] = []

    def before(attend: nn.Module, inputs: Any) -> None:
        masked.append(-counter.get_total_flops())

    def after(attend: InnerAttention, inputs: Any, out: Tensor) -> None:
        masked[-1] = (masked[-1] + counter.get_total_flops()) * (1 - attend.density)

    with ExitStack() as hooks:
        for module in part.modules():
            if isinstance(module, InnerAttention):
                for handle in (module.register_forward_pre_hook(before), module.register_forward_hook(after)):
                    hooks.callback(handle.remove)
        yield masked
