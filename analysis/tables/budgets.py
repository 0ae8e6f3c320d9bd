"""A study whose rows are trained under several budgets: what is made of a row's budgets, then every budget apart."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.claims.claim import losses_of
from analysis.compare.design import Panel, Row, Summarize
from analysis.compare.finished import (
    AT_BEST,
    AT_EQUAL_LOSS,
    BUDGET,
    EVAL,
    FITTED,
    LOSS,
    TEST,
    WHEN_FITTED,
    Measured,
    best_budgets,
    measured,
)
from analysis.tabular import Cell, Column, Table

COSTS = {
    "parameters": Column("parameters (M)", ".3f", within=0.03),
    "macs": Column("MACs (M)", ".2f", within=0.03),
}  # in millions
TITLES = {AT_EQUAL_LOSS: "test acc. at equal loss", WHEN_FITTED: "test acc. when fitted", AT_BEST: "test acc. at best"}
AT_THE_BEST = {"gap": Column("gap at best", "+.1%"), LOSS: Column("train loss at best", ".3f")}
OF_A_BUDGET = {
    TEST: Column("test acc.", ".1%"),
    "gap": Column("gap", "+.1%"),
    LOSS: Column("train loss", ".3f"),
    "train_eval/accuracy": Column("train acc.", ".1%"),
    EVAL: Column("eval acc.", ".1%"),
    "seconds": Column("seconds", ",.0f"),
}


def budget_tables(panel: Panel, summarize: Summarize) -> list[Table]:
    """Make the two tables of a panel that has several budgets: a row per name, and a row per name and budget."""
    assert panel.over_budgets
    rows = [
        [*row.words, *(_cell(row.runs, key, summarize) for key in OF_A_BUDGET), len(row.runs)] for row in panel.rows
    ]
    columns = [*panel.columns, *OF_A_BUDGET.values(), Column("seeds", "d", within=0)]
    return [
        _over_budgets(panel.over_budgets, summarize),
        Table(f"Every budget, {panel.title}", columns, rows, "finished trainings, each with a schedule of its own"),
    ]


def _over_budgets(panel: Panel, summarize: Summarize) -> Table:
    named = dict(zip(_names(panel.rows), panel.rows, strict=True))
    runs = pd.concat([row.runs.assign(name=name) for name, row in named.items()])
    losses, best = losses_of(panel.runs), best_budgets(runs)
    found = {key: measured(key, runs, losses) for key in TITLES if losses or key != AT_EQUAL_LOSS}
    rows: list[list[Cell]] = []
    for name, row in named.items():
        at_best = row.runs[row.runs[BUDGET] == best.get(name)]
        rows.append(
            [
                *row.words,
                *(summarize(_numbers(one, name)) for one in found.values()),
                *(_cell(at_best, key, summarize) for key in AT_THE_BEST),
                best.get(name),
                row.runs["seed"].nunique(),
                *(float(row.runs[key].mean()) / 1e6 if key in row.runs else None for key in COSTS),
            ]
        )
    columns = [*panel.columns, *(Column(TITLES[key], ".1%", best="high") for key in found), *AT_THE_BEST.values()]
    columns += [Column("epochs at best", "d"), Column("seeds", "d", within=0), *COSTS.values()]
    notes = [*panel.notes, *_explained(losses), *(f"{note}." for one in found.values() for note in one.notes)]
    order = order_sentence({TITLES[key].removeprefix("test acc. "): _means(one) for key, one in found.items()})
    return Table(panel.title, columns, rows, notes=[*notes, *order])


def order_sentence(means: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Say whether the order of the means is the same under every estimand; nothing with fewer than two names.

    Args:
        means: by estimand, the mean of each name; NaN where it has none. Only names with all means are ordered.
    """
    names = [name for name in next(iter(means.values())) if not any(np.isnan(one[name]) for one in means.values())]
    absent = [name for name in next(iter(means.values())) if name not in names]
    if len(names) < 2:
        return []
    without = f" (without {', '.join(absent)}, which lacks a number)" if len(absent) == 1 else ""
    without = f" (without {', '.join(absent)}, which lack a number)" if len(absent) > 1 else without
    orders = {key: " > ".join(sorted(names, key=one.__getitem__, reverse=True)) for key, one in means.items()}
    if len(set(orders.values())) == 1:
        (order,) = set(orders.values())
        return [f"The order of the means is the same under all of {', '.join(means)}{without}: {order}."]
    told = "; ".join(f"{key}, {order}" for key, order in orders.items())
    return [f"The order of the means depends on what is compared{without}: {told}."]


def _names(rows: Sequence[Row]) -> list[str]:
    """Name rows for notes by their first word, or by all of them where that is not enough."""
    firsts = [row.words[0] for row in rows]
    return firsts if len(set(firsts)) == len(firsts) else [", ".join(row.words) for row in rows]


def _explained(losses: tuple[float, float] | None) -> list[str]:
    """Say what the columns are."""
    equal = "No claim states over which training losses these runs are to be compared, so none are at equal loss."
    if losses:
        over = f"over training losses from {losses[0]:g} to {losses[1]:g}"
        equal = f"{TITLES[AT_EQUAL_LOSS]}: between finished trainings, {over}."
    return [
        equal,
        f"{TITLES[WHEN_FITTED]}: of the smallest budget whose training loss is below {FITTED:g}. "
        f"{TITLES[AT_BEST]}: of the budget with the best mean eval acc.",
    ]


def _numbers(found: Measured, name: str) -> np.ndarray:
    return found.table([name])[name].to_numpy(dtype=float)


def _means(found: Measured) -> dict[str, float]:
    return {str(name): float(mean) for name, mean in found.values.groupby("name", sort=False).mean().items()}


def _cell(runs: pd.DataFrame, key: str, summarize: Summarize) -> Cell:
    return summarize(runs[key].to_numpy(dtype=float)) if key in runs else None
