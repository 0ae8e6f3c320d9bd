"""The learning rate of each layout, chosen by held-out images on seeds that no study uses, never by test images."""

from dataclasses import dataclass

import pandas as pd

from analysis.compare.finished import EVAL

RATE = "recipe.lr"


@dataclass(frozen=True)
class Chosen:
    """The rate of one name.

    Attributes:
        rate: with the highest mean held-out accuracy; the smaller one of two equal ones.
        at_edge: none that was tried is beyond it, below or above, so a better one may be there.
    """

    rate: float
    at_edge: bool


def chosen_rates(runs: pd.DataFrame) -> dict[str, Chosen]:
    """Choose the rate of each name.

    Only rates that as many seeds have as any other are considered, since a mean over other seeds is another mean.

    Args:
        runs: complete runs on one data set; columns `name`, `seed`, `recipe.lr`, `eval/accuracy`.
    """
    found = {}
    for name, own in runs.dropna(subset=[EVAL]).groupby("name", sort=False):
        tried = own.groupby(RATE)[EVAL].agg(["count", "mean"]).sort_index()
        rate = float(tried.loc[tried["count"] == tried["count"].max(), "mean"].idxmax())
        found[str(name)] = Chosen(rate, rate in (tried.index[0], tried.index[-1]))
    return found
