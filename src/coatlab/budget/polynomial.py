"""The cost of a block as a polynomial in its widths, found by counting a few real blocks.

At a fixed grid, parameters and multiply-adds of every block are a + b x + c w + d x w + e w^2 in the widths in (x) and
out (w), with one polynomial for blocks that keep their width (no projection in the shortcut) and one for those that
change it. A few blocks are counted to fix the coefficients, one more than needed as a check. A plan's cost is then a
sum of look-ups, and a solver can try millions of plans. No formula is repeated here by hand: a change of a block, or a
new attention variant, changes the counts and with them the polynomial.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from coatlab.budget.cost import IMAGES, count

Costs = NDArray[np.float64]  # (..., 2): parameters and multiply-adds
Build = Callable[[int, int], tuple[nn.Module, tuple[int, ...]]]  # widths in and out -> module, shape of an input
TOLERANCE = 1e-3  # relative; not 0, because the squeezed width of squeeze-excitation is rounded


class BlockCost:
    """The cost of one kind of block at one place of a network, for any widths.

    Args:
        build: returns the block for widths in and out, and the shape of its input; called on the meta device.
        unit: counted widths are multiples of this; the head size if the block has attention.
    """

    def __init__(self, build: Build, unit: int) -> None:
        self._build, self._unit = build, unit
        self._same = _fit(build, [(w * unit, w * unit) for w in (1, 2, 3, 4)])

    @cached_property
    def _changed(self) -> NDArray[np.float64]:
        """Return the coefficients of blocks that change their width; counted on first use, as few places need them."""
        pairs = [(1, 2), (2, 1), (1, 3), (3, 2), (2, 4), (4, 3)]
        return _fit(self._build, [(x * self._unit, w * self._unit) for x, w in pairs])

    def __call__(self, widths_in: Sequence[int], widths: Sequence[int]) -> Costs:
        """Return the costs for all pairs of widths, shape (widths_in, widths, 2)."""
        x, w = np.meshgrid(np.asarray(widths_in, float), np.asarray(widths, float), indexing="ij")
        terms = _terms(x, w)
        return np.where((x == w)[..., None], terms @ self._same, terms @ self._changed)

    def repeated(self, widths: Sequence[int]) -> Costs:
        """Return the costs of blocks that keep their width, shape (widths, 2)."""
        w = np.asarray(widths, float)
        return _terms(w, w) @ self._same


def cost_at(build: Build, width_in: int, width: int) -> tuple[int, int]:
    """Count parameters and multiply-adds of one block."""
    with torch.device("meta"):
        block, shape = build(width_in, width)
        cost, _ = count(block, torch.empty(IMAGES, *shape))
    return cost.parameters, cost.macs


def _fit(build: Build, widths: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Fit the coefficients, shape (terms, 2), and check that they give the counted costs."""
    counted = np.array([cost_at(build, x, w) for x, w in widths], float)
    x, w = np.array(widths, float).T
    terms = _terms(x, w)
    scale = np.abs(terms).max(0)  # with columns of similar size the fit is exact up to rounding
    solution = np.linalg.lstsq(terms / scale, counted, rcond=None)[0] / scale[:, None]
    assert np.allclose(terms @ solution, counted, rtol=TOLERANCE), (
        "the cost of a block is not a polynomial in its widths"
    )
    return solution


def _terms(x: NDArray[np.float64], w: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.ones_like(x), x, w, x * w, w * w], axis=-1)
