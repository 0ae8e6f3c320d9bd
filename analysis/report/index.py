"""reports/index.html: all studies in a folder of reports, what each has found and a small figure, from what is there.

The report.json in a study's folder holds what this page, and the next report of the study, need to know. A folder
without one is not a report and is left out; one whose report.json cannot be read is named, with the reason.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from analysis.report.contents import Report
from analysis.report.html import SYMBOLS, render
from analysis.tables.dots import Dots
from coatlab.errors import InputError

FACTS = "report.json"
SCHEMA = 2


@dataclass(frozen=True)
class ClaimFacts:
    """A claim in short: its key, what it says, its ordering, and the verdict."""

    key: str
    says: str
    ordering: str
    verdict: str


@dataclass(frozen=True)
class Facts:
    """What report.json holds.

    Attributes:
        study: its name.
        runs: their number by status.
        claims: the claims about the study, with their verdicts.
        figures: the names of the figures' files.
        best: the row that reaches most, with its number; empty if nothing was measured.
        measure: what that number is.
        made: the day on which the report was made.
    """

    study: str
    runs: Mapping[str, int]
    claims: tuple[ClaimFacts, ...] = ()
    figures: tuple[str, ...] = ()
    best: str = ""
    measure: str = ""
    made: str = ""


@dataclass(frozen=True)
class Entry:
    """A folder on the page: name, relative address, facts or the problem with them, and the first figure."""

    name: str
    address: str
    facts: Facts | None
    problem: str = ""
    thumbnail: bytes | None = None


def facts_of(report: Report) -> Facts:
    """Return what report.json holds for a report."""
    claims = (
        ClaimFacts(judged.claim.key, judged.claim.says, "; ".join(judged.claim.ordering), judged.verdict)
        for judged in report.judgements
    )
    figures = tuple(picture.name for picture in report.pictures)
    return Facts(report.study, dict(report.counts), tuple(claims), figures, *_best(report.dots), report.made)


def _best(plots: Sequence[Dots]) -> tuple[str, str]:
    """Return the row of the first plot that reaches most, with its number, and what that is."""
    known = [dot for dot in plots[0].dots if dot.value.n] if plots else []
    if not known:
        return "", ""
    best = max(known, key=lambda dot: dot.value.mean)
    seeds = "one seed, so no order" if best.value.n == 1 else f"{best.value.n} seeds"
    ends = f" [{best.value.low:.1%}, {best.value.high:.1%}]" if best.value.n > 1 else ""
    others = f"highest of {len(known)}: " if len(known) > 1 else ""
    return f"{best.name} {best.value.mean:.1%}{ends}", f"{others}{plots[0].measure}, {plots[0].title}, {seeds}"


def to_json(facts: Facts) -> str:
    """Return the text of report.json."""
    return json.dumps({"schema": SCHEMA, **asdict(facts)}, indent=2, ensure_ascii=False)


def read_facts(folder: Path) -> Facts | None:
    """Read a folder's report.json; None if there is none.

    Raises:
        InputError: it is not as this version writes it.
    """
    try:
        found = json.loads((folder / FACTS).read_bytes())
        if found["schema"] != SCHEMA:
            raise ValueError(f"schema {found['schema']}, not {SCHEMA}")
        claims = tuple(ClaimFacts(**{key: str(value) for key, value in claim.items()}) for claim in found["claims"])
        if unknown := {claim.verdict for claim in claims} - set(SYMBOLS):
            raise ValueError(f"verdict {', '.join(sorted(unknown))}")
        runs = {str(status): int(number) for status, number in found["runs"].items()}
        words = (str(found[key]) for key in ("best", "measure", "made"))
        return Facts(str(found["study"]), runs, claims, tuple(map(str, found["figures"])), *words)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{FACTS} is damaged or from another version ({type(error).__name__}: {error})") from error


def index_page(reports: Path) -> str:
    """Return the page that lists all studies in a folder, by name, as HTML."""
    entries = [entry for folder in sorted(reports.iterdir()) if (entry := _entry(folder)) is not None]
    return render("index.html", {"entries": entries})


def _entry(folder: Path) -> Entry | None:
    address = f"{quote(os.fsencode(folder.name), safe='')}/report.html"
    try:
        facts = read_facts(folder)
    except InputError as error:
        return Entry(folder.name, address, None, str(error))
    if facts is not None and not (folder / "report.html").is_file():
        return Entry(folder.name, address, None, "report.html is missing")
    return None if facts is None else Entry(folder.name, address, facts, thumbnail=_thumbnail(folder, facts.figures))


def _thumbnail(folder: Path, figures: Sequence[str]) -> bytes | None:
    """Return the first figure of a report; None if there is none that can be read."""
    if not figures or not re.fullmatch(r"\w+", figures[0]):  # nothing outside the folder is shown
        return None
    try:
        svg = (folder / "figures" / f"{figures[0]}.svg").read_bytes()
        svg.decode()
    except (OSError, ValueError):
        return None
    return svg
