"""Generalization against capacity, one point per layout: which layout has both.

Generalization is the test accuracy of finished trainings on few images at equal final training loss; capacity is the
final test accuracy after equal steps on abundant images (sec. 2.2 of the paper, which shows the two apart, in the
panels of Figure 1).
"""

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from analysis.claims.claim import losses_of
from analysis.compare.finished import AT_EQUAL_LOSS, BUDGET, TEST, measured
from analysis.figures.style import (
    INTERVAL,
    REGIME_KEYS,
    TITLE_WIDTH,
    draw_legend,
    draw_point,
    label_panel,
    looks,
    open_grid,
    regimes,
    seeds_sentence,
    summaries,
    with_names,
)
from analysis.paper.data_sets import ABUNDANT
from coatlab.errors import InputError

DATA = ("data.name", "data.train_size")  # in which a regime of few images and one of abundant images may differ
RATES = "rates"  # whether layouts share a learning rate; regimes pair with those of the same kind, if there are any


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each regime of few images with each regime of abundant ones that is like it in all but the data.

    A panel has a point with both intervals for each name that has numbers of both kinds.

    Raises:
        InputError: no runs on few images can be compared at equal loss, or there are none like them on abundant images.
    """
    runs = with_names(runs)
    is_abundant = runs["data.name"].isin(ABUNDANT)
    alike = [key for key in (*REGIME_KEYS, "layout.name") if key in runs and key not in (*DATA, RATES)]
    cells = []
    for title, few in regimes(runs[~is_abundant]):
        losses = losses_of(few)
        if losses is None or BUDGET not in few:
            continue
        found = measured(AT_EQUAL_LOSS, few, losses).values.rename(AT_EQUAL_LOSS).reset_index()
        same = pd.MultiIndex.from_frame(runs[alike]).isin(pd.MultiIndex.from_frame(few[alike]))
        if found[AT_EQUAL_LOSS].notna().any():
            many = runs[is_abundant & same]
            if RATES in many and (many[RATES] == few[RATES].iloc[0]).any():
                many = many[many[RATES] == few[RATES].iloc[0]]
            cells += [(title, found, source, own, losses) for source, own in regimes(many)]
    if not cells:
        raise InputError(
            "generalization against capacity needs runs on few images under several budgets, about which a claim "
            "states at which training losses they are compared, and runs of the same layout, size and resolution on "
            f"abundant images (data.name={' or '.join(ABUNDANT)})"
        )
    told = seeds_sentence((part for _, few, _, many, _ in cells for part in (few, many)), INTERVAL)
    figure, axes = open_grid(len(cells), told)
    for axis, (title, few, source, many, (low, high)) in zip(axes, cells, strict=True):
        capacity = summaries(many, TEST)
        for name, generalization in summaries(few, AT_EQUAL_LOSS).items():
            if name in capacity:
                draw_point(axis, name, capacity[name], generalization, looks(runs["name"])[name])
        across = textwrap.fill(f"capacity: test accuracy on {source}", TITLE_WIDTH + 10)
        label_panel(axis, title, across, f"generalization: test accuracy\nat training loss {low:g} to {high:g}")
    draw_legend(figure, list(runs["name"]))
    return figure
