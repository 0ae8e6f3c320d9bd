"""Test accuracy against its cost: multiply-adds per image, and images per second as measured in training.

Networks that are made to cost the same in multiply-adds are shown by their speed alone.
"""

import pandas as pd
from matplotlib.figure import Figure

from analysis.compare.finished import TEST
from analysis.compare.hardware import by_hardware
from analysis.figures.style import (
    INTERVAL,
    draw_legend,
    draw_point,
    label_panel,
    looks,
    open_rows,
    regimes,
    seeds_sentence,
    summaries,
    with_names,
)
from coatlab.errors import InputError

SAME = 0.05  # of the lowest cost: what is within it is the same cost, which a figure would not tell apart
SHOWN = {"millions": "million multiply-adds per image", "images_per_second": "images per second, training, as measured"}


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a row of panels for each regime and kind of hardware, with a point and its intervals for each name.

    Raises:
        InputError: all cost the same.
    """
    runs = with_names(runs).assign(millions=runs["macs"] / 1e6)
    rows = regimes(runs)
    if len(by_hardware(runs)) > 1:  # speeds on different hardware are neither averaged nor compared
        rows = [(f"{title}, {kind}", own) for title, part in rows for kind, own in by_hardware(part).items()]
    told = {key: words for key, words in SHOWN.items() if any(_differs(part[key]) for _, part in rows)}
    if not told:
        raise InputError("accuracy against cost needs rows that differ in multiply-adds or in speed")
    figure, axes = open_rows(len(rows), len(told), seeds_sentence((part for _, part in rows), INTERVAL))
    for line, (title, part) in zip(axes, rows, strict=True):
        accuracies = summaries(part, TEST)
        for axis, (column, words) in zip(line, told.items(), strict=True):
            for name, cost in summaries(part, column).items():
                draw_point(axis, name, cost, accuracies[name], looks(runs["name"])[name])
            label_panel(axis, title, words, "test accuracy")
    draw_legend(figure, list(runs["name"]))
    return figure


def _differs(costs: pd.Series) -> bool:
    return bool(costs.max() > costs.min() * (1 + SAME))
