"""Held-out accuracy against the learning rate, a line per layout; the best rate of each is ringed."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.compare.finished import EVAL
from analysis.compare.order import in_order
from analysis.compare.rates import RATE, chosen_rates
from analysis.figures.style import draw_legend, draw_line, label_panel, looks, open_grid, regimes, seeds_sentence
from coatlab.errors import InputError


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each data set on which there are runs at several rates.

    Raises:
        InputError: there is none.
    """
    runs = runs.assign(name=runs["layout.name"])
    cells = [one for one in regimes(runs, but=["rates"]) if one[1][RATE].nunique() > 1]
    if not cells:
        raise InputError(f"accuracy against learning rates needs runs with several values of {RATE}")
    told = seeds_sentence((own for _, part in cells for _, own in part.groupby(RATE)), "small: single runs")
    figure, axes = open_grid(len(cells), told)
    for axis, (title, part) in zip(axes, cells, strict=True):
        chosen = chosen_rates(part)
        for name in in_order(part["name"]):
            look, own = looks(runs["name"])[name], part[part["name"] == name]
            means = own.groupby(RATE)[EVAL].mean()
            draw_line(axis, name, (own[RATE], own[EVAL]), (means.index, means), look)
            best = chosen[name].rate
            axis.plot([best], [means[best]], marker="o", markersize=13, fillstyle="none", color=look["color"])
        axis.set_xscale("log")
        rates = sorted(part[RATE].unique())
        axis.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axis.minorticks_off()
        label_panel(axis, title, "learning rate at its peak", "held-out accuracy")
    draw_legend(figure, list(runs["name"]), lines=True)
    return figure
