"""Evaluation accuracy against what it costs: multiply-adds, and images per second of training as measured."""

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import INTERVAL, legend, looks, named, panels, point, regimes, seeds, summaries
from analysis.metrics import ACCURACY

SHOWN = {"millions": "million multiply-adds an image", "images_per_second": "images per second, training, as measured"}


def draw(runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    """Draw a row of two panels for each regime, a point with its intervals for each layout."""
    runs = named(runs).assign(millions=runs["macs"] / 1e6)
    rows = regimes(runs)
    figure, axes = panels(len(rows), len(SHOWN), seeds((part for _, part in rows), INTERVAL))
    for line, (title, part) in zip(axes, rows, strict=True):
        accuracies = summaries(part, ACCURACY)
        for axis, (column, label) in zip(line, SHOWN.items(), strict=True):
            for name, cost in summaries(part, column).items():
                point(axis, name, cost, accuracies[name], looks(runs["name"])[name])
            axis.set(xlabel=label, ylabel="evaluation accuracy", title=title)
    legend(figure, list(runs["name"]))
    return figure
