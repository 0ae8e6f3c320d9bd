"""Where things go: run folders, reports and cached data; and how a command names them.

    runs      $COATLAB_RUNS, else runs/ of the repository
    reports   $COATLAB_REPORTS, else reports/ of the repository
    data      $COATLAB_DATA, else ~/.cache/coatlab

So every command finds the same runs and reports, whatever directory it is called from. An installed wheel has no
repository: the working directory takes its place. What a user writes, in a variable, an option or a key, is relative
to the working directory, and a leading `~` is the home directory.

In conf/ the same folders are `${folder:runs}`, `${expand_home:PATH}` is a path without `~`, and `${variable:NAME}` is a
variable of the environment, null (or a second argument) where it is not set or empty; `${list_variable:NAME}` is its
parts between commas. Importing this module makes them known to OmegaConf;
`coatlab.config.compose` imports it, so whatever composes a config has them.
"""

import argparse
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from coatlab.config.files import repository
from coatlab.errors import InputError, not_one_of
from coatlab.output.text import shown

VARIABLES = {"runs": "COATLAB_RUNS", "reports": "COATLAB_REPORTS", "data": "COATLAB_DATA"}
CACHE = "~/.cache/coatlab"
PUBLISHED = "analysis/results"  # of the repository; trained networks are <study>/weights/<run>.safetensors in it


def folder(name: str) -> Path:
    """Return the folder of `runs`, `reports` or `data`; an empty variable counts as not set.

    Raises:
        InputError: another name, a variable with `${` in it, or `~` stands for a home directory that is unknown.
    """
    if name not in VARIABLES:
        raise not_one_of("folder", name, VARIABLES)
    if given := os.environ.get(VARIABLES[name]):
        if "${" in given:  # a config would read it as a reference to a key
            raise InputError(f"{VARIABLES[name]}={given} is not valid: it has ${{ in it; use a link of another name")
        return expand_home(given)
    return expand_home(CACHE) if name == "data" else _home() / name


def expand_home(path: str) -> Path:
    """Return a path as a user wrote it, with the home directory in the place of a leading `~` or `~user`.

    Raises:
        InputError: that home directory is unknown.
    """
    whole = os.path.expanduser(path)  # $HOME, else the password database
    if whole.startswith("~"):
        raise InputError(f"{path} is not valid: the home directory that {Path(path).parts[0]} stands for is unknown")
    return Path(whole)


def add_folder_option(parser: argparse.ArgumentParser, name: str, meaning: str) -> None:
    """Give a command the option --runs or --reports, with the folder above as its default."""
    default = folder(name)
    described = f"{meaning} (default: {shown(default)}; environment: {VARIABLES[name]})"
    parser.add_argument(f"--{name}", action=_Folder, default=default, metavar="DIR", help=described.replace("%", "%%"))


def require_folder(stated: str, path: Path) -> None:
    """Check that a folder can be listed.

    Args:
        stated: how it was named: `--config-dir`, COATLAB_RUNS.
        path: of the folder.

    Raises:
        InputError: it cannot.
    """
    try:
        os.scandir(path).close()
    except FileNotFoundError:
        reason = "there is no such folder"
    except NotADirectoryError:
        reason = "it is not a folder"
    except OSError as error:
        reason = f"it cannot be listed ({error.strerror})"
    else:
        return
    raise InputError(f"{stated}={shown(path)} is not valid: {reason}")


def require_chosen(name: str, path: Path) -> None:
    """Check that the folder that an option of `add_folder_option` chose can be listed; the usual one need not be there.

    Raises:
        InputError: it cannot.
    """
    usual = path == folder(name)
    if not usual or os.path.lexists(path):
        require_folder(VARIABLES[name] if usual else f"--{name}", path)


def train_command(words: Iterable[str]) -> str:
    """Return the command that trains with these words, as it works from the working directory."""
    return shlex.join(["python", shown(_home() / "src" / "train.py"), *words])


def _home() -> Path:
    return repository() or Path.cwd()


class _Folder(argparse.Action):
    """Store `expand_home` of what was typed; a `type` of argparse could not raise our error, which is a sentence."""

    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        setattr(namespace, self.dest, expand_home(values))


def _if_known(name: str) -> str:
    """Return `folder(name)`; without a home directory `~/...` of the cache, which is refused only where it is used."""
    try:
        return str(folder(name))
    except InputError:
        if os.environ.get(VARIABLES[name]):
            raise
        return CACHE


def _parts(variable: str) -> list[str] | None:
    """Return what stands between the commas of a variable; None: nothing does."""
    return [part for text in os.environ.get(variable, "").split(",") if (part := text.strip())] or None


OmegaConf.register_new_resolver("folder", _if_known, replace=True)
OmegaConf.register_new_resolver("expand_home", lambda path: str(expand_home(str(path))), replace=True)
OmegaConf.register_new_resolver("variable", lambda name, other=None: os.environ.get(name) or other, replace=True)
OmegaConf.register_new_resolver("list_variable", _parts, replace=True)
