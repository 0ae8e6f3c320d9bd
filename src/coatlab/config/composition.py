"""What Hydra composes of choices of groups, kept: a sweep has thousands of cells, but few choices.

Composing takes 0.2 s of a core, and a copy of what was composed 0.004 s. The first few combinations of choices that a
process asks for are composed whole. Of further ones each choice is composed once, and its group's node takes the place
of another. Choices that change more than their own node (`# @package _global_`) are left to Hydra.
"""

import os
import pickle
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError

from coatlab.config.composer import composed
from coatlab.config.files import groups
from coatlab.config.keys import leaves
from coatlab.config.words import is_below, word

FEW = 3  # combinations that are composed whole
KEPT = 256  # combinations; 0.04 MB each

Choices = tuple[tuple[str, str], ...]  # group and choice, in order of the groups


@dataclass(frozen=True, eq=False)
class Composition:
    """A config of choices, before any value is set, without Hydra's own settings.

    Attributes:
        pickled: the config; a copy takes a quarter of what copy.deepcopy takes.
        keys: dotted, with their values.
        choices: of every group, also of those inside a group.
    """

    pickled: bytes
    keys: Mapping[str, Any]
    choices: Mapping[str, str | None]

    def config(self) -> DictConfig:
        """Return a copy, closed to new keys as what Hydra composes."""
        config = pickle.loads(self.pickled)
        assert isinstance(config, DictConfig)
        return config


def composition(conf: Path, words: Sequence[str], choices: Mapping[str, str], folders: Sequence[str]) -> Composition:
    """Compose words that choose from groups; what was composed of the same files before is not composed again.

    Args:
        conf: the folder conf/.
        words: overrides that Hydra has to see.
        choices: by group; a group that is not named has its default.
        folders: where choices are looked for besides `conf`, as hydra.searchpath has them.

    Raises:
        InputError: a group choice that does not exist.
    """
    places = _places(conf, folders)
    apart = {group: choice for group, choice in choices.items() if _is_plain(places, group, choice)}
    others = [word(group, choice) for group, choice in choices.items() if group not in apart]
    return _composition(tuple(_files(places)), conf, (*words, *others), tuple(sorted(apart.items())), tuple(folders))


def groups_in(conf: Path, folders: Sequence[str]) -> set[str]:
    """Return the names of groups: of conf/, and of the folders besides it."""
    return {
        entry.name
        for place in _places(conf, folders)
        if place.is_dir()
        for entry in os.scandir(place)
        if entry.is_dir()
    }


def set_value(config: DictConfig, override: Override) -> None:
    """Set a value as Hydra's override does: in a key that is there, or with + in one that is not, or with ++ in any.

    Raises:
        OmegaConfBaseException: the key does not exist, or with + does exist.
    """
    key, value = override.key_or_group, override.value()
    if override.is_add() and OmegaConf.select(config, key) is not None and not isinstance(value, dict | list):
        raise ConfigKeyError(f"{key} is there")
    OmegaConf.update(config, key, value, force_add=override.is_add() or override.is_force_add())


@lru_cache(KEPT)
def _composition(
    files: Hashable, conf: Path, words: tuple[str, ...], choices: Choices, folders: tuple[str, ...]
) -> Composition:
    if _whole.cache_info().currsize < FEW:
        return _whole(files, conf, words, choices, folders)
    base = _whole(files, conf, words, (), folders)
    choices = tuple((group, choice) for group, choice in choices if base.choices.get(group) != choice)
    others = {group: _whole(files, conf, words, ((group, choice),), folders) for group, choice in choices}
    if not all(_differ_only_in(group, base, other) for group, other in others.items()):
        return _whole(files, conf, words, choices, folders)
    nodes = {str(key): _node(others.get(str(key), base), str(key)) for key in base.config()}
    config = OmegaConf.unsafe_merge(*map(pickle.loads, nodes.values()))
    OmegaConf.set_struct(config, True)
    keys = {key: value for key, value in base.keys.items() if key.partition(".")[0] not in others}
    for group, other in others.items():
        keys |= {key: value for key, value in other.keys.items() if is_below(key, [group])}
    return Composition(pickle.dumps(config, pickle.HIGHEST_PROTOCOL), keys, {**base.choices, **dict(choices)})


@lru_cache(KEPT)
def _node(of: Composition, key: str) -> bytes:
    """Return one key of the top level as a config with nothing else, pickled."""
    return pickle.dumps(OmegaConf.masked_copy(of.config(), key), pickle.HIGHEST_PROTOCOL)


@lru_cache(KEPT)
def _whole(
    files: Hashable, conf: Path, words: tuple[str, ...], choices: Choices, folders: tuple[str, ...]
) -> Composition:
    config = composed(conf, [*words, *(word(group, choice) for group, choice in choices)], folders)
    chosen = {str(group): choice for group, choice in config.hydra.runtime.choices.items()}
    plain = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.set_struct(plain, True)  # as it was
    container: Any = OmegaConf.to_container(plain)
    return Composition(pickle.dumps(plain, pickle.HIGHEST_PROTOCOL), dict(leaves(container)), chosen)


def _differ_only_in(group: str, one: Composition, other: Composition) -> bool:
    outside = [
        [repr(entry) for entry in each.keys.items() if not is_below(entry[0], [group])]
        + [repr(entry) for entry in each.choices.items() if entry[0] != group]
        for each in (one, other)
    ]
    return outside[0] == outside[1]


def _is_plain(places: Sequence[Path], group: str, choice: str) -> bool:
    """Tell whether the file of a choice is there, and says nothing of where its keys go."""
    paths = [place / group / f"{choice}.yaml" for place in places]
    texts = [path.read_text(errors="replace") for path in paths if path.is_file()]
    return bool(texts) and not any("@" in text for text in texts)


def _places(conf: Path, folders: Sequence[str]) -> list[Path]:
    return [conf, *(Path(folder.removeprefix("file://")) for folder in folders)]


def _files(places: Sequence[Path]) -> Iterator[tuple[str, int, int]]:
    """Yield the files that configs are composed of, each with what changes when the file does."""
    known = groups()
    for folder in (folder for place in places for folder in (place, *(place / group for group in known))):
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if entry.name.endswith(".yaml") and entry.is_file():
                yield entry.path, entry.stat().st_mtime_ns, entry.stat().st_size
