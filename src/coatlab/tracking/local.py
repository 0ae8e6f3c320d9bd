"""Trackers without a server: CSV and TensorBoard, by Lightning's own loggers, in the run folder.

`tracker=csv` and `tracker=tensorboard` choose one; `tracker.also=[csv,tensorboard]` adds them to another. They hold
what W&B is sent: the config, the rows of metrics.jsonl, and in the end a row of what was measured on the test images.
When a run is resumed, they are written anew from the rows that belong to its checkpoint.
"""

import shutil
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger

from coatlab.errors import InputError
from coatlab.runs.record import read_metrics
from coatlab.runs.run import Run
from coatlab.tracking.content import values_of

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
            loggers.append(TensorBoardLogger(run.folder, name, version="", default_hp_metric=False))
    for logger in loggers:
        logger.log_hyperparams(run.record["config"])
    for row in read_metrics(run.folder) if loggers else []:
        for logger in loggers:
            logger.log_metrics(values_of(row), step=row["step"])
    return loggers


def log_test(loggers: Iterable[Logger], final: Mapping[str, Any]) -> None:
    """Add the row of the test images, which metrics.jsonl does not have: the record holds them, and W&B's summary.

    Args:
        loggers: as `local_loggers` opened them.
        final: the final measures of the run, with their step.
    """
    row = {key: value for key, value in final.items() if key.startswith("test/") and value is not None}
    for logger in loggers:
        logger.log_metrics(row, step=final["step"])
        logger.finalize("success")  # once more: Lightning has done so at the end of the training
