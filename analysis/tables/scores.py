"""From panels to a study's main tables: how well each cell fits and generalizes, its cost, and the paper's numbers.

A panel whose rows have several budgets gets the tables of `analysis.tables.budgets` instead.

Speeds on different hardware are not averaged: a row with such runs has no speed here, but several in the cost table.
"""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from analysis.compare.design import Design, Panel, Summarize
from analysis.compare.finished import EVAL, TEST
from analysis.compare.hardware import by_hardware
from analysis.compare.measure import TRAIN, has_random_labels
from analysis.paper.quotes import notes_on_absent, quotes_beside
from analysis.tables.budgets import budget_tables
from analysis.tabular import Cell, Column, Table, mean_of

COSTS = {
    "parameters": Column("parameters (M)", ".3f", within=0.03),
    "macs": Column("MACs (M)", ".2f", within=0.03),
}  # in millions
SPEED = "images_per_second"
FIRST = {TEST: Column("test acc.", ".1%", best="high")}  # then the paper's accuracies
REST = {
    "gap": Column("gap", "+.1%"),
    "train_eval/loss": Column("train loss", ".3f", best="low"),
    TRAIN: Column("train acc.", ".1%", best="high"),
    EVAL: Column("eval acc.", ".1%", best="high"),
    SPEED: Column("images/s", ".0f", best="high"),
}
RANDOM_FIRST = {TRAIN: REST[TRAIN]}  # of random labels; then what is chance
RANDOM_REST = {
    "train_eval/loss": REST["train_eval/loss"],
    **{key: replace(column, best=None) for key, column in {**FIRST, EVAL: REST[EVAL]}.items()},
    SPEED: REST[SPEED],
}
RANDOM_NOTE = (
    "Labels are random: train acc. is the share that was fitted. Held-out and test images keep their labels, about "
    "which nothing can be learned."
)


def score_tables(panels: Sequence[Panel], design: Design, summarize: Summarize = mean_of) -> list[Table]:
    """Make the tables of a study: its overview, then one per panel.

    Args:
        panels: of its complete runs.
        design: what it compares, and with which numbers of the paper.
        summarize: turns the numbers of a cell into one entry.
    """
    first = design.overview(panels, summarize) if design.overview else []
    made = []
    for panel in panels:
        made += budget_tables(panel, summarize) if panel.over_budgets else [_table(panel, design, summarize)]
    missing = notes_on_absent(design.paper, [row.facts for panel in panels for row in panel.rows])
    if made:
        made[-1] = replace(made[-1], notes=[*made[-1].notes, *missing])
    return [*first, *made]


def listing_table(panel: Panel, summarize: Summarize = mean_of) -> Table:
    """Make the table of runs that are not compared, so nothing in it is marked as best."""
    table = _table(panel, Design(factors=()), summarize)
    return replace(table, columns=[replace(column, best=None) for column in table.columns])


def _table(panel: Panel, design: Design, summarize: Summarize) -> Table:
    notes: list[str] = []
    quotes, says = quotes_beside(design.paper, [row.facts for row in panel.rows])
    beside = [quote.cells([row.facts for row in panel.rows]) for quote in quotes]
    first, rest = (RANDOM_FIRST, dict(RANDOM_REST)) if has_random_labels(panel.runs) else (FIRST, dict(REST))
    notes += [RANDOM_NOTE] if first is RANDOM_FIRST else []
    if len(by_hardware(panel.runs)) > 1:  # a speed is not better because the machine is
        rest[SPEED] = replace(rest[SPEED], best=None)
        notes.append("images/s: the hardware differs, so none is best, and a row of several kinds has none; see costs.")
    rows = []
    for place, row in enumerate(panel.rows):
        own = row.runs
        cells = {key: _cell(own, key, summarize) for key in (*first, *rest)}
        if len(by_hardware(own)) > 1:
            cells[SPEED] = None
        rows.append(
            [
                *row.words,
                *(cells[key] for key in first),
                *(cells_of_quote[place] for cells_of_quote in beside),
                *(cells[key] for key in rest),
                len(own),
                *(float(own[key].mean()) / 1e6 if key in own else None for key in COSTS),
            ]
        )
    shown = [*panel.columns, *first.values(), *(quote.column() for quote in quotes), *rest.values()]
    shown += [Column("seeds", "d", within=0), *COSTS.values()]
    return Table(panel.title, shown, rows, notes=[*panel.notes, *notes, *says])


def _cell(runs: pd.DataFrame, key: str, summarize: Summarize) -> Cell:
    return summarize(runs[key].to_numpy(dtype=float)) if key in runs else None
