"""From conf/ to a plain dictionary: composing the files, checking their keys, and resolving them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.conf import HydraConf
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from coatlab.config.composer import composed, folders_of, running_folders
from coatlab.config.composition import KEPT, Composition, composition, groups_in, set_value
from coatlab.config.files import conf_dir, groups
from coatlab.config.keys import check_closed
from coatlab.config.places import CACHE, expand_home
from coatlab.config.targets import TARGET, without_paths
from coatlab.config.typed.overrides import SWEEP, check_overrides, no_choice
from coatlab.config.typed.saved import choices_by_name, name_classes
from coatlab.errors import InputError

PATHS = (("data", "root"), ("data", "cache"), ("init", "run"), ("tracker", "dir"))  # besides `paths`
SITE = "cluster/site"  # a user's file of values for cluster=slurm: it adds no keys


def compose(overrides: list[str], hydra_too: bool = False, folders: Sequence[str] | None = None) -> DictConfig:
    """Compose train.yaml with Hydra overrides, as the command line does, without running anything.

    Args:
        overrides: the words.
        hydra_too: keep Hydra's own settings, below `hydra`.
        folders: where choices are looked for besides conf/; None: where the running command does, if one runs.

    Raises:
        InputError: a group choice or a key that does not exist, with those that do; a key that is given twice or
            removed.
    """
    typed = check_overrides(overrides)
    folders = running_folders(conf_dir()) if folders is None else tuple(folders)
    if not hydra_too and (config := _put_together(typed, folders)) is not None:
        return config
    config = composed(conf_dir(), overrides, folders)
    _check_keys_of(config, config.hydra.runtime.choices, folders_of(config.hydra, conf_dir()))
    if not hydra_too:
        with open_dict(config):
            del config["hydra"]
    return config


def closed(config: DictConfig, hydra: HydraConf | DictConfig | None = None) -> DictConfig:
    """Check that a config which Hydra composed has the keys of its choices and no other; return it without `hydra`.

    Args:
        config: of a command line, or of a sweep's cell.
        hydra: Hydra's own settings, where they are not in the config: HydraConfig.get() inside hydra.main.

    Raises:
        InputError: a key that does not exist, or a group without a choice.
    """
    hydra = config.hydra if hydra is None else hydra
    _check_keys_of(config, hydra.runtime.choices, folders_of(hydra, conf_dir()))
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def known_keys(choices: Mapping[str, str], folders: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return the keys that choices of groups have, dotted, with their values before any override.

    Args:
        choices: by group; a group that is not named has its default.
        folders: where choices are found besides conf/, as hydra.searchpath has them.
    """
    found = composition(conf_dir(), (), choices, folders)
    places = (str(conf_dir()), *folders)
    if found.choices.get(f"{SITE}@cluster") and any(
        (Path(place.removeprefix("file://")) / SITE).is_dir() for place in places
    ):
        found = composition(conf_dir(), (f"~{SITE}@cluster",), choices, folders)
    return found.keys


def resolve(config: DictConfig) -> dict[str, Any]:
    """Resolve every interpolation into a plain dictionary.

    Raises:
        InputError: the size has no plan for the layout, or `~` in a path stands for no known home directory.
    """
    if config.budget == "matched" and config.attention.name != "relative":
        _use_matched_plan(config)
    name, plans = config.layout.name, config.size.plans
    open_entries = [key for key in ("blocks", "widths", "strides") if OmegaConf.is_interpolation(config.plan, key)]
    if name not in plans and open_entries:
        raise InputError(
            f"size={config.size.name} has no plan for layout={name}, only for {', '.join(plans)}; "
            f"give {', '.join(f'plan.{key}' for key in open_entries)} or choose another size"
        )
    for key, path in list(config.paths.items()):
        if isinstance(path, str) and path.strip() and path != CACHE:  # an empty one is refused by its rule
            config.paths[key] = str(expand_home(path))  # before others refer to it
    plain = without_paths(_container(config, resolve=True))
    for group, key in PATHS:
        if isinstance(path := plain.get(group, {}).get(key), str) and path.startswith("~") and path != CACHE:
            plain[group][key] = str(expand_home(path))
    return plain


def _use_matched_plan(config: DictConfig) -> None:
    """Replace the layout's own plan by the one that was solved for the attention, except entries given by hand.

    Raises:
        InputError: no plan was solved for this size, layout and attention.
    """
    attention, layout, size = config.attention.name, config.layout.name, config.size.name
    if "T" not in config.layout.stages:
        return
    plan = ((config.size.get("matched") or {}).get(attention) or {}).get(layout)
    if plan is None:
        raise InputError(
            f"budget=matched has no plan for layout={layout} attention={attention} at size={size}; solve it with "
            f"python -m coatlab.budget solve --size {size} --attention {attention} --write, or use budget=reference"
        )
    for key in ("blocks", "widths", "strides", "pad"):
        if OmegaConf.is_interpolation(config.plan, key):
            config.plan[key] = plan.get(key, False)


def _put_together(typed: Sequence[Override], folders: tuple[str, ...]) -> DictConfig | None:
    """Set values in a copy of what Hydra composes of the choices; check the keys where a value may add or remove one.

    None: there is a word that only Hydra understands, or refuses in words of its own.

    Raises:
        InputError: as `closed`.
    """
    words, chosen, values = [], {}, []
    known = groups_in(conf_dir(), folders)
    for override in typed:
        key, value = override.get_key_element(), override.value()
        if override.is_sweep_override() or override.is_delete() or key == "hydra.searchpath":
            return None
        if key in known and isinstance(value, str):
            chosen[key] = value
        elif key.lstrip("+") in known or "/" in key or "@" in key or key.lstrip("+").partition(".")[0] == "hydra":
            words.append(str(override.input_line))
        else:
            values.append(override)
    found = composition(conf_dir(), words, chosen, folders)
    config = found.config()
    try:
        for override in values:
            set_value(config, override)
    except OmegaConfBaseException:
        return None
    if words or found.choices.get(f"{SITE}@cluster"):  # else its keys are those of its choices by definition
        _check_keys_in(found, folders)
    if not all(_keeps_keys(override, found) for override in values):
        _check_keys_of(config, found.choices, folders)
    return config


def _keeps_keys(override: Override, of: Composition) -> bool:
    """Tell whether a config with this value has the same keys as before, and the same of them are valid."""
    key = override.get_key_element()
    return key in of.keys and not isinstance(override.value(), Mapping) and not key.endswith(f".{TARGET}")


@lru_cache(KEPT)
def _check_keys_in(found: Composition, folders: tuple[str, ...]) -> None:
    _check_keys_of(found.config(), found.choices, folders)


def _check_keys_of(config: DictConfig, chosen: Mapping[str, str | None], folders: Sequence[str]) -> None:
    needed = [group for group in groups() if group != SWEEP]
    saved = not any(group in chosen for group in needed)
    if saved:
        chosen = choices_by_name(config)
    for group in needed:
        if chosen.get(group) is None:
            raise no_choice(f"{group}=null", group)
    choices = {group: str(chosen[group]) for group in needed}
    known = known_keys(choices, folders)
    if saved:
        name_classes(config, known)
    plain = {key: value for key, value in _container(config).items() if key != "hydra"}
    check_closed(plain, known, choices)


def _container(config: DictConfig, resolve: bool = False) -> dict[str, Any]:
    plain = OmegaConf.to_container(config, resolve=resolve)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
