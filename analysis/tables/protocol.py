"""The protocol of a study, read from its runs: a column per data set, with what is constant and what varies.

A value that differs between layouts is given for each; any other one that varies is listed. So a reader sees whether a
learning rate is shared, how many images an accuracy is of, and on which machine and code the numbers were made.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.compare.order import layout_rank, value_rank
from analysis.compare.panels import value_text
from analysis.tabular import Cell, Column, Table

MOST = 8  # values that are listed; of more, the first and the last are named
SETTINGS: Mapping[str, str] = {
    "training images": "data.train_size",
    "images evaluated, held out": "data.eval_size",
    "images evaluated, test": "test/images",
    "classes": "data.num_classes",
    "resolution (pixels)": "data.image_size",
    "random labels": "data.random_labels",
    "network size": "size.name",
    "start": "init.name",
    "epochs": "trainer.max_epochs",
    "batch size": "data.batch_size",
    "optimizer": "recipe.optimizer",
    "learning rate": "recipe.lr",
    "schedule": "recipe.schedule",
    "weight decay": "recipe.weight_decay",
    "label smoothing": "recipe.label_smoothing",
    "precision": "precision",
}
WARM_UP = {
    "recipe.warmup_steps": "{} steps",
    "recipe.warmup_epochs": "{} epochs",
    "recipe.warmup_share": "{:.0%} of steps",
}
AUGMENTATION = ("recipe.random_crop", "recipe.horizontal_flip", "recipe.randaugment", "recipe.mixup_alpha")
MACHINE = ("device", "gpu", "cpu", "threads")


def protocol_table(runs: pd.DataFrame) -> Table:
    """Describe complete runs: how they were trained, on what and where."""
    by_data = dict(sorted(iter(runs.groupby("data.name", dropna=False)), key=lambda one: str(one[0])))
    rows: dict[str, list[Cell]] = {"runs": [str(len(own)) for own in by_data.values()]}
    for title, key in SETTINGS.items():
        if key in runs:
            values = runs[key].astype(object).where(runs[key].notna(), "all" if key == "data.train_size" else None)
            rows[title] = [_told(own, values[own.index]) for own in by_data.values()]
    told: dict[str, Callable[[pd.DataFrame], str]] = {
        "warm-up": lambda own: _told(own, own.apply(_warm_up, axis=1)),
        "augmentation": lambda own: _told(own, own.apply(_augmentation, axis=1)),
        "seeds": _seeds,
        "trained": _days,
        "time": _time,
        "code": lambda own: _told(own, own["code"]) if "code" in own else "–",
        "machine": lambda own: _told(own, own.apply(_machine, axis=1)),
    }
    rows |= {title: [tell(own) for own in by_data.values()] for title, tell in told.items()}
    columns = [Column("setting"), *(Column(str(name)) for name in by_data)]
    return Table("Protocol", columns, [[title, *cells] for title, cells in rows.items()])


def _told(runs: pd.DataFrame, values: pd.Series) -> str:
    """Write a constant once, a value that each layout has for each, and otherwise the values that there are."""
    every = _listed(values)
    if len(every) == 1:
        return every[0]
    by_layout = {str(name): _listed(own) for name, own in values.groupby(runs["layout.name"])}
    if len({tuple(own) for own in by_layout.values()}) > 1:
        names = sorted(by_layout, key=layout_rank)
        return "by layout: " + "; ".join(f"{name} {_shortened(by_layout[name])}" for name in names)
    return f"varies: {_shortened(every)}"


def _listed(values: pd.Series) -> list[str]:
    """List distinct values in order, numbers as tables write them."""
    known = {_text(value): value for value in values}
    return sorted(known, key=lambda text: value_rank("", None if text == "–" else known[text]))


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else value_text(value)
    return "–" if pd.isna(value) else f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def _shortened(values: Sequence[str]) -> str:
    return ", ".join(values) if len(values) <= MOST else f"{len(values)} values from {values[0]} to {values[-1]}"


def _warm_up(run: pd.Series) -> str:
    return ", ".join(form.format(run[key]) for key, form in WARM_UP.items() if run.get(key)) or "none"


def _augmentation(run: pd.Series) -> str:
    used = [key.partition(".")[2] for key in AUGMENTATION if _on(run.get(key))]
    used += (
        ["randaugment"] if "recipe.randaugment.layers" in run and not pd.isna(run["recipe.randaugment.layers"]) else []
    )
    return ", ".join(dict.fromkeys(used)) or "none"


def _on(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and pd.isna(value)) and bool(value)


def _machine(run: pd.Series) -> str:
    known = {key: run.get(key) for key in MACHINE}
    if _on(known["gpu"]):
        known |= {"cpu": None, "threads": None}
    return ", ".join(f"{key} {_text(value)}" for key, value in known.items() if _on(value))


def _days(runs: pd.DataFrame) -> str:
    """Return the days on which the first and the last run ended, as far as they are known."""
    known = runs["ended"].dropna() if "ended" in runs else pd.Series(dtype=object)
    days = sorted({str(when)[:10] for when in known})
    return " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "–"


def _time(runs: pd.DataFrame) -> str:
    """Add up what all attempts of the runs took, in hours of a core and of a GPU, which runs may have shared."""
    if "seconds" not in runs:
        return "–"
    on_gpu = runs["gpu"].map(_on)
    units = runs["devices"].fillna(1) * runs["threads"].fillna(1).where(~on_gpu, 1)
    units /= runs["gpu_cells"].fillna(1) if "gpu_cells" in runs else 1
    hours = (runs["seconds"] * units / 3600).groupby(on_gpu).sum()
    kinds = {False: "core-hours", True: "GPU hours"}
    return ", ".join(f"{hours[gpu]:.1f} {kind}" for gpu, kind in kinds.items() if gpu in hours)


def _seeds(runs: pd.DataFrame) -> str:
    """List the seeds, and say whether each drew its own training images."""
    seeds = _shortened([f"{seed:.0f}" for seed in sorted(runs["seed"].unique())])
    if "data.split_seed" not in runs or runs["seed"].nunique() < 2:
        return seeds
    own = runs.groupby("seed")["data.split_seed"].first().nunique() > 1
    return f"{seeds}, {'each with its own' if own else 'all with the same'} training images"
