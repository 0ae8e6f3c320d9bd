"""The report of published results, as files that can be committed beside them and that a forge shows.

analysis/results/<study>/
    report.md      what was found, the tables, and the verdicts relation by relation
    <figure>.svg   the figures

`python -m analysis --results` writes them anew from the data that is committed, and prints what was found.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.report.contents import Picture, Report
from analysis.report.findings import findings
from analysis.report.text import markdown
from coatlab.output.files import write_atomic
from coatlab.output.markdown import escape

PAGE = "report.md"


def publish_beside(report: Report, folder: Path) -> None:
    """Write the report of published results into their folder; figures that it no longer has are deleted."""
    files = contents(report)
    for path in folder.glob("*.svg"):
        if path.name not in files:
            path.unlink()
    for name, content in files.items():
        write_atomic(folder / name, lambda file, content=content: file.write(content))  # type: ignore[misc]


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
