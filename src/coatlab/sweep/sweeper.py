"""The sweeper: of all cells that a sweep asks for, launch those that are left to do.

Every cell is composed and checked before anything is launched. Cells that are the same experiment are one; complete
ones are skipped, those that a live process is running are left to it, failed ones are tried again (unless
`sweep.retry=never`), diverged ones are not: they would diverge again. Runs that fine-tuning cells start from, and that
are not there, are launched in the first wave, and the cells that need them in a second one.

Hydra finds it through src/hydra_plugins/. What came of it is read from the records, never from the launcher.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from coatlab.cli import sentence_of
from coatlab.cluster.job import error_of
from coatlab.cluster.launcher import spec_launcher
from coatlab.config.composer import folders_of
from coatlab.config.files import conf_dir
from coatlab.config.places import expand_home
from coatlab.errors import RunError
from coatlab.output.files import write_atomic
from coatlab.output.text import shown
from coatlab.runs.effect import check_effect_on_cells, check_launcher
from coatlab.runs.spec import make_specs
from coatlab.sweep.commands import note_command
from coatlab.sweep.expand import expand
from coatlab.sweep.todo import make_todo, note_study, show_outcome, show_plan, show_todo


class StudySweeper(Sweeper):
    """A sweeper with a memory: the run folders.

    Args:
        params: a product of overrides, as Hydra's own sweeper has it.
        cells: alternatives, each combined with the product.
        pick: values that narrow the cells where the command line does not.
    """

    def __init__(self, params: Mapping[str, Any], cells: Sequence[Mapping[str, Any]], pick: Mapping[str, Any]) -> None:
        self.study = {"params": params, "cells": cells, "pick": pick}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands to a sweeper, and make the launcher that the config names."""
        self._context, self._config = hydra_context, config
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self._launcher = spec_launcher(launcher, hydra_context, config)

    def sweep(self, arguments: list[str]) -> None:
        """Launch what is left to do of the sweep.

        Raises:
            InputError: a cell that cannot be run, before anything was launched.
            RunError: the folder of runs cannot be written, or a cell failed.
        """
        master, loader = self._config, self._context.config_loader
        check_launcher(master, master.hydra, sweeps=True)
        cells = expand(self.study, arguments, OverridesParser.create(config_loader=loader))
        folders = folders_of(master.hydra, conf_dir())
        specs = list(make_specs(cells, folders))
        check_effect_on_cells(cells, arguments, folders)
        runs, dry = expand_home(master.paths.runs), bool(master.sweep.dry_run)
        todo = make_todo(specs, retry=master.sweep.retry == "failed", queued=self._launcher.queued, tidy=not dry)
        show_todo(todo, runs, master.study)
        if dry:
            show_plan(todo, runs)
            return
        if any(one.launch for one in todo.entries):  # else nothing is written: all of it may be another user's
            self._save(master)
            self._note(runs, master.study, arguments)
        note_study(todo, master.study)
        errors: dict[str, str] = {}
        launched = 0
        for wave in todo.waves():
            results = self._launcher.launch_specs(wave, launched)
            launched += len(wave)
            for spec, job in zip(wave, results, strict=False):
                if (error := error_of(job)) is not None:
                    errors[spec.fingerprint] = sentence_of(error) or f"{type(error).__name__}: {error}"
        note_study(todo, master.study)  # of runs that other sweeps have finished meanwhile
        show_outcome(todo, errors, detached=bool(master.cluster.get("detach")))

    @staticmethod
    def _note(runs: Path, study: str | None, words: Sequence[str]) -> None:
        """Keep what was typed for the study's report."""
        if study:
            try:
                note_command(runs, study, words)
            except OSError as error:
                raise RunError(f"{shown(runs)} cannot be written: {error.strerror or error}") from error

    @staticmethod
    def _save(config: DictConfig) -> None:
        """Write what was asked for to multirun.yaml, as Hydra's own sweeper does."""
        folder = Path(config.hydra.sweep.dir)
        try:
            write_atomic(folder / "multirun.yaml", lambda file: file.write(OmegaConf.to_yaml(config).encode()))
        except OSError as error:
            raise RunError(f"{shown(folder)} cannot be written: {error.strerror or error}") from error
