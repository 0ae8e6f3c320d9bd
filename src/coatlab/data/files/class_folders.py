"""A folder with one folder per class, as torchvision's ImageFolder reads it: its images, and a hash of them.

It has one of two forms:

    root/train/<class>/...image   with test images in root/test/<class>/... or root/val/<class>/..., if there are any
    root/<class>/...image         without test images

Classes are numbered in the order of their names. Hidden files are left out; links are followed.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coatlab.errors import InputError

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff")


@dataclass(frozen=True)
class Listing:
    """Images below a root, with their classes: paths are relative, in one array whose memory forked workers share."""

    paths: NDArray[np.bytes_]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class ClassFolders:
    """What is below a root; `test` is None if it has no test images, `content` is a hash of names and sizes."""

    root: Path
    classes: tuple[str, ...]
    train: Listing
    test: Listing | None
    content: str


@lru_cache(maxsize=4)
def scan(root: Path, test_folders: tuple[str, ...] = ("test", "val")) -> ClassFolders:
    """List the images below a root; further calls with the same root return the first result.

    Args:
        root: a folder in one of the forms above.
        test_folders: names of folders next to `train`; the first that exists has the test images.

    Raises:
        InputError: the folder does not exist or has no class, a class has no image, or a class has only test images.
    """
    if not root.is_dir():
        raise InputError(f"data.root={root} is not a folder; it must be a folder that has one folder per class")
    train_root = root / "train" if (root / "train").is_dir() else root
    classes = _class_names(train_root)
    if not classes:
        hint = "; its images are not in class folders" if any(map(_is_image, os.listdir(train_root))) else ""
        raise InputError(f"{train_root} must have one folder per class, and has none{hint}")
    sums = hashlib.sha256()
    train = _list(root, train_root, classes, sums)
    test_root = next((root / name for name in test_folders if (root / name).is_dir()), None)
    test = None
    if test_root is not None and train_root != root:
        if unknown := sorted(set(_class_names(test_root)) - set(classes)):
            raise InputError(f"{test_root} has the class {unknown[0]}, which {train_root} does not have")
        test = _list(root, test_root, classes, sums, may_lack=True)
        if not len(test.labels):
            raise InputError(f"{test_root} has no image in a class folder")
    return ClassFolders(root, tuple(classes), train, test, sums.hexdigest()[:16])


def catalog(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `data=folder` that only the folder can tell: number of classes and content hash.

    Args:
        data: the group `data` of a resolved config.

    Raises:
        InputError: `data.root` is not given, `data.num_classes` is wrong, or as in `scan`.
    """
    if data["root"] is None:
        raise InputError(f"data={data['name']} needs data.root, a folder that has one folder per class")
    found = scan(Path(data["root"]))
    if data["num_classes"] not in (None, len(found.classes)):
        raise InputError(f"data.num_classes={data['num_classes']}, but {found.root} has {len(found.classes)} classes")
    return {"num_classes": len(found.classes), "content": found.content}


def _class_names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _list(root: Path, part: Path, classes: Sequence[str], sums: Any, may_lack: bool = False) -> Listing:
    paths: list[bytes] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        before = len(paths)
        if (part / name).is_dir():
            for path, size in sorted(_images(str(part / name))):
                relative = os.fsencode(os.path.relpath(path, root))
                sums.update(relative + b"\0%d\n" % size)
                paths.append(relative)
        if len(paths) == before and not may_lack:
            raise InputError(f"{part / name} has no image ({', '.join(ENDINGS)}); every class needs one")
        labels += [label] * (len(paths) - before)
    return Listing(np.array(paths, dtype=np.bytes_), np.array(labels, dtype=np.int64))


def _images(folder: str) -> Iterator[tuple[str, int]]:
    """Walk a class folder; yield paths and sizes in bytes."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _images(entry.path)
            elif _is_image(entry.name):
                yield entry.path, entry.stat().st_size


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS)
