"""Planted studies for figures, drawn, and the texts in a drawing."""

import importlib
from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis.compare.order import in_order
from tests.analysis.planted import LAYOUTS as EFFECTS
from tests.analysis.planted import budgeted, frames

ORDER = in_order(EFFECTS)
RATES = {0.0003: 0.05, 0.001: 0.02, 0.003: 0.0, 0.01: 0.03}  # how much less accurate than at the best
CAPACITY = {"CCCC": 0.60, "CCCT": 0.63, "CCTT": 0.70, "CTTT": 0.70, "ViT_REL": 0.66}


def study(seeds: int = 3, figure: str = "curves") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs and histories on 1000 images and on abundant ones, of several budgets or lengths if a figure asks."""
    few, few_epochs = frames(seeds=seeds)
    few = budgeted(few) if figure in ("finished", "generalization") else few
    many, many_epochs = frames(CAPACITY, seeds=seeds, draw=1)
    many = many.assign(**{"data.name": "fractals", "data.train_size": 50_000}).rename(index=lambda name: f"many-{name}")
    many_epochs["fingerprint"] = "many-" + many_epochs["fingerprint"]
    if figure == "scale":
        many = longer(many)
    if figure == "rates":
        few, many = at_rates(few), at_rates(many)
    return pd.concat([few, many]), pd.concat([few_epochs, many_epochs])


def longer(runs: pd.DataFrame, lengths: Iterable[int] = (2000, 20_000, 50_000)) -> pd.DataFrame:
    """Return a run for each number of images that never recur, in place of each run."""
    made = []
    for length in lengths:
        own = {"data.train_size": length, "trainer.max_epochs": 1, "test/accuracy": runs["test/accuracy"] - 10 / length}
        made.append(runs.assign(**own).rename(index=lambda mark, length=length: f"{mark}-{length}"))
    return pd.concat(made)


def at_rates(runs: pd.DataFrame, rates: Mapping[float, float] = RATES) -> pd.DataFrame:
    """Return a run at each learning rate in place of each run; `rates` says by how much it is less accurate."""
    made = []
    for rate, less in rates.items():
        own = {"recipe.lr": rate, "eval/accuracy": runs["eval/accuracy"] - less}
        made.append(runs.assign(**own).rename(index=lambda mark, rate=rate: f"{mark}-{rate}"))
    return pd.concat(made)


def draw(name: str, runs: pd.DataFrame, histories: pd.DataFrame) -> Figure:
    return importlib.import_module(f"analysis.figures.{name}").draw(runs, histories)


def texts(figure: Figure) -> list[Text]:
    """List the texts of a drawn figure, less the labels of ticks outside the panels, which are not shown."""
    FigureCanvasAgg(figure).draw()
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        hidden |= {text for tick in ticks if not low <= tick.get_loc() <= high for text in (tick.label1, tick.label2)}
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in found if text not in hidden]
