"""Whether the history of a complete run is whole: one row per epoch, up to the last one that its record states.

A run whose history is missing, cut or full of holes is left out of tables, figures and claims, and named with the
reason, as one whose record cannot be read: its final numbers cannot be derived again, and its curve would look whole.
"""

from collections.abc import Iterator

import pandas as pd

from analysis.read.history import FILE

UNREADABLE = "unreadable"


def without_damaged(runs: pd.DataFrame, history: pd.DataFrame, repair: str) -> pd.DataFrame:
    """Return the runs with the status `unreadable` for complete ones whose history is not whole, and the reason.

    Args:
        runs: one row per run, as `analysis.read.folders` makes them.
        history: their rows.
        repair: what the user can do, in words.
    """
    damaged = dict(_damaged(runs, history))
    if damaged:
        marks = list(damaged)
        runs = runs.astype({"status": object, "error": object})
        runs.loc[marks, "status"] = UNREADABLE
        runs.loc[marks, "error"] = [f"{reason}; {repair}" for reason in damaged.values()]
    return runs


def _damaged(runs: pd.DataFrame, history: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the fingerprints of complete runs whose history is not whole, with what is wrong with it."""
    complete = runs[runs["status"] == "complete"]
    if "epoch" not in complete:
        return
    ended = complete["epoch"].dropna()
    epochs = history.dropna(subset="epoch") if "epoch" in history else history.head(0).assign(epoch=0)
    found = epochs.groupby("fingerprint", observed=True)["epoch"].agg(["max", "nunique"]).reindex(ended.index)
    for mark, due, last, number in zip(ended.index, ended, found["max"], found["nunique"], strict=True):
        if pd.isna(last):
            yield str(mark), f"its {FILE} has no row of an epoch, and the run had {due:g}"
        elif last < due:
            yield str(mark), f"its {FILE} ends with epoch {last:g} of {due:g}"
        elif number < due:
            yield str(mark), f"its {FILE} has rows of only {number:g} of the {due:g} epochs"
