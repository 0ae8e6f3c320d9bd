r"""Tables as LaTeX: text that is text, read back by the rules of LaTeX's scanner and from the PDF that LaTeX makes."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.report.latex import latex, tex
from analysis.tabular import Column, Mean, Table
from tests.analysis.report.hostile import HOSTILE, shown
from tests.analysis.report.test_text import TABLE, text
from tests.support.programs import why_not

DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{lmodern,booktabs,graphicx}
\begin{document}
%s
\end{document}
"""
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


def typeset(body: str, folder: Path) -> tuple[str, str]:
    """Return the text of the PDF that LaTeX makes of tables, without spaces, and LaTeX's log."""
    if reason := why_not("pdflatex", "pdftotext"):
        pytest.skip(reason)
    (folder / "t.tex").write_text(DOCUMENT % body)
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    seen = subprocess.run(["pdftotext", "-raw", "t.pdf", "-"], cwd=folder, capture_output=True, text=True, check=True)
    return "".join(seen.stdout.split()), (folder / "t.log").read_text(errors="replace")


def overfull(log: str) -> list[float]:
    """List by how many points lines are too wide."""
    return [float(width) for width in re.findall(r"Overfull \\hbox \(([0-9.]+)pt", log)]


def numbered(name: str) -> str:
    """Write a name as a PDF has it: letters that fonts of LaTeX may lack by their numbers, quotes as typeset."""
    letters = (letter if ord(letter) < 0x180 else f"U+{ord(letter):04X}" for letter in name)
    return "".join("".join(letters).split()).replace("'", "’")


@given(text)
def test_text_is_shown_as_it_is(name: str) -> None:
    assert read_tex(tex(name)) == name


@given(st.text())
def test_there_is_nothing_that_a_font_may_lack(name: str) -> None:
    assert all(ord(letter) < 0x180 and letter.isprintable() for letter in tex(name))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text(name: str) -> None:
    body = latex(Table(name, [Column("run")], [[name[:40]]], caption=name, notes=[name]))
    assert read_tex(re.findall(r"\\midrule\n(.*) \\\\\n\\bottomrule", body)[0]) == shown(name[:40])
    assert read_tex(re.findall(r"\\caption\{(.*)\}\n", body)[0]) == f"{shown(name)}. {shown(name)}"


@pytest.mark.external
def test_a_pdf_shows_hostile_names_as_text(tmp_path: Path) -> None:
    bodies = [latex(Table(name, [Column("run"), Column(name)], [[name, "x"]], notes=[name])) for name in HOSTILE]
    seen, _ = typeset("\n".join(bodies), tmp_path)
    for name in HOSTILE:
        assert seen.count(numbered(shown(name))) >= 3, name
    assert "root:" not in seen


def test_the_best_is_bold_and_the_interval_stands_below() -> None:
    assert re.findall(r"textbf\{(\S+)\}", latex(TABLE)) == [r"82.0\%", "0.20"]
    assert r"80.0\%$^\dagger$ \\[-2pt] \scriptsize {[}79.0\%, 81.0\%]" in latex(TABLE)


def test_rows_have_a_cell_a_column() -> None:
    body = latex(TABLE)
    assert body.count("{") == body.count("}")
    rows = body.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
    assert [row.count(" & ") for row in rows] == [3, 3, 3]
    assert r"\begin{tabular}{lrrr}" in body


@pytest.mark.external
def test_a_wide_table_fits_the_page_and_shows_its_numbers(tmp_path: Path) -> None:
    columns = [Column("layout"), *(Column(f"measure {i}", ".1%", best="high") for i in range(12)), Column("why")]
    sentence = "a sentence that says in many words why nothing can be said of it yet, and what would help"
    rows = [
        [name, *(Mean(3, 0.5 + i / 100, 0.4, 0.6 + i / 100) for i in range(12)), sentence] for name in ("CCCC", "CCTT")
    ]
    seen, log = typeset(latex(Table("wide", columns, rows, notes=[sentence] * 2)), tmp_path)
    assert not [width for width in overfull(log) if width > 1]
    assert all(f"{50 + i}.0%" in seen and f"[40.0%,{60 + i}.0%]" in seen for i in range(12))


@pytest.mark.external
def test_a_narrow_table_keeps_its_size(tmp_path: Path) -> None:
    assert not overfull(typeset(latex(TABLE), tmp_path)[1])
