"""A folder with one folder per class, as torchvision's ImageFolder reads it: its images, and a hash of them.

It has one of two forms (parts.py says how the folders may be called):

    root/train/<class>/...image   with test images in root/test/<class>/... or root/val/<class>/..., if there are any
    root/<class>/...image         without test images

Classes are numbered in the order of their names. What is not an image, and what else is left aside, is said
(listing.py).
"""

import hashlib
import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from coatlab.data.files.faults import NAMED, Fault, listed, printable, refuse_faults
from coatlab.data.files.listing import ENDINGS, Listing, Walk, make_listing
from coatlab.data.files.parts import Parts, find_parts, folders, looks_like_split
from coatlab.data.files.reading import READING
from coatlab.data.splits import check_parts
from coatlab.errors import InputError


@dataclass(frozen=True)
class ClassFolders:
    """What is below a root.

    Attributes:
        classes: their names, as they are shown.
        train, test: the images; `test` is None if there are no test images.
        content: a hash of the images' names and sizes.
        faults: what has an image's name but cannot be one.
        found, aside: what has the images, and what else is there, in words.
    """

    root: Path
    classes: tuple[str, ...]
    train: Listing
    test: Listing | None
    content: str
    faults: tuple[Fault, ...]
    found: str
    aside: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """Return how many training images each class has."""
        return dict(zip(self.classes, np.bincount(self.train.labels).tolist(), strict=True))


@lru_cache(maxsize=4)
def scan(root: Path, tests: tuple[str, ...] = ("test", "val")) -> ClassFolders:
    """List the images below a root; further calls with the same root return the first result.

    Args:
        root: a folder in one of the forms above.
        tests: the parts that may have the test images (see `find_parts`).

    Raises:
        InputError: the folder does not exist or is of another form, it has fewer than two classes, a class has no
            image or only test images.
    """
    if not os.path.isdir(root):
        raise InputError(
            f"data.root={printable(root)} is not a folder; it must be a folder that has one folder per class"
        )
    parts = find_parts(root, tests)
    classes = _classes(parts)
    walk = Walk(str(root))
    _walk_classes(walk, [part for part in (parts.train, parts.test) if part], classes)
    keep = walk.leave_out_same_files()
    train, test = (_listing(walk, keep, number) for number in (0, 1))
    if parts.test and not len(test.labels):
        what = f"{printable(parts.test)} has no image in a class folder; sort its images, or move it away"
        raise InputError(what + _with(walk.faults))
    _check_classes(parts.train, classes, train, walk.faults)
    sums = hashlib.sha256(READING)
    for number in np.flatnonzero(keep):
        sums.update(walk.paths[number] + b"\0%d\n" % walk.sizes[number])
    return ClassFolders(
        root,
        tuple(map(printable, classes)),
        train,
        test if parts.test else None,
        sums.hexdigest()[:16],
        tuple(walk.faults),
        _found(parts, train, test),
        (*parts.aside, *_aside(walk), *_doubtful(walk, classes), *_without_test(classes, test if parts.test else None)),
    )


