"""Generalization against capacity, a point a layout: which layout has both.

Generalization is the evaluation accuracy at matched training loss on few images, capacity the final evaluation accuracy
on abundant ones (sec. 2.2 of the paper; it shows the two apart, in the panels of Figure 1).
"""

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import INTERVAL, grid, label, legend, looks, named, point, regimes, seeds, summaries
from analysis.metrics import ACCURACY, MATCHED, matched_accuracy
from coatlab.errors import InputError

ABUNDANT = "fractals"


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each regime of few images: a point with both intervals for each layout that has both.

    Raises:
        InputError: there are no runs on few images, or none on abundant ones.
    """
    runs = named(runs)
    abundant = runs[runs["data.name"] == ABUNDANT]
    cells = regimes(runs[runs["data.name"] != ABUNDANT])
    if not cells or not len(abundant):
        raise InputError(f"generalization against capacity needs runs on few images and on data.name={ABUNDANT}")
    capacity = summaries(abundant, ACCURACY)
    told = seeds([abundant, *(part for _, part in cells)], INTERVAL)
    figure, axes = grid(len(cells), told)
    for axis, (title, part) in zip(axes, cells, strict=True):
        values, loss = matched_accuracy(part, histories)
        for name, generalization in summaries(part.assign(**{MATCHED: values}), MATCHED).items():
            if name in capacity:
                point(axis, name, capacity[name], generalization, looks(runs["name"])[name])
        told = f"generalization: evaluation\naccuracy at training loss {loss:.3g}"
        label(axis, title, f"capacity: evaluation accuracy on {ABUNDANT}", told)
    legend(figure, list(runs["name"]))
    return figure
