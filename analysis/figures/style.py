"""What all figures share: a colour, a marker and a line style for each layout and attention, panels, points, legends.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; marker and line style tell the same on grey
paper. Names stand in a legend above the panels, so that they never collide with each other or with the points; or
beside the points, where there are few. Two panels side by side are about as wide as a page, so that text is printed at
its own size.
"""

import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from analysis.compare.finished import BUDGET
from analysis.compare.order import NO_ATTENTION, attentions, in_order, layouts, value_rank
from analysis.compare.panels import images_text
from analysis.paper.data_sets import ABUNDANT
from analysis.stats import Summary, summarize
from coatlab.output.figure import COLOURS, MARKERS

# The places of these layouts in COLOURS, MARKERS and LINES are fixed, so that published figures keep their colours. Any
# other layout takes the next place by itself.
PLACES = {"CCCC": 0, "CCCT": 1, "CCTT": 2, "CTTT": 3, "ViT_REL": 4}
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]
# a regime is one combination of their values, which a figure shows in a panel of its own
REGIME_KEYS = ["data.name", "data.train_size", "data.image_size", "size.name", "init.name", "rates"]
PANEL_SIZE = (3.8, 3.1)  # inches, width and height
FEW_DECADES = 200  # times the lowest number, up to which a logarithmic axis has ticks between powers of ten
TITLE_WIDTH = 36  # letters of a panel's title on one line
INTERVAL = "95 % bootstrap interval"
# where the name of a point may stand, in points from it; the first that is free is taken
BESIDE = [
    (7, 5),
    (-7, 5),
    (7, -5),
    (-7, -5),
    (0, 9),
    (0, -9),
    (12, 14),
    (-12, 14),
    (12, -14),
    (-12, -14),
    (0, 22),
    (0, -22),
]
SEED = 0  # of the bootstrap: the same runs give the same picture


def with_names(runs: pd.DataFrame) -> pd.DataFrame:
    """Add a column `name` if there is none: what a figure tells apart, which is layouts, attentions, or both."""
    if "name" in runs:
        return runs
    layout, attention = runs["layout.name"], runs["attention"]
    if attention[attention != NO_ATTENTION].nunique() < 2:
        return runs.assign(name=layout)
    return runs.assign(name=attention if layout.nunique() == 1 else layout + ", " + attention)


def looks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return colour, marker and line style by name: fixed for a layout or an attention; others take what is left."""
    ordered = in_order(names)
    known = _places()
    fixed = {name: known[name] for name in ordered if name in known}
    free = (place for place in itertools.count() if place not in fixed.values())
    places = {name: fixed[name] if name in fixed else next(free) for name in ordered}
    return {
        name: {
            "color": COLOURS[place % len(COLOURS)],
            # after the last colour they start again, with other markers
            "marker": MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
            "linestyle": LINES[place % len(LINES)],
        }
        for name, place in places.items()
    }


def regimes(runs: pd.DataFrame, but: Sequence[str] = ()) -> list[tuple[str, pd.DataFrame]]:
    """Split runs by what they were trained on and what they started from, into pairs of a title and its runs.

    Where runs are named by something other than their layout, they are split by layout as well.

    Args:
        runs: with a column `name`, if they have names.
        but: keys by which they are not split.
    """
    keys = [key for key in REGIME_KEYS if key in runs and key not in but]
    if "name" in runs and (runs.groupby("name")["layout.name"].nunique() > 1).any():
        keys.append("layout.name")
    told = [key for key in keys if key in ("data.name", "data.train_size") or runs[key].nunique(dropna=False) > 1]
    parts = sorted(runs.groupby(keys, dropna=False, sort=False), key=lambda one: list(map(value_rank, keys, one[0])))
    return [
        (", ".join(_panel_words(key, value) for key, value in zip(keys, values, strict=True) if key in told), part)
        for values, part in parts
    ]


def several_budgets(runs: pd.DataFrame) -> bool:
    """Tell whether the runs of a regime have several budgets, on images that recur, so that names have several ends."""
    return BUDGET in runs and not runs["data.name"].isin(ABUNDANT).any() and runs[BUDGET].nunique() > 1


def summaries(runs: pd.DataFrame, column: str) -> dict[str, Summary]:
    """Summarize a column over the seeds of each name, in order; runs without a value do not count."""
    generator = np.random.default_rng(SEED)
    return {
        name: summarize(runs.loc[runs["name"] == name, column].to_numpy(float), generator)
        for name in in_order(runs["name"])
    }


def seeds_sentence(cells: Iterable[pd.DataFrame], around: str) -> str:
    """Say over how many seeds the means of panels are taken, and what is drawn around them; one seed has nothing."""
    numbers = {len(own) for part in cells for _, own in part.groupby("name")}
    least, most = min(numbers, default=0), max(numbers, default=0)
    if most < 2:
        return "one seed, so no interval"
    return f"mean of {least if least == most else f'{least} to {most}'} seeds; {around}"


def whiskers(summary: Summary) -> list[list[float]]:
    """Return how far the ends of the interval are from the mean, as `errorbar` takes it; 0 without an interval."""
    return [[float(np.nan_to_num(summary.mean - summary.low))], [float(np.nan_to_num(summary.high - summary.mean))]]


def open_rows(rows: int, columns: int, title: str) -> tuple[Figure, Any]:
    """Open a figure of rows of panels, with room for a legend above them."""
    figure = Figure(figsize=(max(5.2, PANEL_SIZE[0] * columns), PANEL_SIZE[1] * rows + 0.8), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    return figure, axes


def open_grid(number: int, title: str) -> tuple[Figure, list[Axes]]:
    """Open a figure of a number of panels, two side by side."""
    figure, axes = open_rows((number + 1) // 2, min(number, 2), title)
    for axis in axes.flat[number:]:
        axis.remove()
    return figure, list(axes.flat[:number])


def label_panel(axis: Axes, title: str, x: str | None, y: str) -> None:
    """Write the title of a panel, wrapped to its width, and name its axes."""
    whole = ", ".join(part.replace(" ", "\u00a0") for part in title.split(", "))  # wrapped after commas only
    axis.set_title(textwrap.fill(whole, TITLE_WIDTH).replace("\u00a0", " "), fontsize="medium")
    axis.set(xlabel=x, ylabel=y)


def plain_log(axis: Axis) -> None:
    """Make an axis logarithmic, with plain numbers that do not cover each other; what it shows must be drawn."""
    set_scale = axis.axes.set_xscale if axis is axis.axes.xaxis else axis.axes.set_yscale
    set_scale("log")
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < FEW_DECADES else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value < 1e4 else f"{value:,.0f}"))
    axis.set_minor_formatter(NullFormatter())


def draw_legend(figure: Figure, names: Sequence[str], lines: bool = False) -> None:
    """Draw the legend above all panels, with the figure's title over it."""
    handles = [
        Line2D([], [], **(look if lines else look | {"linestyle": "none"}), markersize=7, label=name)
        for name, look in looks(names).items()
    ]
    room = figure.get_figwidth() / (0.5 + 0.075 * max(map(len, names)))  # names side by side
    columns = max(1, min(len(handles), int(room)))
    title = figure.get_suptitle()
    figure.suptitle("")  # it becomes the legend's, which would cover one of the figure's own
    figure.legend(
        handles=handles, title=title, loc="outside upper center", ncols=columns, columnspacing=1.2, frameon=False
    )


