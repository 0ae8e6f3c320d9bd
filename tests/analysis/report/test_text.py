"""The same numbers in every format, and text that is text in every format, read back by other programs' rules."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from analysis.report.text import markdown, terminal, to_csv
from analysis.tabular import BOOTSTRAP, Column, Mean, Table, folded, legend, machine_readable, marked, number_text
from tests.analysis.report.hostile import HOSTILE, shown

NAN = float("nan")
# what a name may hold; spaces are one, as every format has it
text = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["C", "Z"]) | st.just(" ")).map(
    lambda found: " ".join(found.split())
)


def read_markdown(source: str) -> list[list[str]]:
    """Read the cells of a Markdown table, by a parser of its own, as the text that a reader sees."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(source)
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "table_close":
            return rows
        elif token.type == "inline" and rows:
            inner = token.children or []
            assert {part.type for part in inner} <= {"text", "text_special", "strong_open", "strong_close"}
            rows[-1].append("".join(part.content for part in inner))
    raise AssertionError("no table")


@given(st.lists(text.filter(bool), min_size=1, max_size=4))
def test_markdown_and_csv_show_text_as_it_is(names: list[str]) -> None:
    table = Table("t", [Column("name"), Column("value", ".1f")], [[name, 1.0] for name in names])
    assert [row[0] for row in read_markdown(markdown(table))[1:]] == names
    rows = list(csv.reader(io.StringIO(to_csv([table]))))
    assert [row[1] for row in rows[1:]] == [("'" if name[0] in "=+-@" else "") + name for name in names]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_everywhere(name: str) -> None:
    table = Table(name, [Column("run")], [[name]], caption=name, notes=[name])
    assert read_markdown(markdown(table))[1] == [shown(name)]
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown(table))
    assert not re.search("<(script|img|strong|em|a|code)", html)
    file = io.StringIO()
    terminal(table, Console(file=file, width=200))
    assert file.getvalue().count(shown(name)) == 4
    assert "\x1b" not in file.getvalue()


TABLE = Table(
    "study",
    [Column("layout"), Column("acc.", ".1%", best="high"), Column("loss", ".2f", best="low"), Column("MACs", ".1f")],
    [
        ["CCCC", Mean(3, 0.80, 0.79, 0.81), Mean(3, 0.5, 0.4, 0.6), 6.6],
        ["CCTT", Mean(3, 0.82, 0.805, 0.83), Mean(3, 0.2, 0.1, 0.3), 6.5],
        ["CTTT", Mean(3, 0.70, 0.69, 0.71), Mean(3, 0.35, 0.31, 0.4), None],
    ],
    notes=["a note"],
)


def test_the_best_is_bold_and_ties_are_marked() -> None:
    rows = [[cell.strip() for cell in row] for row in read_markdown(markdown(TABLE))]
    assert [row[1] for row in rows] == [
        "acc.", "80.0% [79.0%, 81.0%]†", "82.0% [80.5%, 83.0%]", "70.0% [69.0%, 71.0%]",
    ]  # fmt: skip
    bold = re.findall(r"\*\*(\S+)", markdown(TABLE))
    assert bold == ["82.0%", "0.20"]
    assert [row[3] for row in rows[1:]] == ["6.6", "6.5", "–"]
    assert legend(TABLE) == [
        "Every cell has 3 seeds.",
        BOOTSTRAP,
        "Bold: best of its column. †: its interval overlaps that of the best.",
    ]


def test_cells_of_different_numbers_of_seeds_say_theirs() -> None:
    rows = [[Mean(2, 0.5, 0.4, 0.6)], [Mean(1, 0.45)], [Mean(0, NAN)]]
    table = Table("t", [Column("acc.", ".1%", best="high")], rows)
    assert [row[0] for row in read_markdown(markdown(table))[1:]] == ["50.0% [40.0%, 60.0%] (n=2)", "45.0% (n=1)", "–"]
    assert not any("Every cell" in line or "†" in line for line in legend(table))


def test_numbers_that_read_the_same_are_best_together_and_a_single_row_is_not_best() -> None:
    column = Column("loss", ".2f", best="low")
    assert [row[0].best for row in marked(Table("t", [column], [[0.111], [0.112], [0.12]]))] == [True, True, False]
    assert not marked(Table("t", [column], [[0.1]]))[0][0].best


def test_csv_has_all_digits_and_every_table() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv([TABLE, Table("other", [Column("size", "d")], [[7]])]))))
    assert [row["table"] for row in rows] == ["study"] * 3 + ["other"]
    assert {key: value for key, value in rows[1].items() if value} == {
        "table": "study", "layout": "CCTT", "acc.": "0.82", "acc. low": "0.805", "acc. high": "0.83", "acc. n": "3",
        "loss": "0.2", "loss low": "0.1", "loss high": "0.3", "loss n": "3", "MACs": "6.5",
    }  # fmt: skip
    assert rows[3]["size"] == "7"


