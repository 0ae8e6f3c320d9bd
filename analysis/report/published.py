"""The report of published results, as files that can be committed beside them and that a forge shows.

analysis/results/<study>/
    report.md      what was found, the tables, and the verdicts relation by relation
    <figure>.svg   the figures

The README of the repository has a section of them, between two comments: a figure, what the rows reach, and a sentence
about each primary claim. analysis/results/README.md is written by people and cites its numbers (cited.py). `python -m
analysis --results` writes all of it anew from the data that is committed, and prints what was found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.report.cited import cite
from analysis.report.contents import Picture, Report
from analysis.report.findings import findings, headlines
from analysis.report.text import markdown
from analysis.tables.dots import summary_table
from coatlab.output.files import write_atomic
from coatlab.output.markdown import escape

PAGE = "report.md"
MAIN, FIGURE = "layouts", "generalization"  # the study whose table and figure the README has
COLUMNS = 6  # of that table; a page is wider than a terminal
BEGIN, END = "<!-- results: written by make results -->", "<!-- end of results -->"


def publish_beside(report: Report, folder: Path) -> None:
    """Write the report of published results into their folder; figures that it no longer has are deleted."""
    files = contents(report)
    for path in folder.glob("*.svg"):
        if path.name not in files:
            path.unlink()
    for name, content in files.items():
        write_atomic(folder / name, lambda file, content=content: file.write(content))  # type: ignore[misc]


def write_pages(readme: Path, text: Path, reports: Sequence[Report]) -> None:
    """Write anew the section of the README between the two comments, and every number that it and the text cite.

    Args:
        readme: the README of the repository, which must have the comments.
        text: what people write about the results, beside the studies' folders; need not be there.
        reports: of all published studies.

    Raises:
        InputError: one of them cites a number that no report has; then neither is written.
    """
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    folder = text.parent.relative_to(readme.parent).as_posix()
    pages = {readme: "\n\n".join([f"{before}{BEGIN}", *_section(reports, folder), f"{END}{after}"])}
    if text.exists():
        pages[text] = text.read_text(encoding="utf-8")
    pages = {path: cite(page, reports) for path, page in pages.items()}
    for path, page in pages.items():
        write_atomic(path, lambda file, page=page: file.write(page.encode()))  # type: ignore[misc]


def _section(reports: Sequence[Report], folder: str) -> Iterator[str]:
    for report in reports:
        if report.study != MAIN:
            continue
        for picture in report.pictures:
            if picture.name == FIGURE:
                yield f"![Generalization against capacity]({folder}/{MAIN}/{FIGURE}.svg)"
        yield f"Layouts on {escape(report.compared)}:"
        yield markdown(replace(summary_table(report.dots, COLUMNS), title=""))
    lines = [
        f"- **{report.study}** ([report]({folder}/{report.study}/{PAGE})): {escape(sentence)}"
        for report in sorted(reports, key=lambda report: report.study != MAIN)
        for sentence in headlines(report.judgements)
    ]
    if lines:
        yield "\n".join(lines)


def contents(report: Report) -> Mapping[str, bytes]:
    """Return the files of a report by name: the same runs give the same bytes."""
    figures = {f"{one.name}.svg": one.svg for one in report.pictures}
    parts = [
        f"# Results of {escape(report.study)}",
        "Written by `make results` from the data in this folder; edits are lost.",
        "## What was found",
        "\n".join(_bullets(findings(report.judgements))) or "No claim is about this study.",
        *(_figure(picture) for picture in report.pictures),
        *map(markdown, [*report.tables, *report.verdicts, *filter(None, [report.protocol])]),
        "\n".join(["## Runs", "", *(f"- {escape(note)}" for note in (*report.notes, *report.absent))]),
        "\n".join(["## Commands", "", "```bash", *report.commands, "```"]),
    ]
    return {PAGE: ("\n\n".join(parts).strip() + "\n").encode()} | figures


def _figure(picture: Picture) -> str:
    return f"![{escape(picture.caption)}]({picture.name}.svg)\n\n{escape(picture.caption)}"


def _bullets(lines: Sequence[str]) -> list[str]:
    """Write findings as a nested list: a line that is indented belongs to the one before it."""
    return [f"  - {escape(line.strip())}" if line.startswith(" ") else f"- {escape(line)}" for line in lines]
