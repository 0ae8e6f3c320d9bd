"""Whether the history of a complete run is whole: one row per epoch, up to the last one that its record states.

A run whose history is cut, full of holes or cannot be read is left out of tables, figures and claims, and named with
the reason, as one whose record cannot be read: its final numbers cannot be derived again, and its curve would look
whole. A run that has none at all, such as a record that was copied alone, is in the tables and in no curve, and named.
"""

from collections.abc import Collection, Iterator

import pandas as pd

from analysis.read.history import FILE

UNREADABLE = "unreadable"
NAMED = 20  # at most so many runs are named in a note


def without_damaged(
    runs: pd.DataFrame, history: pd.DataFrame, repair: str, without: Collection[str] = ()
) -> pd.DataFrame:
    """Return the runs with the status `unreadable` for complete ones whose history is not whole, and the reason.

    Args:
        runs: one row per run, as `analysis.read.folders` makes them.
        history: their rows.
        repair: what the user can do, in words.
        without: the fingerprints of runs that have no history at all.
    """
    damaged = {mark: reason for mark, reason in _damaged(runs, history) if mark not in without}
    if damaged:
        marks = list(damaged)
        runs = runs.astype({"status": object, "error": object})
        runs.loc[marks, "status"] = UNREADABLE
        runs.loc[marks, "error"] = [f"{reason}; {repair}" for reason in damaged.values()]
    return runs


def without_note(runs: pd.DataFrame, without: Collection[str]) -> tuple[str, ...]:
    """Name complete runs that have no history at all by their fingerprints, in a sentence; empty: there are none."""
    named = [str(mark) for mark in runs.index[runs["status"] == "complete"] if mark in without]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    told = f"without {FILE}, so in no curve, and not checked against it: {', '.join(named[:NAMED])}{more}"
    return (told,) if named else ()


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
