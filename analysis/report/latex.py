r"""One table as LaTeX with booktabs: the same marks as in the other formats, and never wider than the text.

A document needs \usepackage{booktabs,graphicx}; with \usepackage[T1]{fontenc} there is a glyph for every character
that is written here. So that a table of many measures stays readable, intervals are printed small, below their numbers,
and the words of a title below each other; a table that is still too wide is scaled down to the width of the text.
"""

import unicodedata
from collections.abc import Sequence

from analysis.tabular import TIED, Column, Marked, Table, folded, legend, marked
from coatlab.output.text import line

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "'": "{'}",  # two of them would be one character
    '"': r"\char34{}",
    "-": "{-}",  # two of them would be a dash
    "[": "{[}",  # after the end of a row it would begin a length
    "*": "{*}",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "±": r"$\pm$",
    "²": "$^2$",
    "–": "--",
    TIED: r"$\dagger$",
}
_ACCENTS = set("\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0327")  # that every LaTeX font has
# \width is the width of the table itself
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def latex(table: Table) -> str:
    """Write a table as LaTeX."""
    table = folded(table)
    caption = ". ".join(part for part in map(line, (table.title, table.caption)) if part)
    notes = [rf"{tex(note)}\par" for note in (*legend(table), *table.notes)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex(caption)}}}",
        r"\smallskip",
        r"\setlength{\tabcolsep}{3pt}",
        _FIT,
        rf"\begin{{tabular}}{{{''.join('r' if column.form else 'l' for column in table.columns)}}}",
        r"\toprule",
        " & ".join(map(_title, table.columns)) + r" \\",
        r"\midrule",
        *map(_row, marked(table)),
        r"\bottomrule",
        r"\end{tabular}}",
        *([r"\par\smallskip\footnotesize", *notes] if notes else []),
        r"\end{table}",
    ]
    return "\n".join(lines)


def tex(text: str) -> str:
    """Write text so that LaTeX shows it as it is; a character that LaTeX may not have is shown by its number."""
    return "".join(_TEX.get(letter) or _letter(letter) for letter in line(text))


def _title(column: Column) -> str:
    words = r"\\".join(tex(word) for word in line(column.title).split())
    return rf"\shortstack[{'r' if column.form else 'l'}]{{{words}}}"


def _row(cells: Sequence[Marked]) -> str:
    row = rf"{' & '.join(map(_cell, cells))} \\"
    return row + r" \addlinespace" * any(cell.behind for cell in cells)


def _cell(cell: Marked) -> str:
    text = tex(cell.text)
    if cell.long:
        return rf"\parbox[t]{{14em}}{{\raggedright {text}\strut}}"
    text = (rf"\textbf{{{text}}}" if cell.best else text) + r"$^\dagger$" * cell.tied
    below = rf"\\[-2pt] \scriptsize {tex(cell.behind)}"
    return rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{text} {below}\end{{tabular}}" if cell.behind else text


def _letter(letter: str) -> str:
    base, *accents = list(unicodedata.normalize("NFD", letter))
    if base.isascii() and (not accents or (ord(letter) < 0x180 and _ACCENTS.issuperset(accents))):
        return letter
    return rf"\texttt{{U+{ord(letter):04X}}}"
