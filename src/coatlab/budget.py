"""What a network costs: parameters and multiply-adds, counted on the meta device by torch itself.

Multiply-adds (MACs) are half of what `torch.utils.flop_counter` counts, for one image; the paper calls
them FLOPs. Convolutions and matrix products are counted, point-wise work is not. The paper's figures are
1 to 3.5 % higher: it also counts the bias look-up by einsum and point-wise work.
"""

import copy
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from coatlab.network import Network


@dataclass(frozen=True)
class Cost:
    """Parameters and multiply-adds of one forward pass of one image."""

    parameters: int
    macs: int


def cost_of(network: Network) -> Cost:
    """Count a network's parameters, and its multiply-adds at the image size of its plan."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    twin = copy.deepcopy(network).to("meta").eval()
    channels = next(twin.stem.parameters()).shape[1]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        twin(torch.empty(1, channels, *network.plan.image_size, device="meta"))
    return Cost(parameters, counter.get_total_flops() // 2)
