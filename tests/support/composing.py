"""Composing costs 0.2 s of a core, and the tests compose some thousand times: what was read and composed is kept.

In the tests' own processes, and in the commands that are forked for them (preload.py). Both places are private parts of
Hydra (tried with 1.3.8), through which hydra.compose and hydra.main go; test_composing.py compares with Hydra.
"""

import os
import pickle
from collections.abc import Callable, Hashable
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository

_kept: dict[Hashable, bytes] = {}  # pickled: a copy costs a quarter of what copy.deepcopy takes
_files: Hashable = None  # of the configs that are being composed now, with their times of change
compose_anew: Callable[..., Any] = ConfigLoaderImpl.load_configuration
_read_anew: Callable[..., Any] = ConfigRepository.load_config


def keep_composed_configs() -> None:
    """Let Hydra read a file once, and compose the same words from the same files once."""
    ConfigRepository.load_config = _read  # type: ignore[method-assign]
    ConfigLoaderImpl.load_configuration = _compose  # type: ignore[method-assign]


def _compose(self: ConfigLoaderImpl, config_name: str | None, overrides: list[str], *how: Any, **named: Any) -> Any:
    global _files
    outer, _files = _files, _files_of(self.repository)
    try:
        key = ("words", _files, config_name, *overrides, how, *sorted(named.items()))
        return _copy_of(key, lambda: compose_anew(self, config_name, overrides, *how, **named))
    finally:
        _files = outer


def _read(self: ConfigRepository, config_path: str) -> Any:
    places = tuple((source.provider, source.path) for source in self.get_sources())
    return _copy_of(("file", _files, places, config_path), lambda: _read_anew(self, config_path))


def _copy_of(key: Hashable, make: Callable[[], Any]) -> Any:
    if _files is None:
        return make()
    if key not in _kept:
        _kept[key] = pickle.dumps(make(), pickle.HIGHEST_PROTOCOL)
    return pickle.loads(_kept[key])


def _files_of(repository: Any) -> Hashable:
    """Return where configs come from, and something that is another one once a file was changed or added."""
    places = [(source.provider, source.path) for source in repository.get_sources()]
    files = [
        (entry.path, entry.stat().st_mtime_ns, entry.stat().st_size)
        for provider, path in places
        if provider not in ("hydra", "schema")
        for folder, _, _ in os.walk(path)
        for entry in os.scandir(folder)
        if entry.is_file()
    ]
    return tuple(places), tuple(files)
