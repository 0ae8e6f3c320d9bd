"""The sweeper: of all cells that a sweep asks for, launch those that are left to do.

Every cell is composed and checked before anything is launched. Cells that are the same experiment are one; complete
ones are skipped, those that a live process is at are left to it, failed ones are tried again (`sweep.retry=never`
leaves them), diverged ones are not: they would diverge again. Runs that fine-tuning cells start from, and that are not
there, are launched with the first wave, and the cells that need them with a second one.

Hydra finds it through src/hydra_plugins/. What came of it is read from the records, never from the launcher.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from coatlab.cli import sentence_of
from coatlab.config.places import expand_home
from coatlab.errors import RunError
from coatlab.output.files import write_atomic
from coatlab.output.text import shown
from coatlab.sweep.cells import compose_cells
from coatlab.sweep.expand import expand
from coatlab.sweep.todo import Queued, close, make_plan, note_study, show_plan


class StudySweeper(BasicSweeper):
    """Hydra's sweeper with a memory: the run folders.

    Args:
        params: a product of overrides, as Hydra's own sweeper has it.
        cells: alternatives, each combined with the product.
        pick: values that narrow the cells where the command line does not.
    """

    def __init__(self, params: Mapping[str, Any], cells: Sequence[Mapping[str, Any]], pick: Mapping[str, Any]) -> None:
        super().__init__(max_batch_size=None)
        self.study = {"params": params, "cells": cells, "pick": pick}

    def sweep(self, arguments: list[str]) -> None:
        """Launch what is left to do of the sweep.

        Raises:
            InputError: a cell that cannot be run, before anything was launched.
            RunError: the folder of runs cannot be written, or a cell failed.
        """
        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        master, loader = self.config, self.hydra_context.config_loader
        expanded = expand(self.study, arguments, OverridesParser.create(config_loader=loader))
        cells = list(compose_cells(expanded, lambda words: loader.load_sweep_config(master, words)))
        # a launcher with a queue of its own knows the jobs of an earlier command, and waits for them
        queued: Queued = getattr(self.launcher, "queued", lambda folders: set())
        plan = make_plan(cells, retry=master.sweep.retry == "failed", queued=queued)
        show_plan(plan, expand_home(master.paths.runs), master.study)
        self._save(master)
        note_study(plan, master.study)
        errors: dict[str, str] = {}
        launched = 0
        for wave in plan.waves():
            results = self.launcher.launch([list(cell.words) for cell in wave], initial_job_idx=launched)
            launched += len(wave)
            errors |= {cell.fingerprint: _reason(job) for cell, job in zip(wave, results, strict=False) if _failed(job)}
        note_study(plan, master.study)  # of runs that other sweeps have finished meanwhile
        close(plan, errors, detached=bool(master.cluster.get("detach")))

    @staticmethod
    def _save(config: DictConfig) -> None:
        """Write what was asked for to multirun.yaml, as Hydra's own sweeper does."""
        folder = Path(config.hydra.sweep.dir)
        try:
            write_atomic(folder / "multirun.yaml", lambda file: file.write(OmegaConf.to_yaml(config).encode()))
        except OSError as error:
            raise RunError(f"{shown(folder)} cannot be written: {error.strerror or error}") from error


def _failed(job: JobReturn) -> bool:
    return job.status == JobStatus.FAILED


def _reason(job: JobReturn) -> str:
    error = job._return_value
    return sentence_of(error) or f"{type(error).__name__}: {error}"
