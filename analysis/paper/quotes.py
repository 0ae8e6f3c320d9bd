"""The paper's numbers beside ours: read from the CSVs here by row and column, and matched to rows by their config.

A number of the paper is of another model, on other data, at another resolution, mostly with another recipe: orderings
and differences compare, values do not. Every column says so in a note, with what its numbers are of. A row of ours that
the paper does not have shows nothing; a number of the paper beside which no run stands is named in a note.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from analysis.tabular import Cell, Column
from coatlab.config.files import choices

PAPER = Path(__file__).parent
# What stands for the data of the paper's studies: a set to be good at, and an abundant one to pre-train on.
ABUNDANT = ("fractals", "webdataset")
TARGET = tuple(name for name in choices("data") if name not in ABUNDANT)
SMALL, LARGE = (32, 224), (64, 384)  # pixels: of pre-training, and the larger ones of fine-tuning

Setting = Mapping[str, Sequence[Any]]  # facts of a row, and the values that they may have
FROM_SCRATCH: Setting = {"init.name": ["scratch"], "data.name": TARGET}
PRE_TRAINED: Setting = {"init.name": ["scratch"], "data.name": ABUNDANT}
FINE_TUNED: Setting = {"init.name": ["finetune"], "init.data": [*ABUNDANT, None]}  # None: the donor is not at hand


@dataclass(frozen=True)
class Number:
    """One number: where it stands in the CSV, and which of our rows it belongs beside."""

    ours: Setting
    where: Mapping[str, str]  # columns of the CSV, and what the row has there
    column: str
    name: str  # what the paper calls the row


@dataclass(frozen=True)
class Quote:
    """A column of numbers of one table of the paper.

    Attributes:
        title: of the column; no other quote of the study has it.
        says: model, data and resolution that the numbers are of.
        file: of paper/, less .csv.
        ours: what is common to the rows of ours that it belongs beside.
        numbers: its numbers.
        form: how they are written.
        per: how many of the paper's units are one of ours; it writes accuracies in percent.
    """

    title: str
    says: str
    file: str
    ours: Setting
    numbers: Sequence[Number]
    form: str = ".1%"
    per: float = 100

    def column(self) -> Column:
        """Return the column of a table; the best accuracy is marked, so that orderings show."""
        return Column(self.title, self.form, best="high" if self.form.endswith("%") else None)

    def cells(self, rows: Sequence[Mapping[str, Any]]) -> list[Cell]:
        """Return a cell for each row, given as what counts of its config; None where the paper has no such row."""
        return [next((self.value(one) for one in self.numbers if self.beside(one, row)), None) for row in rows]

    def beside(self, number: Number, row: Mapping[str, Any]) -> bool:
        """Tell whether a number belongs beside a row."""
        return all(row.get(key) in valid for key, valid in (*self.ours.items(), *number.ours.items()))

    def value(self, number: Number) -> float:
        """Return a number of the CSV in our units; exactly one row of the CSV is its own."""
        table = read_csv(self.file)
        (value,) = [row[number.column] for row in table if all(row[key] == has for key, has in number.where.items())]
        return float(value) / self.per

    def absent(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Word the numbers beside which none of our rows stands."""
        every = list(rows)
        left = [one for one in self.numbers if not any(self.beside(one, row) for row in every)]
        return [f"{one.name} {self.value(one):{self.form}}" for one in left]


@cache
def read_csv(file: str) -> list[dict[str, str]]:
    """Read a CSV of paper/ as it is: texts, empty ones too."""
    return list(csv.DictReader((PAPER / f"{file}.csv").read_text().splitlines()))


def quotes_beside(quotes: Sequence[Quote], rows: Sequence[Mapping[str, Any]]) -> tuple[list[Quote], list[str]]:
    """Return the quotes that belong beside any of a table's rows, and a note for each."""
    found = [quote for quote in quotes if any(cell is not None for cell in quote.cells(rows))]
    notes = [f"{quote.title}: {quote.says}. Compare orderings and differences, not values." for quote in found]
    return found, notes


def notes_on_absent(quotes: Sequence[Quote], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a note for each quote that has numbers beside which none of a study's rows stands."""
    absent = [(quote, quote.absent(rows)) for quote in quotes]
    return [
        f"{quote.title}: no complete run stands beside {', '.join(names)} ({quote.says})."
        for quote, names in absent
        if names
    ]
