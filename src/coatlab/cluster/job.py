"""One run of a sweep as a job of Hydra's: run with Hydra's own settings, and judged by its record.

What a launcher was told by a process or by Slurm is never taken as the truth: the record in the run folder is.
"""

import copy
import sys
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from coatlab.config.rules import check_keys
from coatlab.errors import Held, RunError
from coatlab.output.text import line
from coatlab.runs.spec import Spec
from coatlab.runs.state import state_of
from coatlab.training.entry import run, run_in_sweep


def run_under_hydra(
    context: HydraContext, master: DictConfig, spec: Spec, number: int, *, alone: bool, id: str | None = None
) -> JobReturn:
    """Run a spec as Hydra runs a job: with its logging, environment and callbacks.

    Args:
        context: Hydra's, for the callbacks.
        master: the sweep's config, which has Hydra's settings.
        spec: what to run; it is not composed again.
        number: of the job, counted over the sweep.
        alone: this process is there for this run alone, so that its errors are the process's to word.
        id: of the job, where a cluster has given it one.
    """
    return run_job(
        hydra_context=context,
        task_function=lambda _: run(spec) if alone else run_in_sweep(spec),
        config=_job_config(master, spec, number, id),
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def run_alone(context: HydraContext, master: DictConfig, spec: Spec, number: int, id: str | None = None) -> None:
    """Run a spec in a process that is there for it alone; a run that another process has is left to it.

    Args: as `run_under_hydra` has them.

    Raises:
        Exception: what made the run fail, for the process to word.
    """
    error = error_of(run_under_hydra(context, master, spec, number, alone=True, id=id))
    if isinstance(error, Held):
        print(error, file=sys.stderr)
    elif error is not None:
        raise error


def _job_config(master: DictConfig, spec: Spec, number: int, id: str | None) -> DictConfig:
    """Return the config of a job: the spec's own, with the sweep's settings of Hydra."""
    config = OmegaConf.create(copy.deepcopy(dict(spec.config)))
    with open_dict(config):
        config.hydra = master.hydra
        config.hydra.job.num, config.hydra.job.id = number, id or number
        config.hydra.overrides.task = list(spec.words)
    return config


def cluster_settings(master: DictConfig) -> dict[str, Any]:
    """Return the keys of the group `cluster`, checked.

    Raises:
        InputError: one of them is not valid.
    """
    settings = OmegaConf.to_container(master.cluster, resolve=True)
    assert isinstance(settings, dict)
    check_keys({"cluster": settings})
    return {str(key): value for key, value in settings.items()}


def outcome(spec: Spec, ended: str, log: str) -> JobReturn:
    """Return how a run ended; its status is unknown where another process has it, and will tell.

    Args:
        spec: the run, whose process or job is over.
        ended: how that was, in words; used where neither the record nor the log gives a reason.
        log: what it printed.
    """
    state = state_of(spec.folder)
    if state.name == "complete" and state.record is not None:
        return completed(spec, state.record["final"].get("eval/accuracy"))
    if state.name == "running":
        return JobReturn(overrides=spec.words)
    if state.name not in ("missing", "interrupted"):
        return failed(spec, RunError(state.reason))
    said = [text.removeprefix("error: ") for text in log.splitlines() if text.startswith("error: ")]
    return failed(spec, RunError(said[-1] if said else f"{ended}; the same command goes on from it"))


def completed(spec: Spec, accuracy: float | None = None) -> JobReturn:
    """Return the outcome of a run that is complete, or was handed over."""
    returned = JobReturn(overrides=spec.words, status=JobStatus.COMPLETED)
    returned.return_value = accuracy
    return returned


def failed(spec: Spec, error: Exception) -> JobReturn:
    """Return the outcome of a run that failed."""
    returned = JobReturn(overrides=spec.words, status=JobStatus.FAILED)
    returned.return_value = error
    return returned


def error_of(returned: JobReturn) -> BaseException | None:
    """Return the error that made a job fail; None if it did not fail.

    Hydra's public property raises it and prints; the private field behind it was tried with hydra-core 1.3.8.
    """
    return returned._return_value if returned.status == JobStatus.FAILED else None


def reason(returned: JobReturn) -> str | None:
    """Return why a job failed, on one line; None if it did not."""
    error = error_of(returned)
    return None if error is None else line(error)


def words_of(specs: Sequence[Spec]) -> list[list[str]]:
    """Return the overrides of runs, as Hydra's launchers take them."""
    return [list(spec.words) for spec in specs]
