"""The command: `python -m analysis layouts` prints a study's tables and writes them to reports/<study>/."""

import argparse
import importlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from analysis.cells import Design, listing, tables
from analysis.load import Loaded, load
from analysis.render import Table, latex, markdown, terminal, to_csv
from analysis.stats import Floats, Summary, summarize
from coatlab.cli import one_sentence_errors
from coatlab.errors import InputError, not_one_of
from coatlab.markdown import escape
from coatlab.records import write_atomic

SWEEPS = Path(__file__).resolve().parents[1] / "sweeps"
EVERY_RUN = "all"
DEFAULT_TABLE = "layouts"
WIDE = 240  # columns of a terminal that is none: a file or a pipe


def main(words: list[str] | None = None) -> None:
    """Read the arguments, load the study's runs, print and write its tables.

    Raises:
        InputError: no such study, no run of it, or runs that must not be compared.
    """
    studies = [*sorted(path.stem for path in SWEEPS.glob("*.yaml")), EVERY_RUN]
    chosen = _arguments(studies, words)
    if chosen.study is None:
        print("studies:", ", ".join(studies))
        return
    if chosen.study not in studies:
        raise not_one_of("study", chosen.study, studies)
    study = None if chosen.study == EVERY_RUN else chosen.study
    loaded = _load(chosen, study)
    if loaded.runs.empty:
        place = f"--project={chosen.project}" if chosen.source == "wandb" else f"--runs={chosen.runs}"
        raise InputError(f"{place} holds no run of study {chosen.study}; make them: {_command(chosen.study)}")
    made: Sequence[Table] = []
    if not loaded.complete.empty:
        design = _design(chosen.study)
        made = (
            [listing(loaded.complete, summarize=_interval)]
            if study is None
            else tables(loaded.complete, design, loaded.donors, chosen.allow, summarize=_interval)
        )
    folder = chosen.reports / chosen.study
    notes = [
        *loaded.note(),
        f"Made by {_command(chosen.study)}; eval acc. is on images held out of the training files.",
    ]
    for name, text in {
        "table.tex": "\n\n".join(latex(table) for table in made),
        "table.csv": to_csv(made),
        "table.md": "\n\n".join(
            [f"# {chosen.study}", *map(markdown, made), "## Runs", "\n".join(f"- {escape(note)}" for note in notes)]
        ),
    }.items():
        write_atomic(folder / name, lambda file, text=text: file.write(text.strip().encode() + b"\n"))  # type: ignore[misc]
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = WIDE
    for table in made:
        terminal(table, console)
    for note in notes:
        console.print(note, markup=False, soft_wrap=True)
    print(folder / "table.md")


def _arguments(studies: Sequence[str], words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analysis", description="Make the tables of a study from its runs.")
    parser.add_argument("study", nargs="?", help=f"one of: {', '.join(studies)} ({EVERY_RUN}: every run there is)")
    parser.add_argument(
        "--runs", type=Path, default=Path(os.environ.get("COATLAB_RUNS", "runs")), help="folder of run folders"
    )
    parser.add_argument("--source", choices=["folders", "wandb"], default="folders", help="where the runs are read")
    parser.add_argument("--project", help="entity/name of the W&B project, for --source wandb")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="KEY", help="compare runs that differ in this key; footnoted"
    )
    parser.add_argument(
        "--reports",
        type=Path,
        default=Path(os.environ.get("COATLAB_REPORTS", "reports")),
        help="folder the tables are written to",
    )
    return parser.parse_args(words)


def _load(chosen: argparse.Namespace, study: str | None) -> Loaded:
    if chosen.source == "folders":
        return load(chosen.runs, study)
    from analysis.wandb_source import load_project

    return load_project(chosen.project, study)


def _interval(values_S: Floats) -> Summary:
    """Summarize a cell's numbers, with the same interval every time."""
    return summarize(values_S, np.random.default_rng(0))


def _design(study: str) -> Design:
    """Find the study's design by its name; a study without one compares layouts."""
    own = importlib.util.find_spec(f"analysis.tables.{study}") is not None
    design = importlib.import_module(f"analysis.tables.{study if own else DEFAULT_TABLE}").DESIGN
    assert isinstance(design, Design)
    return design


def _command(study: str) -> str:
    return "python src/train.py" + ("" if study == EVERY_RUN else f" sweep={study}")


if __name__ == "__main__":
    with one_sentence_errors():
        main()
