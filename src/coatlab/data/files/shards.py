"""Shards in WebDataset's form: tar files whose members share a name per sample, `<key>.jpg` and `<key>.cls`.

webdataset reads shards as a stream, whose order depends on the number of workers. A run that resumes exactly needs each
image by its number, so the shards are indexed once (where each image begins, its class) and the index is cached; the
images stay where they are. Shards are local files, or on a mounted disk.
"""

import hashlib
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from braceexpand import braceexpand
from numpy.typing import NDArray
from rich.progress import track

from coatlab.data.files.class_folders import ENDINGS
from coatlab.errors import InputError
from coatlab.output.files import write_atomic

LABEL = "cls"


@dataclass(frozen=True)
class Shards:
    """An index of shards: for each image its shard, the place and length of its content in bytes, and its class."""

    paths: tuple[Path, ...]
    shard: NDArray[np.int64]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    labels: NDArray[np.int64]
    broken: tuple[str, ...]  # shards that end too early; what is whole in them is indexed

    def name(self, number: int) -> str:
        """Return shard and member of an image, from the header before its content."""
        path = self.paths[self.shard[number]]
        header = self._bytes(number, int(self.offset[number]) - tarfile.BLOCKSIZE, tarfile.BLOCKSIZE)
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").name
        except tarfile.HeaderError:
            member = str(int(self.offset[number]))
        return f"{path}:{member}"

    def read(self, number: int) -> bytes:
        """Return an image as it is encoded."""
        return self._bytes(number, int(self.offset[number]), int(self.size[number]))

    def _bytes(self, number: int, offset: int, size: int) -> bytes:
        with open(self.paths[self.shard[number]], "rb", buffering=0) as file:
            file.seek(offset)
            return file.read(size)


@lru_cache(maxsize=4)
def index(root: Path, pattern: str, cache: Path) -> tuple[Shards, str]:
    """Index the shards that a pattern names, or read their index from the cache; and hash their names and sizes.

    Args:
        pattern: relative to the root, with braces as in train-{0000..0146}.tar, or wildcards.

    Raises:
        InputError: a shard that is not there, is no tar file or has a sample without a class.
    """
    paths = tuple(_expand(root, pattern))
    sums = hashlib.sha256()
    for path in paths:
        sums.update(f"{path.relative_to(root)}\0{path.stat().st_size}\n".encode())
    content = sums.hexdigest()[:16]
    kept = cache / "shards" / f"{content}.npz"
    try:
        with np.load(kept, allow_pickle=False) as stored:
            arrays, broken = {name: stored[name] for name in ("shard", "offset", "size", "labels")}, stored["broken"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or damaged
        arrays, broken = _index(paths)
        try:
            write_atomic(kept, lambda file: np.savez_compressed(file, allow_pickle=False, broken=broken, **arrays))
        except OSError as error:  # a cache only saves time
            print(f"data.cache={cache} cannot be written ({error.strerror}); the shards are indexed anew every time")
    return Shards(paths, broken=tuple(str(name) for name in broken), **arrays), content


def catalog(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a config of `data=webdataset` cannot know before it has looked: number of classes, and the content.

    Raises:
        InputError: as `index`, or data.root or data.shards is not given.
    """
    for key in ("root", "shards"):
        if data[key] is None:
            raise InputError(
                f"data={data['name']} needs data.{key}: "
                + ("the folder of the shards" if key == "root" else "their names, as in train-{0000..0146}.tar")
            )
    both = [
        index(Path(data["root"]), pattern, Path(data["cache"]))
        for pattern in (data["shards"], data["test_shards"])
        if pattern is not None
    ]
    there = 1 + max(int(shards.labels.max()) for shards, _ in both)
    if data["num_classes"] is not None and data["num_classes"] < there:
        raise InputError(f"data.num_classes={data['num_classes']}, but the shards have the class {there - 1}")
    content = "-".join(content for _, content in both)
    return {"num_classes": data["num_classes"] or max(2, there), "content": content}


def _expand(root: Path, pattern: str) -> Iterator[Path]:
    if not root.is_dir():
        raise InputError(f"data.root={root} is not a folder; it must be the one that has the shards")
    for name in braceexpand(pattern):
        found = sorted(root.glob(name)) if any(sign in name for sign in "*?[") else [root / name]
        if not found or not found[0].is_file():
            raise InputError(f"data.shards: there is no file {root / name}")
        yield from found


def _index(paths: Iterable[Path]) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.str_]]:
    rows: list[tuple[int, int, int, int]] = []
    broken: list[str] = []
    for number, path in enumerate(track(list(paths), "indexing shards", transient=True)):
        try:
            rows += [(number, *sample) for sample in _samples(path)]
        except _CutOff as cut:
            rows += [(number, *sample) for sample in cut.whole]
            broken.append(str(path))
    if not rows:
        raise InputError(f"data.shards: no image in {', '.join(map(str, paths))}")
    columns = np.array(rows, dtype=np.int64).T
    return dict(zip(("shard", "offset", "size", "labels"), columns, strict=True)), np.array(broken, dtype=np.str_)


class _CutOff(Exception):
    """A shard ended before its last member did; the samples before that are whole."""

    def __init__(self, whole: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.whole = whole


def _samples(path: Path) -> list[tuple[int, int, int]]:
    """Return offset, size and class of each sample of a shard."""
    from webdataset.tariterators import base_plus_ext  # imports torch

    samples: list[tuple[int, int, int]] = []
    key: str | None = None
    image: tuple[int, int] | None = None
    label: int | None = None

    def close() -> None:
        if image is not None:
            if label is None:
                raise InputError(f"{path} has no class for its sample {key}: {key}.{LABEL} must hold a number")
            samples.append((*image, label))

    try:
        length = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                name, ending = base_plus_ext(member.name)
                if not member.isreg() or name is None:
                    continue
                if member.offset_data + member.size > length:
                    raise tarfile.ReadError
                if name != key:
                    close()
                    key, image, label = name, None, None
                if "." + ending.lower().rpartition(".")[2] in ENDINGS:
                    image = (member.offset_data, member.size)
                elif ending == LABEL:
                    label = _class(tar, member, path)
        close()
    except tarfile.ReadError as error:
        if not samples:
            raise InputError(f"{path} cannot be read as a tar file ({error})") from error
        raise _CutOff(samples) from error
    return samples


def _class(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> int:
    file = tar.extractfile(member)
    text = file.read() if file else b""
    if not text.strip().isdigit():
        raise InputError(f"{path}:{member.name} is not a class: {text[:20]!r}; it must be a number from 0 on")
    return int(text)
