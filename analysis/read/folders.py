"""Run folders to two DataFrames: one row per run, and one row per epoch or logged step.

Runs of every status are here, with the status in a column. `python -m analysis` never mixes complete runs with others,
and `Loaded.note` counts and names those that are not complete. `analysis.read.wandb` reads the same frames from W&B.

10,000 runs of 300 epochs (1.1 GB) take 14 s of CPU time and 1.3 GB of memory the first time: 7 s in pyarrow's parser,
which was the fastest one tried (orjson, line by line, was slower), and 2 s for reading files and records. With the
cached histories of `analysis.read.history` they take 4 s and 1.5 GB.
"""

import gc
import marshal
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.read.history import FILE, read_histories
from analysis.read.weights import weights_mark
from analysis.read.whole import NAMED, UNREADABLE, without_damaged, without_note
from coatlab.config.words import flatten
from coatlab.errors import InputError, Outdated, RunError
from coatlab.output.text import line, printable, shown
from coatlab.runs.correct import read_correct
from coatlab.runs.identity import attention_name
from coatlab.runs.record import read_record, rows_damage, run_folders
from coatlab.runs.state import state_of
from coatlab.runs.weights import WEIGHTS

REPAIR = "move the folder away, or delete it to train it again"


@dataclass(frozen=True)
class Loaded:
    """The runs of a study, whatever their status.

    Attributes:
        runs: one row per run, by fingerprint. Columns: `run` (its folder), `status`, `error`, `studies`; every key of
            its config by the dotted name, and `config` as a whole; `attention`, the one it really has, or `none`; final
            metrics and costs by their names in the record; `steps`, of the recipe; `rates`, `tuned` where the run has
            its layout's own learning rate, else `shared`; `weights`, what tells the trained weights apart
            (`analysis.read.weights`); `seconds`, `attempts`, `ended`, the time of the last one; `code`,
            `host`, `cpu`, `gpu`, `device`, `devices`, `threads`, `precision`; `gpu_cells`, how many runs shared a GPU;
            `covering`, the stages in which local attention is global;
            `correct`, which official test images it got right, a boolean array (N,) or None.
        history: one row per epoch or logged step, in that order: `fingerprint`, `step`, and the metrics of the row, NaN
            for those that it does not have.
        donors: the configs of all runs that were found, including those of other studies, by fingerprint.
        skipped: a sentence on what was found that is not a run.
        in_folders: `run` is the name of a folder, which the run's content gives it.
    """

    runs: pd.DataFrame
    history: pd.DataFrame
    donors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    in_folders: bool = True

    @property
    def complete(self) -> pd.DataFrame:
        """Return the complete runs."""
        return self.runs[self.runs["status"] == "complete"]

    def note(self) -> list[str]:
        """Count the runs by status, and name each that is not complete, with its error."""
        count = Counter(self.runs["status"])
        others = ", ".join(f"{number} {status}" for status, number in sorted(count.items()) if status != "complete")
        lines = [f"{count['complete']} of {len(self.runs)} runs complete" + (f"; {others}" if others else "") + "."]
        rest = self.runs[self.runs["status"] != "complete"]
        for run in rest.head(NAMED).itertuples():
            error = f" ({line(run.error)})" if isinstance(run.error, str) and run.error else ""
            lines.append(f"not in the tables: {run.run}, {run.status}{error}")
        if len(rest) > NAMED:
            lines.append(f"not in the tables: {len(rest) - NAMED} more")
        return [*lines, *self.skipped]


def load(runs: Path, study: str | None = None) -> Loaded:
    """Read the run folders in `runs`, of one study or all of them.

    A record that cannot be read does not say which study it belongs to, so it is in each one, as `unreadable` or
    `outdated`.

    Raises:
        InputError: two folders hold the same run.
    """
    with _no_collection():
        return _load(runs, study)


