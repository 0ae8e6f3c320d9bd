"""Tables, and how their cells are marked, for all formats alike: each format (`analysis.report`) only writes it down.

The best cell of a column is bold, if every cell of it has at least two seeds. A cell whose interval overlaps that of
the best one is marked, since the seeds do not tell the two apart. That two intervals do not overlap is no test, though:
with 2, 3 and 5 seeds, those of two cells that are in truth equal do not overlap in 31, 10 and 4 % of cases. Tests are
in the verdicts. If all cells have the same number of seeds, the legend states it; otherwise each cell does. What people
read has no column for what is the same in every row, which the caption says (`folded`), and no number that reads as
zero but is not; `machine_readable` has all columns and digits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

TIED, NOTHING = "†", "–"
NEGLIGIBLE = 1e-8  # numbers below it are rounding errors of sums, and shown as zero
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
    """A column: its title, the format of its numbers, and which of them is best.

    Attributes:
        title: of the column.
        form: as in f"{value:{form}}"; empty for text, which is aligned to the left.
        best: which number is; None: there is no such thing.
        within: it moves to the caption if its numbers are within this share of each other, or its texts are the same;
            None: it stays.
        but: a text that does not count as another one: that a row lacks what the column is about.
    """

    title: str
    form: str = ""
    best: Literal["high", "low"] | None = None
    within: float | None = None
    but: str = ""


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


def folded(table: Table) -> Table:
    """Return a table without the columns that are the same in every row; its caption says what they have."""
    kept, told = [], []
    for place, column in enumerate(table.columns):
        constant = _constant([row[place] for row in table.rows], column) if place and table.rows else ""
        if constant:
            told.append(f"{column.title} {constant}")
        else:
            kept.append(place)
    if not told:
        return table
    said = f"the same in every row: {', '.join(told)}"
    return replace(
        table,
        columns=[table.columns[place] for place in kept],
        rows=[[row[place] for place in kept] for row in table.rows],
        caption=f"{table.caption}; {said}" if table.caption else said,
    )


def _constant(cells: Sequence[Cell], column: Column) -> str:
    """Return what every cell of a column has, or the range that they are in; empty if they differ, or may not fold."""
    if column.within is None:
        return ""
    known = {_text(cell, column, False)[0]: _mean(cell) for cell in cells}
    if len(known) > 1:
        known.pop(column.but, None)
    if len(known) == 1:
        return next(iter(known)) if NOTHING not in known else ""
    numbers = [mean for mean in known.values() if mean is not None]
    if len(numbers) < len(known) or not 0 < max(numbers) <= min(numbers) * (1 + column.within):
        return ""
    return f"{number_text(min(numbers), column.form)} to {number_text(max(numbers), column.form)}"


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
        alone = any(isinstance(cell, Interval) and cell.n == 1 for cell in cells.values())
        if column.best is None or len(means) < 2 or alone:  # one seed says nothing about which is best
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
        ends = ", ".join(number_text(end, column.form) for end in (cell.low, cell.high))
        behind += [f"[{ends}]"] if _known(cell) else []
        behind += [f"(n={cell.n})"] if counted else []
    return number_text(mean, column.form), " ".join(behind)


def number_text(value: float, form: str) -> str:
    """Write a number in a format, or with one or two significant digits if it would read as zero but is not."""
    text = f"{value:{form}}"
    if abs(value) < NEGLIGIBLE or any(digit in text for digit in "123456789"):
        return text
    sign = "+" if form.startswith("+") else ""
    return f"{100 * value:{sign}.1g}%" if form.endswith("%") else f"{value:{sign}.2g}"


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
