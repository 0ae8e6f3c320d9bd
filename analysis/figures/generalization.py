"""Generalization against capacity, a point a layout: which layout has both.

Generalization is the evaluation accuracy at matched training loss on few images, capacity the final evaluation accuracy
on abundant ones (sec. 2.2 of the paper; it shows the two apart, in the panels of Figure 1).
"""

import pandas as pd
from matplotlib.figure import Figure

from analysis.compare.matched import ACCURACY, MATCHED, matched_accuracy
from analysis.figures.style import (
    INTERVAL,
    REGIME_KEYS,
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
from coatlab.errors import InputError

ABUNDANT = "fractals"
DATA = ("data.name", "data.train_size")  # in which a regime of few images and one of abundant ones differ


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each regime of few images: a point with both intervals for each layout that has both.

    Raises:
        InputError: there are no runs on few images with a history, or none of the same size on abundant ones.
    """
    runs = with_names(runs)
    abundant = runs["data.name"] == ABUNDANT
    alike = [key for key in REGIME_KEYS if key in runs and key not in DATA]
    cells = []
    for title, part in regimes(runs[~abundant]):
        many = runs[abundant & (runs[alike] == part[alike].iloc[0]).all(axis=1)]
        values, loss = matched_accuracy(part, histories)
        if len(many) and values.notna().any():
            cells.append((title, part.assign(**{MATCHED: values}), many, loss))
    if not cells:
        raise InputError(
            f"generalization against capacity needs runs on few images and on data.name={ABUNDANT}, of one size and "
            "resolution, and the recorded epochs of the former"
        )
    told = seeds_sentence((part for _, few, many, _ in cells for part in (few, many)), INTERVAL)
    figure, axes = open_grid(len(cells), told)
    for axis, (title, few, many, loss) in zip(axes, cells, strict=True):
        capacity = summaries(many, ACCURACY)
        for name, generalization in summaries(few, MATCHED).items():
            if name in capacity:
                draw_point(axis, name, capacity[name], generalization, looks(runs["name"])[name])
        told = f"generalization: evaluation\naccuracy at training loss {loss:.3g}"
        label_panel(axis, title, f"capacity: evaluation accuracy on {ABUNDANT}", told)
    draw_legend(figure, list(runs["name"]))
    return figure
