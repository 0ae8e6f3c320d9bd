"""Generalization (few images) upwards against capacity (abundant images) to the right: which layout has both.

Generalization is the test accuracy of finished trainings on few images at equal final training loss; capacity is the
final test accuracy after equal steps on abundant images (sec. 2.2 of the paper, which shows the two apart, in the
panels of Figure 1). Large points are means with their intervals. The small ones are single seeds, and a thin line joins
those of one seed, which are paired. The shaded bands begin at the best mean and are as wide as the margin within which
a claim counts two layouts as equal. The paper's orders are noted beside the axes, the best layout first.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.claims.claim import Claim, Range, claims_about, losses_of
from analysis.claims.ordering import names_of
from analysis.compare.finished import AT_EQUAL_LOSS, BUDGET, TEST, measured
from analysis.compare.order import in_order
from analysis.figures.style import (
    INTERVAL,
    REGIME_KEYS,
    draw_point,
    label_panel,
    label_points,
    looks,
    open_grid,
    regimes,
    seeds_sentence,
    summaries,
    with_names,
)
from analysis.paper.data_sets import ABUNDANT
from analysis.stats import Summary
from coatlab.errors import InputError

DATA = ("data.name", "data.train_size")  # in which a regime of few images and one of abundant images may differ
RATES = "rates"  # whether layouts share a learning rate; regimes pair with those of the same kind, if there are any
AROUND = f"{INTERVAL}; small: single seeds"
WRAP = 60  # letters of a line below the panel


Points = dict[str, tuple[Summary, Summary]]  # by name: of capacity and of generalization


@dataclass(frozen=True)
class _Cell:
    """A panel: what is above, what is to the right, each with a number per name and seed, and the claims about them."""

    title: str
    source: str
    few: pd.DataFrame
    many: pd.DataFrame
    losses: Range
    claims: tuple[Claim | None, Claim | None]


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each regime of few images with each regime of abundant ones that is like it in all but the data.

    A panel has a point with both intervals for each name that has numbers of both kinds, and names the others.

    Raises:
        InputError: no runs on few images can be compared at equal loss, or there are none like them on abundant images.
    """
    runs = with_names(runs)
    cells = _cells(runs)
    if not cells:
        raise InputError(
            "generalization against capacity needs runs on few images under several budgets, whose final training "
            "losses span the range at which a claim compares them, and runs of the same layout, size and resolution on "
            f"abundant images (data.name={' or '.join(ABUNDANT)})"
        )
    told = seeds_sentence((part for cell in cells for part in (cell.few, cell.many)), AROUND)
    figure, axes = open_grid(len(cells), f"generalization (few images), up;\ncapacity (abundant images), right\n{told}")
    figure.set_figheight(figure.get_figheight() + 1.2)
    for axis, cell in zip(axes, cells, strict=True):
        _draw_cell(axis, cell, list(runs["name"]))
    for axis, cell in zip(axes, cells, strict=True):  # once all panels have their places
        label_points(axis, {name: (x.mean, y.mean) for name, (x, y) in _points(cell).items()})
    return figure


def _cells(runs: pd.DataFrame) -> list[_Cell]:
    is_abundant = runs["data.name"].isin(ABUNDANT)
    alike = [key for key in (*REGIME_KEYS, "layout.name") if key in runs and key not in (*DATA, RATES)]
    cells = []
    for title, few in regimes(runs[~is_abundant]):
        losses = losses_of(few)
        if losses is None or BUDGET not in few:
            continue
        found = measured(AT_EQUAL_LOSS, few, losses).values.rename(AT_EQUAL_LOSS).reset_index()
        if not found[AT_EQUAL_LOSS].notna().any():
            continue
        up = next((one for one in claims_about(few) if one.metric == AT_EQUAL_LOSS), None)
        same = pd.MultiIndex.from_frame(runs[alike]).isin(pd.MultiIndex.from_frame(few[alike]))
        abundant = runs[is_abundant & same]
        if RATES in abundant and (abundant[RATES] == few[RATES].iloc[0]).any():
            abundant = abundant[abundant[RATES] == few[RATES].iloc[0]]
        for source, many in regimes(abundant):
            right = next((one for one in claims_about(many) if one.metric == TEST), None)
            cells.append(_Cell(title, source, found, many, losses, (up, right)))
    return cells


def _points(cell: _Cell) -> Points:
    """Return the two summaries of each name that has both."""
    across, up = summaries(cell.many, TEST), summaries(cell.few, AT_EQUAL_LOSS)
    return {name: (across[name], up[name]) for name in in_order(across.keys() & up.keys()) if up[name].n}


def _draw_cell(axis: Axes, cell: _Cell, names: Sequence[str]) -> None:
    points = _points(cell)
    up_claim, right_claim = cell.claims
    look: dict[str, Any] = {"color": "0.5", "alpha": 0.18, "linewidth": 0}
    if up_claim and points:
        best = max(up.mean for _, up in points.values())
        axis.axhspan(best - up_claim.about, best, **look)
    if right_claim and points:
        best = max(across.mean for across, _ in points.values())
        axis.axvspan(best - right_claim.about, best, **look)
    numbers = [
        part.groupby(["name", "seed"])[key].mean() for part, key in ((cell.many, TEST), (cell.few, AT_EQUAL_LOSS))
    ]
    seeds = pd.concat(numbers, axis="columns", join="inner").dropna().reset_index()
    for _, own in seeds.groupby("seed"):
        own = own.set_index("name").reindex([name for name in points if name in set(own["name"])])
        axis.plot(own[TEST], own[AT_EQUAL_LOSS], color="0.5", linewidth=0.6, alpha=0.5, zorder=1)
    for name, (across, up) in points.items():
        look = looks(names)[name]
        own = seeds[seeds["name"] == name]
        axis.plot(own[TEST], own[AT_EQUAL_LOSS], **look | {"linestyle": "none"}, markersize=4, alpha=0.35, zorder=2)
        draw_point(axis, name, across, up, look)
    low, high = cell.losses
    above, right = (f"paper: {'; '.join(claim.ordering)}" if claim else "" for claim in cell.claims)
    below = [f"capacity: test accuracy on {cell.source}", right, *_absent(cell, points)]
    words = "\n".join(textwrap.fill(text, WRAP) for text in below if text)
    beside = f"generalization: test accuracy\nat training loss {low:g} to {high:g}" + f"\n{above}" * bool(above)
    label_panel(axis, cell.title, words, beside)
    axis.xaxis.label.set_fontsize("small")
    axis.yaxis.label.set_fontsize("small")


def _absent(cell: _Cell, points: Points) -> list[str]:
    """Name what is not shown, since it lacks a number of either kind."""
    expected = {name for claim in cell.claims if claim for name in names_of(claim.relations)}
    known = expected | set(cell.few["name"]) | set(cell.many["name"])
    missing = in_order(known - set(points))
    return [f"not shown, without numbers of both kinds: {', '.join(missing)}"] if missing else []
