"""Find blocks and widths of a layout that meet a budget in parameters *and* multiply-adds.

Search: every combination of block counts and widths near the reference's, in steps of the head size where a stage
holds attention and of 8 elsewhere (coarser steps for wide stages), with the cost of each from `polynomial`. The search
is exhaustive over these steps: a plan that is not found may still exist between the coarser ones.

Rules (the paper's, sec. 2.2): widths never shrink from stage to stage; S2 is at least as deep as S1 and S3 as S2, and
S4 at most as deep as S3. ViT_REL: depth, width and patch.

Preference, among the plans within 1 % (if there is none: 2 %) of the budget in both: the smallest `shape`, in
squared octaves, plus how far the plan is off its budget (1 % weighs as one squared octave).
- multi-stage: how far the growth of widths is from CoAtNet-0's (64, 96, 192, 384, 768), and the number of blocks of
  each stage from the reference's;
- ViT_REL: how far the width is from `width_per_block` times the depth (ViT-S: 384 / 12 = 32), never more than 2.5
  times, and half of how far the patch is from the size's; a patch that does not divide the image counts 1, a
  rectangular one 0.5.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from coatlab.blocks.transformer import AttentionFactory
from coatlab.budget.polynomial import BlockCost
from coatlab.errors import InputError
from coatlab.layout import Grid, Kind, Stem
from coatlab.network import make_block, make_head, make_stem

GROWTH = (math.log2(96 / 64), 1.0, 1.0, 1.0)  # of S1 .. S4 over the stage before
SLENDERNESS_BAND = 2.5  # ViT_REL's width per block of depth is at most this factor from the size's
MIN_DEPTH, MAX_DEPTH = 3, 48
PADDED_DISTANCE, RECTANGULAR_DISTANCE = 1.0, 0.5
GOOD, ACCEPTABLE = 0.01, 0.02
OFF_WEIGHT = 100.0
DEPTHS = (0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0)  # block counts tried, times the reference's
SPREAD = 2.2  # widths tried: from the expected one divided by this to times this
STEPS = 14  # widths tried per stage at most


@dataclass(frozen=True)
class Budget:
    """What a plan must cost: parameters and multiply-adds at a resolution."""

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
    """What all plans of a size share."""

    head_size: int
    strides: tuple[int, ...]  # of S0..S4
    blocks: tuple[int, ...]  # the reference's block counts, S0..S4
    patch: int  # of ViT_REL, where it may be had
    width_per_block: float  # of ViT_REL
    attention: AttentionFactory
    network: Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A plan as conf/size writes it, its predicted cost, and its shape's distance from the paper's."""

    plan: dict[str, Any]
    parameters: float
    macs: float
    shape: float


class NoPlan(InputError):
    """No plan meets the budget: the message says how close one came and which of the two binds."""


def solve(stem: Stem, letters: str, budget: Budget, setting: Setting) -> Found:
    """Return the preferred plan of a layout for a budget.

    Raises:
        NoPlan: none within 2 %; the sentence names the closest and what binds.
    """
    best: dict[float, Found] = {}
    closest: Found | None = None
    search = _patches(budget, setting) if stem == "patch" else _stages(letters, budget, setting)
    for found in search:
        off = budget.off(found.parameters, found.macs)
        if closest is None or off < budget.off(closest.parameters, closest.macs):
            closest = found
        for limit in (GOOD, ACCEPTABLE):
            if off <= limit and (limit not in best or _preference(found, budget) < _preference(best[limit], budget)):
                best[limit] = found
    for limit in (GOOD, ACCEPTABLE):
        if limit in best:
            return best[limit]
    raise NoPlan(_why(letters, budget, closest))


def _preference(found: Found, budget: Budget) -> float:
    return found.shape + OFF_WEIGHT * budget.off(found.parameters, found.macs)


def _why(letters: str, budget: Budget, closest: Found | None) -> str:
    wanted = f"{budget.parameters / 1e6:.3g} M parameters and {budget.macs / 1e6:.4g} M MACs"
    if closest is None:
        return f"no plan of {letters} costs {wanted}: no width and depth tried keeps the order of stages"
    parameters, macs = closest.parameters / budget.parameters - 1, closest.macs / budget.macs - 1
    binds = "MACs" if abs(macs) > abs(parameters) else "parameters"
    return (
        f"no plan of {letters} costs {wanted} within {ACCEPTABLE:.0%}; the closest, {closest.plan}, is off by "
        f"{parameters:+.1%} in parameters and {macs:+.1%} in MACs: the {binds} bind"
    )


