"""One cell of a sweep as a launcher sees it: its config, its run folder, and from its record how it ended.

What a launcher was told by a process or by Slurm is never taken as the truth: the record in the run folder is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from coatlab.config.compose import closed
from coatlab.config.rules import check_keys
from coatlab.errors import RunError
from coatlab.runs.donor import prepared
from coatlab.runs.identity import folder_name
from coatlab.runs.lock import holder
from coatlab.runs.record import read_record


@dataclass(frozen=True)
class Cell:
    """A cell to be run: `config` is what Hydra's run_job takes, `folder` where its record will be."""

    number: int
    overrides: list[str]
    config: DictConfig
    folder: Path
    epochs: int


def compose_cell(context: HydraContext, master: DictConfig, overrides: Sequence[str], number: int) -> Cell:
    """Compose a cell as Hydra's launchers do, and check it.

    Raises:
        InputError: the cell cannot be run; the sentence names the key, its value and what is valid.
    """
    words = list(overrides)
    config = context.config_loader.load_sweep_config(master, words)
    with open_dict(config):
        config.hydra.job.id = config.hydra.job.num = number
    run = trained(*prepared(closed(config)))
    return Cell(number, words, config, Path(run["paths"]["runs"]) / folder_name(run), run["trainer"]["max_epochs"])


def trained(named: Mapping[str, Any], donor: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the config of the run that a cell is there for: its own, or only the one that others start from."""
    return donor if donor is not None and named["init"].get("pretrain_only") else named


def cluster_settings(master: DictConfig) -> dict[str, Any]:
    """Return the keys of the group `cluster`, checked.

    Raises:
        InputError: one of them is not valid.
    """
    settings = OmegaConf.to_container(master.cluster, resolve=True)
    assert isinstance(settings, dict)
    check_keys({"cluster": settings})
    return {str(key): value for key, value in settings.items()}


def outcome(cell: Cell, ended: str, log: str) -> JobReturn:
    """Return how a cell ended; its status is unknown where another process has the run, and will tell.

    Args:
        cell: the cell, whose process or job is over.
        ended: how that was, in words; used where neither the record nor the log gives a reason.
        log: what it printed.
    """
    held = holder(cell.folder)  # before the record: one that ends in between is complete there
    try:
        record = read_record(cell.folder) or {"status": "not begun"}
    except RunError as error:
        return failed(cell.overrides, error)
    if record["status"] == "complete":
        returned = JobReturn()
        returned.overrides, returned.status = cell.overrides, JobStatus.COMPLETED
        returned.return_value = record["final"].get("eval/accuracy")
        return returned
    if record["status"] in ("failed", "diverged"):
        return failed(cell.overrides, RunError(record["error"]))
    if held:
        return JobReturn(overrides=cell.overrides)
    said = [line.removeprefix("error: ") for line in log.splitlines() if line.startswith("error: ")]
    return failed(cell.overrides, RunError(said[-1] if said else f"{ended}; the same command goes on from it"))


def failed(overrides: Sequence[str], error: Exception) -> JobReturn:
    """Return the outcome of a cell that failed."""
    returned = JobReturn()
    returned.overrides, returned.status, returned.return_value = list(overrides), JobStatus.FAILED, error
    return returned


def reason(returned: JobReturn) -> str | None:
    """Return why a cell failed, in a line; None if it did not."""
    if returned.status != JobStatus.FAILED:
        return None
    return " ".join(str(returned._return_value).split())  # the property of that name raises it
