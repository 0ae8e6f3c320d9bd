"""What is checked before any table: numbers that cannot be derived again from what the runs left are refused.

Each complete run must agree with itself: its folder and fingerprint with its config, its final measures with the last
row of its history, and that row with the epochs and steps that were asked for. Measures must be possible ones, and no
two seeds may have the same weights or the same history. In a study of layouts of equal cost, the cost that was counted
must be that of the size's budget. And what is compared must not be told apart by the version of the code or the kind of
device as well: `--allow code` or `--allow device` compares such rows nevertheless, with a footnote.

A run that is damaged, so that a part of it cannot be read, is not refused but left out by name (`analysis.read`). What
W&B does not have, such as weights, is not checked there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, islice
from typing import Any

import numpy as np
import pandas as pd

from analysis.compare.design import Design, Panel
from analysis.compare.order import in_order
from analysis.read.folders import Loaded
from coatlab.errors import InputError
from coatlab.runs.identity import PER_SEED, diff, fingerprint

ALIASES = {"code": "version of the code", "device": "kind of device"}  # columns, which `--allow` takes as well
NAMED = 5  # at most so many of the faults are named in a refusal; the others are counted
ROUNDING = 1e-6
COST_TOLERANCE = 0.1  # of a budget: plans meet it within 2 %, and other variants of attention change it by up to 5 %
SAME_COST = 0.01  # two versions of torch may count an operation differently
COUNTED = ("parameters", "macs")
NOT_OF_A_ROW = ("images_per_second", "step")  # final measures that are not those of the last row

Fault = tuple[str, str]  # a run, and what is wrong with it


def require_derivable(loaded: Loaded) -> None:
    """Check the complete runs of a study, each by itself and for copies of one another.

    Raises:
        InputError: the message names the runs, the numbers and what to do.
    """
    runs = loaded.complete
    if len(runs):
        history = loaded.history[loaded.history["fingerprint"].isin(runs.index)]
        faults = [
            *_names(loaded),
            *_ends(runs, history),
            *_impossible(runs, history),
            *_costs(runs),
            *_copies(runs, history),
        ]
        _refuse(faults)


def audited(panel: Panel, design: Design, allow: Sequence[str] = ()) -> Panel:
    """Check what only a comparison shows: the cost of rows that are to cost the same, and what comes with the factor.

    Args:
        panel: rows that are compared.
        design: of the study.
        allow: `code` or `device`, if rows may be told apart by it; a footnote says so.

    Raises:
        InputError: the message names the rows and the runs, the numbers and what to do.
    """
    if design.matched_cost:
        _refuse([*_off_budget(panel.runs)])
    notes = []
    for column, words in ALIASES.items():
        if apart := _told_apart(panel, column):
            if column not in allow:
                raise InputError(
                    f"rows that are compared in {panel.title} have no {words} in common: {apart}; train them with the "
                    f"same one, or compare them nevertheless with --allow {column}"
                )
            notes.append(f"Compared although rows have no {words} in common: {apart} (--allow {column}).")
    return replace(panel, notes=[*panel.notes, *notes])


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        listed = "; ".join(f"{run} {fault}" for run, fault in faults[:NAMED])
        more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise InputError(
            f"numbers that cannot be derived again from the runs: {listed}{more}; move these runs away, or delete them "
            "to train them again"
        )


def _names(loaded: Loaded) -> Iterator[Fault]:
    """Find runs whose fingerprint is not that of their config, or whose folder is named by another one."""
    runs, donors = loaded.complete, loaded.donors
    for mark, run, config in zip(runs.index, runs["run"], runs["config"], strict=True):
        own, donor = _mark_of(config), (config.get("init") or {}).get("donor") or ""
        if own != mark:
            yield run, f"has the fingerprint {mark} in its record, but its config has {own}"
        elif loaded.in_folders and str(run).rpartition("-")[2] != mark[:8]:
            yield run, f"is not the name of the folder of a run with the fingerprint {mark}, which ends in {mark[:8]}"
        elif donors.get(donor) and (found := _mark_of(donors[donor])) != donor:
            yield run, f"starts from {donor}, whose record has a config with the fingerprint {found}"


def _mark_of(config: Mapping[str, Any]) -> str:
    try:
        return fingerprint(config)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return "none, since it is not that of a run"


def _ends(runs: pd.DataFrame, history: pd.DataFrame) -> Iterator[Fault]:
    """Find runs whose final measures are not those of the last row, or whose last row is not the one asked for."""
    for key, asked, words in (("epoch", "trainer.max_epochs", "epoch"), ("step", "steps", "step")):
        for run, ended, due in _unequal(runs, key, asked):
            yield run, f"ended at {words} {ended:g}, although {due:g} {words}s were asked for"
    if "epoch" not in history:
        return
    last = history.dropna(subset="epoch").groupby("fingerprint", observed=True).tail(1).set_index("fingerprint")
    last.index = last.index.astype(object)
    last = last.reindex(runs.index)
    for run, ended, seen in _unlike_last(runs, last, "step"):
        yield run, f"ended at step {ended:g}, but the last row of its history is of step {seen:g}"
    for key in [key for key in last.columns if key in runs and key not in NOT_OF_A_ROW]:
        for run, final, row in _unlike_last(runs, last, key):
            yield run, f"has {key} {final:.6g} as its final measure, but {row:.6g} in the last row of its history"


def _unlike_last(runs: pd.DataFrame, last: pd.DataFrame, key: str) -> Iterator[tuple[Any, ...]]:
    """Yield the runs whose final measure is another one than that of their last row, with both numbers."""
    if key in runs:
        yield from _unequal(pd.DataFrame({"run": runs["run"], key: runs[key], "last": last[key]}), key, "last")


def _unequal(runs: pd.DataFrame, one: str, other: str) -> Iterator[tuple[Any, ...]]:
    """Yield the runs that have two different numbers in two columns, with the numbers."""
    found = [numbers for numbers in _numbers(runs, one, other) if numbers[1] != numbers[2]]
    for run, left, right in found:
        if not np.isclose(left, right, rtol=ROUNDING, atol=1e-12):
            yield run, left, right


def _numbers(runs: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield the run and its numbers in some columns, for the runs that have all of them."""
    if all(column in runs for column in columns):
        found = runs[list(columns)].apply(pd.to_numeric, errors="coerce")
        for run, numbers in zip(runs["run"], found.to_numpy("float64"), strict=True):
            if not np.isnan(numbers).any():
                yield run, *numbers


