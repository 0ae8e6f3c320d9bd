"""A run's saved config as the config of a command: --config-path=RUN/.hydra --config-name=config.

It is resolved and has no defaults list, so Hydra knows no choices of groups: their names say which they were.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from coatlab.config.files import choices, conf_dir, groups
from coatlab.config.targets import TARGET
from coatlab.config.typed.overrides import SWEEP, with_defaults
from coatlab.config.typed.reading import read
from coatlab.config.words import as_typed, word, written
from coatlab.errors import InputError


def choices_by_name(config: DictConfig) -> dict[str, str | None]:
    """Return the choice of each group, as the group's settings name it."""
    return {group: _choice(group, config.get(group)) for group in groups() if group != SWEEP}


def name_classes(config: DictConfig, known: Mapping[str, Any]) -> None:
    """Give every group the class of its choice, which a resolved config leaves out."""
    with open_dict(config):
        for group in groups():
            if f"{group}.{TARGET}" in known and TARGET not in (config.get(group) or {}):
                config[group][TARGET] = known[f"{group}.{TARGET}"]


def words_beside(hydra: HydraConf, typed: Sequence[str]) -> list[str]:
    """Return the words that made the run of a saved config, and those that were typed now in their places."""
    for source in hydra.runtime.config_sources:
        saved, config = (Path(source.path) / f"{name}.yaml" for name in ("overrides", hydra.job.config_name))
        if source.schema == "file" and config.is_file() and saved.is_file():
            words, made = OmegaConf.load(saved), OmegaConf.load(config)
            assert isinstance(words, ListConfig)
            return with_defaults([_as_it_was(each, made) for each in as_typed(words)], typed)
    return list(typed)


def _as_it_was(typed: str, made: Any) -> str:
    """Give a word that refers to another key, as data.split_seed=${seed}, the value that it had in a config."""
    (override,) = read([typed])
    if "${" not in str(override.value()):
        return typed
    key, value = override.get_key_element(), OmegaConf.select(made, override.key_or_group)
    return word(key, value) if isinstance(value, str) else f"{key}={written(value)}"


def _choice(group: str, settings: Any) -> str | None:
    if settings is not None and not isinstance(settings, DictConfig):
        raise InputError(
            f"{group}={settings} is not valid with a saved config, whose choices are made; add it to the words in "
            "overrides.yaml beside it"
        )
    if settings is None:
        return None
    # with another name, such as data.name=mine, the choice stands in the place of its class
    stated = [str(settings[key]) for key in (TARGET, "name") if key in settings]
    usual = next((str(one[group]) for one in OmegaConf.load(conf_dir() / "train.yaml").defaults if group in one), None)
    return next((choice for choice in stated if choice in choices(group)), stated[-1] if stated else usual)
