"""The first 4,000 + 500 images of Fashion-MNIST, in files of their own.

For runs of which the training images are few anyway: the official set has 10,000 test images, and evaluating them at
the end takes longer than training a tiny network.
"""

import os
import struct
import tempfile
from pathlib import Path

import numpy as np

# one folder for all processes that run tests: the first makes it and takes it away, the others inherit the variable
OURS = "COATLAB_SMALL_IMAGES" not in os.environ
FOLDER = Path(os.environ.get("COATLAB_SMALL_IMAGES") or tempfile.mkdtemp(prefix="coatlab-images-"))
os.environ["COATLAB_SMALL_IMAGES"] = str(FOLDER)
SHA256 = {
    "train-images-idx3-ubyte": "09dd72e74aa8a76feaada262d167edcd489b57bc01d49240b1da1e0f2d395932",
    "train-labels-idx1-ubyte": "bd16d103c66bdc7c4826aef758caccae538e9465d8c4fd0939db7bcb1891a702",
    "t10k-images-idx3-ubyte": "c9bd0ed7148856eb2287d902861921296d6c36d95a5113341a35554343e84123",
    "t10k-labels-idx1-ubyte": "9f5f7b9143df7bffff73a8bf7d8a53545dbf787f86e5e195c64401d2c6f8f372",
}
WORDS = [f"data.root={FOLDER}", *(f"data.sha256.{name}={value}" for name, value in SHA256.items())]


def write() -> None:
    """Write the four files, from the official ones."""
    from coatlab.config.compose import compose, resolve
    from coatlab.data.image_data import make_data
    from coatlab.data.in_memory import InMemoryData

    source = make_data(resolve(compose(["data=fashion_mnist"])))
    assert isinstance(source, InMemoryData)
    images = source.load()
    _write("train-images-idx3-ubyte", images.train[:4000, 0].numpy())
    _write("train-labels-idx1-ubyte", images.train_labels[:4000].numpy())
    _write("t10k-images-idx3-ubyte", images.test[:500, 0].numpy())
    _write("t10k-labels-idx1-ubyte", images.test_labels[:500].numpy())


def _write(name: str, values: np.ndarray) -> None:
    header = struct.pack(f">{1 + values.ndim}i", 0x800 + values.ndim, *values.shape)  # of idx files of bytes
    part = FOLDER / f"{name}.{os.getpid()}"
    part.write_bytes(header + values.astype(np.uint8).tobytes())
    part.replace(FOLDER / name)  # whole: other processes write and read it, too
