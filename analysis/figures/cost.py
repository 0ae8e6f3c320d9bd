"""Evaluation accuracy against what it costs: multiply-adds, and images per second of training as measured."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.compare.hardware import kinds
from analysis.compare.matched import ACCURACY
from analysis.figures.style import INTERVAL, label, legend, looks, named, panels, point, regimes, seeds, summaries

SHOWN = {"millions": "million multiply-adds an image", "images_per_second": "images per second, training, as measured"}


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a row of two panels for each regime and kind of hardware, a point with its intervals for each layout."""
    runs = named(runs).assign(millions=runs["macs"] / 1e6)
    rows = regimes(runs)
    if len(kinds(runs)) > 1:  # speeds of different hardware are neither averaged nor compared
        rows = [(f"{title}, {kind}", own) for title, part in rows for kind, own in kinds(part).items()]
    figure, axes = panels(len(rows), len(SHOWN), seeds((part for _, part in rows), INTERVAL))
    for line, (title, part) in zip(axes, rows, strict=True):
        accuracies = summaries(part, ACCURACY)
        for axis, (column, words) in zip(line, SHOWN.items(), strict=True):
            for name, cost in summaries(part, column).items():
                point(axis, name, cost, accuracies[name], looks(runs["name"])[name])
            label(axis, title, words, "evaluation accuracy")
    legend(figure, list(runs["name"]))
    return figure