def draw_line(axis: Axes, name: str, runs: tuple[Any, Any], means: tuple[Any, Any], look: dict[str, Any]) -> None:
    """Draw single runs as small points, and their means as a line; each is a pair of x and y."""
    axis.plot(*runs, **look | {"linestyle": "none"}, markersize=3, alpha=0.3)
    axis.plot(*means, **look, markersize=6, label=name)


def draw_point(axis: Axes, name: str, x: Summary, y: Summary, look: dict[str, Any]) -> None:
    """Draw the mean of one name in two measures, with both intervals."""
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


def label_points(axis: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Write names beside their points, each where it covers no other name and no point; the panel must be complete."""
    figure = axis.get_figure()
    assert isinstance(figure, Figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # decides where everything is
    renderer: Any = canvas.get_renderer()  # type: ignore[no-untyped-call]
    inside = axis.get_window_extent()
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in axis.transData.transform(list(points.values()))]

    def write(name: str, beside: tuple[int, int]) -> Annotation:
        (x, y), (across, up) = beside, map(int, np.sign(beside))
        look = {"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.7}
        where: dict[str, Any] = {
            "ha": {1: "left", 0: "center", -1: "right"}[across],
            "va": {1: "bottom", 0: "center", -1: "top"}[up],
        }
        return axis.annotate(name, points[name], (x, y), textcoords="offset points", fontsize=9, bbox=look, **where)

    for name in points:
        tried = []
        for place, beside in enumerate(BESIDE):
            text = write(name, beside)
            box = text.get_window_extent(renderer)
            text.remove()
            outside = not (inside.contains(*box.p0) and inside.contains(*box.p1))
            tried.append((box.count_overlaps(taken) + 2 * outside, place))
        taken.append(write(name, BESIDE[min(tried)[1]]).get_window_extent(renderer))


def _places() -> dict[str, int]:
    """Return the places of all layouts and attentions of conf/; a layout and an attention may share one."""
    others = [name for name in layouts() if name not in PLACES]
    after = {name: place for place, name in enumerate(others, start=len(PLACES))}
    return PLACES | after | {name: place for place, name in enumerate(attentions())}


def _panel_words(key: str, value: Any) -> str:
    if key == "rates":
        return f"{value} learning rate"
    if key == "data.train_size":
        return images_text(value)
    return f"{value} pixels" if key == "data.image_size" else str(value)
