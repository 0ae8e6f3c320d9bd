"""The paper's numbers beside ours: read from the CSVs here by row and column, and matched to our rows by their config.

The paper measured another model, on other data, at another resolution, and mostly with another recipe. So orderings and
differences may be compared with it, but values may not. Each column of its numbers has a note that says so, and which
model and data they are of. Where the paper has no such row, the cell is empty; where we have no such run, a note names
the paper's number.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from analysis.paper.data_sets import ABUNDANT, TARGET
from analysis.tabular import Cell, Column

PAPER = Path(__file__).parent
SMALL, LARGE = (32, 224), (64, 384)  # pixels: of pre-training, and the larger ones of fine-tuning

Setting = Mapping[str, Sequence[Any]]  # facts of a `Row` of analysis.compare.design, and the values of each
FROM_SCRATCH: Setting = {"init.name": ["scratch"], "data.name": TARGET}
PRE_TRAINED: Setting = {"init.name": ["scratch"], "data.name": ABUNDANT}
FINE_TUNED: Setting = {
    "init.name": ["finetune"],
    "init.data": [*ABUNDANT, None],
}  # None: it started from a run that is not here


@dataclass(frozen=True)
class Number:
    """One number: where it stands in the CSV, and beside which of our rows it belongs."""

    ours: Setting
    where: Mapping[str, str]  # columns of the CSV, and the values of the number's row there
    column: str
    name: str  # what the paper calls the row


@dataclass(frozen=True)
class Quote:
    """A column of numbers of one table of the paper.

    Attributes:
        title: of the column; unique within a study.
        says: which model, data and resolution the numbers are of.
        file: the CSV in analysis/paper/, without `.csv`.
        ours: what all rows of ours have in common beside which it may stand.
        numbers: its numbers.
        form: the format in which they are written.
        per: how many of the paper's units make one of ours; the paper writes accuracies in percent.
    """

    title: str
    says: str
    file: str
    ours: Setting
    numbers: Sequence[Number]
    form: str = ".1%"
    per: float = 100

    def column(self) -> Column:
        """Return the column of a table; the best accuracy is marked, so that the ordering shows."""
        return Column(self.title, self.form, best="high" if self.form.endswith("%") else None)

    def cells(self, rows: Sequence[Mapping[str, Any]]) -> list[Cell]:
        """Return a cell for each row, given by its facts; None where the paper has no such row."""
        return [next((self.value(one) for one in self.numbers if self.beside(one, row)), None) for row in rows]

    def beside(self, number: Number, row: Mapping[str, Any]) -> bool:
        """Tell whether a number belongs beside a row."""
        return all(row.get(key) in valid for key, valid in (*self.ours.items(), *number.ours.items()))

    def value(self, number: Number) -> float:
        """Return a number of the CSV in our units; exactly one row of the CSV matches it."""
        table = read_csv(self.file)
        (value,) = [row[number.column] for row in table if all(row[key] == has for key, has in number.where.items())]
        return float(value) / self.per

    def absent(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """List the numbers, with their names, beside which none of our rows stands."""
        every = list(rows)
        left = [one for one in self.numbers if not any(self.beside(one, row) for row in every)]
        return [f"{one.name} {self.value(one):{self.form}}" for one in left]


@cache
def read_csv(file: str) -> list[dict[str, str]]:
    """Read a CSV of analysis/paper/ as it is: all values are texts, and some are empty."""
    return list(csv.DictReader((PAPER / f"{file}.csv").read_text().splitlines()))


def quotes_beside(quotes: Sequence[Quote], rows: Sequence[Mapping[str, Any]]) -> tuple[list[Quote], list[str]]:
    """Return the quotes that belong beside at least one row of a table, and a note for each."""
    found = [quote for quote in quotes if any(cell is not None for cell in quote.cells(rows))]
    notes = [f"{quote.title}: {quote.says}. Compare orderings and differences, not values." for quote in found]
    return found, notes


def notes_on_absent(quotes: Sequence[Quote], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a note for each quote that has numbers without a row of the study beside them."""
    absent = [(quote, quote.absent(rows)) for quote in quotes]
    return [
        f"{quote.title}: no complete run stands beside {', '.join(names)} ({quote.says})."
        for quote, names in absent
        if names
    ]
