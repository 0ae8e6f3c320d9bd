"""Which run folders are of no use: those of runs that failed, and those that never got a record. And removing them."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from coatlab.errors import Held, InputError, RunError
from coatlab.output.text import shown
from coatlab.runs.lock import holder, take_lock
from coatlab.runs.record import run_folders
from coatlab.runs.state import state_of

NAME = re.compile(r".+-s\d+-[0-9a-f]{8}")  # of a run folder
TRACES = ("metrics.jsonl", "checkpoints", "record.json")  # what an empty one does not have


def clean(runs: Path, study: str | None = None, ask: bool = True) -> None:
    """Name what `removable` finds, and remove it once the user has agreed.

    Raises:
        InputError: nobody can be asked.
        RunError: a folder may not be removed.
    """
    found = list(removable(runs, study))
    for folder, why in found:
        print(f"{shown(folder)}: {why}")
    if not found:
        print(f"nothing to remove in {shown(runs)}")
        return
    if ask:
        if not sys.stdin.isatty():
            raise InputError("--clean asks before it removes, and nobody can answer here; add --yes")
        if input(f"remove {len(found)} folder{'s' * (len(found) > 1)}? [y/N] ").strip().lower() not in ("y", "yes"):
            print("nothing was removed")
            return
    removed = sum(remove(folder) for folder, _ in found)
    left = len(found) - removed
    print(f"{removed} removed" + (f", {left} left: they are neither failed nor empty by now" if left else ""))


def removable(runs: Path, study: str | None = None) -> Iterator[tuple[Path, str]]:
    """Yield the folders of failed runs, of a study or of all, and, of all, the empty ones; each with the reason.

    A run that diverged is a result, one that was interrupted goes on, and a damaged record may be repaired: these stay.
    """
    for folder in run_folders(runs):
        state = state_of(folder)
        if state.name == "failed" and state.record and (study is None or study in state.record["studies"]):
            yield folder, f"failed: {state.reason}"
    if study is None and runs.is_dir():
        yield from ((folder, "empty") for folder in sorted(runs.iterdir()) if _is_empty(folder))


def remove(folder: Path) -> bool:
    """Remove a folder that `removable` named, unless by now another process has it, or it is neither failed nor empty.

    Raises:
        RunError: it may not be removed.
    """
    try:
        with take_lock(folder, wait=False):
            if state_of(folder).name != "failed" and not _is_empty(folder, held=True):
                return False
            shutil.rmtree(folder)
    except Held:
        return False
    except OSError as error:
        raise RunError(f"{shown(folder)} cannot be removed: {error.strerror or error}") from error
    return True


def _is_empty(folder: Path, held: bool = False) -> bool:
    """Tell whether a folder is named as a run's, and nobody has begun that run or is beginning it."""
    if not NAME.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
        return False
    if any(os.path.lexists(folder / name) for name in TRACES):
        return False
    return held or holder(folder) is None
