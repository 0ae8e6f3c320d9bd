"""Read one shard: which image and which class each sample has, and what cannot be used.

The files of a sample stand together and share their key: the name up to its first dot. The image is the file whose
ending is that of an image and nothing else; `0.mask.png` beside `0.jpg` is left aside. A sample with several such
images, without a class, or with a key that comes again is not guessed at: it is a fault.
"""

import os
import tarfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from coatlab.data.files.faults import listed, printable, why
from coatlab.data.files.listing import ENDINGS
from coatlab.errors import InputError

LABEL = "cls"
LONGEST_LABEL = 18  # digits that an int64 holds
CHUNK = 1 << 20
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\3\4": "zip"}
CUT, MORE = "ends too early", "has more after its end, such as a second archive"


class Sample(NamedTuple):
    """Where an image begins in its shard: its tar header, its bytes and how many they are; and its class."""

    header: int
    offset: int
    size: int
    label: int


@dataclass
class Shard:
    """What one shard has: samples and faults by key, other files by ending, and what ends it early."""

    samples: dict[str, Sample] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    aside: Counter[str] = field(default_factory=Counter)
    broken: str = ""


@dataclass
class _Open:
    """The sample whose files are being read."""

    key: str
    images: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # by ending
    label: int | None = None
    endings: list[str] = field(default_factory=list)
    wrong: str = ""


def read_shard(path: Path) -> Shard:
    """List the samples of a shard.

    Raises:
        InputError: it cannot be read, is not a tar file, or none of its samples can be used.
    """
    shard = Shard()
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            last, cut = _read(tar, os.fstat(file.fileno()).st_size, shard)
            shard.broken = CUT if cut else _what_follows(file, tar.offset)
            if shard.broken in ("", MORE) or (last.images and last.label is not None):
                _close(last, shard)  # otherwise it is what the damage has left of a sample
    except tarfile.ReadError as error:
        raise InputError(f"{printable(path)} {_no_tar(path) or f'cannot be read as a tar file ({error})'}") from error
    except OSError as error:
        raise InputError(f"{printable(path)} cannot be read ({why(error)})") from error
    if not shard.samples:
        found = [f"{printable(key)} {reason}" for key, reason in shard.faults.items()]
        found = found or [shard.broken or "no file has a key and an image's ending"]
        raise InputError(f"{printable(path)} has no sample that can be used: {listed(found)}")
    return shard


def _no_tar(path: Path) -> str:
    """Say what a file is instead of a tar file; nothing if it is not known."""
    with open(path, "rb") as file:
        first = file.read(6)
    kind = next((kind for mark, kind in PACKED.items() if first.startswith(mark)), None)
    return (
        f"is packed ({kind}); unpack it to a plain tar file, in which images are read at their places" if kind else ""
    )


def _read(tar: tarfile.TarFile, length: int, shard: Shard) -> tuple[_Open, bool]:
    """Read the members of a shard; return the last sample, and whether the shard ends in the middle of a member."""
    from webdataset.tariterators import base_plus_ext  # imports torch

    sample = _Open("")
    try:
        for member in tar:
            key, ending = base_plus_ext(member.name)
            if member.isdir():
                continue
            if key is None:
                shard.aside["without a key"] += 1
                continue
            if member.isreg() and member.offset_data + member.size > length:
                return sample, True
            if key != sample.key:
                _close(sample, shard)
                sample = _Open(key)
            _add(sample, ending.lower(), member, tar)
    except tarfile.ReadError:
        return sample, True
    return sample, False


def _add(sample: _Open, ending: str, member: tarfile.TarInfo, tar: tarfile.TarFile) -> None:
    """Add a file to its sample."""
    if ending in sample.endings:
        sample.wrong = sample.wrong or f"has two files {ending}: its key comes twice"
    sample.endings.append(ending)
    image = "." + ending.rpartition(".")[2] in ENDINGS
    if not (image or ending == LABEL):
        return
    if not member.isreg() or member.issparse():
        sample.wrong = sample.wrong or f"has no content of its own for {ending}: it is a link or a sparse file"
    elif image:
        sample.images[ending] = (member.offset, member.offset_data, member.size)
    else:
        file = tar.extractfile(member)
        text = file.read(LONGEST_LABEL + 9).strip() if file else b""
        if text.isdigit() and len(text) <= LONGEST_LABEL:
            sample.label = int(text)
        else:
            sample.wrong = sample.wrong or f"has the class {text[:20]!r}; it must be a whole number of at least 0"


def _close(sample: _Open, shard: Shard) -> None:
    """Put a sample whose files have all been read into its shard."""
    plain = [ending for ending in sample.images if "." not in ending]
    chosen = plain or list(sample.images)
    if not sample.images and LABEL not in sample.endings:
        shard.aside.update(sample.endings)  # metadata of the shard
        return
    reason = sample.wrong or _reason(sample, chosen)
    if sample.key in shard.samples or sample.key in shard.faults:
        reason = "comes twice: its files do not stand together, or two samples have the same key"
        shard.samples.pop(sample.key, None)
    if reason:
        shard.faults[sample.key] = reason
        return
    assert sample.label is not None
    shard.samples[sample.key] = Sample(*sample.images[chosen[0]], sample.label)
    shard.aside.update(ending for ending in sample.endings if ending not in (chosen[0], LABEL))


def _reason(sample: _Open, chosen: list[str]) -> str:
    """Say why a sample cannot be used; nothing if it can."""
    dotted = next((ending for ending in sample.endings if ending.endswith(f".{LABEL}")), None)
    hint = f"; a key ends at the first dot, so {sample.key}.{dotted} is one of its files" if dotted else ""
    if not chosen:
        return f"has no image, only {', '.join(sample.endings)}{hint}"
    if len(chosen) > 1:
        return f"has several images ({listed(chosen)}){hint or '; a key ends at the first dot'}"
    if sample.label is None:
        return f"has no class: {sample.key}.{LABEL} must hold a number{hint}"
    return "" if sample.images[chosen[0]][2] else "has an empty image"


def _what_follows(file: IO[bytes], end: int) -> str:
    """Say what is wrong with the end of a shard: tar files end with zeros, and tarfile stops at the first of them."""
    file.seek(end)
    first = file.read(tarfile.BLOCKSIZE)
    if len(first) < tarfile.BLOCKSIZE:
        return CUT
    if first.strip(b"\0"):
        return f"is damaged at byte {end}, and what follows cannot be read"
    while chunk := file.read(CHUNK):
        if chunk.strip(b"\0"):
            return MORE
    return ""
