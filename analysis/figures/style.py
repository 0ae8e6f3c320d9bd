"""What all figures share: a colour, a marker and a line for each layout and attention, panels, points, legends.

Colours are Okabe and Ito's, which the colour-blind can tell apart; marker and line tell the same on grey paper. Names
stand in a legend beside the panels, so that they never collide with each other or with the points.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.stats import Summary, summarize
from coatlab.benchmark.plot import COLOURS, MARKERS

LAYOUTS = ["CCCC", "CCCT", "CCTT", "CTTT", "ViT_REL"]
ATTENTIONS = ["relative", "post", "absolute", "window", "neighborhood", "linear"]
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
REGIME = ["data.name", "data.train_size", "data.image_size", "size.name", "init.name"]  # a panel each
INTERVAL = "95 % bootstrap interval"
SEED = 0  # of the bootstrap: the same runs give the same picture


def named(runs: pd.DataFrame) -> pd.DataFrame:
    """Add column `name` if there is none: what a figure tells apart, layouts, or attentions, or both."""
    if "name" in runs:
        return runs
    layouts, attentions = runs["layout.name"], runs["attention"]
    if attentions[attentions != "none"].nunique() < 2:
        return runs.assign(name=layouts)
    return runs.assign(name=attentions if layouts.nunique() == 1 else layouts + ", " + attentions)


def in_order(names: Sequence[str]) -> list[str]:
    """Sort names as the paper presents them, others behind by the alphabet."""
    known = [*LAYOUTS, *ATTENTIONS]
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))


def looks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return colour, marker and line of each name: fixed for a layout or an attention, else by its place."""
    found = {}
    for place, name in enumerate(in_order(names)):
        fixed = next((group.index(name) for group in (LAYOUTS, ATTENTIONS) if name in group), place)
        found[name] = {
            "color": COLOURS[fixed % len(COLOURS)],
            "marker": MARKERS[fixed % len(MARKERS)],
            "linestyle": LINES[fixed % len(LINES)],
        }
    return found


def regimes(runs: pd.DataFrame, but: Sequence[str] = ()) -> list[tuple[str, pd.DataFrame]]:
    """Split runs by what they were trained on and started from: a title and its runs, each; `but`: not by these.

    Where names are of something else than layouts, layouts are panels as well.
    """
    keys = [key for key in REGIME if key in runs and key not in but]
    if "name" in runs and (runs.groupby("name")["layout.name"].nunique() > 1).any():
        keys.append("layout.name")
    told = [key for key in keys if key in ("data.name", "data.train_size") or runs[key].nunique(dropna=False) > 1]
    return [
        (", ".join(_words(key, value) for key, value in zip(keys, values, strict=True) if key in told), part)
        for values, part in runs.groupby(keys, dropna=False, sort=False)
    ]


def summaries(runs: pd.DataFrame, column: str) -> dict[str, Summary]:
    """Summarize a column over the seeds of each name, in order; runs without the measure do not count."""
    generator = np.random.default_rng(SEED)
    return {
        name: summarize(runs.loc[runs["name"] == name, column].to_numpy(float), generator)
        for name in in_order(runs["name"])
    }


def seeds(cells: Iterable[pd.DataFrame], around: str) -> str:
    """Say of how many seeds the means in panels are and what is drawn around them; one seed has nothing around it."""
    numbers = {len(own) for part in cells for _, own in part.groupby("name")}
    least, most = min(numbers, default=0), max(numbers, default=0)
    if most < 2:
        return "one seed, so no interval"
    return f"mean of {least if least == most else f'{least} to {most}'} seeds; {around}"


def whiskers(summary: Summary) -> list[list[float]]:
    """Return the distances of the interval's ends from the mean, as errorbar has them; 0 where there is no interval."""
    return [[float(np.nan_to_num(summary.mean - summary.low))], [float(np.nan_to_num(summary.high - summary.mean))]]


def panels(rows: int, columns: int, title: str) -> tuple[Figure, Any]:
    """Open a figure of panels with room for a legend on its right."""
    figure = Figure(figsize=(4.6 * columns + 1.4, 3.6 * rows + 0.4), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    return figure, axes


def legend(figure: Figure, names: Sequence[str], lines: bool = False) -> None:
    """Name the markers on the right of all panels."""
    handles = [
        Line2D([], [], **(look if lines else look | {"linestyle": "none"}), markersize=7, label=name)
        for name, look in looks(names).items()
    ]
    figure.legend(handles=handles, loc="outside right center", frameon=False)


def point(axis: Axes, name: str, x: Summary, y: Summary, look: dict[str, Any]) -> None:
    """Draw a name's mean in two measures, with both intervals."""
    axis.errorbar(
        [x.mean],
        [y.mean],
        xerr=whiskers(x),
        yerr=whiskers(y),
        capsize=3,
        markersize=7,
        label=name,
        **look | {"linestyle": "none"},
    )


def _words(key: str, value: Any) -> str:
    if key == "data.train_size":
        return "all images" if pd.isna(value) else f"{value:,.0f} images"
    return f"{value} pixels" if key == "data.image_size" else str(value)
