"""What tells the weights of two runs apart, without reading them."""

import hashlib
import struct
from pathlib import Path

TAIL = 2**16  # bytes: the directory of the zip file is within them
END, ENTRY = b"PK\5\6", b"PK\1\2"


def weights_mark(path: Path) -> str | None:
    """Hash the checksums of the tensors in a file of torch.save; None where there is none, or no such file.

    The file is a zip, whose directory holds the checksum of every tensor. What is stored beside the tensors, such as
    the run's fingerprint, does not count. Files with equal marks hold the same weights.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            tail = file.read()
        length, start = struct.unpack_from("<II", tail, tail.rindex(END) + 12)
        place = start - (size - len(tail))  # of the directory
        return _hash(tail, place, place + length)
    except (OSError, ValueError, struct.error):
        return None


def _hash(content: bytes, place: int, end: int) -> str | None:
    found, tensors = hashlib.sha256(), 0
    while content[place : place + 4] == ENTRY and 0 <= place < end:
        checksum, _, size, name, extra, comment = struct.unpack_from("<III3H", content, place + 16)
        words = content[place + 46 : place + 46 + name]
        if b"/data/" in words:
            found.update(struct.pack("<II", checksum, size))
            tensors += 1
        place += 46 + name + extra + comment
    return found.hexdigest() if tensors and place == end else None
