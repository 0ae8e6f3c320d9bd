"""Where each run of a folder stands, and each cell of a study that has no run yet."""

import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coatlab.output.text import printable
from coatlab.runs.identity import experiment, folder_name, per_seed
from coatlab.runs.record import read_metrics, run_folders
from coatlab.runs.spec import Spec
from coatlab.runs.state import State, state_of


@dataclass(frozen=True)
class CellStatus:
    """Where one run stands; an entry of `cells` in the JSON of `coatlab.status`."""

    name: str
    studies: list[str]
    seed: int | None
    state: str
    asked: bool
    folder: str
    fingerprint: str | None
    error: str | None
    age: float | None
    epoch: int | None
    epochs: int | None


def cell_statuses(runs: Path, study: str | None = None, cells: Iterable[Spec] = ()) -> list[CellStatus]:
    """Return the status of every run that a study asks for or has, in the order of its sweep.

    Args:
        runs: folder of run folders.
        study: name of a sweep; None: all runs in the folder.
        cells: the cells that the study asks for.
    """
    asked: dict[Path, Mapping[str, Any]] = {}
    for cell in cells:
        if cell.donor:
            asked[cell.donor.folder] = cell.donor.config
        asked[cell.folder] = cell.config
    folders = dict.fromkeys([*asked, *run_folders(runs)])
    states = {folder: state_of(folder) for folder in folders}
    kept = [
        folder for folder, state in states.items() if study is None or folder in asked or study in _studies_of(state)
    ]
    configs = {folder: asked.get(folder) or (states[folder].record or {}).get("config") for folder in kept}
    names = _distinct_names({folder: config for folder, config in configs.items() if config})
    return [
        _status_of(folder, states[folder], configs[folder], names.get(folder, printable(folder.name)), folder in asked)
        for folder in kept
    ]


def _studies_of(state: State) -> list[str]:
    return list(state.record["studies"]) if state.record else []


def _status_of(folder: Path, state: State, config: Mapping[str, Any] | None, name: str, asked: bool) -> CellStatus:
    rows: Sequence[Mapping[str, Any]] = []
    if state.record:  # a complete run's record holds its last epoch; reading all rows of thousands of runs is slow
        with suppress(OSError):  # it may be closed to this user
            rows = [state.record["final"]] if state.name == "complete" else read_metrics(folder)
    latest = _last_written(folder)
    done = [row["epoch"] for row in rows if _is_epoch(row.get("epoch"))]
    return CellStatus(
        name=name,
        studies=_studies_of(state),
        seed=config["seed"] if config else None,
        state=state.name,
        asked=asked,
        folder=str(folder),
        fingerprint=state.record["fingerprint"] if state.record else None,
        error=state.reason if state.name != "complete" else None,
        age=None if latest is None else round(time.time() - latest, 1),
        epoch=int(done[-1]) if done else None,
        epochs=config["trainer"]["max_epochs"] if config else None,
    )


def _is_epoch(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < sys.maxsize


def _last_written(folder: Path) -> float | None:
    """Return when a row or the record of a run was written last; None where neither can be looked at."""
    times = []
    for name in ("metrics.jsonl", "record.json"):
        with suppress(OSError):
            times.append((folder / name).stat().st_mtime)
    return max(times, default=None)


def _distinct_names(configs: Mapping[Path, Mapping[str, Any]]) -> dict[Path, str]:
    """Name each run by its folder without seed and fingerprint; runs of one name get the keys in which they differ."""
    alike: dict[str, dict[Path, dict[str, Any]]] = defaultdict(dict)
    dropped = per_seed(configs.values())
    for folder, config in configs.items():
        counts = {key: value for key, value in experiment(config).items() if key not in dropped}
        alike[folder_name(config).rsplit("-", 2)[0]][folder] = counts
    names = {}
    for name, flat in alike.items():
        keys = sorted({key for counts in flat.values() for key in counts})
        varied = [key for key in keys if len({str(counts.get(key)) for counts in flat.values()}) > 1]
        for folder, counts in flat.items():
            names[folder] = " ".join([name, *(f"{key}={counts[key]}" for key in varied if key in counts)])
    return names