def _impossible(runs: pd.DataFrame, history: pd.DataFrame) -> Iterator[Fault]:
    """Find final measures and rows that no training can have."""
    names = runs["run"]
    for key in [column for column in runs if str(column).endswith(("/loss", "/accuracy"))]:
        values = pd.to_numeric(runs[key], errors="coerce").to_numpy("float64")
        for run, value in zip(names, values, strict=True):
            if not np.isfinite(value):
                yield run, f"has no finite {key} at its end"
            elif fault := _out_of_range(key, value):
                yield run, fault
        if key in history:
            values = history[key].to_numpy("float64")
            wrong = (values < 0) | (values > 1) if key.endswith("accuracy") else values < 0
            for mark, value in zip(history["fingerprint"][wrong], values[wrong], strict=True):
                if fault := _out_of_range(key, value):
                    yield names[mark], f"{fault} in its history"
    for run, gap, trained, held in _numbers(runs, "gap", "train_eval/accuracy", "eval/accuracy"):
        if abs(gap - (trained - held)) > ROUNDING:
            yield run, f"has a gap of {gap:.6g}, but its accuracies {trained:.6g} and {held:.6g} differ by another"
    for run, accuracy, images in _numbers(runs, "test/accuracy", "test/images"):
        right = round(accuracy * images)
        if images > 0 and np.float32(right / images) != np.float32(accuracy):
            yield run, f"has test/accuracy {accuracy:.9g}, which is no number of right ones among {images:g} images"


def _out_of_range(key: str, value: float) -> str:
    if key.endswith("accuracy") and not 0 <= value <= 1:
        return f"has {key} {value:.6g}, which is not between 0 and 1"
    return f"has {key} {value:.6g}, which is below 0" if value < -ROUNDING else ""


