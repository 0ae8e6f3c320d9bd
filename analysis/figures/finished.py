"""Test accuracy against final training loss, a line per layout through its finished trainings.

Every small point is a run, trained to the end under its own budget of epochs; a line joins the means over seeds of a
layout's budgets. The axis of losses is logarithmic and inverted, so that longer trainings stand to the right. Where a
claim compares layouts at equal loss, the range over which it does is shaded: a higher line there generalizes better.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.claims.claim import losses_of
from analysis.compare.finished import BUDGET, LOSS, SMALLEST, TEST
from analysis.compare.order import in_order
from analysis.figures.style import (
    draw_legend,
    draw_line,
    label_panel,
    looks,
    open_grid,
    plain_log,
    regimes,
    seeds_sentence,
    several_budgets,
    with_names,
)
from coatlab.errors import InputError

AROUND = "small: single runs"


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each regime in which names were trained under several budgets.

    Raises:
        InputError: there is no such regime.
    """
    runs = with_names(runs)
    cells = [(title, part) for title, part in regimes(runs) if several_budgets(part)]
    if not cells:
        raise InputError(f"accuracy against final training loss needs runs under several budgets ({BUDGET})")
    told = seeds_sentence((own for _, part in cells for _, own in part.groupby(BUDGET)), AROUND)
    figure, axes = open_grid(len(cells), told)
    for axis, (title, part) in zip(axes, cells, strict=True):
        if losses := losses_of(part):
            axis.axvspan(*losses, color="0.5", alpha=0.15, linewidth=0)
        known = part.dropna(subset=[LOSS, TEST])
        logs = known.assign(log=np.log(known[LOSS].clip(lower=SMALLEST)))
        for name in in_order(known["name"]):
            look, own = looks(runs["name"])[name], logs[logs["name"] == name]
            means = own.groupby(BUDGET)[["log", TEST]].mean().sort_values("log")
            ends = own[LOSS].clip(lower=SMALLEST), own[TEST]
            draw_line(axis, name, ends, (np.exp(means["log"]), means[TEST]), look)
        plain_log(axis.xaxis)
        axis.invert_xaxis()
        label_panel(axis, title, "final training loss", "test accuracy")
    draw_legend(figure, list(runs["name"]), lines=True)
    return figure
