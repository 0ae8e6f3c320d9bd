"""A launcher gets the runs that were checked; one of another package gets their words; both say how a run ended.

Ours are found by name alone: a module of coatlab.cluster, and the file of the same name in conf/cluster.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from coatlab.cluster import job
from coatlab.cluster.launcher import ByWords, CoatlabLauncher, InTurn, SpecLauncher, launchers, spec_launcher
from coatlab.cluster.local import LocalLauncher
from coatlab.cluster.slurm import SlurmLauncher
from coatlab.config.compose import compose
from coatlab.config.files import choices
from coatlab.errors import InputError
from coatlab.runs.spec import Spec
from tests.support.specs import spec_of

CALLBACKS = SimpleNamespace(on_job_start=lambda **_: None, on_job_end=lambda **_: None)


class Foreign(Launcher):
    """A launcher that knows nothing of specs."""

    def setup(self, **_: Any) -> None: ...

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return [JobReturn(overrides=[*words, str(initial_job_idx)]) for words in job_overrides]


@pytest.fixture
def master(tmp_path: Path) -> DictConfig:
    return compose([f"paths.runs={tmp_path}"], hydra_too=True)


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("hydra.core.utils._check_hydra_context", lambda _: None)
    loader = SimpleNamespace(load_sweep_config=lambda master, words: compose(words, hydra_too=True))
    return SimpleNamespace(callbacks=CALLBACKS, config_loader=loader)


def test_hydras_own_launcher_is_replaced_and_that_of_another_package_gets_words(
    master: DictConfig, context: Any
) -> None:
    assert isinstance(spec_launcher(Foreign(), context, master), InTurn)  # the config names the basic one
    master.hydra.runtime.choices["hydra/launcher"] = "joblib"
    foreign = spec_launcher(Foreign(), context, master)
    assert isinstance(foreign, ByWords)
    (ended,) = foreign.launch_specs([spec_of("seed=3")], 7)
    assert ended.overrides == ["seed=3", "7"]
    assert foreign.queued([Path("x")]) == set()
    for ours in (LocalLauncher(), SlurmLauncher()):
        assert isinstance(ours, SpecLauncher)
        assert spec_launcher(ours, context, master) is ours


@pytest.mark.slow
def test_a_run_is_a_job_of_hydras_and_is_not_composed_again(
    master: DictConfig, context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Spec, int, list[str], str]] = []

    def run(spec: Spec) -> float:
        hydra = HydraConfig.get()
        seen.append((spec, hydra.job.num, list(hydra.overrides.task), hydra.runtime.output_dir))
        return 0.5

    monkeypatch.setattr(job, "run_in_sweep", run)
    specs = [spec_of(f"paths.runs={tmp_path}", f"seed={seed}") for seed in range(2)]
    ended = InTurn(context, master).launch_specs(specs, 3)
    assert [(one.status, one.return_value) for one in ended] == [(JobStatus.COMPLETED, 0.5)] * 2
    assert [spec is given for (spec, *_), given in zip(seen, specs, strict=True)] == [True, True]
    folder = tmp_path / ".multirun"
    assert [rest for _, *rest in seen] == [[3 + n, [*specs[n].words], str(folder / str(3 + n))] for n in range(2)]


@pytest.mark.parametrize("error", [InputError("data.root=x is not there"), ZeroDivisionError("a defect")])
def test_a_run_that_fails_leaves_the_others_alone(
    error: Exception, master: DictConfig, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(spec: Spec) -> float:
        if spec.config["seed"] == 0:
            raise error
        return 0.5

    monkeypatch.setattr(job, "run_in_sweep", run)
    first, second = InTurn(context, master).launch_specs([spec_of("seed=0"), spec_of("seed=1")], 0)
    assert job.error_of(first) is error
    assert job.reason(first) == str(error)
    assert job.error_of(second) is None


@pytest.mark.slow
def test_another_sweeper_may_use_our_launchers_by_words(master: DictConfig, context: Any) -> None:
    launched: list[Spec] = []

    class Ours(CoatlabLauncher):
        def launch_specs(self, specs: Sequence[Spec], first: int) -> Sequence[JobReturn]:
            launched.extend(specs)
            return [JobReturn(overrides=spec.words) for spec in specs]

    ours = Ours()
    ours.setup(hydra_context=context, task_function=None, config=master)
    assert [one.overrides for one in ours.launch([["seed=1"], ["seed=2"]], 0)] == [("seed=1",), ("seed=2",)]
    assert [spec.fingerprint for spec in launched] == [spec_of(f"seed={seed}").fingerprint for seed in (1, 2)]
    with pytest.raises(InputError, match=r"data\.batch_size=0 is not valid"):
        ours.launch([["seed=1"], ["data.batch_size=0"]], 0)


def test_the_launchers_of_this_package() -> None:
    assert set(launchers()) >= {"local", "slurm"}
    assert "none" not in launchers()  # runs in this process, and needs no launcher


@pytest.mark.parametrize("choice", choices("cluster"))
def test_hydra_finds_the_launcher_of_a_choice(choice: str) -> None:
    target = compose([f"cluster={choice}"], hydra_too=True).hydra.launcher["_target_"]
    module, _, name = target.rpartition(".")
    if choice in launchers():
        assert module == "hydra_plugins.coatlab_launchers"
        found = getattr(import_module(module), name)
        assert issubclass(found, launchers()[choice])
        assert found.__module__ == module  # so that Hydra takes it, and a job of Slurm can load it by name
    else:
        assert not issubclass(getattr(import_module(module), name), CoatlabLauncher)


def test_a_module_without_a_launcher_and_a_launcher_without_a_choice_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coatlab.cluster.launcher.choices", lambda group: ["queue", "local", "none", "my-site"])
    assert set(launchers()) == {"local"}
