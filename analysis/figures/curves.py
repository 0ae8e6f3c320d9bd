"""Training loss and evaluation accuracy against training steps, as in Figure 1 of the paper.

There is one row of panels for each data set, number of images and start. The loss is measured after each epoch, in
evaluation mode on fixed training images, not on the batches of the steps. A line is the mean over seeds; its band
reaches from the lowest seed to the highest.
"""

import pandas as pd
from matplotlib.figure import Figure

from analysis.compare.order import in_order
from analysis.figures.style import (
    draw_legend,
    label_panel,
    looks,
    open_rows,
    regimes,
    seeds_sentence,
    with_names,
)
from coatlab.errors import InputError

SHOWN = {"train_eval/loss": "training loss", "eval/accuracy": "evaluation accuracy"}


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a row of two panels for each regime, with a line and a band for each name.

    Raises:
        InputError: no run has a history.
    """
    runs = with_names(runs)
    histories = histories.reindex(columns=["fingerprint", "step", *SHOWN])
    if histories.loc[histories["fingerprint"].isin(runs.index), [*SHOWN]].isna().all(axis=None):
        raise InputError("no complete run has recorded epochs")
    rows = regimes(runs)
    figure, axes = open_rows(
        len(rows), len(SHOWN), seeds_sentence((part for _, part in rows), "band: lowest to highest seed")
    )
    for line, (title, part) in zip(axes, rows, strict=True):
        curves = histories.merge(part[["name"]], left_on="fingerprint", right_index=True)
        for axis, (column, words) in zip(line, SHOWN.items(), strict=True):
            for name in in_order(part["name"]):
                one = curves[curves["name"] == name].dropna(subset=[column])
                over = one.groupby("step")[column].agg(["mean", "min", "max"])
                look = looks(runs["name"])[name]
                axis.plot(over.index, over["mean"], **look, markersize=4, markevery=max(1, len(over) // 10), label=name)
                axis.fill_between(over.index, over["min"], over["max"], color=look["color"], alpha=0.2, linewidth=0)
            label_panel(axis, title, "steps", words)
        if curves[next(iter(SHOWN))].notna().any():  # otherwise there is nothing to scale
            line[0].set_yscale("log")
    draw_legend(figure, list(runs["name"]), lines=True)
    return figure
