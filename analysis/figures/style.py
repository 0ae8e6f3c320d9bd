"""What all figures share: a colour, a marker and a line for each layout and attention, panels, points, legends.

Colours are Okabe and Ito's, which the colour-blind can tell apart; marker and line tell the same on grey paper. Names
stand in a legend above the panels, so that they never collide with each other or with the points. Two panels beside
each other are about as wide as a page, so that letters are read at their size.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.stats import Summary, summarize
from coatlab.output.figure import COLOURS, MARKERS

LAYOUTS = ["CCCC", "CCCT", "CCTT", "CTTT", "ViT_REL"]
ATTENTIONS = ["relative", "post", "absolute", "window", "neighborhood", "linear"]
UNCHANGED = "unchanged"  # what changed details are compared with
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
REGIME_KEYS = ["data.name", "data.train_size", "data.image_size", "size.name", "init.name"]  # a panel each
PANEL_SIZE = (3.8, 3.1)  # inches, width and height
TITLE_WIDTH = 36  # of a panel's title in a line
INTERVAL = "95 % bootstrap interval"
STARTS = {"scratch": "", "finetune": " "}  # from scratch comes first
SEED = 0  # of the bootstrap: the same runs give the same picture


def with_names(runs: pd.DataFrame) -> pd.DataFrame:
    """Add column `name` if there is none: what a figure tells apart, layouts, or attentions, or both."""
    if "name" in runs:
        return runs
    layouts, attentions = runs["layout.name"], runs["attention"]
    if attentions[attentions != "none"].nunique() < 2:
        return runs.assign(name=layouts)
    return runs.assign(name=attentions if layouts.nunique() == 1 else layouts + ", " + attentions)


def in_order(names: Sequence[str]) -> list[str]:
    """Sort names as the paper presents them, others behind by the alphabet."""
    known = [*LAYOUTS, *ATTENTIONS, UNCHANGED]
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))


def looks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return colour, marker and line of each name: fixed for a layout or an attention, others take what is left."""
    ordered = in_order(names)
    fixed = {name: group.index(name) for group in (LAYOUTS, ATTENTIONS) for name in ordered if name in group}
    free = (place for place in range(len(fixed) + len(ordered)) if place not in fixed.values())
    places = {name: fixed[name] if name in fixed else next(free) for name in ordered}
    return {
        name: {
            "color": COLOURS[place % len(COLOURS)],
            # behind the last colour they begin anew, with other markers
            "marker": MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
            "linestyle": LINES[place % len(LINES)],
        }
        for name, place in places.items()
    }


def regimes(runs: pd.DataFrame, but: Sequence[str] = ()) -> list[tuple[str, pd.DataFrame]]:
    """Split runs by what they were trained on and started from: a title and its runs, each; `but`: not by these.

    Where names are of something else than layouts, layouts are panels as well.
    """
    keys = [key for key in REGIME_KEYS if key in runs and key not in but]
    if "name" in runs and (runs.groupby("name")["layout.name"].nunique() > 1).any():
        keys.append("layout.name")
    told = [key for key in keys if key in ("data.name", "data.train_size") or runs[key].nunique(dropna=False) > 1]
    parts = sorted(runs.groupby(keys, dropna=False, sort=False), key=lambda one: [_rank(value) for value in one[0]])
    return [
        (", ".join(_panel_words(key, value) for key, value in zip(keys, values, strict=True) if key in told), part)
        for values, part in parts
    ]


def summaries(runs: pd.DataFrame, column: str) -> dict[str, Summary]:
    """Summarize a column over the seeds of each name, in order; runs without the measure do not count."""
    generator = np.random.default_rng(SEED)
    return {
        name: summarize(runs.loc[runs["name"] == name, column].to_numpy(float), generator)
        for name in in_order(runs["name"])
    }


def seeds_sentence(cells: Iterable[pd.DataFrame], around: str) -> str:
    """Say of how many seeds the means in panels are and what is drawn around them; one seed has nothing around it."""
    numbers = {len(own) for part in cells for _, own in part.groupby("name")}
    least, most = min(numbers, default=0), max(numbers, default=0)
    if most < 2:
        return "one seed, so no interval"
    return f"mean of {least if least == most else f'{least} to {most}'} seeds; {around}"


def whiskers(summary: Summary) -> list[list[float]]:
    """Return the distances of the interval's ends from the mean, as errorbar has them; 0 where there is no interval."""
    return [[float(np.nan_to_num(summary.mean - summary.low))], [float(np.nan_to_num(summary.high - summary.mean))]]


def open_rows(rows: int, columns: int, title: str) -> tuple[Figure, Any]:
    """Open a figure of panels with room for a legend above them."""
    figure = Figure(figsize=(max(5.2, PANEL_SIZE[0] * columns), PANEL_SIZE[1] * rows + 0.8), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    return figure, axes


def open_grid(number: int, title: str) -> tuple[Figure, list[Axes]]:
    """Open a figure of so many panels, two beside each other."""
    figure, axes = open_rows((number + 1) // 2, min(number, 2), title)
    for axis in axes.flat[number:]:
        axis.remove()
    return figure, list(axes.flat[:number])


def label_panel(axis: Axes, title: str, x: str | None, y: str) -> None:
    """Write the title of a panel, in lines that it has room for, and what its axes are."""
    whole = ", ".join(part.replace(" ", "\u00a0") for part in title.split(", "))  # broken behind commas alone
    axis.set_title(textwrap.fill(whole, TITLE_WIDTH).replace("\u00a0", " "), fontsize="medium")
    axis.set(xlabel=x, ylabel=y)


def draw_legend(figure: Figure, names: Sequence[str], lines: bool = False) -> None:
    """Name the markers above all panels, under the figure's title."""
    handles = [
        Line2D([], [], **(look if lines else look | {"linestyle": "none"}), markersize=7, label=name)
        for name, look in looks(names).items()
    ]
    room = figure.get_figwidth() / (0.5 + 0.075 * max(map(len, names)))  # names beside each other
    columns = max(1, min(len(handles), int(room)))
    title = figure.get_suptitle()
    figure.suptitle("")  # the legend has it, since it would cover a title in the same place
    figure.legend(
        handles=handles, title=title, loc="outside upper center", ncols=columns, columnspacing=1.2, frameon=False
    )


def draw_point(axis: Axes, name: str, x: Summary, y: Summary, look: dict[str, Any]) -> None:
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


def _rank(value: Any) -> tuple[bool, bool, float, str]:
    """Order numbers by size, then words as they are presented, then what is missing, which stands for everything."""
    number, missing = isinstance(value, int | float), pd.isna(value)
    return missing, not number, float(value) if number and not missing else 0.0, STARTS.get(value, str(value))


def _panel_words(key: str, value: Any) -> str:
    if key == "data.train_size":
        return "all images" if pd.isna(value) else f"{value:,.0f} images"
    return f"{value} pixels" if key == "data.image_size" else str(value)
