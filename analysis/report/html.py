"""A report as one HTML page: what was found at its top, then verdicts, figures, tables, protocol, runs and commands.

The page needs no other file and no network. Style, script and figures are inside it, and its Content-Security-Policy
lets a browser run only that script and load nothing, whatever a run's name contains; names are escaped as well. Cells
are marked as in the other formats, and tables are sorted by numbers, not by their text. Every figure is there twice,
for light and for dark.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.claims.advice import first_runs, has_runs, next_step
from analysis.claims.decide import CONTRADICTED, SUPPORTED, UNDECIDED
from analysis.claims.scale import OUT_OF_REACH
from analysis.compare.finished import metric_words
from analysis.report.contents import ABOUT_COMMANDS, Report
from analysis.report.findings import headlines, relation_words, settling, why_silent
from analysis.report.tracks import dot_tracks, forest
from analysis.tabular import NOTHING, TIED, Column, Interval, Marked, Table, folded, legend, marked
from coatlab.output.figure import darkened
from coatlab.output.text import line

TEMPLATES = Path(__file__).with_name("templates")
PAPER = "https://arxiv.org/abs/2106.04803"
LETTERS = (
    "A layout is named by its stages S1 to S4, from the image to the class: CCTT has convolution in S1 and S2, and "
    "attention in S3 and S4. Before them, S0 is a convolutional stem.",
    "C: MBConv blocks, which look at 3 x 3 neighbours with weights that depend on the shift alone.",
    "T: transformer blocks with relative attention, which looks at all positions by weights that depend on the image.",
    "ViT_REL: attention alone, at one resolution, after a stem that cuts the image into patches.",
)
SCRIPTS = ("sort.js", "copy.js")
SYMBOLS = {
    SUPPORTED: "✓",
    CONTRADICTED: "✗",
    UNDECIDED: "?",
    OUT_OF_REACH: "…",
}  # beside the word, so that no verdict is shown by colour alone


def report_page(report: Report) -> str:
    """Write a report as HTML."""
    return render("report.html", {"report": report})


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template; all values except our own markup are shown as text, on one line, without control characters."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: line(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    style = Markup((TEMPLATES / "page.css").read_text())
    script = Markup("\n".join((TEMPLATES / name).read_text() for name in SCRIPTS))
    environment.globals |= {
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "symbols": SYMBOLS,
        "nothing": NOTHING,
        "tied": TIED,
        "marked": marked,
        "legend": legend,
        "image": image,
        "darkened": darkened,
        "folded": folded,
        "value": _value,
        "next_step": next_step,
        "first_runs": first_runs,
        "has_runs": has_runs,
        "headlines": headlines,
        "settling": settling,
        "why_silent": why_silent,
        "metric_words": metric_words,
        "relation_words": relation_words,
        "dot_tracks": dot_tracks,
        "forest": forest,
        "paper": PAPER,
        "letters": LETTERS,
        "about_commands": ABOUT_COMMANDS,
    }
    environment.tests["judged_by_runs"] = has_runs
    return environment


def image(svg: bytes) -> Markup:
    """Return an SVG as a data URL, so that the image is inside the page."""
    return Markup(f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}")


def _value(number: Interval) -> Marked:
    """Return an accuracy as tables show it."""
    ((cell,),) = marked(Table("", [Column("", ".1%")], [[number]]))
    return cell


def _hash(text: str) -> Markup:
    """Return the hash by which a Content-Security-Policy allows one script or style."""
    return Markup(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
