"""Any folder with one folder per class: `data=folder data.root=DIR` (class_folders.py describes the forms it may have).

The names and sizes of the files count in a run's fingerprint: a changed folder makes another experiment, a moved one
does not.
"""

import os
from pathlib import Path
from typing import Any

import torch

from coatlab.data.files.class_folders import ClassFolders, Listing, scan
from coatlab.data.files.encoded import EncodedData, Source
from coatlab.errors import InputError


class Files:
    """The files of a listing."""

    def __init__(self, root: Path, listing: Listing) -> None:
        self.root, self.paths = root, listing.paths
        self.labels = torch.from_numpy(listing.labels)

    def name(self, number: int) -> str:
        """Return the path of a file."""
        return str(self.root / os.fsdecode(self.paths[number]))

    def read(self, number: int) -> bytes:
        """Return the content of a file."""
        return Path(self.name(number)).read_bytes()


class Folder(EncodedData):
    """Batches from class folders.

    Args:
        content: hash of the files when the run got its fingerprint (`class_folders.catalog`); None: not checked.
        shared: as in `EncodedData`.
    """

    def __init__(self, *, content: str | None, **shared: Any) -> None:
        super().__init__(**shared)
        self.content = content

    def load(self) -> Source:
        """List the files.

        Raises:
            InputError: the folder does not have a valid form, or its files have changed since `content` was made.
        """
        found = scan(Path(str(self.root)))
        if self.content not in (None, found.content):
            raise InputError(f"the files below data.root={self.root} have changed; run the command again")
        return source_of(found)


def source_of(found: ClassFolders) -> Source:
    """Return the training and test files of class folders."""
    test = None if found.test is None else Files(found.root, found.test)
    return Source(Files(found.root, found.train), test)
