"""Find the parts of a data set, training and test, among the folders below its root.

A folder called `train` or `training` that holds folders has the training classes, one called `test` or `testing`, or
else `val`, `valid` or `validation`, the test images; capitals do not matter. Without such folders the root has the
classes. Folders that look like the parts of a split but are named in another way, or stand where classes should, are
refused: taken for classes, they would be learned.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coatlab.data.files.faults import listed, printable, why
from coatlab.data.files.listing import is_hidden, is_image, unreachable
from coatlab.errors import InputError

PARTS = {"train": ("train", "training"), "test": ("test", "testing"), "val": ("val", "valid", "validation")}
# Words in the names of a split's parts; here they only make a folder suspicious.
WORDS = {
    "train": ("train", "training", "trn"),
    "test": ("test", "testing", "tst", "holdout", "eval", "evaluation"),
    "val": ("val", "valid", "validation", "dev"),
    "other": ("pred", "unlabeled", "unlabelled", "fold", "split"),
}


@dataclass(frozen=True)
class Parts:
    """Where the classes are; `test` is None if there is no such folder, `aside` says what is not used."""

    train: Path
    test: Path | None
    aside: tuple[str, ...]


def find_parts(root: Path, tests: Sequence[str]) -> Parts:
    """Find the folders that hold the classes.

    Args:
        root: of the data set.
        tests: which parts may have the test images, `test` or `val`; the first that exists has them.

    Raises:
        InputError: the root is not a folder, or its folders can be understood in several ways.
    """
    names = folders(root)
    roles = {role: [name for name in names if name.casefold() in PARTS[role]] for role in PARTS}
    for role, same in roles.items():
        if len(same) > 1:
            raise InputError(
                f"{printable(root)} has {' and '.join(same)}, which are both called {role}; keep one of them"
            )
    train = next((root / name for name in roles["train"] if folders(root / name)), None)
    if train is None:
        if looks_like_split(names):
            shown = listed([printable(name) for name in names])
            raise InputError(
                f"the folders {shown} of {printable(root)} look like a split, not like classes; "
                "call them train, test and val, and let train hold a folder per class"
            )
        if part := next((name for name in names if _is_part(root / name)), None):
            raise InputError(
                f"{printable(root / part)} looks like a part of a split, but the folders beside it look like classes; "
                "let train hold the classes, or call this one something else if it is a class"
            )
        return Parts(root, None, _loose_images(root))
    part = next((name for role in tests for name in roles[role]), None)
    beside = [name for name in names if name not in (train.name, part)]
    unclear = [name for name in beside if part is None and not _role(name) and _has_images(root / name)]
    if unclear:
        raise InputError(
            f"{printable(train)} has folders, and beside it there are images in {listed([*map(printable, unclear)])}: "
            "it can be a class or hold the classes; move one or the other away"
        )
    test = root / part if part else None
    aside = [f"{printable(name)}/" for name in beside]
    for folder in (root, train, *([test] if test else [])):
        aside += _loose_images(folder)
    return Parts(train, test, tuple(aside))


def _is_part(folder: Path) -> bool:
    """Tell whether a folder among classes is called like a part. `train` and `valid` can be classes, of images only."""
    name = folder.name.casefold()
    return any(name in names for names in PARTS.values()) and (name not in ("train", "valid") or bool(folders(folder)))


def looks_like_split(names: Sequence[str]) -> bool:
    """Tell whether folders are named like parts of a split rather than like classes."""
    exact = {role for name in names for role in PARTS if name.casefold() in PARTS[role]}
    likely = {_role(name) for name in names}
    numbered = {re.sub(r"\d+", "", name.casefold()) for name in names}
    return len(exact) > 1 or (None not in likely and (len(likely) > 1 or len(numbered) == 1))


def folders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, in order; hidden ones are left out.

    Raises:
        InputError: it cannot be listed, or has a link to a folder that is not there.
    """
    found = []
    for entry in _entries(folder):
        try:
            if os.path.isdir(entry.path):
                found.append(entry.name)
            elif not os.path.splitext(entry.name)[1]:
                entry.stat()
        except OSError as error:  # a class would vanish
            raise InputError(f"{printable(entry.path)} {unreachable(entry, error)}; mend or remove it") from error
    return sorted(found)


def _role(name: str) -> str | None:
    """Return what a folder may be in a split, judged by the words in its name."""
    for word in re.findall(r"[a-z]+", name.casefold()):
        for role, words in WORDS.items():
            if re.sub(r"(set|data|images|imgs)$", "", word) in words:
                return role
    return None


def _loose_images(folder: Path) -> tuple[str, ...]:
    count = sum(is_image(entry.name) and not os.path.isdir(entry.path) for entry in _entries(folder))
    return (f"{count} images directly in {printable(folder)}",) if count else ()


def _has_images(folder: Path) -> bool:
    return any(is_image(entry.name) for entry in _entries(folder))


def _entries(folder: Path) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_hidden(entry.name)]
    except OSError as error:
        raise InputError(f"{printable(folder)} cannot be listed ({why(error)})") from error
