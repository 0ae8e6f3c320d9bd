"""Files of torch.save that carry a checksum of themselves, so that damage is seen before they are used.

The SHA-256 of the file stands in the comment of the zip file that torch.save writes: file and checksum are one file,
and torch.load and zip programs read it as any other. torch.load itself does not look at the checksums inside a zip
file: most flipped bits load as other numbers.
"""

import hashlib
import os
import re
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

NAME = b"sha256:"
SEAL = 2 + len(NAME) + 64  # bytes at the end of a sealed file: length of the comment, and the comment
END, END_MARK = 22, b"PK\x05\x06"  # how a zip file without a comment ends
CHUNK = 1 << 20


class _Summing:
    """A file that sums up what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sum = file, hashlib.sha256()
        self.error: OSError | None = None  # of the disk: torch raises one of its own instead

    def write(self, data: Any) -> int:
        self.sum.update(data)
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def save_sealed(content: object, file: BinaryIO) -> None:
    """Write what torch.save writes to an open, empty file, and seal it.

    Raises:
        OSError: the disk is full, for example.
    """
    import torch  # here, because damage is looked for without it

    summing = _Summing(file)
    try:
        torch.save(content, summing)  # type: ignore[arg-type]
    except RuntimeError:
        if summing.error is not None:
            raise summing.error from None
        raise
    comment = NAME + summing.sum.hexdigest().encode()
    file.seek(-2, os.SEEK_END)  # the length of the comment, 0 so far
    file.write(struct.pack("<H", len(comment)) + comment)


def damage(path: Path) -> str | None:
    """Say what is wrong with a file of torch.save; None: it is as it was written.

    Every flipped bit of a sealed file is found. A file without a seal, written by an older version or by torch.save
    itself, is judged by the checksums of the entries of its zip file, which do not cover their names and positions.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - SEAL))
        tail = file.read()
        sealed = re.fullmatch(re.escape(struct.pack("<H", SEAL - 2) + NAME) + rb"([0-9a-f]{64})", tail, re.DOTALL)
        if sealed:
            same = _sum(file, size - SEAL) == sealed[1].decode()
            return None if same else "its checksum does not match its content"
        if len(tail) < END or tail[-END:][: len(END_MARK)] != END_MARK or tail[-2:] != b"\0\0":
            return "it is cut or damaged"
        return _by_entries(file)


def _sum(file: BinaryIO, length: int) -> str:
    """Return the checksum of the beginning of a sealed file, as it was before the seal."""
    total = hashlib.sha256()
    file.seek(0)
    while length and (chunk := file.read(min(CHUNK, length))):
        total.update(chunk)
        length -= len(chunk)
    total.update(b"\0\0")
    return total.hexdigest()


def _by_entries(file: BinaryIO) -> str | None:
    try:
        wrong = zipfile.ZipFile(file).testzip()
    except Exception as error:  # whatever a damaged directory makes zipfile raise
        return f"it is damaged ({type(error).__name__})"
    return f"its entry {wrong} is damaged" if wrong else None
