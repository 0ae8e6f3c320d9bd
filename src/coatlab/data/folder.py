"""Any folder with one folder per class: `data=folder data.root=DIR` (class_folders.py describes the forms it may have).

The names and sizes of the files count in a run's fingerprint: a changed folder makes another experiment, a moved one
does not.
"""

from pathlib import Path
from typing import Any

import torch

from coatlab.data.files.class_folders import ClassFolders, scan
from coatlab.data.files.encoded import EncodedData, Source
from coatlab.data.files.faults import printable, refuse_faults
from coatlab.data.files.listing import Listing
from coatlab.data.files.reading import read_file
from coatlab.errors import InputError


class Files:
    """The files of a listing."""

    def __init__(self, root: Path, listing: Listing) -> None:
        self.root, self.listing = bytes(root), listing
        self.labels = torch.from_numpy(listing.labels)

    def name(self, number: int) -> str:
        """Return the path of a file, as it is shown."""
        return printable(self._path(number))

    def read(self, number: int) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: it cannot be read, or is no longer a file.
        """
        return read_file(self._path(number))

    def _path(self, number: int) -> bytes:
        return b"%s/%s" % (self.root, self.listing.path(number))


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
            InputError: the folder does not have a valid form, an image cannot be used, or the files have changed since
                `content` was made.
        """
        found = scan(Path(str(self.root)))
        if self.content not in (None, found.content):
            raise InputError(f"the files below data.root={self.root} have changed; run the command again")
        refuse_faults(found.faults, self.on_corrupt)
        return source_of(found)


def source_of(found: ClassFolders) -> Source:
    """Return the training and test files of class folders."""
    test = None if found.test is None else Files(found.root, found.test)
    train = Files(found.root, found.train)
    return Source(train, test, names=found.classes, faults=found.faults, found=found.found, aside=found.aside)
