"""From conf/ to a plain dictionary: composing the files and resolving them."""

import re
from typing import Any

from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf

from coatlab.config.files import conf_dir
from coatlab.config.places import expand_home
from coatlab.config.targets import without_paths
from coatlab.errors import InputError, not_one_of
from coatlab.model.layout import check_letters


def compose(overrides: list[str], hydra_too: bool = False) -> DictConfig:
    """Compose train.yaml with Hydra overrides, as the command line does, without running anything.

    Args:
        overrides: the words.
        hydra_too: keep Hydra's own settings, below `hydra`.

    Raises:
        InputError: a group choice that does not exist; the sentence lists those that do.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    running = GlobalHydra.instance().hydra  # of the command line, where a run asks for another run's config
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return hydra_compose("train", overrides, return_hydra_config=hydra_too)
    except MissingConfigException as error:
        raise missing_choice(error) from error
    finally:
        GlobalHydra.instance().hydra = running


def missing_choice(error: MissingConfigException) -> InputError:
    """Word a group choice that has no file: `layout/XYZ` -> layout=XYZ does not exist; valid: ..."""
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    if group == "layout" and re.fullmatch("[CT]+", choice):
        try:
            check_letters(choice)  # TCCC: the rule it breaks says more than the list of files
        except InputError as broken:
            return broken
    return not_one_of(group or "config", choice, sorted(error.options or []))


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
        if isinstance(path, str):
            config.paths[key] = str(expand_home(path))  # before others refer to it
    resolved = OmegaConf.to_container(config, resolve=True)
    assert isinstance(resolved, dict)
    return without_paths({str(key): value for key, value in resolved.items()})


def _use_matched_plan(config: DictConfig) -> None:
    """Put the plan that was solved for the attention in the place of the layout's own, where none was given by hand.

    Raises:
        InputError: none was solved for this size, layout and attention.
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
