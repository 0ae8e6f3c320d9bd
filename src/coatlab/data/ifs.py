"""Iterated function systems: drawn from a seed, tested, and rendered in batches (after FractalDB, Kataoka et al. 2020).

A system is a few contractive affine maps of the plane; its attractor is a fractal. A class of `data=fractals` is a
system. An instance perturbs the numbers of its maps, how it is drawn (brush and contrast) and its pose. It is rendered
by the chaos game: points jump by randomly chosen maps until they settle on the attractor. All randomness is passed in
as uniform numbers ("draws"), so that a picture depends only on its class and its draws, on any device up to rounding.

Deviations from FractalDB:
- Each map is contractive, so that no system diverges.
- There are up to 4 maps instead of 8, and an upper limit on the filling rate: fuller pictures look alike at 32 pixels.
- All numbers are perturbed at once by a little; FractalDB perturbs one at a time by up to 20 %.
- Poses rotate freely within a range.

B images, M maps, P points of one jump, T jumps, U uniform numbers of an image.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MAPS = 4
CONTRACTION = 0.85  # upper limit on how much a map of a class stretches: still below 1 when perturbed by JITTER
FILLED = (0.15, 0.45)  # share of the pixels of a 32 x 32 picture that a class touches
JITTER = 0.1  # largest relative change of an instance's numbers
ANGLE = math.pi / 6  # largest rotation of a pose, to either side
SMALLEST = 0.7  # smallest scale of a pose
FLIP = 0.5  # probability of a mirror image
BRUSH = 3  # pixels of a brush, per side
GAMMA = (0.3, 0.9)  # range of the contrast
BURN = 12  # jumps before points are drawn: by then they are on the attractor
POSE = MAPS * 6 + BRUSH * BRUSH + 8  # draws before the jumps: of maps, brush and contrast, pose (5), colour (3)
TESTED = 32  # pixels per side of the picture that decides whether a system becomes a class


def find_systems(count: int, seed: int) -> Tensor:
    """Find the first `count` systems of a seed: drawn in order, those whose pictures are too empty or full left out.

    Returns:
        (count, MAPS, 6) in float64: a, b, c, d, e, f of x' = a x + b y + e, y' = c x + d y + f; unused maps are NaN.
    """
    jumps = np.random.Generator(np.random.Philox(key=(seed, 1)))  # every candidate is tested with the same jumps
    draws = torch.full((1, draws_of(TESTED)), 0.5)
    draws[:, POSE:] = torch.from_numpy(jumps.random(draws.shape[1] - POSE, dtype=np.float32))
    found: list[np.ndarray] = []
    for candidates in _drawn(seed):
        touched = density(torch.from_numpy(candidates), draws.expand(len(candidates), -1), TESTED) > 0
        filled = touched.double().mean((1, 2)).numpy()
        found += list(candidates[(filled >= FILLED[0]) & (filled <= FILLED[1])])
        if len(found) >= count:
            return torch.from_numpy(np.stack(found[:count]))
    raise AssertionError("the stream of candidates does not end")


def draws_of(side: int) -> int:
    """Return how many draws a picture needs: those of its pose and style, and two points per pixel."""
    return POSE + (BURN + side) * 2 * side


def render(systems_BM6: Tensor, draws_BU: Tensor, side: int, channels: int) -> Tensor:
    """Render one instance of each system: uint8 pictures (B, channels, side, side), each with its own draws."""
    brush_BKK, gamma_B, colour_BC = _style(draws_BU, channels)
    count = density(systems_BM6, draws_BU, side)
    drawn = F.conv2d(count[None], brush_BKK[:, None], padding=BRUSH // 2, groups=len(count))[0]
    drawn = (drawn / drawn.amax((1, 2), keepdim=True).clamp_min(1e-9)) ** gamma_B[:, None, None]
    return (drawn[:, None] * colour_BC[:, :, None, None] * 255).round().to(torch.uint8)


def density(systems_BM6: Tensor, draws_BU: Tensor, side: int) -> Tensor:
    """Play the chaos game and count the points in each pixel, (B, side, side) in float32."""
    maps = systems_BM6.to(draws_BU.device, torch.float32)
    used_BM = ~maps[:, :, 0].isnan()
    maps = maps.nan_to_num() * (1 + JITTER * (2 * draws_BU[:, : MAPS * 6].unflatten(1, (MAPS, 6)) - 1))
    x, y = _play(maps, used_BM, draws_BU[:, POSE:].unflatten(1, (BURN + side, 2 * side)))
    x, y = _posed(x, y, draws_BU[:, POSE - 8 : POSE - 3])
    column, row = ((z + 1) / 2 * side for z in (x, y))
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    pixel = row.long().clamp(0, side - 1) * side + column.long().clamp(0, side - 1)
    count = torch.zeros(len(x), side * side, device=x.device).scatter_add_(1, pixel, inside.float())
    return count.view(-1, side, side)


def _drawn(seed: int, batch: int = 256) -> Iterator[np.ndarray]:
    """Yield batches of candidate systems, (batch, MAPS, 6), forever; every map is contractive."""
    stream = np.random.Generator(np.random.Philox(key=(seed, 0)))
    while True:
        maps = stream.uniform(-1, 1, (batch, MAPS, 6))
        while (wide := _stretch(maps) >= CONTRACTION).any():
            maps[wide] = stream.uniform(-1, 1, (int(wide.sum()), 6))
        unused = np.arange(MAPS) >= stream.integers(2, MAPS + 1, batch)[:, None]
        maps[unused] = np.nan
        yield maps


def _stretch(maps: np.ndarray) -> np.ndarray:
    """Return the largest singular value of the linear part of each map."""
    stretch: np.ndarray = np.linalg.norm(maps[..., :4].reshape(*maps.shape[:-1], 2, 2), ord=2, axis=(-2, -1))
    return stretch


def _play(maps_BM6: Tensor, used_BM: Tensor, draws_BTP: Tensor) -> tuple[Tensor, Tensor]:
    """Play the chaos game: choose maps in proportion to their area, and return the points after BURN, (B, T * P)."""
    area = (maps_BM6[..., 0] * maps_BM6[..., 3] - maps_BM6[..., 1] * maps_BM6[..., 2]).abs().clamp_min(0.02) * used_BM
    upto_BM = (area / area.sum(1, keepdim=True)).cumsum(1)
    chosen_BTP = torch.searchsorted(upto_BM, draws_BTP.flatten(1).contiguous()).clamp_max(MAPS - 1).view_as(draws_BTP)
    x = y = torch.zeros_like(draws_BTP[:, 0])
    drawn = []
    for jump in range(draws_BTP.shape[1]):
        a, b, c, d, e, f = (maps_BM6[:, :, k].gather(1, chosen_BTP[:, jump]) for k in range(6))
        x, y = a * x + b * y + e, c * x + d * y + f
        if jump >= BURN:
            drawn.append((x, y))
    xs, ys = zip(*drawn, strict=True)
    return torch.cat(xs, 1), torch.cat(ys, 1)


def _posed(x: Tensor, y: Tensor, draws_B5: Tensor) -> tuple[Tensor, Tensor]:
    """Turn, mirror, scale and place each picture inside -1..1; draws of 0.5 leave it upright at full size."""
    turn, mirror, scale, right, down = draws_B5.unsqueeze(2).unbind(1)
    angle = (2 * turn - 1) * ANGLE
    x, y = angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y
    x = torch.where(mirror > FLIP, -x, x)
    middle_x, middle_y = ((z.amax(1, keepdim=True) + z.amin(1, keepdim=True)) / 2 for z in (x, y))
    half = torch.maximum((x - middle_x).abs().amax(1, keepdim=True), (y - middle_y).abs().amax(1, keepdim=True))
    size = 1 - (1 - SMALLEST) * (2 * scale - 1).abs()
    spare = 1 - size
    x = (x - middle_x) / half.clamp_min(1e-9) * size + (2 * right - 1) * spare
    y = (y - middle_y) / half.clamp_min(1e-9) * size + (2 * down - 1) * spare
    return x, y


def _style(draws_BU: Tensor, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return each instance's brush (B, K, K), contrast (B,) and colour (B, channels): white for grey pictures."""
    brush = draws_BU[:, MAPS * 6 : MAPS * 6 + BRUSH * BRUSH].reshape(-1, BRUSH, BRUSH).clone()
    brush[:, BRUSH // 2, BRUSH // 2] = 1
    brush = torch.where(brush > 0.5, brush, 0.0)
    gamma = GAMMA[0] + (GAMMA[1] - GAMMA[0]) * draws_BU[:, MAPS * 6 + 4]
    colour = 0.3 + 0.7 * draws_BU[:, POSE - 3 : POSE]
    return brush, gamma, colour if channels == 3 else torch.ones(len(draws_BU), channels, device=draws_BU.device)
