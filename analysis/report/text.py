"""One table to the terminal, Markdown and CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Literal

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from analysis.tabular import LONG, TIED, Marked, Table, folded, legend, machine_readable, marked
from coatlab.output.markdown import escape, to_markdown
from coatlab.output.text import line

GAP = 2  # letters between two columns
_FORMULA = ("=", "+", "-", "@")  # with which a formula begins in a spreadsheet


def terminal(table: Table, console: Console, notes: bool = True) -> None:
    """Print a table; where it is wider than the console, intervals stand below their numbers, and further parts follow.

    So no number is ever cut. Sentences are wrapped, and so is a first column that leaves no room.

    Args:
        table: what is printed.
        console: where.
        notes: whether what its marks mean, and its notes, follow.
    """
    table = folded(table)
    rows = marked(table)
    across = [[_cell(cell, " ") for cell in row] for row in rows]
    widths = _widths(table, across)
    if sum(widths) + GAP * len(widths) > console.width:
        across = [[_cell(cell, "\n") for cell in row] for row in rows]
        widths = _widths(table, across)
    for number, part in enumerate(_parts(table, widths, console.width)):
        title = Text(line(table.title) + (", continued" if number else ""))
        shown = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for place in part:
            column = table.columns[place]
            wraps = not place or any(row[place].long for row in rows)
            justify: Literal["left", "right"] = "right" if column.form else "left"
            least = None if wraps else widths[place]
            shown.add_column(Text(line(column.title)), justify=justify, min_width=least, overflow="fold")
        for row in across:
            shown.add_row(*(row[place] for place in part))
        console.print(shown)
    for text in (table.caption, *((*legend(table), *table.notes) if notes else ())):
        if text:
            sentence(line(text), console)


def sentence(text: str, console: Console) -> None:
    """Print a sentence; a terminal's lines end between words, and a command at its end has a line of its own.

    A terminal would cut a number at its edge, and a command that is broken into lines cannot be copied.
    """
    if not console.is_terminal:
        console.print(Text(text), soft_wrap=True)
        return
    words, colon, command = text.partition(": python ")
    console.print(Text(words + colon[:1]))
    if command:
        console.print(Text(f"    python {command}"), soft_wrap=True)


def _cell(cell: Marked, between: str) -> Text:
    words = line(cell.text) + TIED * cell.tied + (between + line(cell.behind) if cell.behind else "")
    return Text(words, "bold" * cell.best)


def _widths(table: Table, rows: Sequence[Sequence[Text]]) -> list[int]:
    """Return how wide each column must be: as its words of a title, and as its cells, less those of sentences."""
    widths = []
    for place, column in enumerate(table.columns):
        cells = [part for row in rows for part in row[place].plain.split("\n")]
        widths.append(
            max(
                [1, *map(len, line(column.title).split())]
                + [len(cell) if len(cell) <= LONG or " " not in cell else LONG // 2 for cell in cells]
            )
        )
    return widths


def _parts(table: Table, widths: Sequence[int], width: int) -> list[list[int]]:
    """Sort columns into parts that fit a width, each beginning with the columns that name a row."""
    names = [0]
    for place in range(1, len(widths)):
        if table.columns[place].form or sum(widths[: place + 1]) + GAP * (place + 1) > width / 2:
            break
        names.append(place)
    begin = width - sum(widths[place] + GAP for place in names)
    parts, room = [[*names]], begin
    for place, needed in enumerate(widths[len(names) :], start=len(names)):
        if needed + GAP > room and len(parts[-1]) > len(names):
            parts.append([*names])
            room = begin
        parts[-1].append(place)
        room -= needed + GAP
    return parts


def markdown(table: Table) -> str:
    """Write a table as Markdown, under its title."""
    table = folded(table)
    rows = [
        [("**{}**" if cell.best else "{}").format(escape(cell.whole)) + TIED * cell.tied for cell in row]
        for row in marked(table)
    ]
    frame = pd.DataFrame(rows, columns=[column.title for column in table.columns])
    notes = [f"- {escape(note)}" for note in (*legend(table), *table.notes)]
    head = f"## {escape(table.title)}" if table.title else ""
    parts = [head, escape(table.caption), to_markdown(frame, markup=True), "\n".join(notes)]
    return "\n\n".join(part for part in parts if part)


def to_csv(tables: Sequence[Table]) -> str:
    """Write tables as one CSV with all digits; the first column is the table's title, and an interval is four columns.

    Text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    records = []
    for table in tables:
        titles, rows = machine_readable(table)
        records += [{"table": table.title} | dict(zip(titles, row, strict=True)) for row in rows]
    header = list(dict.fromkeys(name for record in records for name in record))
    file = io.StringIO()
    writer = csv.DictWriter(file, header, restval="", lineterminator="\n")
    for record in ({name: name for name in header}, *records):
        writer.writerow({name: _plain(value) if isinstance(value, str) else value for name, value in record.items()})
    return file.getvalue()


def _plain(text: str) -> str:
    text = line(text)
    return "'" + text if text.startswith(_FORMULA) else text
