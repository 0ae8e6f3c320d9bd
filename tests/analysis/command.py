"""The command on run folders that a test makes, and what it wrote."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.__main__ import main
from tests.support.commandline import REPOSITORY
from tests.support.made_runs import make_run

COST = "Cost and speed, "  # begins the titles of the tables of costs
STUDIES = sorted(path.stem for path in (REPOSITORY / "analysis" / "studies").glob("[a-z]*.py"))


def report(tmp_path: Path, study: str, *words: str) -> tuple[pd.DataFrame, str]:
    """Run the command on tmp_path/runs; return table.csv and table.md."""
    main([study, "--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports"), *words])
    folder = tmp_path / "reports" / study
    return pd.read_csv(folder / "table.csv"), (folder / "table.md").read_text()


def made(tmp_path: Path, study: str, *words: str, seed: int = 0, **entries: Any) -> dict[str, Any]:
    """Make a run in tmp_path/runs; return its record."""
    folder = make_run(tmp_path / "runs", *words, seed=seed, study=study, **entries)
    return json.loads((folder / "record.json").read_text())
