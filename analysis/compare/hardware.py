"""Runs by the hardware and precision that they were trained with: only within one kind can speeds be compared."""

import pandas as pd

# columns of the runs and their titles; the host's name is left out, since two machines of one kind are equally fast
TITLES = {
    "gpu": "GPU",
    "gpu_cells": "cells per GPU",
    "cpu": "CPU",
    "devices": "devices",
    "threads": "threads",
    "precision": "precision",
}


def by_hardware(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split runs by hardware and precision: the runs of each kind by its description, the most frequent kind first."""
    known = runs[[key for key in TITLES if key in runs]].astype(object)
    words = pd.Series([_words(dict(zip(known, row, strict=True))) for row in known.itertuples(index=False)], runs.index)
    return {str(word): runs[words == word] for word in words.value_counts().index}


def _words(run: dict[str, object]) -> str:
    if not pd.isna(run.get("gpu")):
        run = {key: value for key, value in run.items() if key not in ("cpu", "threads")}
    return ", ".join(
        f"{name} {run[key]:g}" if isinstance(run[key], float) else f"{name} {run[key]}"
        for key, name in TITLES.items()
        if not pd.isna(run.get(key))
    )
