"""A W&B project to the same two frames as run folders give (`analysis.read.folders`), through W&B's public API.

When a run ends, the parts of its record other than the config go into the W&B run's summary, under `record`
(tracking/mirror.py). A run that has not ended, or that was killed, has none, so its cost and hardware are missing. A
project may hold other runs: those whose id is not the fingerprint of their config are counted and left out.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.read.folders import Loaded, runs_frame
from analysis.read.history import merge_steps, with_fingerprints
from analysis.read.whole import UNREADABLE, without_damaged, without_note
from coatlab.errors import InputError, RunError
from coatlab.output.text import line
from coatlab.runs.identity import fingerprint
from coatlab.runs.record import FINAL
from coatlab.runs.shape import check_shape, check_values

# our status for W&B's state, where the run itself has not recorded one
STATES = {"running": "running", "pending": "running", "failed": "failed", "killed": "interrupted"}
REPAIR = "python -m coatlab.upload sends what W&B lacks from the run's folder"
STRAYS = 3  # at most so many foreign runs are named
LONGEST = 200  # letters of W&B's message
REPORT_ID = "report-"  # the id of a report's W&B run is this and the study


def load_project(project: str | None, study: str | None = None, api: Any = None) -> Loaded:
    """Read the runs of a W&B project, of one study or all of them.

    Args:
        project: entity/name.
        study: its name.
        api: W&B's public API; made here where none is given.

    Raises:
        InputError: there is no such project, or its name is missing or malformed; or two W&B runs are the same run.
        RunError: the server does not answer, or requires a key.
    """
    if not project or project.count("/") != 1 or not all(project.split("/")):
        raise InputError(f"--project={project} is not valid; --source wandb needs --project entity/name")
    try:
        found, strays = _sorted_out((api or _api()).runs(project, order="+created_at", lazy=False))
        rows, records, donors = [], [], {}
        for run, config in found:
            record = _record(run, config)
            donors[record["fingerprint"]] = config
            if study is None or study in record["studies"]:
                records.append((run.name, record))
                rows.append(list(_history(run)))
    except ValueError as error:  # which the API raises if the project does not exist
        raise InputError(f"--project={project} cannot be read: {line(error)[:LONGEST]}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("wandb", "requests", "urllib3"):
            raise
        raise RunError(f"--project={project} cannot be read from W&B: {line(error)[:LONGEST]}") from error
    runs = runs_frame(records)
    columns = list(dict.fromkeys(["step", *(key for run_rows in rows for row in run_rows for key in row)]))
    table = pd.DataFrame([row for run_rows in rows for row in run_rows], columns=columns)
    table, lengths = merge_steps(table, [len(run_rows) for run_rows in rows])
    history = with_fingerprints(table, dict(zip(runs.index, lengths, strict=True)))
    skipped = f"left out: {len(strays)} W&B runs that are not coatlab's ({', '.join(strays[:STRAYS])}"
    without = {mark for mark, length in zip(runs.index, lengths, strict=True) if not length}
    runs = without_damaged(runs, history, REPAIR, without)
    named = [skipped + (", ...)" if len(strays) > STRAYS else ")")] if strays else []
    return Loaded(runs, history, donors, (*named, *without_note(runs, without)), in_folders=False)


def _api() -> Any:
    import wandb

    return wandb.Api()


def _sorted_out(runs: Any) -> tuple[list[tuple[Any, dict[str, Any]]], list[str]]:
    """Return coatlab's runs with their configs, and the names of the others."""
    ours, strays = [], []
    for run in runs:
        if str(run.id).startswith(REPORT_ID):  # a report of these runs
            continue
        config = dict(run.config)
        try:
            mark = fingerprint(config)
        except (KeyError, TypeError, AttributeError, ValueError):
            mark = None
        # if W&B refused to use an id again, it has a suffix
        if mark is not None and str(run.id).partition("-")[0] == mark:
            ours.append((run, config))
        else:
            strays.append(str(run.name))
    return ours, strays


def _record(run: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    """Rebuild the record of the run's folder; one that is damaged gets the status `unreadable`, and no numbers."""
    summary = dict(run.summary_metrics).get("record")
    record = {"final": {}, "attempts": []} | (dict(summary) if isinstance(summary, Mapping) else {})
    status = record.get("status")
    if status not in FINAL:
        # the record is uploaded before it is known that the run ended by an error
        status = STATES.get(run.state, "interrupted")
    asked = [study for study in [config.get("study")] if study]
    own = {"fingerprint": fingerprint(config), "status": status, "config": config}
    record |= own | {"studies": record.get("studies") or asked}
    try:
        check_values(record)
        check_shape(record)
    except (KeyError, TypeError, ValueError) as error:
        return own | {"status": UNREADABLE, "error": f"its record on W&B is none ({line(error)})", "studies": asked}
    return record


def _history(run: Any) -> Iterator[dict[str, Any]]:
    for row in run.scan_history(use_cache=False):  # its cache goes by the run's name and may lack rows
        values = {key: value for key, value in row.items() if not key.startswith("_")}
        yield {"step": row["_step"], **{key: _number(value) for key, value in values.items()}}


def _number(value: Any) -> Any:
    """Return None for NaN and infinity, which W&B writes as words, as in metrics.jsonl."""
    missing = value in ("NaN", "Infinity", "-Infinity") or (isinstance(value, float) and not math.isfinite(value))
    return None if missing else value
