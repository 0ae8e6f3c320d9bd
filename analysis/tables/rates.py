"""Held-out accuracy over learning rates: one table per data set, with the rate of each layout."""

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.compare.design import Panel, Summarize
from analysis.compare.finished import EVAL
from analysis.compare.rates import RATE, Chosen, chosen_rates
from analysis.tabular import Cell, Column, Table

RECIPE = "conf/recipe/tuned.yaml"


def tables_over_rates(panels: Sequence[Panel], summarize: Summarize) -> list[Table]:
    """Make a table for each panel, with a row per layout and a column per rate."""
    return [_table(panel, summarize) for panel in panels]


def _table(panel: Panel, summarize: Summarize) -> Table:
    names = list(dict.fromkeys(row.words[0] for row in panel.rows))
    runs = pd.concat([row.runs.assign(name=row.words[0]) for row in panel.rows])
    rates, chosen = sorted(runs[RATE].unique()), chosen_rates(runs)
    rows: list[list[Cell]] = []
    for name in names:
        own, best = runs[runs["name"] == name], chosen.get(name)
        cells = [summarize(own.loc[own[RATE] == rate, EVAL].to_numpy(float)) for rate in rates]
        rows.append([name, *cells, f"{best.rate:g}" if best else None])
    columns = [Column("layout"), *(Column(f"{rate:g}", ".1%") for rate in rates), Column("best")]
    data = str(panel.values["data.name"])
    notes = ["Accuracy on held-out images by learning rate; the best has the highest mean.", *_edges(chosen, rates)]
    if chosen:
        listed = ", ".join(f"{name}: {one.rate:g}" for name, one in chosen.items())
        notes.append(f"In {RECIPE}, below per_layout.lr, they are written as {data}: {{{listed}}}.")
    return Table(f"Held-out acc. over learning rates, {panel.title}", columns, rows, notes=[*notes, *panel.notes])


def _edges(chosen: Mapping[str, Chosen], rates: Sequence[float]) -> list[str]:
    """Say whose best rate is the lowest or the highest that was tried, and how to try further ones."""
    return [
        f"{name}: its best rate is the {'lowest' if one.rate == rates[0] else 'highest'} that was tried, so a "
        f"{'lower' if one.rate == rates[0] else 'higher'} one may be better; add layout={name} {RATE}="
        f"{one.rate / 3 if one.rate == rates[0] else one.rate * 3:.1g}."
        for name, one in chosen.items()
        if one.at_edge and len(rates) > 1
    ]
