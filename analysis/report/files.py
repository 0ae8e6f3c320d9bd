"""Writes a report to files in reports/<study>/: tables and verdicts in each format, figures, the runs used, and a page.

table.md  table.tex  table.csv             the study's tables
verdicts.md  verdicts.tex  verdicts.csv    verdicts on its claims, relation by relation
protocol.md  protocol.tex  protocol.csv    how its runs were trained, on what and where
figures/<name>.svg  .png
runs.csv                                   one row per run, whatever its status
report.json                                what reports/index.html shows of the report, and the names of its figures
report.html                                all of it, on one page that needs no other file; written last

It also rewrites reports/index.html, which lists all studies.
"""

from collections.abc import Sequence
from pathlib import Path

from analysis.report.contents import ABOUT_COMMANDS, Report
from analysis.report.html import report_page
from analysis.report.index import FACTS, facts_of, index_page, read_facts, to_json
from analysis.report.latex import latex
from analysis.report.text import markdown, to_csv
from analysis.tabular import Table
from coatlab.errors import InputError
from coatlab.output.files import write_atomic
from coatlab.output.markdown import escape


def publish(report: Report, reports: Path) -> Path:
    """Write a report and the list of studies, each file completely or not at all; return the report's folder."""
    folder = reports / report.study
    tail = [
        _list("## Runs", [*report.notes, *report.absent]),
        _list(f"## Commands\n\n{ABOUT_COMMANDS}", report.commands),
    ]
    _tables(folder / "table", f"# {report.study}", report.tables, tail)
    _tables(folder / "verdicts", f"# Claims about {report.study}", report.verdicts)
    _tables(folder / "protocol", f"# Protocol of {report.study}", [report.protocol] if report.protocol else [])
    for picture in report.pictures:
        for kind, content in (("svg", picture.svg), ("png", picture.png)):
            path = folder / "figures" / f"{picture.name}.{kind}"
            write_atomic(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
    _write(folder / "runs.csv", to_csv([report.runs]))
    facts = facts_of(report)
    _remove_figures(folder, but=facts.figures)
    _write(folder / FACTS, to_json(facts))
    _write(folder / "report.html", report_page(report))
    _write(reports / "index.html", index_page(reports))
    return folder


def _remove_figures(folder: Path, but: Sequence[str]) -> None:
    """Delete the figures of the previous report that this one does not have; files of others stay."""
    try:
        before = read_facts(folder)
    except InputError:  # it is damaged, so nothing says which figures are ours
        return
    for name in set(before.figures if before else ()) - set(but):
        for path in (folder / "figures").glob("*.*"):
            if path.name in (
                f"{name}.svg",
                f"{name}.png",
            ):  # whatever the name is, nothing outside the folder is deleted
                path.unlink()


def _tables(path: Path, head: str, tables: Sequence[Table], tail: Sequence[str] = ()) -> None:
    _write(path.with_suffix(".tex"), "\n\n".join(map(latex, tables)))
    _write(path.with_suffix(".csv"), to_csv(tables))
    _write(path.with_suffix(".md"), "\n\n".join([head, *map(markdown, tables), *tail]))


def _list(head: str, lines: Sequence[str]) -> str:
    return "\n".join([head, "", *(f"- {escape(line)}" for line in lines)])


def _write(path: Path, text: str) -> None:
    write_atomic(path, lambda file: file.write(text.strip().encode() + b"\n"))