def _costs(runs: pd.DataFrame) -> Iterator[Fault]:
    """Find runs that were counted to cost something else than other runs of the same network on images of one kind."""
    networks = [
        json.dumps([config.get(part) for part in ("layout", "attention", "plan", "network")])
        + json.dumps([config["data"].get(key) for key in ("image_size", "channels", "num_classes")])
        for config in runs["config"]
    ]
    for key in [key for key in COUNTED if key in runs]:
        counted = pd.to_numeric(runs[key], errors="coerce")
        usual = counted.groupby(networks).transform(lambda numbers: numbers.mode().min())
        for run, number, most in zip(runs["run"], counted, usual, strict=True):
            if abs(number - most) > SAME_COST * most:
                yield run, f"has {number:,.0f} {key}, but other runs of the same network have {most:,.0f}"


def _copies(runs: pd.DataFrame, history: pd.DataFrame) -> Iterator[Fault]:
    """Find seeds of one cell that have the same weights or the same history."""
    for marks, words in ((_marks(runs), "weights"), (_histories(history), "rows of metrics")):
        for twins in marks.groupby(marks).groups.values():
            pairs = (pair for pair in combinations(twins, 2) if _are_seeds(*runs.loc[list(pair), "config"]))
            for one, other in islice(pairs, 1):
                seeds = f"with seeds {runs.loc[one, 'seed']} and {runs.loc[other, 'seed']}"
                yield runs.loc[one, "run"], f"and {runs.loc[other, 'run']}, {seeds}, have the same {words}"


def _are_seeds(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two runs are two seeds of one cell."""
    return one["seed"] != other["seed"] and set(diff(one, other)) <= {*PER_SEED, "data.split_seed"}


def _marks(runs: pd.DataFrame) -> pd.Series:
    return runs["weights"].dropna() if "weights" in runs else pd.Series(dtype=object)


def _histories(history: pd.DataFrame) -> pd.Series:
    """Hash the losses of each run's history: those of two trainings are never all equal."""
    losses = history[[column for column in history if str(column).endswith("loss")]].dropna(how="all")
    if losses.empty:
        return pd.Series(dtype=object)
    marks = history.loc[losses.index, "fingerprint"].astype(object)
    rows = pd.util.hash_pandas_object(losses, index=False)
    return rows.groupby(marks).agg(lambda hashes: hash(tuple(hashes)))


def _off_budget(runs: pd.DataFrame) -> Iterator[Fault]:
    """Find runs that do not cost what the budget of their size says, at the budget's own resolution."""
    for run, config, parameters, macs in zip(
        runs["run"], runs["config"], runs.get("parameters", ()), runs.get("macs", ()), strict=False
    ):
        budget, data = config["size"].get("budget"), config["data"]
        if not budget or budget.get("image_size") != data.get("image_size"):
            continue
        # the classifier is as large as its classes are many, whatever the layout
        more = (data.get("num_classes") or 0) - (budget.get("num_classes") or 0)
        width = config["plan"]["widths"][-1]
        due = {"parameters": budget["parameters"] + more * (width + 1), "macs": budget["macs"] + more * width}
        for key, counted in (("parameters", parameters), ("macs", macs)):
            if not pd.isna(counted) and abs(counted / due[key] - 1) > COST_TOLERANCE:
                off = f"{counted / due[key] - 1:+.0%} from the {due[key]:,.0f} of the budget of size"
                yield run, f"has {counted:,.0f} {key}, {off} {config['size']['name']}, in a study of equal cost"


def _told_apart(panel: Panel, column: str) -> str:
    """Name two rows that have no value of a column in common, with their values; empty if there are none."""
    found = {}
    for row in panel.rows:
        values = frozenset(str(value) for value in row.runs.get(column, pd.Series(dtype=object)).dropna())
        if values:
            found[" ".join(dict.fromkeys(row.words))] = values
    for name, values in found.items():
        for other, its in found.items():
            if not values & its:
                return f"{name} has {_listed(values)}, {other} has {_listed(its)}"
    return ""


def _listed(values: frozenset[str]) -> str:
    return ", ".join(in_order(values))
