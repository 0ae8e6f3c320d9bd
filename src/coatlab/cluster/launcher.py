"""What a sweep asks of a launcher, how launchers that know nothing of specs serve it, and how ours are found."""

import inspect
import pkgutil
from abc import abstractmethod
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

from hydra.core.utils import JobReturn, configure_log
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

import coatlab.cluster
from coatlab.cluster.job import run_under_hydra, words_of
from coatlab.config.composer import folders_of
from coatlab.config.files import choices, conf_dir
from coatlab.runs.spec import Spec, make_specs


@runtime_checkable
class SpecLauncher(Protocol):
    """A launcher that takes runs as they were checked, instead of words that have to be composed again."""

    def queued(self, folders: Sequence[Path]) -> set[Path]:
        """Return which run folders have a job of an earlier command, for which `launch_specs` waits."""

    def launch_specs(self, specs: Sequence[Spec], first: int) -> Sequence[JobReturn]:
        """Run specs, whose jobs are numbered from `first`, and return how each ended, in their order."""


class CoatlabLauncher(Launcher):
    """Base of the launchers of this package, by which other sweepers can use them as well."""

    def setup(self, *, hydra_context: HydraContext, task_function: object, config: DictConfig) -> None:
        """Take what Hydra hands to a launcher."""
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Compose and check the cells of another sweeper, and run them."""
        specs = make_specs(job_overrides, folders_of(self.config.hydra, conf_dir()))
        return self.launch_specs(list(specs), initial_job_idx)

    def queued(self, folders: Sequence[Path]) -> set[Path]:
        """Return nothing: no job outlives this command."""
        return set()

    @abstractmethod
    def launch_specs(self, specs: Sequence[Spec], first: int) -> Sequence[JobReturn]:
        """Run specs; each launcher says how."""


class InTurn(CoatlabLauncher):
    """One run after the other in this process: `cluster=none`, in place of Hydra's basic launcher."""

    def __init__(self, context: HydraContext, master: DictConfig) -> None:
        self.setup(hydra_context=context, task_function=None, config=master)

    def launch_specs(self, specs: Sequence[Spec], first: int) -> Sequence[JobReturn]:
        """Run specs, each with its own display."""
        ended = []
        for number, spec in enumerate(specs):
            print(f"{number + 1}/{len(specs)}  {spec.folder.name}", flush=True)
            ended.append(run_under_hydra(self.hydra_context, self.config, spec, first + number, alone=False))
            configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)  # the job's logging is over
        return ended


class ByWords(CoatlabLauncher):
    """A launcher of another package (`hydra/launcher=joblib`): it composes each cell again from its words."""

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher

    def launch_specs(self, specs: Sequence[Spec], first: int) -> Sequence[JobReturn]:
        """Hand the words of specs on."""
        return self.launcher.launch(words_of(specs), initial_job_idx=first)


def spec_launcher(launcher: Launcher, context: HydraContext, master: DictConfig) -> SpecLauncher:
    """Return the launcher that Hydra has chosen as a sweep uses it."""
    if isinstance(launcher, SpecLauncher):
        return launcher
    basic = master.hydra.runtime.choices["hydra/launcher"] == "basic"
    return InTurn(context, master) if basic else ByWords(launcher)


def launchers() -> dict[str, type[CoatlabLauncher]]:
    """Find the launchers of this package by the names of their choices.

    The choice conf/cluster/<name>.yaml belongs to the launcher that the module coatlab.cluster.<name> defines. A choice
    without one is not listed: `none`, and a file of a user's own that only sets keys.
    """
    modules = {module.name for module in pkgutil.iter_modules(coatlab.cluster.__path__)}
    found = {}
    for name in sorted(modules & set(choices("cluster"))):
        module = import_module(f"coatlab.cluster.{name}")
        own = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, CoatlabLauncher) and value.__module__ == module.__name__
        ]
        assert len(own) <= 1, f"{module.__name__} defines more than one launcher"
        if own:
            found[name] = own[0]
    return found
