"""How test error falls with the images seen: the fitted form of each row, and where the curves of two rows cross."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.compare.design import Panel, Summarize
from analysis.compare.finished import TEST
from analysis.compare.scaling import (
    APART,
    FEWEST_LENGTHS,
    PERCENTILES,
    REACH,
    SEEN,
    Crossing,
    crossings,
    fits,
    interval,
    on_new_images,
)
from analysis.tables.sizes import SIZE
from analysis.tabular import Cell, Column, Mean, Table

SEED = 0  # of the bootstrap: the same runs give the same tables
BRACKETS = f"In brackets: the interval from {PERCENTILES[0]} to {PERCENTILES[1]} % of a bootstrap over seeds."
FORMS = (
    "error = a + b N^-c (power law), or a + (e0 - a) / (1 + (N / n)^c) with e0 the error of guessing (take-off): the "
    "form with the lower AICc. N: images seen, each once."
)


def tables_over_scale(panels: Sequence[Panel], summarize: Summarize) -> list[Table]:
    """Make both tables for each data set whose rows were trained on several numbers of images, each image once."""
    groups: dict[tuple[object, ...], list[Panel]] = {}
    for panel in panels:
        fixed = (value for key, value in panel.values.items() if key != SIZE)
        groups.setdefault((panel.columns, *fixed), []).append(panel)
    return [table for group in groups.values() if len(group) > 1 for table in _tables(group, summarize)]


def _tables(panels: Sequence[Panel], summarize: Summarize) -> list[Table]:
    rank = {row.words[0]: row.rank for panel in panels for row in panel.rows}
    parts = [row.runs.assign(name=row.words[0]) for panel in panels for row in panel.rows]
    runs = on_new_images(pd.concat(parts)).dropna(subset=[TEST])
    if runs.empty:
        return []
    longest, names = runs[SEEN].max(), sorted(rank, key=rank.__getitem__)
    runs = pd.concat([runs[runs["name"] == name] for name in names])
    found = fits(runs, np.random.default_rng(SEED))
    rows: list[list[Cell]] = []
    for name in names:
        own = runs[runs["name"] == name]
        ends = own.loc[own[SEEN] == longest, TEST].to_numpy(float)
        row: list[Cell] = [name, own[SEEN].nunique(), summarize(ends)]
        if name in found:
            fit, again = found[name]
            floor, exponent = interval(again, lambda one: one.floor), interval(again, lambda one: one.exponent)
            seeds = own["seed"].nunique()
            row += [fit.form.name, Mean(seeds, fit.floor, *floor), Mean(seeds, fit.exponent, *exponent)]
            row += [fit.aicc[1] - fit.aicc[0]]
        rows.append(row + [None] * (7 - len(row)))
    columns = [Column("layout"), Column("lengths", "d")]
    columns += [Column(f"test acc. after {longest:,.0f}", ".1%", best="high"), Column("form")]
    columns += [Column("a", ".3f"), Column("c", ".2f"), Column("AICc of the other form", "+.1f")]
    fixed = ", ".join(str(value) for key, value in panels[0].values.items() if key != SIZE)
    short = [name for name in names if name not in found]
    notes = [FORMS]
    notes += [f"No fit, which needs {FEWEST_LENGTHS} lengths or did not converge: {', '.join(short)}."] if short else []
    fitted = Table(f"Error over images seen, {fixed}", columns, rows, notes=notes, brackets=BRACKETS)
    return [fitted, *_crossing_table(crossings(found, runs[SEEN].min(), longest), fixed)]


def _crossing_table(found: Sequence[Crossing], fixed: str) -> list[Table]:
    if not found:
        return []
    reach = found[0].reach
    rows: list[list[Cell]] = [[one.one, one.other, one.ahead, _told(one)] for one in found]
    columns = [
        Column("one"),
        Column("other"),
        Column("ahead at the largest N"),
        Column("curves cross for the last time at N"),
    ]
    notes = [
        f"From the fitted forms, up to {REACH} times the largest N; what is beyond the largest N is extrapolated, and "
        "its interval does not include that the form may be wrong there.",
        f"Curves cross where each is ahead of the other on its side of N, by {APART:.0%} or more somewhere.",
    ]
    return [
        Table(f"Where curves cross, up to {reach:,.0f} images, {fixed}", columns, rows, notes=notes, brackets=BRACKETS)
    ]


def _told(one: Crossing) -> str:
    """Write a crossing with its interval, or say that it is out of reach."""
    if np.isinf(one.images):
        sure = "" if np.isinf(one.low) or np.isnan(one.low) else f", or from {one.low:,.0f} on"
        return f"not within reach: beyond {one.reach:,.0f}{sure}"
    if np.isnan(one.low):
        return f"{one.images:,.0f}"
    return f"{one.images:,.0f} [{one.low:,.0f}, {'beyond reach' if np.isinf(one.high) else f'{one.high:,.0f}'}]"