def _load(runs: Path, study: str | None) -> Loaded:
    found, donors = [], {}
    for folder in run_folders(runs):
        try:
            record = read_record(folder)
            if record is not None and (lacking := _lacking(record)):
                raise RunError(f"{shown(folder / 'record.json')} is not a record of a run: it has no valid {lacking}")
            if record is not None and (reason := _cut(folder, record)):
                record |= {"status": UNREADABLE, "error": f"{reason}; {REPAIR}"}
        except (RunError, OSError) as error:
            status = "outdated" if isinstance(error, Outdated) else UNREADABLE
            mark = printable(folder.name)
            record = {"fingerprint": mark, "status": status, "error": str(error), "studies": [study] if study else []}
        if record is None:
            continue
        donors[record["fingerprint"]] = record.get("config", {})
        if study is not None and study not in record["studies"]:
            continue
        if record["status"] == "running":  # but its process may be gone
            record["status"] = state_of(folder).name
        if record["status"] == "complete":
            record["correct"] = read_correct(folder, record["final"].get("test/images"))
            record["weights"] = weights_mark(folder / WEIGHTS)
        found.append((folder, record))
    table = runs_frame((printable(folder.name), record) for folder, record in found)
    history = read_histories({record["fingerprint"]: folder for folder, record in found}, runs)
    without = {record["fingerprint"] for folder, record in found if not os.path.lexists(folder / FILE)}
    table = without_damaged(table, history, REPAIR, without)
    return Loaded(table, history, donors, without_note(table, without))


def _lacking(record: Mapping[str, Any]) -> str | None:
    """Return the entry that a complete record needs for tables but lacks."""
    return next((part for part in ("cost", "final") if record["status"] == "complete" and not record.get(part)), None)


def _cut(folder: Path, record: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the history of a complete run; None where nothing is, or an older version trained it."""
    stated = record.get("rows") if record["status"] == "complete" else None
    try:
        return rows_damage(folder, stated, whole=True) if stated else None
    except (KeyError, TypeError, ValueError):
        return f"its record states rows={stated!r}"


def runs_frame(records: Iterable[tuple[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Make the frame of runs from names and records.

    Raises:
        InputError: two have the same fingerprint.
    """
    rows: dict[str, dict[str, Any]] = {}
    known: dict[tuple[str, bytes], Any] = {}  # parts of configs, which many runs have in common
    for name, record in records:
        row = _row(name, record, known)
        if (other := rows.setdefault(record["fingerprint"], row)) is not row:
            raise InputError(
                f"{other['run']} and {name} are the same run (fingerprint {record['fingerprint']}); move one away"
            )
    columns = {key: None for row in rows.values() for key in row} or dict.fromkeys(
        ["run", "status", "error", "studies"]
    )
    data = {key: [row.get(key) for row in rows.values()] for key in columns}
    return pd.DataFrame(data, index=pd.Index(list(rows), name="fingerprint"), columns=list(columns))


def _row(name: str, record: Mapping[str, Any], known: dict[tuple[str, bytes], Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    own = {
        "run": name,
        "status": record["status"],
        "error": record.get("error"),
        "studies": tuple(record.get("studies", ())),
    }
    config: dict[str, Any] = {}
    for key, value in record.get("config", {}).items():
        part = key, marshal.dumps(value, 0)  # equal if the values are equal; faster than JSON
        if part not in known:
            known[part] = (value, flatten({key: value}))
        config[key] = known[part][0]
        row |= known[part][1]
    hardware, code = record.get("hardware", {}), record.get("code", {})
    measures = {**record.get("final", {}), **record.get("cost", {}), **record.get("timings", {})}
    # what tells a run comes last: no setting and no measure can take its place
    return (
        own
        | row
        | measures
        | own
        | {
            "config": config,
            "attention": attention_name(config) if config else None,
            "steps": record.get("recipe", {}).get("steps"),
            "rates": _rates(config),
            "weights": record.get("weights"),
            "attempts": len(record.get("attempts", ())),
            "ended": (record.get("attempts") or [{}])[-1].get("ended"),
            "correct": record.get("correct"),
            "code": _version(code),
            **{key: hardware.get(key) for key in ("host", "cpu", "gpu", "gpu_cells", "device", "devices", "threads")},
            "precision": config.get("trainer", {}).get("precision"),
            "covering": ", ".join(
                stage for stage, seen in record.get("attention", {}).items() if seen["reach"] == "covering"
            ),
        }
    )


def _rates(config: Mapping[str, Any]) -> str:
    """Tell whether a run has its layout's own learning rate, as recipe=tuned lists it, or one that layouts share."""
    rate: Any = (config.get("recipe") or {}).get("per_layout")
    for part in ("lr", (config.get("data") or {}).get("name"), (config.get("layout") or {}).get("name")):
        rate = rate.get(part) if isinstance(rate, Mapping) else None
    return "tuned" if rate is not None and rate == config["recipe"].get("lr") else "shared"


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the garbage collector, which would search all records again and again, for longer than reading takes."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _version(code: Mapping[str, Any]) -> str | None:
    """Name the code by its commit, with a remark if files were changed since, or by its version."""
    if not code.get("commit"):
        return code.get("version")
    return str(code["commit"])[:12] + (" with changes" if code.get("dirty") else "")
