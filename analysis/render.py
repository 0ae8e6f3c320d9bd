"""One table to the terminal, Markdown, LaTeX (booktabs) and CSV: the same numbers, marked alike.

The best cell of a column is bold, and one whose interval overlaps that of the best is marked: the seeds do not tell
the two apart. Overlap is the cautious side: two means can differ although their intervals overlap. Where every cell
has as many seeds as the others, the legend says how many; else each cell does. Text is shown as text everywhere.
"""

import csv
import io
import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import pandas as pd
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from coatlab.markdown import escape, line, to_markdown

TIED = "†"
_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "'": "{'}",  # two of them are one sign
    '"': r"\char34{}",
    "-": "{-}",  # two of them are a dash
    "[": "{[}",  # behind a row's end it would begin a length
    "*": "{*}",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "±": r"$\pm$",
    "²": "$^2$",
    "–": "--",
    TIED: r"$\dagger$",
}
_ACCENTS = set("\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0327")  # that every font of LaTeX has
_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for the beginning of a formula


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
    brackets: str = "Mean over seeds and, in brackets, its 95 % interval."


def terminal(table: Table, console: Console) -> None:
    """Print a table."""
    bold, tied = _marks(table)
    shown = RichTable(title=Text(line(table.title)), title_justify="left")
    for column in table.columns:
        shown.add_column(Text(line(column.title)), justify="right" if column.form else "left")
    for i, row in enumerate(_texts(table)):
        shown.add_row(
            *(Text(line(text) + TIED * ((i, j) in tied), "bold" * ((i, j) in bold)) for j, text in enumerate(row))
        )
    console.print(shown)
    for text in (table.caption, *legend(table), *table.notes):
        if text:
            console.print(Text(line(text)))


def markdown(table: Table) -> str:
    """Write a table as Markdown, under its title."""
    bold, tied = _marks(table)
    rows = [
        [
            ("**{}**" if (i, j) in bold else "{}").format(escape(text)) + TIED * ((i, j) in tied)
            for j, text in enumerate(row)
        ]
        for i, row in enumerate(_texts(table))
    ]
    frame = pd.DataFrame(rows, columns=[column.title for column in table.columns])
    notes = [f"- {escape(note)}" for note in (*legend(table), *table.notes)]
    parts = [f"## {escape(table.title)}", escape(table.caption), to_markdown(frame, markup=True), "\n".join(notes)]
    return "\n\n".join(part for part in parts if part)


def latex(table: Table) -> str:
    r"""Write a table as LaTeX; it needs \usepackage{booktabs} and nothing else."""
    bold, tied = _marks(table)

    def cell(text: str, place: tuple[int, int]) -> str:
        marked = rf"\textbf{{{tex(text)}}}" if place in bold else tex(text)
        return marked + r"$^\dagger$" * (place in tied)

    rows = [" & ".join(cell(text, (i, j)) for j, text in enumerate(row)) for i, row in enumerate(_texts(table))]
    caption = ". ".join(part for part in (table.title, table.caption) if part)
    notes = [rf"{tex(note)}\par" for note in (*legend(table), *table.notes)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex(caption)}}}",
        rf"\begin{{tabular}}{{{''.join('r' if column.form else 'l' for column in table.columns)}}}",
        r"\toprule",
        " & ".join(tex(column.title) for column in table.columns) + r" \\",
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\par\footnotesize", *notes] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines)


def to_csv(tables: Sequence[Table]) -> str:
    """Write tables as one CSV with all digits: an interval is four columns, and the first column is the table's title.

    Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    records = [dict(_fields(table, row)) for table in tables for row in table.rows]
    header = list(dict.fromkeys(name for record in records for name in record))
    file = io.StringIO()
    writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
    writer.writerow({name: _plain(name) for name in header})
    writer.writerows(records)
    return file.getvalue()


def tex(text: str) -> str:
    """Write text so that LaTeX shows it as it is; a character that LaTeX may not know is shown as its number."""
    return "".join(_TEX.get(letter) or _letter(letter) for letter in line(text))


def legend(table: Table) -> list[str]:
    """Say what the marks and brackets of a table mean, and of how many seeds its cells are."""
    bold, tied = _marks(table)
    measured = [cell for row in table.rows for cell in row if isinstance(cell, Interval)]
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


def _texts(table: Table) -> Iterator[list[str]]:
    """Yield the rows as text, the same for every format that people read."""
    counted = _counted(table)
    for row in table.rows:
        yield [_text(cell, column, counted) for cell, column in zip(row, table.columns, strict=True)]


def _text(cell: Cell, column: Column, counted: bool) -> str:
    if isinstance(cell, str):
        return cell
    mean = _mean(cell)
    if mean is None:
        return "–"
    text = f"{mean:{column.form}}"
    if isinstance(cell, Interval):
        text += f" [{cell.low:{column.form}}, {cell.high:{column.form}}]" if _known(cell) else ""
        text += f" (n={cell.n})" if counted else ""
    return text


def _counted(table: Table) -> bool:
    """Tell whether cells differ in their number of seeds, so that each has to say its own."""
    return len({cell.n for row in table.rows for cell in row if isinstance(cell, Interval)}) > 1


def _fields(table: Table, row: Sequence[Cell]) -> Iterator[tuple[str, object]]:
    yield "table", _plain(table.title)
    for column, cell in zip(table.columns, row, strict=True):
        if isinstance(cell, Interval):
            for part, value in (("", cell.mean), (" low", cell.low), (" high", cell.high), (" n", cell.n)):
                yield column.title + part, "" if math.isnan(value) else value
        else:
            yield column.title, _plain(cell) if isinstance(cell, str) else "" if _mean(cell) is None else cell


def _mean(cell: Cell) -> float | None:
    """Return the number of a cell, or None where it is text or nothing was measured."""
    if cell is None or isinstance(cell, str):
        return None
    mean = cell.mean if isinstance(cell, Interval) else cell
    return None if math.isnan(mean) else mean


def _known(cell: Interval) -> bool:
    return not math.isnan(cell.low)


def _plain(text: str) -> str:
    text = line(text)
    return "'" + text if text.startswith(_FORMULA) else text


def _letter(letter: str) -> str:
    base, *accents = list(unicodedata.normalize("NFD", letter))
    if base.isascii() and (not accents or (ord(letter) < 0x180 and _ACCENTS.issuperset(accents))):
        return letter
    return rf"\texttt{{U+{ord(letter):04X}}}"
