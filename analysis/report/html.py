"""A report as one HTML page: verdicts first, then tables, figures, notes, the runs used, and the commands.

The page needs no other file and no network. Style, script and figures are inside it, and its Content-Security-Policy
lets a browser run only that script and load nothing, whatever a run's name contains; names are escaped as well. Cells
are marked as in the other formats, and tables are sorted by numbers, not by their text.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.claims.advice import advice
from analysis.claims.decide import CONTRADICTED, SUPPORTED, UNDECIDED
from analysis.claims.scale import OUT_OF_REACH
from analysis.report.contents import ABOUT_COMMANDS, Picture, Report
from analysis.tabular import NOTHING, TIED, legend, marked
from coatlab.output.figure import encoded
from coatlab.output.text import line

TEMPLATES = Path(__file__).with_name("templates")
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
    style, script = (Markup((TEMPLATES / name).read_text()) for name in ("page.css", "sort.js"))
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
        "image": _image,
        "advice": advice,
        "about_commands": ABOUT_COMMANDS,
    }
    return environment


def _image(picture: Picture) -> Markup:
    """Return a figure as a data URL, so that the image is inside the page."""
    data = base64.b64encode(encoded(picture.figure, picture.name, "svg")).decode()
    return Markup(f"data:image/svg+xml;base64,{data}")


def _hash(text: str) -> Markup:
    """Return the hash by which a Content-Security-Policy allows one script or style."""
    return Markup(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'")
