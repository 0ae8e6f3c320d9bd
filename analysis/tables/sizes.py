"""Accuracy over the number of training images: one table per data set, with a column per number of images."""

from collections.abc import Sequence

from analysis.compare.design import Panel, Summarize
from analysis.compare.finished import TEST
from analysis.compare.panels import covering_notes, images_text
from analysis.tabular import Cell, Column, Table

SIZE, EPOCHS = "data.train_size", "trainer.max_epochs"


def tables_over_sizes(panels: Sequence[Panel], summarize: Summarize) -> list[Table]:
    """Make a table for each data set that was used in several sizes."""
    groups: dict[tuple[object, ...], list[Panel]] = {}
    for panel in panels:
        fixed = (value for key, value in panel.values.items() if key != SIZE)
        groups.setdefault((panel.columns, *fixed), []).append(panel)
    return [_table(group, summarize) for group in groups.values() if len(group) > 1]


def _table(panels: Sequence[Panel], summarize: Summarize) -> Table:
    names = {row.words: row.rank for panel in panels for row in panel.rows}
    cells = [{row.words: summarize(row.runs[TEST].to_numpy(dtype=float)) for row in one.rows} for one in panels]
    rows: list[list[Cell]] = [
        [*words, *(found.get(words) for found in cells)] for words in sorted(names, key=names.__getitem__)
    ]
    titles = [images_text(one.values[SIZE]) for one in panels]
    passes = ["/".join(map(str, sorted(one.runs[EPOCHS].unique()))) for one in panels]
    told = ", ".join(f"{title} {epochs}" for title, epochs in zip(titles, passes, strict=True))
    note = f"Larger sets may be trained on for fewer epochs, so compare rows within a column. Epochs: {told}."
    columns = [*panels[0].columns, *(Column(title, ".1%", best="high") for title in titles)]
    fixed = ", ".join(str(value) for key, value in panels[0].values.items() if key != SIZE)
    return Table(
        f"Test acc. over training images, {fixed}", columns, rows, notes=[note, *covering_notes(panels[0].runs)]
    )
