"""Tables as Markdown."""

import re
from collections.abc import Sequence

import pandas as pd

from coatlab.output.text import line

# an underscore inside a word is not markup, and many settings have one in their names
_MARKUP = re.compile(r"[\\`*\[\]<>|~&!#$]|(?<![^\W_])_|_(?![^\W_])")


def to_markdown(table: pd.DataFrame, markup: bool = False) -> str:
    """Write a table as Markdown, with aligned columns, so that it is readable in a terminal as well.

    Args:
        table: cells and titles of columns.
        markup: cells already are Markdown; otherwise they are text in which special characters are escaped.
    """
    header = [escape(str(column)) for column in table.columns]
    rows = [[str(cell) if markup else escape(str(cell)) for cell in row] for row in table.itertuples(index=False)]
    widths = [max(3, *(len(line[i]) for line in [header, *rows])) for i in range(len(header))]
    return "\n".join(_line(cells, widths) for cells in [header, ["-" * width for width in widths], *rows])


def escape(text: str) -> str:
    """Escape text so that Markdown shows it literally; put it on one line, without control characters."""
    return _MARKUP.sub(lambda found: "\\" + found[0], line(text))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join([first, *others]) + " |"
