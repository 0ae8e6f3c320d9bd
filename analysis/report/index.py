"""reports/index.html: all studies in a folder of reports, with their runs and verdicts, rewritten from what is there.

The report.json in a study's folder holds what this page, and the next report of the study, need to know. A folder
without one is not a report and is left out; one whose report.json cannot be read is named, with the reason.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from analysis.report.contents import Report
from analysis.report.html import SYMBOLS, render
from coatlab.errors import InputError

FACTS = "report.json"
SCHEMA = 1


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
    """

    study: str
    runs: Mapping[str, int]
    claims: tuple[ClaimFacts, ...] = ()
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A folder on the page: its name, its relative address, and its facts, or the problem with them."""

    name: str
    address: str
    facts: Facts | None
    problem: str = ""


def facts_of(report: Report) -> Facts:
    """Return what report.json holds for a report."""
    claims = (
        ClaimFacts(judged.claim.key, judged.claim.says, "; ".join(judged.claim.ordering), judged.verdict)
        for judged in report.judgements
    )
    return Facts(report.study, dict(report.counts), tuple(claims), tuple(picture.name for picture in report.pictures))


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
        return Facts(str(found["study"]), runs, claims, tuple(map(str, found["figures"])))
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
    return None if facts is None else Entry(folder.name, address, facts)
