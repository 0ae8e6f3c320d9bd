"""What was typed has an effect, or is refused: a setting that nothing uses would be asked for and not done.

In a sweep a setting may be without effect in some cells, which are then the same experiment; so keys are looked at
where a single run was asked for, and the launcher in both.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hydra.conf import HydraConf
from omegaconf import DictConfig, OmegaConf

from coatlab.config.compose import known_keys, resolve
from coatlab.config.composer import choices_of, folders_of
from coatlab.config.files import conf_dir, groups
from coatlab.config.typed.reading import read
from coatlab.config.words import flatten, is_below
from coatlab.errors import InputError
from coatlab.runs.identity import OPTED_OUT, PROCESSES, experiment

OURS = "coatlab_"  # how the launchers begin that conf/cluster/ chooses
# What counts only where something else refers to it, among the keys outside of the identity.
BY_OTHERS = ("size", "recipe.epochs", "recipe.per_size", "recipe.per_layout")
# These do something themselves.
ASIDE = tuple(entry for entry in (*OPTED_OUT, *PROCESSES) if not entry.startswith(BY_OTHERS))
OF_SWEEPS = ("hydra.launcher", "hydra.sweeper", "hydra.sweep", "hydra/launcher", "hydra/sweeper")

Config = Mapping[str, Any]
# Keys of the identity, or outside of it, that do nothing in some company: what the company is.
UNUSED: dict[str, tuple[str, Callable[[Config], bool]]] = {
    "recipe.min_lr": ("recipe.schedule=constant", lambda config: config["recipe"]["schedule"] == "constant"),
    "recipe.scale_lr": ("recipe.batch_size=null", lambda config: config["recipe"]["batch_size"] is None),
    "recipe.batch_size": ("recipe.scale_lr=false", lambda config: not config["recipe"]["scale_lr"]),
    "trainer.sync_batchnorm": ("one process", lambda config: _world(config) == 1),
    "trainer.eval_at": ("so few images", lambda config: _beyond_the_end(config)),
    "sweep.retry": ("a single run", lambda config: True),
    "sweep.part": ("a single run", lambda config: True),
}


def check_launcher(config: DictConfig, hydra: HydraConf | DictConfig, sweeps: bool) -> None:
    """Check that a launcher fits the cluster, and has something to launch.

    Args:
        config: as composed.
        hydra: Hydra's own settings.
        sweeps: whether a sweep was asked for.

    Raises:
        InputError: the launcher or the settings of the cluster would be ignored.
    """
    launcher, cluster = str(hydra.runtime.choices["hydra/launcher"]), str(config.cluster.name)
    stated = f"hydra/launcher={launcher}" if cluster == "none" else f"cluster={cluster}"
    if not sweeps:
        if launcher != "basic":
            raise InputError(f"{stated} has no effect on a single run, which this process trains; add --multirun")
        return
    if launcher.startswith(OURS):
        name = launcher.removeprefix(OURS)
        needed = {key for key in known_keys({"cluster": name}) if key.startswith("cluster.")}
        if missing := needed - {f"cluster.{key}" for key in config.cluster}:
            raise InputError(
                f"hydra/launcher={launcher} needs the settings of cluster={name}, such as {min(missing)}; "
                f"use cluster={name} in its place"
            )
    elif settings := sorted(str(key) for key in config.cluster if key != "name"):
        raise InputError(
            f"hydra/launcher={launcher} would ignore the settings of cluster={cluster}, such as "
            f"cluster.{settings[0]}; use one of the two"
        )


def check_effect(config: DictConfig, hydra: HydraConf | DictConfig, words: Sequence[str]) -> None:
    """Check that every key that was typed for a single run has an effect.

    Args:
        config: as composed, with the keys of its choices and no other.
        hydra: Hydra's own settings.
        words: what was typed, without what begins with `hydra`.

    Raises:
        InputError: one has none.
    """
    if study := choices_of(hydra).get("sweep"):
        raise InputError(f"hydra.mode=RUN is not valid with sweep={study}, of which it would make a single run")
    for typed in hydra.overrides.hydra:
        if str(typed).lstrip("+~").startswith(OF_SWEEPS):
            raise InputError(f"{typed} has no effect on a single run; add --multirun")
    with_it = resolve(config.copy())
    counted = _counts(with_it)
    chosen = {group: str(choice) for group, choice in choices_of(hydra).items() if group in groups() and choice}
    chosen.pop("sweep", None)
    known = known_keys(chosen, folders_of(hydra, conf_dir()))
    for override in read(words):
        key = override.key_or_group
        if key not in known or (key in counted and key not in UNUSED):
            continue  # it counts: another value would be another experiment
        if company := _ignored(key, config, with_it, known[key]):
            raise InputError(f"{override.input_line} has no effect with {company}; leave it out")


def _ignored(key: str, config: DictConfig, with_it: Config, default: Any) -> str | None:
    """Say with what a key has no effect; None: it has one, or was given the value that it has anyway."""
    aside = is_below(key, ASIDE)
    without_it = None if aside and not _refers(default) else _resolved(config, key, default)
    if flatten(with_it).get(key) == (default if without_it is None else flatten(without_it).get(key)):
        return None
    if key in UNUSED:
        company, unused = UNUSED[key]
        return company if unused(with_it) else None
    if aside or without_it is None or _counts(with_it) != _counts(without_it):
        return None
    return f"layout={with_it['layout']['name']} and the other choices of this run"


def _resolved(config: DictConfig, key: str, value: Any) -> Config:
    """Return a config with another value of a key; finding what refers to it takes a copy of all."""
    other = config.copy()
    OmegaConf.update(other, key, value)
    return resolve(other)


def _refers(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def _counts(config: Config) -> dict[str, Any]:
    """Return what counts of a config, and does so by itself."""
    return {key: value for key, value in experiment(config).items() if key != "size.head_size"}  # `plan` has it


def _world(config: Config) -> int:
    return int(config["trainer"]["devices"] * config["trainer"]["nodes"])


def _beyond_the_end(config: Config) -> bool:
    """Tell whether a run ends before it has seen one of the numbers of images."""
    images, numbers = config["data"]["train_size"], config["trainer"]["eval_at"]
    if images is None or not isinstance(numbers, list):
        return False
    return any(isinstance(number, int) and number > images * config["trainer"]["max_epochs"] for number in numbers)