def test_a_cell_of_no_seed_says_nothing_of_the_seeds() -> None:
    nothing, two = Mean(0, NAN), Mean(2, 0.5, 0.4, 0.6)
    table = Table("t", [Column("a", ".1f"), Column("b", ".1f")], [[nothing, two]])
    assert legend(table)[0] == "Every cell has 2 seeds."
    assert [cell.whole for cell in marked(table)[0]] == ["–", "0.5 [0.4, 0.6]"]
    assert legend(Table("t", [Column("a", ".1f")], [[nothing]])) == []


def test_an_interval_is_four_columns_and_what_is_unknown_none() -> None:
    columns = [Column("name"), Column("accuracy", ".1%"), Column("seeds", "d")]
    cells = [["a", Mean(2, 0.5, 0.4, 0.6), 2], ["b", Mean(1, 0.25), 1], ["c", None, None], ["d", 0.125, 0]]
    titles, rows = machine_readable(Table("t", columns, cells))
    assert titles == ["name", "accuracy", "accuracy low", "accuracy high", "accuracy n", "seeds"]
    assert rows == [
        ["a", 0.5, 0.4, 0.6, 2, 2],
        ["b", 0.25, None, None, 1, 1],
        ["c", None, None, None, None, None],
        ["d", 0.125, None, None, None, 0],
    ]


def test_of_one_seed_nothing_is_best() -> None:
    column = Column("acc.", ".1%", best="high")
    for second in (Mean(1, 0.6), Mean(2, 0.6, 0.5, 0.7)):
        rows = marked(Table("t", [Column("name"), column], [["a", Mean(1, 0.5)], ["b", second]]))
        assert not any(row[1].best or row[1].tied for row in rows)


@given(
    st.floats(-2, 2).filter(lambda number: abs(number) > 1e-7), st.sampled_from([".1%", "+.1%", ".3f", "+.3f", ".0%"])
)
def test_no_number_reads_as_zero_that_is_not(number: float, form: str) -> None:
    shown_number = number_text(number, form)
    value = float(shown_number.rstrip("%")) / (100 if "%" in form else 1)
    assert value != 0
    assert (value > 0) == (number > 0)
    assert value == pytest.approx(number, rel=0.5, abs=0.005)


def test_zero_is_zero() -> None:
    assert [number_text(0.0, form) for form in (".3f", "+.1%")] == ["0.000", "+0.0%"]
    assert number_text(0.0004, ".3f") == "0.0004"
    assert number_text(-0.0002, "+.1%") == "-0.02%"


def test_what_is_the_same_in_every_row_is_in_the_caption_and_still_in_the_csv() -> None:
    columns = [
        Column("layout", within=0), Column("attention", within=0, but="none"), Column("acc.", ".1%"),
        Column("seeds", "d", within=0), Column("MACs", ".2f", within=0.03),
    ]  # fmt: skip
    rows = [["CCCC", "none", 0.5, 3, 6.60], ["CCTT", "relative", 0.5, 3, 6.70]]
    table = Table("t", columns, rows, caption="c")
    told = folded(table)
    assert [column.title for column in told.columns] == ["layout", "acc."]
    assert told.rows == [["CCCC", 0.5], ["CCTT", 0.5]]
    assert told.caption == "c; the same in every row: attention relative, seeds 3, MACs 6.60 to 6.70"
    assert machine_readable(table)[0] == ["layout", "attention", "acc.", "seeds", "MACs"]
    assert markdown(table).count("relative") == 1
    other = [["CCCC", "window", 0.5, 3, 6.60], ["CCTT", "relative", 0.5, 2, 6.90]]
    assert folded(Table("t", columns, other)).columns == columns
    assert [column.title for column in folded(Table("t", columns, [rows[0], [*rows[1][:3], 3, None]])).columns] == [
        "layout", "acc.", "MACs",
    ]  # fmt: skip


@given(st.integers(1, 14), st.integers(40, 120))
def test_no_number_is_cut_however_narrow_the_terminal_is(measures: int, width: int) -> None:
    columns = [Column("layout"), *(Column(f"test acc. {i}", ".1%", best="high") for i in range(measures))]
    rows = [[name, *(Mean(5, 0.7 + i / 100, 0.6, 0.8) for i in range(measures))] for name in ("CCCC", "ViT_REL")]
    file = io.StringIO()
    terminal(Table("t", columns, rows), Console(file=file, width=width, force_terminal=True, color_system=None))
    printed = file.getvalue()
    for i in range(measures):
        assert printed.count(f"{0.7 + i / 100:.1%}") >= 2
    assert printed.count("[60.0%, 80.0%]") == 2 * measures
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= width
