"""A small disk that `.ci/prepare` has mounted: full where a test wants it full, and read-only where it looks at it."""

import os
from pathlib import Path


class SmallDisk:
    """20 MB. `path` is a folder on it; `read_only` is the same folder where nothing can be written."""

    def __init__(self, mounted: Path) -> None:
        self.path, self.read_only = mounted / "disk" / "folder", mounted / "read-only" / "folder"
        self._filler = mounted / "disk" / "filler"
        self.path.mkdir()

    def leave(self, kilobytes: int) -> None:
        """Fill the disk so that only so much room is left."""
        disk = os.statvfs(self.path)
        with open(self._filler, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize - 1024 * kilobytes)

    def make_room(self) -> None:
        """Take away what fills it."""
        self._filler.unlink()
