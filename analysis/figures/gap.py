"""The generalization gap of each layout: training accuracy minus evaluation accuracy, both in evaluation mode."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import (
    INTERVAL,
    label_panel,
    looks,
    open_grid,
    regimes,
    seeds_sentence,
    summaries,
    whiskers,
    with_names,
)


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each regime: the mean with its interval, and every run beside it."""
    cells = regimes(with_names(runs))
    figure, axes = open_grid(len(cells), seeds_sentence((part for _, part in cells), f"{INTERVAL}; small: single runs"))
    for axis, (title, part) in zip(axes, cells, strict=True):
        found = summaries(part, "gap")
        for place, (name, summary) in enumerate(found.items()):
            look = looks(part["name"])[name] | {"linestyle": "none"}
            own = part.loc[part["name"] == name, "gap"]
            axis.plot([place + 0.2] * len(own), own, **look, markersize=4, alpha=0.5)
            axis.errorbar([place], [summary.mean], yerr=whiskers(summary), capsize=3, markersize=8, **look)
        axis.set_xticks(range(len(found)), list(found), rotation=20, ha="right")
        axis.set_xlim(-0.5, len(found) - 0.3)
        label_panel(axis, title, None, "gap in accuracy")
    return figure
