"""Shards in WebDataset's form: tar files in which the files of one sample share a name, `<key>.jpg` and `<key>.cls`.

webdataset reads shards as a stream whose order depends on the number of workers. To resume exactly, a run needs to read
each image by its number. So the shards are indexed once (where each image begins, and its class), and the index is
cached. The images stay where they are. Shards are files on a local or mounted disk.
"""

import filecmp
import hashlib
import json
import os
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from braceexpand import braceexpand
from numpy.typing import NDArray
from rich.progress import track

from coatlab.data.files.faults import NAMED, Fault, listed, printable, refuse_faults, why
from coatlab.data.files.reading import READING, open_file
from coatlab.data.files.samples import read_shard
from coatlab.data.splits import check_parts
from coatlab.errors import InputError
from coatlab.output.files import write_atomic

COLUMNS = ("shard", "header", "offset", "size", "labels")


@dataclass(frozen=True)
class Shards:
    """An index of shards.

    Attributes:
        paths: of the shards.
        shard, header, offset, size, labels: of each image: its shard, where its tar header and its bytes begin there,
            how many bytes they are, and its class.
        broken: shards that end too early or are damaged; the images before that are indexed.
        faults: samples that cannot be used, and why.
        aside: how many other files there are, by ending.
    """

    paths: tuple[Path, ...]
    shard: NDArray[np.int64]
    header: NDArray[np.int64]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    labels: NDArray[np.int64]
    broken: tuple[Fault, ...]
    faults: tuple[Fault, ...]
    aside: Mapping[str, int]

    def name(self, number: int) -> str:
        """Return `shard:member` of an image; the member's name is in the tar headers before the image."""
        path = self.paths[self.shard[number]]
        try:
            with open_file(str(path)) as file:
                file.seek(int(self.header[number]))
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    member = tar.next()
            name = member.name if member else ""
        except (OSError, tarfile.TarError):
            name = ""
        return printable(f"{path}:{name or int(self.offset[number])}")

    def read(self, number: int) -> bytes:
        """Return the encoded image."""
        with open_file(str(self.paths[self.shard[number]])) as file:
            file.seek(int(self.offset[number]))
            return file.read(int(self.size[number]))


