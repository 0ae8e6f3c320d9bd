"""A table as Markdown: no cell breaks it, and its columns line up."""

import pandas as pd

from coatlab.output.markdown import to_markdown


def test_cells_cannot_break_the_table() -> None:
    assert to_markdown(pd.DataFrame({"a": ["x|y", "1\n2"]})).count("\n") == 3


def test_columns_line_up() -> None:
    lines = to_markdown(pd.DataFrame({"name": ["a", "longer"], "value": ["1", "22"]})).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2] == "| a      |     1 |"
