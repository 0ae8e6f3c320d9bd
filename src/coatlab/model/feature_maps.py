"""A network as a backbone: the maps of chosen stages, as timm's `features_only=True` returns them."""

from collections.abc import Sequence

from torch import Tensor, nn

from coatlab.errors import InputError
from coatlab.model.layout import Blueprint
from coatlab.model.network import Network, fitting
from coatlab.model.stage import Stage


class FeatureInfo:
    """Channels and reduction of feature maps, as timm's `feature_info` has them.

    Args:
        plan: of the network.
        out_indices: of the maps, S0 first.
    """

    def __init__(self, plan: Blueprint, out_indices: Sequence[int]) -> None:
        self.out_indices = tuple(out_indices)
        self._channels = [plan.stem_width, *(stage.segments[-1].width for stage in plan.stages)]
        self._reduction = [plan.stem_stride[0]]
        for stage in plan.stages:
            self._reduction.append(self._reduction[-1] * stage.stride)

    def channels(self) -> list[int]:
        """Return the width of each map."""
        return [self._channels[index] for index in self.out_indices]

    def reduction(self) -> list[int]:
        """Return for each map how many rows of the image a row of it stands for."""
        return [self._reduction[index] for index in self.out_indices]


class FeatureMaps(nn.Module):
    """A network without its head, from images to a list of maps. Its weights have the names that they have there.

    Args:
        network: gives its stem, and its stages up to the last that is needed.
        out_indices: which maps to return: 0 is the stem's, 1 that of S1. None: all.

    Raises:
        InputError: there is no such map.
    """

    def __init__(self, network: Network, out_indices: Sequence[int] | None = None) -> None:
        super().__init__()
        every = range(1 + len(network.stages))
        chosen = list(every if out_indices is None else out_indices)
        if not chosen or any(isinstance(index, bool) or index not in every for index in chosen):
            raise InputError(
                f"out_indices={tuple(chosen)} is not valid; valid: {', '.join(map(str, every))}, where 0 is the stem"
            )
        self.plan, self.channels = network.plan, network.channels
        self.stem, self.stages = network.stem, network.stages[: max(chosen)]
        self.feature_info = FeatureInfo(network.plan, chosen)

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """Return the chosen maps, each (B, width, rows, columns). Raises as `Network.features`."""
        maps = [self.stem(fitting(x_BCHW, self.channels, self.plan.image_size))]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return [maps[index] for index in self.feature_info.out_indices]

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Compute activations again in the backward pass, to save memory (stage.py)."""
        for stage in self.stages:
            assert isinstance(stage, Stage)
            stage.checkpointing = enable
