"""What runs were trained on, as far as speed goes: those of one kind of hardware and precision are timed alike."""

import pandas as pd

# columns of the runs, and how they are named; a machine's own name is none of it: two of a kind are as fast
TITLES = {"gpu": "GPU", "cpu": "CPU", "devices": "devices", "threads": "threads", "precision": "precision"}


def by_hardware(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Split runs by hardware and precision: words for each kind, and its runs, the most frequent kind first."""
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
