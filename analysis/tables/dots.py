"""What a study's rows reach, in one number each: the panels of the dot plot at the top of a page, and its summary.

A panel whose rows have several budgets shows the accuracy at equal final training loss, or, where no claim states the
losses, at each row's own best budget. All others show the accuracy on the official test files, or, where labels are
random, on the training images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from analysis.claims.claim import losses_of
from analysis.compare.design import Panel, Summarize
from analysis.compare.finished import AT_BEST, AT_EQUAL_LOSS, measured
from analysis.compare.measure import final_measure
from analysis.compare.order import COVERING, NO_ATTENTION, in_order
from analysis.compare.panels import covering_notes
from analysis.figures.style import regimes
from analysis.tabular import Column, Interval, Table


@dataclass(frozen=True)
class Dot:
    """A row: its name, the letters of its layout's stages, and its number."""

    name: str
    stages: str
    value: Interval


@dataclass(frozen=True)
class Dots:
    """The rows of a panel, in order.

    Attributes:
        title: what they were trained on.
        measure: what their numbers are.
        dots: one per row.
        missing: names that are expected, or that other panels have.
        marked: what the star at a name means, if there is one.
    """

    title: str
    measure: str
    dots: Sequence[Dot]
    missing: Sequence[str] = ()
    marked: Sequence[str] = ()


def dots_of(panels: Sequence[Panel], summarize: Summarize, expected: Sequence[str] = ()) -> list[Dots]:
    """Return the dots of each panel, in the panels' order; names that are expected, or in another panel, are missed."""
    titles = [regimes(panel.runs)[0][0] if len(regimes(panel.runs)) == 1 else panel.title for panel in panels]
    titles = [title if titles.count(title) == 1 else panel.title for title, panel in zip(titles, panels, strict=True)]
    found = []
    for title, panel in zip(titles, panels, strict=True):
        shown = panel.over_budgets or panel
        names = row_names(shown)
        runs = pd.concat([row.runs.assign(name=name) for name, row in zip(names, shown.rows, strict=True)])
        key, words = final_measure(panel.runs)
        losses = losses_of(panel.runs)
        if panel.over_budgets:
            key, words = (AT_BEST, f"{words} at each one's best budget")
            if losses:
                key, words = AT_EQUAL_LOSS, f"test accuracy at equal training loss, {losses[0]:g} to {losses[1]:g}"
        if key not in (AT_BEST, AT_EQUAL_LOSS) and key not in runs:
            continue
        table = measured(key, runs, losses).table(names)
        dots = [
            Dot(name, str(row.facts.get("layout.stages", "")), summarize(table[name].to_numpy(dtype=float)))
            for name, row in zip(names, shown.rows, strict=True)
        ]
        found.append(Dots(title, words, dots, marked=covering_notes(panel.runs)))
    every = in_order([*expected, *(_first(dot) for one in found for dot in one.dots)])
    return [replace(one, missing=[name for name in every if name not in set(map(_first, one.dots))]) for one in found]


def _first(dot: Dot) -> str:
    """Return the first word of a row's name, its layout or attention."""
    return dot.name.partition(", ")[0].removesuffix(COVERING)


def row_names(panel: Panel) -> list[str]:
    """Name the rows of a panel by the words in which they differ."""
    kept = []
    for place, column in enumerate(panel.columns):
        words = {row.words[place] for row in panel.rows}
        if len(words - {NO_ATTENTION} if column.but else words) > 1:
            kept.append(place)
    return [", ".join(row.words[place] for place in kept or [0]) for row in panel.rows]


def summary_table(found: Sequence[Dots], columns_at_most: int = 2) -> Table:
    """Make one small table: a row per name and a column per panel, or, of more panels than that, a row for each."""
    names = in_order(dot.name for one in found for dot in one.dots)
    by_panel = [{dot.name: dot.value for dot in one.dots} for one in found]
    notes = [f"{one.title}: {one.measure}." for one in found]
    marked = list(dict.fromkeys(note for one in found for note in one.marked))
    if len(found) <= columns_at_most:
        columns = [Column("name"), *(Column(one.title, ".1%", best="high") for one in found)]
        rows = [[name, *(values.get(name) for values in by_panel)] for name in names]
        return Table("Summary", columns, rows, notes=[*notes, *marked])
    columns = [Column("trained on"), Column("name"), Column("test acc.", ".1%")]
    rows = [[one.title, dot.name, dot.value] for one in found for dot in one.dots]
    measures = list(dict.fromkeys(one.measure for one in found))
    notes = [f"{'; '.join(one.title for one in found if one.measure == measure)}: {measure}." for measure in measures]
    if len(measures) == 1:
        notes = [f"Test acc.: {measures[0]}."]
    return Table("Summary", columns, rows, notes=[*notes, *marked])
