"""What a study compares, and the panels of rows that comparing makes of its runs; the order in which they are shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.paper.quotes import Quote
from analysis.tabular import Column, Interval, Table

LAYOUTS = ("ViT_REL", "ViT", "CCCC", "CCCT", "CCTT", "CTTT")  # the paper's order of presentation


ATTENTIONS = ("relative", "post", "absolute", "window", "neighborhood", "linear", "none")  # global, local, linear


PANEL_KEYS = ("data.name", "data.image_size", "size.name")


Summarize = Callable[[Any], Interval]  # the numbers of a cell, one a seed


@dataclass(frozen=True)
class Design:
    """What a study compares, by groups and keys of the config: rows in the factors, one table a value of the panels."""

    factors: tuple[str, ...]
    panels: tuple[str, ...] = PANEL_KEYS
    lead: str = "layout"  # the first column, by which rows are in order: layout or attention
    crossed: bool = False  # every combination of the factors is expected
    figures: tuple[str, ...] = ("curves", "cost")  # of analysis/figures, in the order of the report
    paper: tuple[Quote, ...] = ()  # what the paper has beside our rows
    matched: bool = False  # show the accuracy at matched training loss
    overview: "Callable[[Sequence[Panel], Summarize], list[Table]] | None" = None  # tables over all panels, shown first


@dataclass(frozen=True)
class Row:
    """A cell of a study: the words that name it in a table, its runs, and the facts by which the paper's are found.

    Facts are what counts of the config of its first run, and `init.data`, the data set of the run that it started from.
    """

    words: tuple[str, ...]
    runs: pd.DataFrame
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """Rows that may be compared, in order; `columns` are of their words, `values` are of the design's panels."""

    title: str
    values: Mapping[str, Any]
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    runs: pd.DataFrame  # of all rows
    notes: Sequence[str]
