"""One table to the terminal, Markdown and CSV."""

import csv
import io
from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from analysis.tabular import TIED, Table, folded, legend, machine_readable, marked
from coatlab.output.markdown import escape, to_markdown
from coatlab.output.text import line

_FORMULA = ("=", "+", "-", "@")  # with which a formula begins in a spreadsheet


def terminal(table: Table, console: Console) -> None:
    """Print a table."""
    shown = RichTable(title=Text(line(table.title)), title_justify="left")
    for column in table.columns:
        shown.add_column(Text(line(column.title)), justify="right" if column.form else "left")
    for row in marked(table):
        shown.add_row(*(Text(line(cell.whole) + TIED * cell.tied, "bold" * cell.best) for cell in row))
    console.print(shown)
    for text in (table.caption, *legend(table), *table.notes):
        if text:
            console.print(Text(line(text)))


def markdown(table: Table) -> str:
    """Write a table as Markdown, under its title."""
    table = folded(table)
    rows = [
        [("**{}**" if cell.best else "{}").format(escape(cell.whole)) + TIED * cell.tied for cell in row]
        for row in marked(table)
    ]
    frame = pd.DataFrame(rows, columns=[column.title for column in table.columns])
    notes = [f"- {escape(note)}" for note in (*legend(table), *table.notes)]
    parts = [f"## {escape(table.title)}", escape(table.caption), to_markdown(frame, markup=True), "\n".join(notes)]
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