def _stages(letters: str, budget: Budget, setting: Setting) -> Iterator[Found]:
    """Yield, for every combination of block counts, the preferred and the closest widths of a multi-stage layout."""
    units = [8, *(setting.head_size if letter == "T" else 8 for letter in letters)]
    costs = _StageCosts(letters, budget, setting, units)
    for blocks in _depths(setting.blocks):
        widths = costs.candidates(blocks, units)
        total = costs.total(blocks, widths)
        total[~_growing(widths)] = np.inf
        ratios = np.abs(total / (budget.parameters, budget.macs) - 1).max(-1)
        if not np.isfinite(ratios).any():
            continue
        shape = _growth_distance(widths) + _depth_distance(blocks, setting.blocks)
        wanted = {int(ratios.argmin())}
        for limit in (GOOD, ACCEPTABLE):
            score = np.where(ratios <= limit, shape + OFF_WEIGHT * ratios, np.inf)
            if np.isfinite(score.min()):
                wanted.add(int(score.argmin()))
        for place in (np.unravel_index(flat, ratios.shape) for flat in wanted):
            chosen = [int(options[at]) for options, at in zip(widths, place, strict=True)]
            plan = {"blocks": list(blocks), "widths": chosen, "strides": list(setting.strides)}
            yield Found(plan, float(total[place][0]), float(total[place][1]), float(shape[place]))


