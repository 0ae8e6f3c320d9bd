"""Tables, and how their cells are marked, for all formats alike: each format (`analysis.report`) only writes it down.

The best cell of a column is bold. A cell whose interval overlaps that of the best one is marked, since the seeds do not
tell the two apart. That two intervals do not overlap is no test, though: with 2, 3 and 5 seeds, those of two cells that
are in truth equal do not overlap in 31, 10 and 4 % of cases. Tests are in the verdicts. If all cells have the same
number of seeds, the legend states it; otherwise each cell does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

TIED, NOTHING = "†", "–"
BOOTSTRAP = (
    "Mean over seeds and, in brackets, its 95 % bootstrap interval, which is too narrow for few seeds: with 2, 3, 5 "
    "and 10 seeds it covers the true mean in about 50, 75, 83 and 90 % of cases."
)
LONG = 40  # letters; a longer text is a sentence, which is wrapped


@runtime_checkable
class Interval(Protocol):
    """The mean of n numbers with its interval; without an interval, low and high are NaN."""

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
    """A column: its title, the format of its numbers, and which of them is best."""

    title: str
    form: str = ""  # as in f"{value:{form}}"; empty for text, which is aligned to the left
    best: Literal["high", "low"] | None = None


@dataclass(frozen=True)
class Table:
    """A table: rows with one cell per column, a caption, what its brackets mean, and notes below it."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    notes: Sequence[str] = ()
    brackets: str = BOOTSTRAP


@dataclass(frozen=True)
class Marked:
    """A cell as people read it: its number or text, what follows that, and its marks.

    Attributes:
        text: the number in the column's format, the text, or a dash where nothing was measured.
        behind: the interval, and the number of seeds where cells differ in it; empty if there is neither.
        best: it is the best of its column.
        tied: its interval overlaps that of the best.
        value: the number with all its digits, for sorting; None for text and where nothing was measured.
    """

    text: str
    behind: str = ""
    best: bool = False
    tied: bool = False
    value: float | None = None

    @property
    def long(self) -> bool:
        """Tell whether it is a sentence, which formats may wrap."""
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
    """Return the columns and rows of a table for programs: an interval is four columns, an unknown value is None."""
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
    """Say what the marks and brackets of a table mean, and how many seeds its cells have."""
    bold, tied = _marks(table)
    measured = [cell for row in table.rows for cell in row if isinstance(cell, Interval) and cell.n]
    found = []
    if measured and not _counted(table):
        seeds = f"{measured[0].n} seeds" if measured[0].n > 1 else "one seed, so there is no interval"
        found.append(f"Every cell has {seeds}.")
    if any(_known(cell) for cell in measured):
        found.append(table.brackets)
    if bold:
        found.append(
            "Bold: best of its column." + (f" {TIED}: its interval overlaps that of the best." if tied else "")
        )
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
        # a number that looks the same as the best in this format is best as well
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
    """Return a cell's number or text, and what follows it."""
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
    """Tell whether cells have different numbers of seeds, so that each has to state its own."""
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
