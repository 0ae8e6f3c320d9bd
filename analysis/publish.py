"""A report to files below reports/<study>/: tables and verdicts in every format, figures, and the runs used.

table.md  table.tex  table.csv             the study's tables
verdicts.md  verdicts.tex  verdicts.csv    its claims, relation by relation
figures/<name>.svg  .png
runs.csv                                   a row a run, by fingerprint, whatever its status
"""

from collections.abc import Sequence
from pathlib import Path

from analysis.render import Table, latex, markdown, to_csv
from analysis.report import Report
from coatlab.benchmark.plot import save
from coatlab.markdown import escape
from coatlab.records import write_atomic


def publish(report: Report, reports: Path) -> Path:
    """Write a report, each file whole or not at all; return its folder."""
    folder = reports / report.study
    tail = [_list("Runs", report.notes), _list("Made by", report.commands)]
    _tables(folder / "table", f"# {report.study}", report.tables, tail)
    _tables(folder / "verdicts", f"# Claims about {report.study}", report.verdicts)
    for picture in report.pictures:
        save(picture.figure, folder / "figures" / picture.name)
    _write(folder / "runs.csv", to_csv([report.runs]))
    return folder


def _tables(path: Path, head: str, tables: Sequence[Table], tail: Sequence[str] = ()) -> None:
    _write(path.with_suffix(".tex"), "\n\n".join(map(latex, tables)))
    _write(path.with_suffix(".csv"), to_csv(tables))
    _write(path.with_suffix(".md"), "\n\n".join([head, *map(markdown, tables), *tail]))


def _list(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *(f"- {escape(line)}" for line in lines)])


def _write(path: Path, text: str) -> None:
    write_atomic(path, lambda file: file.write(text.strip().encode() + b"\n"))
