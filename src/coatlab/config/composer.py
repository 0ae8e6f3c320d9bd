"""Hydra as a function: words in, a config out, whatever else Hydra is doing in this process."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.conf import HydraConf
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import MissingConfigException
from omegaconf import DictConfig

from coatlab.errors import InputError, not_one_of
from coatlab.model.layout import check_letters


def composed(conf: Path, words: Sequence[str], folders: Sequence[str] = ()) -> DictConfig:
    """Compose train.yaml, with Hydra's own settings below `hydra`.

    Args:
        conf: the folder conf/.
        words: overrides.
        folders: where choices are looked for besides `conf`, as hydra.searchpath has them.

    Raises:
        InputError: a group choice that does not exist; the sentence lists those that do.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    running = GlobalHydra.instance().hydra  # of the command line, where a run asks for another run's config
    GlobalHydra.instance().clear()
    quoted = ",".join(QuotedString(folder, Quote.single).with_quotes() for folder in folders)
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            search = [f"hydra.searchpath=[{quoted}]"] if folders else []
            return hydra_compose("train", [*words, *search], return_hydra_config=True)
    except MissingConfigException as error:
        raise missing_choice(error) from error
    finally:
        GlobalHydra.instance().hydra = running


@contextmanager
def loader_of(conf: Path, folder: Path | None = None) -> Iterator[ConfigLoader]:
    """Be a command of Hydra's for a while, whose loader knows the choices of each group; so `composed` knows them, too.

    Args:
        conf: the folder conf/.
        folder: that --config-dir adds; None: none.
    """
    from hydra import initialize_config_dir

    with initialize_config_dir(str(conf), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        if folder is not None:
            path = loader.get_search_path()
            path.prepend("command-line", f"file://{folder.resolve()}", SearchPathQuery(provider="schema"))
            loader.repository.initialize_sources(path)  # type: ignore[attr-defined]  # of hydra-core 1.3.8
        yield loader


def missing_choice(error: MissingConfigException) -> InputError:
    """Word a group choice that has no file: `layout/XYZ` -> layout=XYZ does not exist; valid: ..."""
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    if group == "layout" and re.fullmatch("[CT]+", choice):
        try:
            check_letters(choice)  # TCCC: the rule it breaks says more than the list of files
        except InputError as broken:
            return broken
    if not group:
        return InputError(f"--config-name={choice} does not exist: there is no {choice}.yaml")
    return not_one_of(group, choice, sorted(error.options or []))


def folders_of(hydra: HydraConf | DictConfig, conf: Path) -> tuple[str, ...]:
    """Return where a config came from besides `conf`: what --config-dir and hydra.searchpath added."""
    return _besides(conf, ((each.provider, f"{each.schema}://{each.path}") for each in hydra.runtime.config_sources))


def running_folders(conf: Path) -> tuple[str, ...]:
    """Return the folders that the running command added to `conf`, if one runs: a donor may be made of its choices."""
    if HydraConfig.initialized():
        return folders_of(HydraConfig.get(), conf)
    if GlobalHydra.instance().is_initialized():  # a sweep that plans its cells
        path = GlobalHydra.instance().config_loader().get_search_path().get_path()
        return _besides(conf, ((entry.provider, entry.path) for entry in path))
    return ()


def choices_of(hydra: HydraConf | DictConfig) -> dict[str, str | None]:
    """Return the choice of each group; Hydra's own groups, and those inside a group, have a slash in their names."""
    return {str(group): choice for group, choice in hydra.runtime.choices.items() if "/" not in str(group)}


def _besides(conf: Path, sources: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    ours = (str(conf), f"file://{conf}")
    return tuple(path for provider, path in sources if provider not in ("hydra", "schema") and path not in ours)
