"""Find the plan of a layout (blocks and widths) that meets a budget in parameters *and* multiply-adds.

Search: all combinations of numbers of blocks and of widths near the preferred ones of the size. Widths are multiples of
the head size in stages with attention and of 8 elsewhere, with coarser steps in wide stages. `parts` gives the cost of
each combination. The search is exhaustive over these steps; between coarser steps a plan may exist that is not found.

Rules (the paper's, sec. 2.2): widths never shrink from one stage to the next; S2 has at least as many blocks as S1, S3
at least as many as S2, and S4 at most as many as S3. For ViT_REL the search is over depth, width and patch.

Preference: among the plans within 1 % of the budget in both costs (2 % if there is none), the one with the smallest sum
of its distance from the preferred shape, in squared octaves (factors of two), and its distance from the budget, where
1 % weighs as much as one squared octave. The distance of the shape is
- for multi-stage layouts: how far the growth of the widths is from CoAtNet-0's (64, 96, 192, 384, 768), plus how far
  the number of blocks of each stage is from the preferred one;
- for ViT_REL: how far the width is from `width_per_block` times the depth (ViT-S: 384 / 12 = 32), at most a factor of
  2.5, plus half of how far the patch is from the preferred one; a patch that does not divide the image adds 1, a
  rectangular one 0.5.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coatlab.budget.parts import Budget, PatchCosts, Setting, StageCosts
from coatlab.errors import InputError
from coatlab.model.layout import Stem

GROWTH = (math.log2(96 / 64), 1.0, 1.0, 1.0)  # preferred growth of width from the stage before to S1..S4, in octaves
SLENDERNESS_BAND = 2.5  # ViT_REL's width / depth is at most this factor away from the preferred one
MIN_DEPTH, MAX_DEPTH = 3, 48  # of ViT_REL, in blocks
PADDED_DISTANCE, RECTANGULAR_DISTANCE = 1.0, 0.5  # squared octaves that such a patch adds
GOOD, ACCEPTABLE = 0.01, 0.02  # relative distances from the budget
OFF_WEIGHT = 100.0  # squared octaves per relative distance of 1
DEPTHS = (0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0)  # numbers of blocks to try, as multiples of the preferred ones
SPREAD = 2.2  # widths to try: from the expected width divided by this to the expected width times this
STEPS = 14  # widths to try per stage, at most


@dataclass(frozen=True)
class Found:
    """A plan as in conf/size, its predicted cost, and the distance of its shape from the preferred one (`shape`)."""

    plan: dict[str, Any]
    parameters: float
    macs: float
    shape: float


class NoPlan(InputError):
    """No plan meets the budget: the message names the closest plan, and which of the two costs it misses by more."""


def solve(stem: Stem, letters: str, budget: Budget, setting: Setting) -> Found:
    """Return the preferred plan of a layout for a budget.

    Args:
        stem: patch for ViT_REL, conv for the other layouts.
        letters: C or T for each stage.

    Raises:
        NoPlan: no plan is within 2 % of the budget.
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
        return f"no plan of {letters} costs {wanted}: none that was tried has widths that never shrink"
    parameters, macs = closest.parameters / budget.parameters - 1, closest.macs / budget.macs - 1
    missed = "MACs" if abs(macs) > abs(parameters) else "parameters"
    return (
        f"no plan of {letters} costs {wanted} within {ACCEPTABLE:.0%}; the closest, {closest.plan}, is off by "
        f"{parameters:+.1%} in parameters and {macs:+.1%} in MACs: the {missed} cannot be met"
    )


def _stages(letters: str, budget: Budget, setting: Setting) -> Iterator[Found]:
    """Yield plans of a multi-stage layout: for all numbers of blocks, the preferred and the closest widths."""
    units = [8, *(setting.head_size if letter == "T" else 8 for letter in letters)]
    costs = StageCosts(letters, budget, setting, units)
    for blocks in _depths(setting.blocks):
        widths = _candidates(costs, blocks, units)
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


def _candidates(costs: StageCosts, blocks: Sequence[int], units: Sequence[int]) -> list[NDArray[np.int64]]:
    """Return the widths to try for each stage, around those of preferred growth that meet the budget's parameters."""
    growth = np.cumsum([0.0, *GROWTH[: len(blocks) - 1]])
    low, high = 1.0, 4096.0
    for _ in range(40):
        scale = math.sqrt(low * high)
        widths = [np.array([scale * 2**octaves]) for octaves in growth]
        cheap = costs.total(blocks, widths)[..., 0].item() < costs.budget.parameters
        low, high = (scale, high) if cheap else (low, scale)
    steps = [5, 7, 9, *(STEPS,) * len(blocks)]
    each = zip(growth, units, steps, strict=False)
    return [_multiples(low * 2**octaves, unit, most) for octaves, unit, most in each]


def _multiples(expected: float, unit: int, most: int) -> NDArray[np.int64]:
    """Return multiples of `unit` around an expected width, about `most` at most."""
    low, high = expected / SPREAD, expected * SPREAD
    step = unit * max(1, math.ceil((high - low) / unit / most))
    first = max(step, math.ceil(low / step) * step)
    return np.arange(first, max(first, int(high)) + 1, step, dtype=np.int64)


def _depths(reference: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield numbers of blocks near the preferred ones that follow the paper's rules; S0 keeps its own."""
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
    """Yield plans of ViT_REL: all depths and widths, for all grids near that of the preferred patch."""
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
        parts = PatchCosts(budget, setting, patch, grid, settings)
        padded, rectangular = any(size % side for side in patch), patch[0] != patch[1]
        shape = PADDED_DISTANCE * padded + RECTANGULAR_DISTANCE * rectangular
        shape += 0.5 * math.log2(math.sqrt(patch[0] * patch[1]) / setting.patch) ** 2
        outer, first, inner = (part.repeated(widths) for part in (parts.outer, parts.first, parts.rest))
        for depth, (at, width) in itertools.product(depths, enumerate(widths)):
            octaves = math.log2(width / depth / setting.width_per_block)
            if abs(octaves) > math.log2(SLENDERNESS_BAND):
                continue
            parameters, macs = outer[at] + first[at] + (depth - 1) * inner[at]
            plan: dict[str, Any] = {"blocks": [1, depth], "widths": [width, width]}
            plan["strides"] = [list(patch) if rectangular else patch[0], 1]
            if padded:
                plan["pad"] = True
            yield Found(plan, float(parameters), float(macs), shape + octaves**2)
