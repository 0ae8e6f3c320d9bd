"""Test accuracy after N images that never recur, against N, a line per layout.

Every point is a training of its own, with a schedule that ends after N images; none is a point within a longer one. A
line joins the means over seeds, whose runs are the small points.
"""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from analysis.compare.finished import TEST
from analysis.compare.order import in_order
from analysis.compare.scaling import SEEN, on_new_images
from analysis.figures.style import (
    draw_legend,
    draw_line,
    label_panel,
    looks,
    open_grid,
    regimes,
    seeds_sentence,
    with_names,
)
from coatlab.errors import InputError


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a panel for each abundant data set and start on which there are runs of several lengths.

    Raises:
        InputError: there is none.
    """
    runs = with_names(on_new_images(runs))
    cells = [one for one in regimes(runs, but=["data.train_size"]) if one[1][SEEN].nunique() > 1] if len(runs) else []
    if not cells:
        raise InputError("accuracy against images seen needs runs of several lengths on abundant images")
    told = seeds_sentence((own for _, part in cells for _, own in part.groupby(SEEN)), "small: single runs")
    figure, axes = open_grid(len(cells), told)
    for axis, (title, part) in zip(axes, cells, strict=True):
        for name in in_order(part["name"]):
            look, own = looks(runs["name"])[name], part[part["name"] == name]
            means = own.groupby(SEEN)[TEST].mean()
            draw_line(axis, name, (own[SEEN], own[TEST]), (means.index, means), look)
        axis.set_xscale("log")
        lengths = sorted(part[SEEN].unique())
        axis.set_xticks(lengths, [EngFormatter(sep="")(length) for length in lengths])  # 20k
        axis.minorticks_off()
        label_panel(axis, title, "N, images seen, each once", "test accuracy after N images")
    draw_legend(figure, list(runs["name"]), lines=True)
    return figure
