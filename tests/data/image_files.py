"""Write small real pictures to disk, as class folders of JPEG and PNG files and as shards, and damage files."""

import io
import itertools
from functools import cache
from pathlib import Path

import numpy as np
import webdataset
from PIL import Image

from coatlab.config.compose import compose, resolve
from coatlab.data.image_data import make_data
from coatlab.data.in_memory import InMemoryData

# settings for sets of a few dozen pictures
FEW = ["data.train_size=64", "data.eval_size=16", "data.train_eval_size=16", "data.batch_size=16", "data.image_size=32"]


@cache
def pictures() -> tuple[np.ndarray, np.ndarray]:
    """Return real pictures (clothes, 28 x 28, grey) and their classes."""
    data = make_data(resolve(compose(["data=fashion_mnist"])))
    assert isinstance(data, InMemoryData)
    images = data.load()
    return images.test[:, 0].numpy(), images.test_labels.numpy()


def encoded(picture: np.ndarray, kind: str, sides: tuple[int, int] = (40, 36)) -> bytes:
    """Encode a grey picture as a colour image of another size."""
    tinted = np.stack([picture, 255 - picture, picture // 2], axis=-1)
    file = io.BytesIO()
    Image.fromarray(tinted).resize(sides).save(file, kind)
    return file.getvalue()


def of_class(label: int, count: int, skip: int = 0) -> list[np.ndarray]:
    images, labels = pictures()
    return list(images[labels == label][skip : skip + count])


def write_folders(root: Path, each: int, classes: int = 4, skip: int = 0) -> list[Path]:
    """Write class folders with JPEG and PNG files in turn; return the files."""
    written = []
    for label in range(classes):
        folder = root / f"class_{label}"
        folder.mkdir(parents=True)
        kinds = itertools.cycle([("JPEG", ".JPEG"), ("PNG", ".png")])
        for number, (picture, (kind, ending)) in enumerate(zip(of_class(label, each, skip), kinds, strict=False)):
            path = folder / f"{number:03}{ending}"
            path.write_bytes(encoded(picture, kind))
            written.append(path)
    return written


def write_shards(pattern: str, each: int, classes: int = 4, per_shard: int = 25, skip: int = 0) -> None:
    """Write shards with webdataset's own writer; samples take the classes in turn."""
    with webdataset.ShardWriter(pattern, maxcount=per_shard, verbose=0) as writer:
        columns = [of_class(label, each, skip) for label in range(classes)]
        rows = (pair for row in zip(*columns, strict=True) for pair in enumerate(row))
        for number, (label, picture) in enumerate(rows):
            kind = ("jpg", "JPEG") if number % 2 else ("png", "PNG")
            writer.write({"__key__": f"{number:05}", kind[0]: encoded(picture, kind[1]), "cls": label})


def cut(path: Path) -> None:
    """Cut off the second half of a file, like a broken download."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
