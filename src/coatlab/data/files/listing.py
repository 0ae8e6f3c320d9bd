"""List the image files of class folders, and name what only looks like one.

Links are followed. Hidden files, and folders that systems put beside a user's, are left out without a word; files of
other kinds are counted by their endings. A file that two paths lead to is listed once, because otherwise a held-out
image could be trained on as well. If the paths are of different classes, its class is unknown, and it is not listed at
all.
"""

import errno
import os
import stat
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coatlab.data.files.faults import Fault, printable, why

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff")
_Image = tuple[str, int, tuple[int, int], bool]  # path, size, device and inode, whether other paths may lead to it
SYSTEMS = ("__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found")  # in any case
KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True)
class Listing:
    """Image files with their classes.

    Attributes:
        names: the paths one after another, relative to the root of the data set, in memory that forked workers share.
        ends: (N,) where each path ends in `names`.
        labels: (N,) class of each file.
    """

    names: bytes
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]

    def path(self, number: int) -> bytes:
        """Return the path of a file."""
        return self.names[int(self.ends[number - 1]) if number else 0 : int(self.ends[number])]


def make_listing(paths: Iterable[bytes], labels: Iterable[int]) -> Listing:
    """Put paths and classes into one listing."""
    every = list(paths)
    ends = np.cumsum([len(path) for path in every], dtype=np.int64)
    return Listing(b"".join(every), ends, np.array(list(labels), dtype=np.int64))


@dataclass
class Walk:
    """What is met on the way through the class folders of a data set; `class_folder` adds one of them.

    Attributes:
        root: folder to which paths are relative.
        paths, labels, parts, sizes: of the images found so far: path, class, part (0 training, 1 test) and bytes.
        faults: what cannot be used, and why.
        aside: how many files of other kinds there are, by ending.
        inner: names of folders directly in class folders.
    """

    root: str
    paths: list[bytes] = field(default_factory=list)
    labels: "array[int]" = field(default_factory=lambda: array("q"))
    parts: bytearray = field(default_factory=bytearray)
    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    faults: list[Fault] = field(default_factory=list)
    aside: Counter[str] = field(default_factory=Counter)
    inner: set[str] = field(default_factory=set)
    _files: "array[int]" = field(default_factory=lambda: array("Q"))  # device and inode in turn
    _linked: bytearray = field(default_factory=bytearray)  # whether another path may lead to the same file
    _folders: dict[tuple[int, int], str] = field(default_factory=dict)

    def class_folder(self, folder: str, label: int, part: int) -> list[str]:
        """Walk a class folder; return the names of the folders directly in it."""
        images: list[_Image] = []
        todo, inner = [(folder, os.path.islink(folder))], None
        while todo:  # a loop, because folders can be nested more deeply than calls
            here, linked = todo.pop()
            below = self._look_into(here, images, linked)
            inner = below if inner is None else inner
            todo += [(path, link) for path, link in below if self.enter(path)]
        for path, size, file, linked in sorted(images):
            self.paths.append(os.fsencode(path.removeprefix(os.path.join(self.root, ""))))
            self.sizes.append(size)
            self._files.extend(file)
            self._linked.append(linked)
        self.labels.extend([label] * len(images))
        self.parts.extend([part] * len(images))
        names = [os.path.basename(path) for path, _ in inner or []]
        self.inner.update(names)
        return names

    def enter(self, folder: str) -> bool:
        """Note that a folder is walked; if another path has led to it already, note a fault and return False."""
        try:
            status = os.stat(folder)
        except OSError as error:
            self._fault(folder, f"cannot be read ({why(error)})")
            return False
        first = self._folders.setdefault((status.st_dev, status.st_ino), folder)
        if first != folder:
            self._fault(folder, f"is the same folder as {printable(first)}")
        return first == folder

    def _look_into(self, folder: str, images: list[_Image], linked: bool) -> list[tuple[str, bool]]:
        """Add the images directly in a folder to a list; return the folders in it, and whether a link leads there."""
        inner: list[tuple[str, bool]] = []
        try:
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            self._fault(folder, f"cannot be listed ({why(error)})")
            return inner
        for entry in entries:
            if is_hidden(entry.name):
                continue
            try:
                status = entry.stat()
            except OSError as error:
                self._unreachable(entry, error)
                continue
            link = linked or entry.is_symlink()
            if stat.S_ISDIR(status.st_mode):
                inner.append((entry.path, link))
            elif not is_image(entry.name):
                self._beside(entry.name)
            elif not stat.S_ISREG(status.st_mode):
                self._fault(entry.path, f"is not a file but {KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}")
            elif not status.st_size:
                self._fault(entry.path, "is empty")
            else:
                file = (status.st_dev, status.st_ino)
                images.append((entry.path, status.st_size, file, link or status.st_nlink > 1))
        return inner

    def _unreachable(self, entry: os.DirEntry[str], error: OSError) -> None:
        """Note what cannot be looked at, if it has an image's name, or may be a folder of images."""
        if os.path.splitext(entry.name)[1] and not is_image(entry.name):
            self._beside(entry.name)
        else:
            self._fault(entry.path, unreachable(entry, error))

    def _beside(self, name: str) -> None:
        self.aside[printable(os.path.splitext(name)[1].lower() or "without an ending")] += 1

    def _fault(self, path: str, reason: str) -> None:
        self.faults.append(Fault(printable(path), reason))

    def leave_out_same_files(self) -> NDArray[np.bool_]:
        """Return which of the images to keep, so that no file is kept twice; note the others as faults."""
        keep = np.ones(len(self.paths), dtype=bool)
        if not any(self._linked):
            return keep
        files = np.array(self._files, dtype=np.uint64).reshape(-1, 2)
        _, group, count = np.unique(files, axis=0, return_inverse=True, return_counts=True)
        linked = np.bincount(group, np.frombuffer(self._linked, np.uint8)) > 0
        groups = np.split(np.argsort(group, kind="stable"), np.cumsum(count)[:-1])
        for number in np.flatnonzero((count > 1) & linked):  # without a link, it is the file system that is odd
            same = groups[number].tolist()
            several = len({self.labels[one] for one in same}) > 1
            keep[same] = False
            keep[same[0]] = not several
            for one in same[0 if several else 1 :]:
                other = same[0] if one != same[0] else same[1]
                reason = f"is the same file as {printable(self.paths[other])}{', of another class' * several}"
                self._fault(os.path.join(self.root, os.fsdecode(self.paths[one])), reason)
        return keep


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is none that a user put there."""
    return name.startswith(".") or name.casefold() in SYSTEMS


def is_image(name: str) -> bool:
    """Tell whether a file's name has the ending of an image."""
    return name.lower().endswith(ENDINGS)


def unreachable(entry: os.DirEntry[str], error: OSError) -> str:
    """Word why an entry of a folder cannot be looked at."""
    if entry.is_symlink() and error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "is a link to nothing"
    return "is a link to itself" if error.errno == errno.ELOOP else f"cannot be read ({why(error)})"
