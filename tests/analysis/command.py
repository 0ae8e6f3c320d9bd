"""The command on run folders that a test makes, and what it wrote."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
from matplotlib.figure import Figure

from analysis.__main__ import main
from coatlab.output.figure import encoded
from tests.support.commandline import REPOSITORY
from tests.support.made_runs import make_run

COST = "Cost and speed, "  # begins the titles of the tables of costs
STUDIES = sorted(path.stem for path in (REPOSITORY / "analysis" / "studies").glob("[a-z]*.py"))


def report(tmp_path: Path, study: str, *words: str, figures: bool = False) -> tuple[pd.DataFrame, str]:
    """Run the command on tmp_path/runs; return table.csv and table.md. Its figures are blank unless asked for."""
    with nullcontext() if figures else blank_figures():
        main([study, "--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports"), *words])
    folder = tmp_path / "reports" / study
    return pd.read_csv(folder / "table.csv"), (folder / "table.md").read_text()


def made(tmp_path: Path, study: str, *words: str, seed: int = 0, **entries: Any) -> dict[str, Any]:
    """Make a run in tmp_path/runs; return its record."""
    folder = make_run(tmp_path / "runs", *words, seed=seed, study=study, **entries)
    return json.loads((folder / "record.json").read_text())


@contextmanager
def blank_figures() -> Iterator[None]:
    """Let figures be drawn but not encoded, which takes most of a report's time, for tests that do not look at them."""

    def blank(figure: Figure, name: str, kind: str) -> bytes:
        return _blank(kind)

    with patch("analysis.report.contents.encoded", blank):
        yield


@cache
def _blank(kind: str) -> bytes:
    return encoded(Figure(figsize=(0.1, 0.1)), "blank", kind)
