"""The same numbers in every format, and text that is text in every format, read back by other programs' rules."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from analysis.cells import Mean
from analysis.render import Column, Table, latex, legend, markdown, terminal, tex, to_csv

HOSTILE = [
    "<script>alert(1)</script>",
    r"\input{/etc/passwd} \\[3cm] & % $x$ #1 _a_ ^b ~ {}",
    "../../x",
    "=HYPERLINK(1)",
    "**bold** `code` [link](x) | a\tb\nc",
    "\x1b[31mred\x1b[0m",
    "[bold]markup[/bold]",
    "* starred --- `` ''",
]
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
            parts = token.children or []
            assert {part.type for part in parts} <= {"text", "text_special", "strong_open", "strong_close"}
            rows[-1].append("".join(part.content for part in parts))
    raise AssertionError("no table")


SYMBOLS = {
    "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">",
    "textbar": "|", "textasciigrave": "`", "char34": '"',
}  # fmt: skip
MATHS = {r"\times": "×", r"\approx": "≈", r"\pm": "±", "^2": "²", r"\dagger": "†"}


def read_tex(source: str) -> str:
    """Read LaTeX as its scanner does, of the little that a table's text may hold; anything else fails."""
    result, place = "", 0
    grammar = re.compile(
        r"\\(?P<symbol>[a-z]+[0-9]*)\{\}|\\(?P<escaped>[&%$#_{}])|\{(?P<group>[-\[*'])\}|\$(?P<maths>[^$]+)\$"
        r"|\\texttt\{U\+(?P<number>[0-9A-F]{4,6})\}|(?P<dash>--)|(?P<plain>[^\\&%$#_{}~^<>|`\"\[*-])"
    )
    while place < len(source):
        found = grammar.match(source, place)
        assert found, source[place:]
        match found.lastgroup, found[found.lastgroup or 0]:
            case "symbol", name:
                result += SYMBOLS[name]
            case "maths", name:
                result += MATHS[name]
            case "number", digits:
                result += chr(int(digits, 16))
            case "dash", _:
                result += "–"
            case _, letter:
                result += letter
        place = found.end()
    return result


@given(text)
def test_latex_shows_text_as_it_is(name: str) -> None:
    assert read_tex(tex(name)) == name


@given(st.text())
def test_latex_has_nothing_that_a_font_may_lack(name: str) -> None:
    assert all(ord(letter) < 0x180 and letter.isprintable() for letter in tex(name))


@given(st.lists(text.filter(bool), min_size=1, max_size=4))
def test_markdown_and_csv_show_text_as_it_is(names: list[str]) -> None:
    table = Table("t", [Column("name"), Column("value", ".1f")], [[name, 1.0] for name in names])
    assert [row[0] for row in read_markdown(markdown(table))[1:]] == names
    rows = list(csv.reader(io.StringIO(to_csv([table]))))
    assert [row[1] for row in rows[1:]] == [("'" if name[0] in "=+-@" else "") + name for name in names]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_everywhere(name: str) -> None:
    shown = " ".join(re.sub(r"[\x00-\x1f]", " ", name).split())
    table = Table(name, [Column("run")], [[name]], caption=name, notes=[name])
    assert read_markdown(markdown(table))[1] == [shown]
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown(table))
    assert "<script" not in html
    assert "<strong>" not in html
    body = latex(table)
    assert read_tex(re.findall(r"\\midrule\n(.*) \\\\\n\\bottomrule", body)[0]) == shown
    assert read_tex(re.findall(r"\\caption\{(.*)\}\n", body)[0]) == f"{shown}. {shown}"
    file = io.StringIO()
    terminal(table, Console(file=file, width=200))
    assert file.getvalue().count(shown) == 4
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
    assert re.findall(r"textbf\{(\S+)", latex(TABLE)) == [r"82.0\%", "0.20"]
    assert [row[3] for row in rows[1:]] == ["6.6", "6.5", "–"]
    assert legend(TABLE) == [
        "Every cell is of 3 seeds.",
        "Mean over seeds and, in brackets, its 95 % interval.",
        "Bold: best of its column. †: its interval overlaps the best one's.",
    ]


def test_cells_of_different_numbers_of_seeds_say_theirs() -> None:
    rows = [[Mean(2, 0.5, 0.4, 0.6)], [Mean(1, 0.45)], [Mean(0, NAN)]]
    table = Table("t", [Column("acc.", ".1%", best="high")], rows)
    assert [row[0] for row in read_markdown(markdown(table))[1:]] == ["50.0% [40.0%, 60.0%] (n=2)", "45.0% (n=1)", "–"]
    assert not any("Every cell" in line or "†" in line for line in legend(table))


def test_numbers_that_read_the_same_are_best_together_and_a_single_row_is_not_best() -> None:
    column = Column("loss", ".2f", best="low")
    assert re.findall(r"textbf\{(\S+)\}", latex(Table("t", [column], [[0.111], [0.112], [0.12]]))) == ["0.11", "0.11"]
    assert "textbf" not in latex(Table("t", [column], [[0.1]]))


def test_csv_has_all_digits_and_every_table() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv([TABLE, Table("other", [Column("size", "d")], [[7]])]))))
    assert [row["table"] for row in rows] == ["study"] * 3 + ["other"]
    assert {key: value for key, value in rows[1].items() if value} == {
        "table": "study", "layout": "CCTT", "acc.": "0.82", "acc. low": "0.805", "acc. high": "0.83", "acc. n": "3",
        "loss": "0.2", "loss low": "0.1", "loss high": "0.3", "loss n": "3", "MACs": "6.5",
    }  # fmt: skip
    assert rows[3]["size"] == "7"


def test_latex_is_balanced_and_rows_have_a_cell_a_column() -> None:
    body = latex(TABLE)
    assert body.count("{") == body.count("}")
    assert re.findall(r"\\(?:begin|end)\{\w+\}", body) == [
        r"\begin{table}", r"\begin{tabular}", r"\end{tabular}", r"\end{table}",
    ]  # fmt: skip
    assert {line.count("&") for line in body.splitlines() if line.endswith(r"\\")} == {3}
    assert r"\begin{tabular}{lrrr}" in body
