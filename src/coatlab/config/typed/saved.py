"""A run's saved config as the config of a command: --config-path=RUN/.hydra --config-name=config.

It is resolved and has no defaults list, so Hydra knows no choices of groups: their names say which they were.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from omegaconf import DictConfig, OmegaConf, open_dict

from coatlab.config.files import choices, conf_dir, groups
from coatlab.config.targets import TARGET
from coatlab.config.typed.overrides import SWEEP, with_defaults
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
        saved = Path(source.path) / "overrides.yaml"
        if source.schema == "file" and (saved.parent / f"{hydra.job.config_name}.yaml").is_file() and saved.is_file():
            return with_defaults([str(word) for word in OmegaConf.load(saved)], typed)
    return list(typed)


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
