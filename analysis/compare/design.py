"""What a study compares, and the panels of rows that its runs become."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.compare.order import Rank
from analysis.paper.quotes import Quote
from analysis.tabular import Column, Interval, Table

PANEL_KEYS = ("data.name", "data.image_size", "size.name")

Summarize = Callable[[Any], Interval]  # what becomes of the numbers of a cell, one per seed


@dataclass(frozen=True)
class Design:
    """What a study compares.

    Attributes:
        factors: groups and keys of the config whose values its rows compare.
        panels: keys of the config; each combination of their values is a panel, with a table of its own.
        lead: the first column, by which rows are sorted: `layout` or `attention`.
        crossed: every combination of the factors is expected, and a missing one is named.
        figures: modules of analysis/figures, in the order of the report.
        paper: the paper's numbers that stand beside our rows.
        budgets: a key in several values of which each row is trained to the end, and over which it is measured
            (`analysis.compare.finished`). It is neither a factor nor a difference that forbids a comparison. On
            abundant images there are no budgets: capacity is compared after equal steps.
        overview: makes tables over all panels, which are shown first.
    """

    factors: tuple[str, ...]
    panels: tuple[str, ...] = PANEL_KEYS
    lead: str = "layout"
    crossed: bool = False
    figures: tuple[str, ...] = ("curves", "cost")
    paper: tuple[Quote, ...] = ()
    budgets: str | None = None
    overview: "Callable[[Sequence[Panel], Summarize], list[Table]] | None" = None


@dataclass(frozen=True)
class Row:
    """A cell of a study, which is a row of its tables.

    Attributes:
        words: what names it in a table, one per column.
        rank: sorts rows.
        runs: its runs, one per seed.
        facts: the settings of its first run that count, and `init.data`, the data set of the run that it started from;
            the paper's numbers are found by them.
    """

    words: tuple[str, ...]
    rank: Rank
    runs: pd.DataFrame
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """Rows that may be compared with each other, in order.

    Attributes:
        title: of its table.
        values: its values of the keys that tell the panels of the design apart.
        columns: the columns of its rows' words.
        rows: its cells.
        runs: the runs of all rows.
        notes: what a reader has to know of them.
        over_budgets: the same runs, with one row for all budgets of a cell; None where there is one budget.
    """

    title: str
    values: Mapping[str, Any]
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    runs: pd.DataFrame
    notes: Sequence[str]
    over_budgets: "Panel | None" = None