@lru_cache(maxsize=4)
def index(root: Path, pattern: str, cache: Path) -> tuple[Shards, str]:
    """Return the index of the shards that a pattern names, and a hash of their names, their sizes and the index.

    The index is read from the cache if it is there and no shard was written since. Further calls with the same
    arguments return the first result.

    Args:
        root: folder of the shards.
        pattern: names relative to the root, with braces as in train-{0000..0146}.tar, or wildcards.
        cache: folder where the index is kept.

    Raises:
        InputError: a shard is missing, named twice, not a tar file, or has no sample that can be used.
    """
    try:
        paths = tuple(_expand(root, pattern))
        _refuse_same_files(f"data.shards={pattern}", paths)
        sums, state = hashlib.sha256(READING), hashlib.sha256(READING)
        for path in paths:
            status = path.stat()
            sums.update(os.fsencode(path.relative_to(root)) + b"\0%d\n" % status.st_size)
            state.update(os.fsencode(path.absolute()) + b"\0%d %d\n" % (status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise InputError(
            f"data.shards={pattern}: {printable(error.filename or root)} cannot be read ({why(error)})"
        ) from error
    kept = cache / "shards" / f"{state.hexdigest()[:16]}.npz"
    try:
        with np.load(kept, allow_pickle=False) as stored:
            arrays, notes = {name: stored[name] for name in COLUMNS}, json.loads(stored["notes"].tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or damaged
        arrays, notes = _index(paths)
        bytes_ = np.frombuffer(json.dumps(notes).encode(), np.uint8)
        try:
            write_atomic(kept, lambda file: np.savez_compressed(file, allow_pickle=False, notes=bytes_, **arrays))
        except OSError as error:  # a cache only saves time
            print(f"data.cache={cache} cannot be written ({error.strerror}); the shards are indexed again in every run")
    for name in COLUMNS:  # tar files are padded: other labels seldom change their size
        sums.update(arrays[name].astype("<i8").tobytes())
    broken = tuple(Fault(printable(paths[shard]), reason) for shard, reason in notes["broken"])
    faults = tuple(Fault(f"{printable(paths[shard])}:{key}", reason) for shard, key, reason in notes["faults"])
    return Shards(paths, broken=broken, faults=faults, aside=notes["aside"], **arrays), sums.hexdigest()[:16]


def catalog(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of `data=webdataset` that only the shards can tell: number of classes and content hash.

    Args:
        data: the group `data` of a resolved config.

    Raises:
        InputError: `data.root` or `data.shards` is not given, `data.num_classes` is too small, a class has no image or
            too few for the parts that are asked for, or as in `index_all`.
    """
    for key in ("root", "shards"):
        if data[key] is None:
            raise InputError(
                f"data={data['name']} needs data.{key}: "
                + ("the folder of the shards" if key == "root" else "their names, as in train-{0000..0146}.tar")
            )
    both, content = index_all(data["root"], (data["shards"], data["test_shards"]), data["cache"], data["on_corrupt"])
    there = 1 + max(int(shards.labels.max()) for shards in both)
    if data["num_classes"] is not None and data["num_classes"] < there:
        raise InputError(f"data.num_classes={data['num_classes']}, but the shards have the class {there - 1}")
    classes, images = np.unique(both[0].labels, return_counts=True)
    _check_classes(classes, both[1].labels if len(both) > 1 else classes, data["num_classes"])
    counts = {str(label): count for label, count in zip(classes.tolist(), images.tolist(), strict=True)}
    held = data["test_size"] if len(both) == 1 else 0
    check_parts(counts, train_size=data["train_size"], eval_size=data["eval_size"], test_size=held)
    return {"num_classes": data["num_classes"] or there, "content": content}


def own_test(data: Mapping[str, Any]) -> str | None:
    """Say where the test images are; None: they are held out of the training images."""
    return data["test_shards"] and f"data.test_shards={data['test_shards']}"


def index_all(root: str, patterns: Iterable[str | None], cache: str, on_corrupt: str) -> tuple[list[Shards], str]:
    """Return the indexes of the training shards and of the test shards, if there are any, and a hash of both.

    Args:
        root, cache: as in `index`.
        patterns: of the training shards, and of the test shards or None.
        on_corrupt: stop or skip.

    Raises:
        InputError: a shard is both, a shard is broken or a sample cannot be used and on_corrupt is stop, or as `index`.
    """
    found = [index(Path(root), pattern, Path(cache)) for pattern in patterns if pattern]
    both = [shards for shards, _ in found]
    _refuse_same_files("data.test_shards", [path for shards in both for path in shards.paths])
    _refuse_copies(both)
    broken = [str(fault) for shards in both for fault in shards.broken]
    if broken and on_corrupt == "stop":
        raise InputError(f"{listed(broken)}; replace it, or use its whole images with data.on_corrupt=skip")
    refuse_faults([fault for shards in both for fault in shards.faults], on_corrupt)
    return both, "-".join(content for _, content in found)


def said_aside(both: Sequence[Shards], classes: int) -> list[str]:
    """Say how many files of which endings are not used, and which classes have no image."""
    kinds = sum((Counter(shards.aside) for shards in both), Counter())
    text = [f"{count} {ending}" for ending, count in kinds.most_common(NAMED)]
    more = f" and {len(kinds) - NAMED} other endings" if len(kinds) > NAMED else ""
    aside = [f"files in shards: {', '.join(text)}{more}"] if text else []
    for shards, part in zip(both, ("an", "a test"), strict=False):
        present = set(np.unique(shards.labels).tolist())
        absent = (str(label) for label in range(classes) if label not in present)
        if lacking := list(islice(absent, NAMED)):
            others = classes - len(present) - len(lacking)
            also = f" and {others} more" if others else ""
            aside.append(f"classes without {part} image: {', '.join(lacking)}{also}")
    return aside


def _expand(root: Path, pattern: str) -> Iterator[Path]:
    if not os.path.isdir(root):
        raise InputError(f"data.root={printable(root)} is not a folder; it must be the folder that has the shards")
    try:
        next(iter(braceexpand(pattern)))
    except ValueError as error:
        raise InputError(f"data.shards={pattern} cannot be understood ({error})") from error
    for name in braceexpand(pattern):
        found = sorted(root.glob(name)) if any(sign in name for sign in "*?[") else [root / name]
        wrong = next((path for path in found if not os.path.isfile(path)), None)
        if not found or wrong:
            there = wrong is not None and os.path.lexists(wrong)
            what = (
                f"{printable(wrong)} is not a file" if wrong and there else f"there is no file {printable(root / name)}"
            )
            raise InputError(f"data.shards={pattern}: {what}")
        yield from found


def _refuse_same_files(key: str, paths: Iterable[Path]) -> None:
    """Refuse a shard that is named twice, by whatever name: its images would be trained on twice, or tested on."""
    seen: dict[tuple[int, int], Path] = {}
    for path in paths:
        status = path.stat()
        if first := seen.get((status.st_dev, status.st_ino)):
            raise InputError(f"{key}: {printable(path)} is the same file as {printable(first)}; name every shard once")
        seen[status.st_dev, status.st_ino] = path


def _refuse_copies(both: Sequence[Shards]) -> None:
    """Refuse a shard that is a copy of another; those whose images are as large as another's are compared whole."""
    seen: dict[bytes, list[Path]] = {}
    for shards in both:
        ends = np.searchsorted(shards.shard, np.arange(len(shards.paths) + 1))
        for path, first, last in zip(shards.paths, ends[:-1], ends[1:], strict=True):
            sums = hashlib.sha256()
            for column in (shards.offset, shards.size, shards.labels):
                sums.update(column[first:last].tobytes())
            alike = seen.setdefault(sums.digest(), [])
            for other in alike:
                if filecmp.cmp(other, path, shallow=False):
                    raise InputError(f"{printable(path)} is a copy of {printable(other)}; name every shard once")
            alike.append(path)


def _check_classes(train: NDArray[np.int64], test: NDArray[np.int64], num_classes: int | None) -> None:
    """Refuse classes without a training image; those that only `data.num_classes` asks for may have none.

    Args:
        train: the classes of the training images, in order.
        test: of the test images.
    """
    if only := sorted(set(test.tolist()) - set(train.tolist())):
        raise InputError(f"the test shards have the class {only[0]}, which the training shards do not have")
    largest = int(train[-1])
    if num_classes is None and (largest >= len(train) or len(train) == 1):
        lacking = next((number for number, label in enumerate(train.tolist()) if number != label), largest + 1)
        raise InputError(
            f"the shards have no image of class {lacking}, and their largest class is {largest}; number at least two "
            f"classes from 0 without gaps, or give data.num_classes={max(2, largest + 1)} if some are to have no image"
        )


def _index(paths: Sequence[Path]) -> tuple[dict[str, NDArray[np.int64]], dict[str, Any]]:
    """Index shards; return the columns, and what else there is to say, as JSON has it."""
    rows: list[tuple[int, int, int, int, int]] = []
    notes: dict[str, Any] = {"broken": [], "faults": [], "aside": {}}
    aside: Counter[str] = Counter()
    for number, path in enumerate(track(paths, "indexing shards", transient=True)):
        shard = read_shard(path)
        rows += [(number, *sample) for sample in shard.samples.values()]
        notes["faults"] += [(number, printable(key), reason) for key, reason in shard.faults.items()]
        notes["broken"] += [(number, shard.broken)] if shard.broken else []
        aside.update({printable(ending): count for ending, count in shard.aside.items()})
    notes["aside"] = dict(aside)
    columns = np.array(rows, dtype=np.int64).T
    return dict(zip(COLUMNS, columns, strict=True)), notes
