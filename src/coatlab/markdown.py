"""Tables as Markdown. No torch here."""

from collections.abc import Sequence

import pandas as pd


def to_markdown(table: pd.DataFrame) -> str:
    """Write a table of strings as Markdown, aligned, so that it reads well in a terminal too."""
    header = [str(column) for column in table.columns]
    rows = [[_escape(str(value)) for value in row] for row in table.itertuples(index=False)]
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    return "\n".join(_line(cells, widths) for cells in [header, ["-" * width for width in widths], *rows])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join([first, *others]) + " |"


def _escape(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
