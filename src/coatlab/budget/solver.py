"""Find blocks and widths of a layout that meet a budget in parameters *and* multiply-adds.

Search: every combination of block counts and widths near the reference's, in steps of the head size where a stage
holds attention and of 8 elsewhere (coarser steps for wide stages), with the cost of each from `parts`. The search
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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coatlab.budget.parts import Budget, PatchCosts, Setting, StageCosts
from coatlab.errors import InputError
from coatlab.model.layout import Stem

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
    """Return the widths to try for each stage: around those of the paper's growth that cost the budget."""
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
    """Return at most about `most` multiples of `unit` around an expected width."""
    low, high = expected / SPREAD, expected * SPREAD
    step = unit * max(1, math.ceil((high - low) / unit / most))
    first = max(step, math.ceil(low / step) * step)
    return np.arange(first, max(first, int(high)) + 1, step, dtype=np.int64)


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