class _StageCosts:
    """The cost of every part of a multi-stage network, as polynomials in its widths."""

    def __init__(self, letters: str, budget: Budget, setting: Setting, units: Sequence[int]) -> None:
        image, stem_blocks = (budget.image_size,) * 2, setting.blocks[0]
        settings = {key: value for key, value in setting.network.items() if key != "dense_head"}
        settings |= {"block": 0, "head_size": setting.head_size, "attention": setting.attention, "drop": 0.0}

        def stem(_: int, width: int) -> tuple[Any, tuple[int, ...]]:
            stride = (setting.strides[0],) * 2
            return make_stem("conv", budget.channels, width, stride, stem_blocks), (budget.channels, *image)

        def head(_: int, width: int) -> tuple[Any, tuple[int, ...]]:
            return make_head(width, budget.num_classes, dense=setting.network["dense_head"]), (width,)

        def block(kind: Kind, side: int, stride: int) -> Any:
            grid: Grid = (side // stride, side // stride)

            def build(x: int, width: int) -> tuple[Any, tuple[int, ...]]:
                return make_block(kind, x, width, stride=stride, grid=grid, **settings), (x, side, side)

            return build

        self.stem, self.head = BlockCost(stem, units[0]), BlockCost(head, units[-1])
        self.first: list[BlockCost] = []
        self.rest: list[BlockCost] = []
        side = budget.image_size // setting.strides[0]
        for letter, stride, unit in zip(letters, setting.strides[1:], units[1:], strict=True):
            kind: Kind = "T" if letter == "T" else "C"
            self.first.append(BlockCost(block(kind, side, stride), unit))
            side //= stride
            self.rest.append(BlockCost(block(kind, side, 1), unit))
        self.budget = budget

    def total(self, blocks: Sequence[int], widths: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        """Return the cost of all combinations of widths, shape (w0, w1, ..., 2)."""
        count = len(widths)
        total = _along(self.stem.repeated(widths[0].tolist()), (0,), count)
        for i, (first, rest) in enumerate(zip(self.first, self.rest, strict=True), start=1):
            total = total + _along(first(widths[i - 1].tolist(), widths[i].tolist()), (i - 1, i), count)
            total = total + (blocks[i] - 1) * _along(rest.repeated(widths[i].tolist()), (i,), count)
        return total + _along(self.head.repeated(widths[-1].tolist()), (count - 1,), count)

    def candidates(self, blocks: Sequence[int], units: Sequence[int]) -> list[NDArray[np.int64]]:
        """Return the widths to try for each stage: around those of the paper's growth that cost the budget."""
        growth = np.cumsum([0.0, *GROWTH[: len(blocks) - 1]])
        low, high = 1.0, 4096.0
        for _ in range(40):
            scale = math.sqrt(low * high)
            widths = [np.array([scale * 2**octaves]) for octaves in growth]
            cheap = self.total(blocks, widths)[..., 0].item() < self.budget.parameters
            low, high = (scale, high) if cheap else (low, scale)
        steps = [5, 7, 9, *(STEPS,) * len(blocks)]
        each = zip(growth, units, steps, strict=False)
        return [_multiples(low * 2**octaves, unit, most) for octaves, unit, most in each]


def _multiples(expected: float, unit: int, most: int) -> NDArray[np.int64]:
    """Return at most about `most` multiples of `unit` around an expected width."""
    low, high = expected / SPREAD, expected * SPREAD
    step = unit * max(1, math.ceil((high - low) / unit / most))
    first = max(step, math.ceil(low / step) * step)
    return np.arange(first, max(first, int(high)) + 1, step, dtype=np.int64)


def _along(costs: NDArray[np.float64], axes: tuple[int, ...], count: int) -> NDArray[np.float64]:
    """Put the axes of a table of costs at their places among `count` width axes."""
    shape = [1] * count + [costs.shape[-1]]
    for axis, length in zip(axes, costs.shape, strict=False):
        shape[axis] = length
    return costs.reshape(shape)


def _depths(reference: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield block counts near the reference's that grow as the paper's do; S0's stays."""
    options = [sorted({max(1, round(blocks * factor)) for factor in DEPTHS}) for blocks in reference[1:]]
    for inner in itertools.product(*options):
        if list(inner[:-1]) == sorted(inner[:-1]) and inner[-1] <= inner[-2]:
            yield (reference[0], *inner)


def _growing(widths: Sequence[NDArray[np.int64]]) -> NDArray[np.bool_]:
    mesh = np.meshgrid(*widths, indexing="ij", sparse=True)
    holds = np.ones([len(options) for options in widths], bool)
    for narrow, wide in itertools.pairwise(mesh):
        holds = holds & (narrow <= wide)
    return holds


def _growth_distance(widths: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    octaves = np.meshgrid(*[np.log2(options) for options in widths], indexing="ij", sparse=True)
    steps = zip(itertools.pairwise(octaves), GROWTH, strict=False)
    distance: NDArray[np.float64] = sum((wide - narrow - growth) ** 2 for (narrow, wide), growth in steps)
    return distance


def _depth_distance(blocks: Sequence[int], reference: Sequence[int]) -> float:
    return sum(math.log2(one / other) ** 2 for one, other in zip(blocks, reference, strict=True))


def _patches(budget: Budget, setting: Setting) -> Iterator[Found]:
    """Yield plans of ViT_REL: every depth and width for every grid near the reference's."""
    settings = {key: value for key, value in setting.network.items() if key != "dense_head"}
    size, unit = budget.image_size, setting.head_size
    expected = size / setting.patch
    sides = range(max(2, math.ceil(expected / 1.5)), math.floor(expected * 1.5) + 1)
    widest = int(math.sqrt(budget.parameters / 12 / MIN_DEPTH)) * 2
    widths = list(range(unit, widest + unit, unit))
    depths = range(MIN_DEPTH, MAX_DEPTH + 1)
    for rows, columns in itertools.product(sides, sides):
        patch = (math.ceil(size / rows), math.ceil(size / columns))
        grid = (math.ceil(size / patch[0]), math.ceil(size / patch[1]))
        if grid != (rows, columns) or not 0 <= rows - columns <= 1:
            continue
        parts = _PatchCosts(budget, setting, patch, grid, settings)
        padded, rectangular = any(size % side for side in patch), patch[0] != patch[1]
        shape = PADDED_DISTANCE * padded + RECTANGULAR_DISTANCE * rectangular
        shape += 0.5 * math.log2(math.sqrt(patch[0] * patch[1]) / setting.patch) ** 2
        outer, inner = parts.outer.repeated(widths), parts.block.repeated(widths)
        for depth, (at, width) in itertools.product(depths, enumerate(widths)):
            octaves = math.log2(width / depth / setting.width_per_block)
            if abs(octaves) > math.log2(SLENDERNESS_BAND):
                continue
            parameters, macs = outer[at] + depth * inner[at]
            plan: dict[str, Any] = {"blocks": [1, depth], "widths": [width, width]}
            plan["strides"] = [list(patch) if rectangular else patch[0], 1]
            if padded:
                plan["pad"] = True
            yield Found(plan, float(parameters), float(macs), shape + octaves**2)


class _PatchCosts:
    """The cost of ViT_REL's parts at one grid, as polynomials in its width."""

    def __init__(self, budget: Budget, setting: Setting, patch: Grid, grid: Grid, settings: Mapping[str, Any]) -> None:
        image = (budget.image_size,) * 2

        def outer(_: int, width: int) -> tuple[Any, tuple[int, ...]]:
            stem = make_stem("patch", budget.channels, width, patch, 1)
            head = make_head(width, budget.num_classes, dense=setting.network["dense_head"])
            return nn.Sequential(stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head), (budget.channels, *image)

        def block(x: int, width: int) -> tuple[Any, tuple[int, ...]]:
            common: dict[str, Any] = {"stride": 1, "grid": grid, "block": 0, "drop": 0.0}
            head_size, attention = setting.head_size, setting.attention
            return make_block("T", x, width, head_size=head_size, attention=attention, **common, **settings), (x, *grid)

        self.outer, self.block = BlockCost(outer, setting.head_size), BlockCost(block, setting.head_size)
