"""Which class a choice stands for: recorded by the choice's name, never by the class's Python path.

A resolved config leaves `_target_` out where it is the named choice's own, so that a module can be renamed and every
run remains the same experiment. Where the class belongs to another choice of ours (`data=webdataset data.name=mine`),
that choice's name takes the place of the path. A class that is not ours is recorded as it was typed, and counts.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from coatlab.config.files import conf_dir
from coatlab.errors import not_one_of

TARGET = "_target_"


def without_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved config in which no group names one of our own classes by its Python path."""
    return {key: _named(key, value) if isinstance(value, Mapping) else value for key, value in config.items()}


def python_path(group: str, settings: Mapping[str, Any]) -> str:
    """Return the Python path of the class that the settings of a group stand for.

    Raises:
        InputError: they name no class, and no choice that has one.
    """
    own, stated = _own(conf_dir() / group), str(settings.get(TARGET, settings["name"]))
    if stated in own:
        return own[stated]
    if TARGET not in settings:
        raise not_one_of(f"{group}.name", stated, own)
    return stated


def is_ours(group: str, stated: str) -> bool:
    """Tell whether a Python path, or a choice's name in its place, stands for a class of a choice in conf/."""
    own = _own(conf_dir() / group)
    return stated in own or stated in own.values()


def _named(group: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(settings)
    if TARGET in settings:
        alike = [choice for choice, path in _own(conf_dir() / group).items() if path == settings[TARGET]]
        if settings.get("name") in alike:
            del result[TARGET]
        elif alike:
            result[TARGET] = alike[0]
    return result


@cache
def _own(folder: Path) -> dict[str, str]:
    """Return the Python paths of the classes of a group's choices, by choice, without those that have no class."""
    paths = {path.stem: OmegaConf.select(OmegaConf.load(path), TARGET) for path in sorted(folder.glob("*.yaml"))}
    return {choice: str(path) for choice, path in paths.items() if path is not None}
