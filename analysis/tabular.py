"""Tables, how their cells are marked, and one table to the terminal, Markdown and CSV.

LaTeX and HTML have files of their own, which take what `marked` and `legend` say: all formats say the same.

The best cell of a column is bold, and one whose interval overlaps that of the best is marked: the seeds do not tell
the two apart. Intervals that do not overlap are no test: those of two cells of 2, 3 and 5 seeds that are equal in truth
do not in 31, 10 and 4 % of cases; the verdicts test. Where every cell has as many seeds as the others, the legend says
how many; else each cell does. Text is shown as text everywhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

TIED, NOTHING = "†", "–"
BOOTSTRAP = (
    "Mean over seeds and, in brackets, its 95 % bootstrap interval, which is too narrow for few seeds: of 2, 3, 5 and "
    "10 it covers about 50, 75, 83 and 90 %."
)
LONG = 40  # letters; a text of more is a sentence


@runtime_checkable
class Interval(Protocol):
    """The mean of n numbers and the interval that it is known to; no interval: low and high are NaN."""

    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def mean(self) -> float: ...  # noqa: D102
    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102


Cell = str | int | float | Interval | None  # None: nothing was measured


@dataclass(frozen=True)
class Column:
    """A column: its title, how numbers in it are written, and which of them is best."""

    title: str
    form: str = ""  # of numbers, as in f"{value:{form}}"; empty: text, to the left
    best: Literal["high", "low"] | None = None


@dataclass(frozen=True)
class Table:
    """A table: rows of cells, one a column, a caption, what its brackets are, and notes below."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    notes: Sequence[str] = ()
    brackets: str = BOOTSTRAP


@dataclass(frozen=True)
class Marked:
    """A cell as people read it: its number or text, what stands behind it, and its marks.

    Attributes:
        text: the number as the column writes it, the text, or a dash where nothing was measured.
        behind: the interval, and the number of seeds where cells differ in it; empty where there is neither.
        best: it is the best of its column.
        tied: its interval overlaps the best one's.
        value: the number with all digits, by which rows may be sorted; None: it is text, or nothing was measured.
    """

    text: str
    behind: str = ""
    best: bool = False
    tied: bool = False
    value: float | None = None

    @property
    def long(self) -> bool:
        """Tell whether it is a sentence, which is to be broken into lines."""
        return len(self.text) > LONG and " " in self.text.strip()

    @property
    def whole(self) -> str:
        """Return number and interval on one line, without marks."""
        return f"{self.text} {self.behind}" if self.behind else self.text


def marked(table: Table) -> list[list[Marked]]:
    """Return the rows of a table as people read them, the same for every format."""
    bold, tied = _marks(table)
    counted = _counted(table)
    return [
        [
            Marked(*_text(cell, column, counted), (i, j) in bold, (i, j) in tied, _mean(cell))
            for j, (cell, column) in enumerate(zip(row, table.columns, strict=True))
        ]
        for i, row in enumerate(table.rows)
    ]


def machine_readable(table: Table) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and rows of a table for programs: an interval is mean, low, high and n; None is unknown."""
    spread = [any(isinstance(row[place], Interval) for row in table.rows) for place in range(len(table.columns))]
    titles = [
        column.title + part
        for column, several in zip(table.columns, spread, strict=True)
        for part in (("", " low", " high", " n") if several else ("",))
    ]
    rows = []
    for row in table.rows:
        values: list[Any] = []
        for cell, several in zip(row, spread, strict=True):
            if isinstance(cell, Interval):
                values += [cell.mean, cell.low, cell.high, cell.n]
            else:
                values += [cell, None, None, None] if several else [cell]
        rows.append([None if isinstance(value, float) and math.isnan(value) else value for value in values])
    return titles, rows


def legend(table: Table) -> list[str]:
    """Say what the marks and brackets of a table mean, and of how many seeds its cells are."""
    bold, tied = _marks(table)
    measured = [cell for row in table.rows for cell in row if isinstance(cell, Interval) and cell.n]
    found = []
    if measured and not _counted(table):
        seeds = f"{measured[0].n} seeds" if measured[0].n > 1 else "one seed, so there is no interval"
        found.append(f"Every cell is of {seeds}.")
    if any(_known(cell) for cell in measured):
        found.append(table.brackets)
    if bold:
        found.append("Bold: best of its column." + (f" {TIED}: its interval overlaps the best one's." if tied else ""))
    return found


def _marks(table: Table) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Return which cells, by row and column, are best and which cannot be told apart from the best."""
    bold, tied = set(), set()
    for j, column in enumerate(table.columns):
        cells = {i: row[j] for i, row in enumerate(table.rows)}
        means = {i: mean for i, cell in cells.items() if (mean := _mean(cell)) is not None}
        if column.best is None or len(means) < 2:
            continue
        best = max(means.values()) if column.best == "high" else min(means.values())
        # what reads as the same number is best as well
        leaders = [i for i, mean in means.items() if f"{mean:{column.form}}" == f"{best:{column.form}}"]
        bold |= {(i, j) for i in leaders}
        tied |= {
            (i, j) for i in means.keys() - set(leaders) if any(_overlap(cells[i], cells[leader]) for leader in leaders)
        }
    return bold, tied


def _overlap(one: Cell, other: Cell) -> bool:
    if not (isinstance(one, Interval) and isinstance(other, Interval)):
        return False
    return one.low <= other.high and other.low <= one.high  # False where there is no interval


def _text(cell: Cell, column: Column, counted: bool) -> tuple[str, str]:
    """Return a cell's number or text, and what stands behind it."""
    if isinstance(cell, str):
        return cell, ""
    mean = _mean(cell)
    if mean is None:
        return NOTHING, ""
    behind = []
    if isinstance(cell, Interval):
        behind += [f"[{cell.low:{column.form}}, {cell.high:{column.form}}]"] if _known(cell) else []
        behind += [f"(n={cell.n})"] if counted else []
    return f"{mean:{column.form}}", " ".join(behind)


def _counted(table: Table) -> bool:
    """Tell whether cells differ in their number of seeds, so that each has to say its own."""
    return len({cell.n for row in table.rows for cell in row if isinstance(cell, Interval) and cell.n}) > 1


def _mean(cell: Cell) -> float | None:
    """Return the number of a cell, or None where it is text or nothing was measured."""
    if cell is None or isinstance(cell, str):
        return None
    mean = cell.mean if isinstance(cell, Interval) else cell
    return None if math.isnan(mean) else mean


def _known(cell: Interval) -> bool:
    return not math.isnan(cell.low)


@dataclass(frozen=True)
class Mean:
    """The mean of n numbers, without an interval."""

    n: int
    mean: float
    low: float = float("nan")
    high: float = float("nan")


def mean_of(values: Any) -> Mean:
    """Average the numbers of a cell; NaN are left out."""
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    return Mean(len(known), float(known.mean()) if len(known) else float("nan"))
