"""Generalization against capacity, one point per layout: which layout has both.

Generalization is the evaluation accuracy at matched training loss on few images; capacity is the final evaluation
accuracy on abundant images (sec. 2.2 of the paper, which shows the two apart, in the panels of Figure 1).
"""

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from analysis.compare.matched import ACCURACY, MATCHED, matched_accuracy
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


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each regime of few images with each regime of abundant ones that is like it in all but the data.

    A panel has a point with both intervals for each name that has runs of both kinds.

    Raises:
        InputError: there are no runs on few images with a history, or none like them on abundant images.
    """
    runs = with_names(runs)
    is_abundant = runs["data.name"].isin(ABUNDANT)
    alike = [key for key in (*REGIME_KEYS, "layout.name") if key in runs and key not in DATA]
    cells = []
    for title, few in regimes(runs[~is_abundant]):
        values, loss = matched_accuracy(few, histories)
        same = pd.MultiIndex.from_frame(runs[alike]).isin(pd.MultiIndex.from_frame(few[alike]))
        if values.notna().any():
            few = few.assign(**{MATCHED: values})
            cells += [(title, few, source, many, loss) for source, many in regimes(runs[is_abundant & same])]
    if not cells:
        raise InputError(
            "generalization against capacity needs runs on few images, with their recorded epochs, and runs of the "
            f"same layout, size and resolution on abundant images (data.name={' or '.join(ABUNDANT)})"
        )
    told = seeds_sentence((part for _, few, _, many, _ in cells for part in (few, many)), INTERVAL)
    figure, axes = open_grid(len(cells), told)
    for axis, (title, few, source, many, loss) in zip(axes, cells, strict=True):
        capacity = summaries(many, ACCURACY)
        for name, generalization in summaries(few, MATCHED).items():
            if name in capacity:
                draw_point(axis, name, capacity[name], generalization, looks(runs["name"])[name])
        across = textwrap.fill(f"capacity: evaluation accuracy on {source}", TITLE_WIDTH + 10)
        label_panel(axis, title, across, f"generalization: evaluation\naccuracy at training loss {loss:.3g}")
    draw_legend(figure, list(runs["name"]))
    return figure
