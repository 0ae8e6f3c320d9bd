"""The costs of stem, stages and head as polynomials in their widths, for the solver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from coatlab.budget.polynomial import BlockCost
from coatlab.model.blocks.transformer import AttentionFactory
from coatlab.model.layout import Grid, Kind
from coatlab.model.network import make_block, make_head, make_stem


@dataclass(frozen=True)
class Budget:
    """What a plan must cost: parameters, and multiply-adds at a resolution."""

    parameters: int
    macs: int
    image_size: int
    channels: int
    num_classes: int

    def off(self, parameters: float, macs: float) -> float:
        """Return the larger of the two relative deviations."""
        return max(abs(parameters / self.parameters - 1), abs(macs / self.macs - 1))


@dataclass(frozen=True)
class Setting:
    """What all plans of a size have in common, and which shapes the solver prefers."""

    head_size: int
    strides: tuple[int, ...]  # of S0..S4
    blocks: tuple[int, ...]  # preferred numbers of blocks, S0..S4
    patch: int  # preferred patch of ViT_REL, in pixels
    width_per_block: float  # preferred width of ViT_REL, divided by its number of blocks
    attention: AttentionFactory
    network: Mapping[str, Any]


class StageCosts:
    """The cost of every part of a multi-stage network, as polynomials in the widths of its stages.

    Args:
        letters: of S1..S4.
        units: for S0..S4, the number of which widths are multiples.
    """

    def __init__(self, letters: str, budget: Budget, setting: Setting, units: Sequence[int]) -> None:
        image, stem_blocks = (budget.image_size,) * 2, setting.blocks[0]
        settings = {key: value for key, value in setting.network.items() if key != "dense_head"}
        settings |= {"block": 0, "head_size": setting.head_size, "attention": setting.attention, "drop": 0.0}

        def stem(_: int, width: int) -> tuple[Any, tuple[int, ...]]:
            stride = (setting.strides[0],) * 2
            return make_stem("conv", budget.channels, width, stride, stem_blocks), (budget.channels, *image)

        def head(_: int, width: int) -> tuple[Any, tuple[int, ...]]:
            return make_head(width, budget.num_classes, dense=setting.network["dense_head"]), (width,)

        def block(kind: Kind, side: int, stride: int, begins: bool) -> Any:
            place: dict[str, Any] = {"stride": stride, "grid": (side // stride, side // stride), "begins": begins}

            def build(x: int, width: int) -> tuple[Any, tuple[int, ...]]:
                return make_block(kind, x, width, **place, **settings), (x, side, side)

            return build

        self.stem, self.head = BlockCost(stem, units[0]), BlockCost(head, units[-1])
        self.first: list[BlockCost] = []
        self.rest: list[BlockCost] = []
        side = budget.image_size // setting.strides[0]
        for letter, stride, unit in zip(letters, setting.strides[1:], units[1:], strict=True):
            kind: Kind = "T" if letter == "T" else "C"
            self.first.append(BlockCost(block(kind, side, stride, begins=True), unit))
            side //= stride
            self.rest.append(BlockCost(block(kind, side, 1, begins=False), unit))
        self.budget = budget

    def total(self, blocks: Sequence[int], widths: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        """Return parameters and multiply-adds of all combinations of widths, shape (w0, w1, ..., 2).

        Args:
            blocks: numbers of blocks, S0..S4.
            widths: widths to combine, an array for each of S0..S4.
        """
        count = len(widths)
        total = _along(self.stem.repeated(widths[0].tolist()), (0,), count)
        for i, (first, rest) in enumerate(zip(self.first, self.rest, strict=True), start=1):
            total = total + _along(first(widths[i - 1].tolist(), widths[i].tolist()), (i - 1, i), count)
            total = total + (blocks[i] - 1) * _along(rest.repeated(widths[i].tolist()), (i,), count)
        return total + _along(self.head.repeated(widths[-1].tolist()), (count - 1,), count)


class PatchCosts:
    """The cost of ViT_REL's parts for one patch and grid, as polynomials in its width."""

    def __init__(self, budget: Budget, setting: Setting, patch: Grid, grid: Grid, settings: Mapping[str, Any]) -> None:
        image = (budget.image_size,) * 2

        def outer(_: int, width: int) -> tuple[Any, tuple[int, ...]]:
            stem = make_stem("patch", budget.channels, width, patch, 1)
            head = make_head(width, budget.num_classes, dense=setting.network["dense_head"])
            return nn.Sequential(stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head), (budget.channels, *image)

        common: dict[str, Any] = {"stride": 1, "grid": grid, "block": 0, "drop": 0.0, "head_size": setting.head_size}

        def block(x: int, width: int, begins: bool) -> tuple[Any, tuple[int, ...]]:
            return make_block("T", x, width, begins=begins, attention=setting.attention, **common, **settings), (
                x,
                *grid,
            )

        self.outer = BlockCost(outer, setting.head_size)
        self.first = BlockCost(partial(block, begins=True), setting.head_size)
        self.rest = BlockCost(partial(block, begins=False), setting.head_size)


def _along(costs: NDArray[np.float64], axes: tuple[int, ...], count: int) -> NDArray[np.float64]:
    """Reshape costs (..., 2) so that their axes are at the places `axes` among `count` axes of widths."""
    shape = [1] * count + [costs.shape[-1]]
    for axis, length in zip(axes, costs.shape, strict=False):
        shape[axis] = length
    return costs.reshape(shape)
