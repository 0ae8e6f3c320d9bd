"""Trackers without a server: CSV and TensorBoard, by Lightning's own loggers, in the run folder.

`tracker=csv` and `tracker=tensorboard` choose one; `tracker.also=[csv,tensorboard]` adds them to another. They hold
what metrics.jsonl holds: when a run is resumed, they are written anew from the rows that belong to its checkpoint.
"""

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger

from coatlab.errors import InputError
from coatlab.runs.record import read_metrics
from coatlab.runs.run import Run

LOCAL = ("csv", "tensorboard")


def chosen(tracker: Mapping[str, Any]) -> list[str]:
    """Return which local trackers the settings of the group `tracker` ask for, each once."""
    return [name for name in LOCAL if name in (tracker["name"], *(tracker.get("also") or ()))]


def local_loggers(run: Run) -> list[Logger]:
    """Open the local trackers of a run, with the rows that it has so far; none in a process that only follows.

    Raises:
        InputError: TensorBoard is asked for and not installed.
    """
    names = chosen(run.config["tracker"]) if run.leads else []
    if "tensorboard" in names and not any(map(find_spec, ("tensorboard", "tensorboardX"))):
        raise InputError("tracker=tensorboard needs the package tensorboard: pip install 'coatlab[tensorboard]'")
    loggers: list[Logger] = []
    for name in names:
        shutil.rmtree(run.folder / name, ignore_errors=True)
        if name == "csv":
            loggers.append(CSVLogger(run.folder, name, version="", flush_logs_every_n_steps=1))
        else:
            loggers.append(TensorBoardLogger(run.folder, name, version=""))
    for row in read_metrics(run.folder) if loggers else []:
        for logger in loggers:
            values = {key: value for key, value in row.items() if key != "step" and value is not None}
            logger.log_metrics(values, step=row["step"])
    return loggers
