"""Shards in WebDataset's form: tar files in which the files of one sample share a name, `<key>.jpg` and `<key>.cls`.

webdataset reads shards as a stream whose order depends on the number of workers. To resume exactly, a run needs to read
each image by its number. So the shards are indexed once (where each image begins, and its class), and the index is
cached. The images stay where they are. Shards are files on a local or mounted disk.
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

from coatlab.data.files.listing import ENDINGS
from coatlab.errors import InputError
from coatlab.output.files import write_atomic

LABEL = "cls"


@dataclass(frozen=True)
class Shards:
    """An index of shards: for each image its shard, its offset there and its size (both in bytes), and its class."""

    paths: tuple[Path, ...]
    shard: NDArray[np.int64]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    labels: NDArray[np.int64]
    broken: tuple[str, ...]  # shards that end too early; their whole images are indexed

    def name(self, number: int) -> str:
        """Return `shard:member` of an image; the member's name is in the tar header before the image."""
        path = self.paths[self.shard[number]]
        header = self._bytes(number, int(self.offset[number]) - tarfile.BLOCKSIZE, tarfile.BLOCKSIZE)
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").name
        except tarfile.HeaderError:
            member = str(int(self.offset[number]))
        return f"{path}:{member}"

    def read(self, number: int) -> bytes:
        """Return the encoded image."""
        return self._bytes(number, int(self.offset[number]), int(self.size[number]))

    def _bytes(self, number: int, offset: int, size: int) -> bytes:
        with open(self.paths[self.shard[number]], "rb", buffering=0) as file:
            file.seek(offset)
            return file.read(size)


@lru_cache(maxsize=4)
def index(root: Path, pattern: str, cache: Path) -> tuple[Shards, str]:
    """Return the index of the shards that a pattern names, and a hash of their names and sizes.

    The index is read from the cache if it is there. Further calls with the same arguments return the first result.

    Args:
        root: folder of the shards.
        pattern: names relative to the root, with braces as in train-{0000..0146}.tar, or wildcards.
        cache: folder where the index is kept.

    Raises:
        InputError: a shard is missing, is not a tar file, or has a sample without a class.
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
            print(f"data.cache={cache} cannot be written ({error.strerror}); the shards are indexed again in every run")
    return Shards(paths, broken=tuple(str(name) for name in broken), **arrays), content


def catalog(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `data=webdataset` that only the shards can tell: number of classes and content hash.

    Args:
        data: the group `data` of a resolved config.

    Raises:
        InputError: `data.root` or `data.shards` is not given, `data.num_classes` is too small, or as in `index`.
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
        raise InputError(f"data.root={root} is not a folder; it must be the folder that has the shards")
    for name in braceexpand(pattern):
        found = sorted(root.glob(name)) if any(sign in name for sign in "*?[") else [root / name]
        if not found or not found[0].is_file():
            raise InputError(f"data.shards={pattern}: there is no file {root / name}")
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
        raise InputError(f"data.shards: there is no image in {', '.join(map(str, paths))}")
    columns = np.array(rows, dtype=np.int64).T
    return dict(zip(("shard", "offset", "size", "labels"), columns, strict=True)), np.array(broken, dtype=np.str_)


class _CutOff(Exception):
    """A shard ends in the middle of a member; the samples before that are whole."""

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
        raise InputError(f"{path}:{member.name} is not a class: {text[:20]!r}; it must be a whole number of at least 0")
    return int(text)
