"""The command: `python -m analysis layouts` prints a study's table and writes it to reports/<study>/."""

import argparse
import importlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from analysis.cells import notes
from analysis.load import load_runs
from coatlab.cli import one_sentence_errors
from coatlab.errors import InputError, not_one_of
from coatlab.markdown import to_markdown
from coatlab.records import write_atomic

SWEEPS = Path(__file__).resolve().parents[1] / "sweeps"
EVERY_RUN = "all"
DEFAULT_TABLE = "layouts"


def main(words: list[str] | None = None) -> None:
    """Read the arguments, load the study's runs, print and write its table."""
    studies = [*sorted(path.stem for path in SWEEPS.glob("*.yaml")), EVERY_RUN]
    parser = argparse.ArgumentParser(
        prog="python -m analysis", description="Make the tables of a study from its run folders."
    )
    parser.add_argument("study", nargs="?", help=f"one of: {', '.join(studies)} ({EVERY_RUN}: every run there is)")
    parser.add_argument(
        "--runs", type=Path, default=Path(os.environ.get("COATLAB_RUNS", "runs")), help="folder of run folders"
    )
    parser.add_argument(
        "--reports",
        type=Path,
        default=Path(os.environ.get("COATLAB_REPORTS", "reports")),
        help="folder the tables are written to",
    )
    chosen = parser.parse_args(words)
    if chosen.study is None:
        print("studies:", ", ".join(studies))
        return
    if chosen.study not in studies:
        raise not_one_of("study", chosen.study, studies)
    runs = load_runs(chosen.runs, None if chosen.study == EVERY_RUN else chosen.study)
    if runs.empty:
        raise InputError(
            f"--runs={chosen.runs} holds no run of study {chosen.study}; make them: {_command(chosen.study)}"
        )
    text = _text(chosen.study, runs)
    path = chosen.reports / chosen.study / "table.md"
    write_atomic(path, lambda file: file.write(text.encode()))
    print(text)
    print(path)


def _text(study: str, runs: pd.DataFrame) -> str:
    complete = runs[runs["status"] == "complete"]
    parts = [
        f"# {study}",
        f"{len(complete)} of {len(runs)} runs complete. Means over seeds; one seed gives no interval.",
    ]
    if len(complete):
        parts.append(to_markdown(_table(study)(complete)))
        parts += notes(complete)
    for run in runs[runs["status"] != "complete"].itertuples():
        parts.append(f"- not in the table: {run.run}, {run.status}" + (f" ({run.error})" if run.error else ""))
    parts.append(f"Made by `{_command(study)}`; evaluation accuracy is on images held out of the training files.")
    return "\n\n".join(parts) + "\n"


def _table(study: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Find the study's table by its name; a study without one has that of the layouts."""
    own = importlib.util.find_spec(f"analysis.tables.{study}") is not None
    return importlib.import_module(f"analysis.tables.{study if own else DEFAULT_TABLE}").table


def _command(study: str) -> str:
    return "python src/train.py" + ("" if study == EVERY_RUN else f" sweep={study}")


if __name__ == "__main__":
    with one_sentence_errors():
        main()
