"""ImageNet-1K (Russakovsky et al. 2015) in torchvision's folder layout: train/<wnid>/*.JPEG and val/<wnid>/*.JPEG.

It is read from `data.root`, by default $IMAGENET_DIR; without either, from the folder `imagenet` of the cache. The
50,000 images of `val`, on which the paper reports, are the test images here. `eval` is held out of the training images,
so that choices made on it do not touch the test images.
"""

from pathlib import Path
from typing import Any

from coatlab.config.places import expand_home
from coatlab.data.files.class_folders import scan
from coatlab.data.files.encoded import EncodedData, Source
from coatlab.data.files.faults import refuse_faults
from coatlab.data.folder import source_of
from coatlab.errors import InputError


class ImageNet(EncodedData):
    """Batches from ImageNet.

    Args:
        train_files, val_files: how many there must be, so that an incomplete copy is noticed.
        cache: folder that has `imagenet`, if no root is given.
        shared: as in `EncodedData`.
    """

    upright = False  # published results are of photos as they are stored

    def __init__(self, *, root: str | None, cache: str, train_files: int, val_files: int, **shared: Any) -> None:
        super().__init__(root=root or str(expand_home(cache) / "imagenet"), **shared)
        self.files = {"train": train_files, "val": val_files}

    def load(self) -> Source:
        """List the files.

        Raises:
            InputError: a folder is missing or incomplete.
        """
        root = Path(str(self.root))
        for part in self.files:
            if not (root / part).is_dir():
                raise InputError(
                    f"data={self.name} was not found: there is no folder {root / part}; set data.root or IMAGENET_DIR "
                    f"to the folder that has train/<class>/ and val/<class>/"
                )
        found = scan(root, ("val",))
        refuse_faults(found.faults, self.on_corrupt)
        if len(found.classes) != self.num_classes:
            raise InputError(
                f"{root / 'train'} has {len(found.classes)} classes, not data.num_classes={self.num_classes}"
            )
        source = source_of(found)
        for part, files in (("train", source.train), ("val", source.test)):
            there = 0 if files is None else len(files.labels)
            if there != self.files[part]:
                raise InputError(
                    f"{root / part} has {there} images, not data.{part}_files={self.files[part]}; complete it, or set "
                    f"that key to the number there is"
                )
        return source
