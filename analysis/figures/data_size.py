"""Test accuracy against the number of training images, one line per layout.

Larger sets may be trained on for fewer epochs, as the table over training images says, so the points of a line are not
of equally long trainings.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.compare.finished import TEST
from analysis.compare.order import in_order
from analysis.figures.style import (
    INTERVAL,
    draw_legend,
    label_panel,
    looks,
    open_grid,
    regimes,
    seeds_sentence,
    summaries,
    whiskers,
    with_names,
)
from coatlab.errors import InputError


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each data set and start, without the runs on all images (`data.train_size` null).

    Raises:
        InputError: all runs are on all images.
    """
    runs = with_names(runs).dropna(subset=["data.train_size"])
    if runs.empty:
        raise InputError("accuracy against training images needs runs with data.train_size")
    cells = regimes(runs, but=["data.train_size"])
    told = seeds_sentence((part for _, part in regimes(runs)), INTERVAL)
    figure, axes = open_grid(len(cells), told)
    for axis, (title, part) in zip(axes, cells, strict=True):
        sizes = sorted(part["data.train_size"].unique())
        for name in in_order(part["name"]):
            own = part[part["name"] == name]
            found = {size: summaries(own[own["data.train_size"] == size], TEST).get(name) for size in sizes}
            points = {size: summary for size, summary in found.items() if summary}
            ends = np.hstack([whiskers(summary) for summary in points.values()])
            means = [summary.mean for summary in points.values()]
            axis.errorbar(list(points), means, yerr=ends, capsize=3, **looks(runs["name"])[name], label=name)
        axis.set_xscale("log")
        axis.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
        axis.minorticks_off()
        label_panel(axis, title, "training images", "test accuracy")
    draw_legend(figure, list(runs["name"]), lines=True)
    return figure
