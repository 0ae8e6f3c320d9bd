"""Which of the official test images a finished run got right: test_correct.npy, a bit for each in their order.

Two runs on the same data set can thus be compared image by image. Where test images are held out of the training files
instead, they depend on `data.split_seed`, and there is no such file.
"""

from pathlib import Path

import numpy as np

from coatlab.output.files import write_atomic

FILE = "test_correct.npy"  # of np.packbits


def write_correct(folder: Path, correct: np.ndarray) -> None:
    """Write the file of a run folder from one boolean per test image, (N,)."""
    write_atomic(folder / FILE, lambda file: np.save(file, np.packbits(correct), allow_pickle=False))


def read_correct(folder: Path, images: int | None) -> np.ndarray | None:
    """Read the file of a run folder.

    Args:
        images: how many test images the record says there were (`test/images`).

    Returns:
        One boolean per test image, (N,); None if there is no such file, or if it is not of this many images.
    """
    try:
        packed = np.load(folder / FILE, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    if images is None or packed.dtype != np.uint8 or packed.shape != (-(-images // 8),):
        return None
    return np.unpackbits(packed, count=images).astype(bool)
