"""`coatlab.load_runs`: the runs of a folder, and their histories, as two DataFrames for Python users."""

import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from analysis.read.folders import load
from analysis.read.results import load_results, published
from coatlab.config.places import folder
from coatlab.errors import InputError
from coatlab.output.text import shown


class Frames(NamedTuple):
    """Runs and their histories, to be unpacked: `runs, history = load_runs()`.

    Attributes:
        runs: one row per run, by fingerprint, whatever its status: settings by their dotted names, final measures,
            costs, and where it ran (`analysis.read.folders.Loaded` lists all columns).
        history: one row per epoch or logged step: `fingerprint`, `step`, and the measures of the row.
    """

    runs: pd.DataFrame
    history: pd.DataFrame


def load_runs(runs: str | os.PathLike[str] | None = None, study: str | None = None) -> Frames:
    """Read the runs in a folder.

    Args:
        runs: a folder of run folders, or of published results, as analysis/results. None: $COATLAB_RUNS, else runs/ of
            the repository.
        study: only the runs that this study asked for; published results are read study by study.

    Raises:
        InputError: a ValueError in one sentence: there is no run there, or none of the study; two folders hold the same
            run.
    """
    where = Path(runs).expanduser() if runs is not None else folder("runs")
    studies = published(where)
    if studies and study is None:
        raise InputError(f"{shown(where)} holds published results; say of which study: {', '.join(studies)}")
    if studies:
        loaded = load_results(where, str(study))
        return Frames(loaded.runs, loaded.history)
    loaded = load(where, study)
    if loaded.runs.empty:
        raise InputError(f"{shown(where)} holds no run" + (f" of study {study}" if study is not None else ""))
    return Frames(loaded.runs, loaded.history)
