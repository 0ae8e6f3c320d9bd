"""Fashion-MNIST: real images that every machine can get (Xiao et al. 2017, MIT licence).

The files are taken from the first of these places that has them, and their contents are verified by SHA-256:
1. the folder `data.root`; if it is given, no other place is tried;
2. the folder of Debian's package `dataset-fashion-mnist`, where it is installed;
3. the cache, from an earlier fetch;
4. Debian's package, fetched and unpacked into the cache, which works without being root;
5. torchvision's download, into the cache.
"""

import gzip
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coatlab.config.places import expand_home
from coatlab.data.in_memory import Images, InMemoryData
from coatlab.errors import InputError

PACKAGE = "dataset-fashion-mnist"
PACKAGE_FOLDER = Path("/usr/share/datasets/fashion-mnist")
HEADER_BYTES = {"images-idx3-ubyte": 16, "labels-idx1-ubyte": 8}
FETCH_SECONDS = 120
Mark = tuple[str, int, int, str]
_kept: dict[Mark, bytes] = {}  # unpacked files


class FashionMNIST(InMemoryData):
    """Fashion-MNIST in memory.

    Args:
        sha256: for the name of each file, the SHA-256 of its unpacked content.
        settings: as in `InMemoryData`.
    """

    def __init__(self, *, sha256: dict[str, str], **settings: Any) -> None:
        super().__init__(**settings)
        self.sha256 = dict(sha256)

    def load(self) -> Images:
        """Find, verify and read the four files.

        Raises:
            InputError: no place has them (the sentence lists the places tried), or a file is damaged.
        """
        folder = self._find()
        images, labels = {}, {}
        for part in ("train", "t10k"):
            images[part] = self._read(folder, f"{part}-images-idx3-ubyte").view(-1, 1, 28, 28)
            labels[part] = self._read(folder, f"{part}-labels-idx1-ubyte").long()
        return Images(images["train"], labels["train"], images["t10k"], labels["t10k"])

    def read_ahead(self) -> None:
        """Unpack and verify the files, where they are there, and keep them for the runs of a sweep."""
        if (folder := self._here()) is None:
            return
        for name in self.sha256:
            path, mark = self._marked(folder, name)
            if mark not in _kept:
                _kept[mark] = self._unpacked(path, name)

    def _here(self) -> Path | None:
        """Return the folder of the files, if they need not be fetched."""
        places = [Path(self.root)] if self.root is not None else [PACKAGE_FOLDER, self._cached()]
        return next((folder for folder in places if self._in(folder)), None)

    def _cached(self) -> Path:
        return expand_home(self.cache) / "fashion_mnist"

    def _find(self) -> Path:
        if (here := self._here()) is not None:
            return here
        if self.root is not None:
            raise InputError(
                f"data.root={self.root} does not hold the files of {self.name}: "
                f"{', '.join(self.sha256)} (.gz or unpacked)"
            )
        cache = self._cached()
        tried = [f"the folder {PACKAGE_FOLDER}", f"the cache {cache}"]
        fetchers: list[tuple[str, Callable[[Path], Path]]] = [
            (f"Debian's package {PACKAGE}", _fetch_package),
            ("torchvision's download", _fetch_torchvision),
        ]
        for title, fetch in fetchers:
            try:
                _fetch_into(cache, fetch)
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                tried.append(f"{title} ({_last_line(error)})")
            if self._in(cache):
                return cache
        raise InputError(
            f"data={self.name} was not found; tried {', '.join(tried)}; set data.root to a folder "
            f"that has its four idx files"
        )

    def _in(self, folder: Path) -> bool:
        return all(_file(folder, name) is not None for name in self.sha256)

    def _read(self, folder: Path, name: str) -> Tensor:
        """Read one idx file as a flat uint8 tensor, after its header."""
        path, mark = self._marked(folder, name)
        content = _kept.get(mark) or self._unpacked(path, name)
        header = next(size for ending, size in HEADER_BYTES.items() if name.endswith(ending))
        return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).copy())

    def _marked(self, folder: Path, name: str) -> tuple[Path, Mark]:
        """Return the path of a file, and what tells it, and what it should hold, from another one."""
        path = _file(folder, name)
        assert path is not None
        found = path.stat()
        return path, (str(path.resolve()), found.st_size, found.st_mtime_ns, self.sha256[name])

    def _unpacked(self, path: Path, name: str) -> bytes:
        """Return the content of a file, verified."""
        try:
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        except (OSError, EOFError) as error:
            raise InputError(
                f"{path} is damaged ({error}); delete it to fetch it again, or point data.root elsewhere"
            ) from error
        if hashlib.sha256(content).hexdigest() != self.sha256[name]:
            raise InputError(
                f"{path} does not have the expected content (SHA-256 differs); delete it to fetch it "
                f"again, or point data.root elsewhere"
            )
        return content


def _file(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)


def _fetch_into(cache: Path, fetch: Callable[[Path], Path]) -> None:
    """Fetch into a temporary folder next to the cache, then move each file into the cache at once."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent, prefix=".fashion_mnist-") as temporary:
        found = fetch(Path(temporary))
        cache.mkdir(exist_ok=True)
        for path in found.glob("*ubyte*"):
            path.replace(cache / path.name)


def _fetch_package(folder: Path) -> Path:
    """Fetch Debian's package and unpack it, as any user; fetch package lists first if the machine has none."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise FileNotFoundError("this machine has no apt-get")
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True)
    own_lists = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={folder}", "-o", "Debug::NoLocking=1"]
    download = ["apt-get", "-q", "download", PACKAGE]
    if _run(download, folder).returncode:
        _run(["apt-get", "-q", *own_lists, "update"], folder)
        _run([download[0], *own_lists, *download[1:]], folder, check=True)
    package = next(folder.glob(f"{PACKAGE}_*.deb"))
    _run(["dpkg-deb", "-x", str(package), str(folder / "unpacked")], folder, check=True)
    return folder / "unpacked" / PACKAGE_FOLDER.relative_to("/")


def _run(command: list[str], folder: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, check=check, capture_output=True, text=True, timeout=FETCH_SECONDS)


def _fetch_torchvision(folder: Path) -> Path:
    from torchvision import datasets

    datasets.FashionMNIST(str(folder), download=True)
    return folder / "FashionMNIST" / "raw"


def _last_line(error: BaseException) -> str:
    text = getattr(error, "stderr", None) or str(error) or type(error).__name__
    return str(text).strip().splitlines()[-1][:120]
