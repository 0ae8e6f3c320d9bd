"""From conf/ to a plain dictionary: composing the files, checking their keys, and resolving them."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hydra.conf import HydraConf
from omegaconf import DictConfig, OmegaConf, open_dict

from coatlab.config.composer import choices_of, composed, folders_of, running_folders
from coatlab.config.files import conf_dir, groups
from coatlab.config.keys import check_closed, leaves
from coatlab.config.overrides import SWEEP, check_overrides, no_choice
from coatlab.config.places import CACHE, expand_home
from coatlab.config.saved import choices_by_name, name_classes
from coatlab.config.targets import without_paths
from coatlab.config.words import word
from coatlab.errors import InputError

FEW = 3  # combinations of choices that a process composes whole
_combinations: dict[tuple[Any, ...], dict[str, Any]] = {}
PATHS = (("data", "root"), ("data", "cache"), ("init", "run"), ("tracker", "dir"))  # besides `paths`
SITE = "cluster/site"  # a user's file of values for cluster=slurm: it adds no keys


def compose(overrides: list[str], hydra_too: bool = False) -> DictConfig:
    """Compose train.yaml with Hydra overrides, as the command line does, without running anything.

    Args:
        overrides: the words.
        hydra_too: keep Hydra's own settings, below `hydra`.

    Raises:
        InputError: a group choice or a key that does not exist, with those that do; a key that is given twice or
            removed.
    """
    check_overrides(overrides)
    config = composed(conf_dir(), overrides, running_folders(conf_dir()))
    _check_keys_of(config, config.hydra)
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
    _check_keys_of(config, config.hydra if hydra is None else hydra)
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def known_keys(choices: Mapping[str, str], folders: Sequence[str] = ()) -> dict[str, Any]:
    """Return the keys that choices of groups have, dotted, with their values before any override.

    Of a few combinations each is composed, which costs a single command 0.2 s. Of many, as a sweep has, each choice is
    composed once, and its keys are kept: there are many more combinations than choices.

    Args:
        choices: by group; a group that is not named has its default.
        folders: where choices are found besides conf/, as hydra.searchpath has them.
    """
    folders = tuple(folders)
    combination = (conf_dir(), *sorted(choices.items()), *folders)
    if combination not in _combinations and len(_combinations) < FEW:
        words = tuple(word(group, choice) for group, choice in choices.items())
        _combinations[combination] = _composition(conf_dir(), words, folders).keys
    if combination in _combinations:
        return _combinations[combination]
    base = _composition(conf_dir())
    changed = {group: choice for group, choice in choices.items() if choice != base.choices[group]}
    known = {key: value for key, value in base.keys.items() if key.partition(".")[0] not in changed}
    for group, choice in changed.items():
        keys = _composition(conf_dir(), (word(group, choice),), folders).keys
        known |= {key: value for key, value in keys.items() if key.startswith(f"{group}.") or key not in base.keys}
    return known


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


class _Composition(NamedTuple):
    keys: dict[str, Any]
    choices: dict[str, str | None]


@cache
def _composition(conf: Path, words: tuple[str, ...] = (), folders: tuple[str, ...] = ()) -> _Composition:
    """Compose choices of groups, or the defaults alone; return keys with values, and the choice of each group."""
    config = composed(conf, words, folders)
    if config.hydra.runtime.choices.get(f"{SITE}@cluster") and any(
        (Path(place.removeprefix("file://")) / SITE).is_dir() for place in (str(conf), *folders)
    ):
        config = composed(conf, [*words, f"~{SITE}@cluster"], folders)
    keys = {key: value for key, value in leaves(_container(config)) if not key.startswith("hydra.")}
    return _Composition(keys, choices_of(config.hydra))


def _check_keys_of(config: DictConfig, hydra: HydraConf | DictConfig) -> None:
    needed = [group for group in groups() if group != SWEEP]
    chosen = choices_of(hydra)
    saved = not any(group in chosen for group in needed)
    if saved:
        chosen = choices_by_name(config)
    for group in needed:
        if chosen.get(group) is None:
            raise no_choice(f"{group}=null", group)
    choices = {group: str(chosen[group]) for group in needed}
    known = known_keys(choices, folders_of(hydra, conf_dir()))
    if saved:
        name_classes(config, known)
    plain = {key: value for key, value in _container(config).items() if key != "hydra"}
    check_closed(plain, known, choices)


def _container(config: DictConfig, resolve: bool = False) -> dict[str, Any]:
    plain = OmegaConf.to_container(config, resolve=resolve)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