def catalog(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `data=folder` that only the folder can tell: number of classes and content hash.

    Args:
        data: the group `data` of a resolved config.

    Raises:
        InputError: `data.root` is not given, `data.num_classes` is wrong, an image cannot be used, a class is too small
            for the parts that are asked for, or as in `scan`.
    """
    if data["root"] is None:
        raise InputError(f"data={data['name']} needs data.root, a folder that has one folder per class")
    found = scan(Path(data["root"]))
    if data["num_classes"] not in (None, len(found.classes)):
        raise InputError(f"data.num_classes={data['num_classes']}, but {found.root} has {len(found.classes)} classes")
    refuse_faults(found.faults, data["on_corrupt"])
    held = data["test_size"] if found.test is None else 0
    check_parts(found.counts(), train_size=data["train_size"], eval_size=data["eval_size"], test_size=held)
    return {"num_classes": len(found.classes), "content": found.content}


def own_test(data: Mapping[str, Any]) -> str | None:
    """Say where the test images are; None: they are held out of the training images."""
    root = data["root"]
    if not isinstance(root, str) or not os.path.isdir(root):
        return None  # refused elsewhere
    test = find_parts(Path(root), ("test", "val")).test
    return f"test images in {printable(test)}" if test else None


def _classes(parts: Parts) -> list[str]:
    """Return the names of the classes, in order."""
    classes = folders(parts.train)
    if not classes:
        loose = any(word.endswith(f" directly in {printable(parts.train)}") for word in parts.aside)
        hint = "; its images are not in class folders" if loose else ""
        raise InputError(f"{printable(parts.train)} must have one folder per class, and has none{hint}")
    _check_level(parts.train, classes)
    for same in _alike(classes, _as_seen):
        raise InputError(
            f"{printable(parts.train)} has {len(same)} folders that are called {printable(same[0])}, in several forms "
            "of Unicode; make them one class"
        )
    if parts.test and (unknown := sorted(set(folders(parts.test)) - set(classes))):
        test, train = printable(parts.test), printable(parts.train)
        twin = next((name for name in classes if _as_read(name) == _as_read(unknown[0])), None)
        hint = "" if twin is None else f"; it has {printable(twin)}, in other capitals or another form of Unicode"
        raise InputError(f"{test} has the class {printable(unknown[0])}, which {train} does not have{hint}")
    return classes


def _as_seen(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _as_read(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _alike(names: list[str], form: Callable[[str], str]) -> list[list[str]]:
    """Return the groups of several names that have the same form."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(form(name), []).append(name)
    return [same for same in groups.values() if len(same) > 1]


def _walk_classes(walk: Walk, parts: list[Path], classes: list[str]) -> None:
    """List the images of all classes, of training and then of test."""
    every = [(part, label, str(part / name)) for part in parts for label, name in enumerate(classes)]
    for folder in (walk.root, *map(str, parts)):
        walk.enter(folder)
    # all before the first is walked: a link from one class to another must not take its images along
    for part, label, folder in [one for one in every if os.path.isdir(one[2]) and walk.enter(one[2])]:
        _check_level(Path(folder), walk.class_folder(folder, label, parts.index(part)))


def _check_level(folder: Path, inner: list[str]) -> None:
    """Refuse a split where classes, or the images of one class, are expected."""
    if inner and looks_like_split(inner):
        raise InputError(
            f"the folders {listed([printable(name) for name in inner])} of {printable(folder)} look like a split, not "
            f"like classes; did you mean data.root={printable(folder)}?"
        )


def _check_classes(part: Path, classes: list[str], train: Listing, faults: list[Fault]) -> None:
    """Refuse classes without an image, and a single class."""
    empty = np.flatnonzero(np.bincount(train.labels, minlength=len(classes)) == 0)
    if len(empty):
        names = listed([printable(part / classes[number]) for number in empty])
        raise InputError(f"{names} has no image ({', '.join(ENDINGS)}); every class needs one{_with(faults)}")
    if len(classes) == 1:
        hint = f"; did you mean data.root={printable(part / classes[0])}?" if folders(part / classes[0]) else ""
        raise InputError(
            f"{printable(part)} has one class folder, {printable(classes[0])}; at least two are needed{hint}"
        )


def _with(faults: list[Fault]) -> str:
    return f"; found: {listed([str(fault) for fault in faults])}" if faults else ""


def _listing(walk: Walk, keep: Any, part: int) -> Listing:
    numbers = np.flatnonzero(keep & (np.frombuffer(bytes(walk.parts), np.uint8) == part)).tolist()
    return make_listing((walk.paths[number] for number in numbers), (walk.labels[number] for number in numbers))


def _found(parts: Parts, train: Listing, test: Listing) -> str:
    text = f"{len(train.labels)} images in {printable(parts.train)}"
    return f"{text}, {len(test.labels)} for the test in {printable(parts.test)}" if parts.test else text


def _aside(walk: Walk) -> list[str]:
    """Say how many files of which endings are no images."""
    kinds = [f"{count} {ending}" for ending, count in walk.aside.most_common(NAMED)]
    more = f" and {len(walk.aside) - NAMED} other endings" if len(walk.aside) > NAMED else ""
    return [f"files in class folders: {', '.join(kinds)}{more}"] if kinds else []


def _doubtful(walk: Walk, classes: list[str]) -> list[str]:
    """Say what may be meant otherwise: folders in class folders, and classes that differ in capitals only."""
    inner = [printable(name) for name in sorted(walk.inner)]
    said = [f"folders in class folders are no classes: {listed(inner)}"] if inner else []
    alike = [" and ".join(map(printable, same)) for same in _alike(classes, _as_read)]
    return said + ([f"classes that differ in capitals only: {listed(alike)}"] if alike else [])


def _without_test(classes: list[str], test: Listing | None) -> list[str]:
    if test is None:
        return []
    lacking = np.flatnonzero(np.bincount(test.labels, minlength=len(classes)) == 0)
    return [f"classes without a test image: {listed([printable(classes[n]) for n in lacking])}"] if len(lacking) else []
