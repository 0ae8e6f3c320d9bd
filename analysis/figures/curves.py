"""Training loss and evaluation accuracy against images seen, as in Figure 1 of the paper.

There is one row of panels for each data set, number of images and start. Loss and accuracy are measured in evaluation
mode, on fixed training images and on held-out ones (both on training images, where their labels are random): after
epochs, or within one, after `trainer.eval_at` images. On abundant images, which never recur, the axis is logarithmic. A
line is the mean over seeds; its band reaches from the lowest seed to the highest. Layouts that were trained under
several budgets are not shown: each budget has a curve of its own, and its end is in the figure of finished trainings.
"""

import pandas as pd
from matplotlib.figure import Figure

from analysis.compare.finished import EVAL, LOSS
from analysis.compare.measure import TRAIN, epoch_measure
from analysis.compare.order import in_order
from analysis.compare.scaling import with_images_seen
from analysis.figures.style import (
    draw_legend,
    label_panel,
    looks,
    open_rows,
    plain_log,
    regimes,
    seeds_sentence,
    several_budgets,
    with_names,
)
from analysis.paper.data_sets import ABUNDANT
from coatlab.errors import InputError

X = "images"


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a row of two panels for each regime with one budget, with a line and a band for each name.

    Raises:
        InputError: no run in such a regime has a history.
    """
    runs = with_names(runs)
    rows = [(title, part) for title, part in regimes(runs) if not several_budgets(part)]
    runs = pd.concat([part for _, part in rows]) if rows else runs[:0]
    measured = _evaluations(runs, histories)
    if measured.empty:
        raise InputError("no complete run with a single budget has recorded epochs")
    figure, axes = open_rows(len(rows), 2, seeds_sentence((part for _, part in rows), "band: lowest to highest seed"))
    for line, (title, part) in zip(axes, rows, strict=True):
        curves = measured[measured["fingerprint"].isin(part.index)]
        shown = ((LOSS, "training loss"), epoch_measure(part))
        for axis, (column, words) in zip(line, shown, strict=True):
            for name in in_order(part["name"]):
                one = curves[curves["name"] == name].dropna(subset=[column])
                over = one.groupby(X)[column].agg(["mean", "min", "max"])
                look = looks(runs["name"])[name]
                axis.plot(over.index, over["mean"], **look, markersize=4, markevery=max(1, len(over) // 10), label=name)
                axis.fill_between(over.index, over["min"], over["max"], color=look["color"], alpha=0.2, linewidth=0)
            if part["data.name"].isin(ABUNDANT).all() and len(curves):
                plain_log(axis.xaxis)
            label_panel(axis, title, "images seen", words)
        if curves[LOSS].notna().any():  # otherwise there is nothing to scale
            plain_log(line[0].yaxis)
    draw_legend(figure, list(runs["name"]), lines=True)
    return figure


def _evaluations(runs: pd.DataFrame, histories: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of histories that were evaluated, with the images seen."""
    measured = [LOSS, EVAL, TRAIN]
    rows = histories.reindex(columns=["fingerprint", "step", X, *measured]).dropna(subset=measured, how="all")
    return with_images_seen(rows, runs).merge(runs[["name"]], left_on="fingerprint", right_index=True)
